"""Penalties on large weights, added to a cost: the equation R(w) and its slope ∂R/∂w.

Every penalty is named by its equation, and λ multiplies it as it is written: nothing is divided by
the number of examples. In a network they act on weights, not on biases or scales.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xnn.arrays import on_their_device
from xnn.contract import Array
from xnn.settings import settle
from xnn.trees import arrays, rebuild

__all__ = ["L1", "L2", "ElasticNet", "Penalty", "check_penalty"]


class Penalty:
    """A function R of an array w of weights; derive from it and write ``cost`` and ``slope``."""

    def cost(self, xp: Any, w: Array) -> Array:
        """R(w), a 0-d array."""
        raise NotImplementedError

    def slope(self, xp: Any, w: Array) -> Array:
        """∂R/∂w, of the shape of w."""
        raise NotImplementedError

    @on_their_device
    def __call__(self, w: Any) -> Array:
        """R(w) as a 0-d array; w is an array of any library, numbers in lists, or a dictionary of these."""
        xp, found = arrays(w, "w")
        total, *others = [self.cost(xp, a) for a in found] or [xp.zeros(())]
        for cost in others:
            total = total + cost
        return total

    @on_their_device
    def gradient(self, w: Any) -> Array:
        """∂R/∂w, of the form, the shapes and the data types of w."""
        xp, found = arrays(w, "w")
        return rebuild(w, [self.slope(xp, a) for a in found])


@dataclass(frozen=True)
class L1(Penalty):
    """R(w) = λ Σ|w|, ∂R/∂w = λ sign(w), which is 0 at w = 0; λ is ``strength``.

    It drives weights to exactly zero. Source: the lasso, Tibshirani, 1996.
    """

    strength: float

    def __post_init__(self) -> None:
        settle(self, strength="[0, inf)")

    def cost(self, xp: Any, w: Array) -> Array:
        """λ Σ|w|."""
        return self.strength * xp.sum(xp.abs(w))

    def slope(self, xp: Any, w: Array) -> Array:
        """λ sign(w)."""
        return self.strength * xp.sign(w)


@dataclass(frozen=True)
class L2(Penalty):
    """R(w) = λ Σw², ∂R/∂w = 2λw; with ``half=True`` ½λ Σw² and λw. λ is ``strength``.

    With ``half=True`` plain descent takes the steps of ``SGD(weight_decay=λ)``. Source: ridge
    regression, Hoerl & Kennard, 1970.
    """

    strength: float
    half: bool = False

    def __post_init__(self) -> None:
        settle(self, strength="[0, inf)")

    def cost(self, xp: Any, w: Array) -> Array:
        """λ Σw², or ½λ Σw²."""
        return (0.5 * self.strength if self.half else self.strength) * xp.sum(w * w)

    def slope(self, xp: Any, w: Array) -> Array:
        """2λw, or λw."""
        return (self.strength if self.half else 2.0 * self.strength) * w


@dataclass(frozen=True)
class ElasticNet(Penalty):
    """R(w) = λ₁ Σ|w| + λ₂ Σw², ∂R/∂w = λ₁ sign(w) + 2λ₂w; λ₁ is ``l1``, λ₂ is ``l2``.

    Source: Zou & Hastie, 2005, equation 3.
    """

    l1: float
    l2: float

    def __post_init__(self) -> None:
        settle(self, l1="[0, inf)", l2="[0, inf)")

    def cost(self, xp: Any, w: Array) -> Array:
        """λ₁ Σ|w| + λ₂ Σw²."""
        return self.l1 * xp.sum(xp.abs(w)) + self.l2 * xp.sum(w * w)

    def slope(self, xp: Any, w: Array) -> Array:
        """λ₁ sign(w) + 2λ₂w."""
        return self.l1 * xp.sign(w) + (2.0 * self.l2) * w


def check_penalty(penalty: Any) -> None:
    """Raise TypeError for what is neither a penalty nor None."""
    if isinstance(penalty, type) and issubclass(penalty, Penalty):
        raise TypeError(f"penalty: got the class {penalty.__name__}; write {penalty.__name__}(1e-4)")
    if penalty is not None and not isinstance(penalty, Penalty):
        raise TypeError(f"penalty: expected one such as xnn.L2(1e-4), or None; got {penalty!r}")
