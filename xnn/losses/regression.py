"""Losses for numbers: how far the outputs a are from the targets y, with the error e = a − y.

Each states ℓ, the cost of one output, and ℓ′ = ∂ℓ/∂a. The cost of an example is the mean of ℓ over its
outputs, except for SquaredError, which is their sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi
from typing import Any, ClassVar

from xnn.contract import Array
from xnn.losses.base import Elementwise
from xnn.settings import settle

__all__ = ["Huber", "LogCosh", "MeanAbsoluteError", "MeanSquaredError", "PoissonNLL", "SquaredError"]


@dataclass(frozen=True)
class SquaredError(Elementwise):
    """L = Σⱼ (aⱼ − yⱼ)², ℓ′ = 2e; with ``half`` L = ½ Σⱼ (aⱼ − yⱼ)², ℓ′ = e.

    The sum over outputs of text 003; ½ is the convention of text 000, the plain square that of 001,
    002 and 004.
    """

    mean: ClassVar[bool] = False
    half: bool = False

    def __post_init__(self) -> None:
        settle(self)

    def elements(self, xp: Any, a: Array, y: Array, c: Any) -> tuple[Array, Array]:
        """(ℓ, c ℓ′)."""
        e = a - y
        if self.half:
            return 0.5 * e * e, c * e
        return e * e, (2.0 * c) * e


@dataclass(frozen=True)
class MeanSquaredError(Elementwise):
    """ℓ = e², ℓ′ = 2e, the mean over outputs, too (PyTorch's MSELoss)."""

    def elements(self, xp: Any, a: Array, y: Array, c: Any) -> tuple[Array, Array]:
        """(ℓ, c ℓ′)."""
        e = a - y
        return e * e, (2.0 * c) * e


@dataclass(frozen=True)
class MeanAbsoluteError(Elementwise):
    """ℓ = |e|, ℓ′ = sign e, which is 0 at e = 0 (PyTorch's L1Loss)."""

    def elements(self, xp: Any, a: Array, y: Array, c: Any) -> tuple[Array, Array]:
        """(ℓ, c ℓ′)."""
        e = a - y
        return xp.abs(e), c * xp.sign(e)


@dataclass(frozen=True)
class Huber(Elementwise):
    """A square near 0 and straight lines outside ±d, d being the setting ``delta`` (not the error δ).

    With k = e clipped to [−d, d]

        ℓ = k (e − ½k)            = ½e² for |e| ≤ d, else d (|e| − ½d)
        ℓ′ = k

    (P. J. Huber, 1964; PyTorch's HuberLoss.)
    """

    delta: float = 1.0

    def __post_init__(self) -> None:
        settle(self, delta="(0, inf)")

    def elements(self, xp: Any, a: Array, y: Array, c: Any) -> tuple[Array, Array]:
        """(ℓ, c ℓ′)."""
        e = a - y
        k = xp.maximum(xp.minimum(e, self.delta), -self.delta)
        return k * (e - 0.5 * k), c * k


@dataclass(frozen=True)
class LogCosh(Elementwise):
    """ℓ = log cosh e, ℓ′ = tanh e: about ½e² near 0, about |e| − log 2 far away (Keras's LogCosh)."""

    def elements(self, xp: Any, a: Array, y: Array, c: Any) -> tuple[Array, Array]:
        """(ℓ, c ℓ′)."""
        e = a - y
        # cosh e = exp|e| (1 + exp(−2|e|))/2: no overflow, and expm1 keeps the digits of a small e.
        r = xp.abs(e)
        return r + xp.log1p(0.5 * xp.expm1(-2.0 * r)), c * xp.tanh(e)


@dataclass(frozen=True)
class PoissonNLL(Elementwise):
    """Counts y ≥ 0 that follow a Poisson law whose rate the network finds (PyTorch's PoissonNLLLoss).

        log_input=True:    a = log of the rate,   ℓ = exp a − y a,             ℓ′ = exp a − y
        log_input=False:   a = the rate ≥ 0,      ℓ = a − y log(a + eps),      ℓ′ = 1 − y/(a + eps)

    ``full`` adds Stirling's y log y − y + ½ log 2πy for log y! where y > 1, a constant for descent.
    exp a overflows above a = 709 in float64 and 88 in float32.
    """

    log_input: bool = True
    full: bool = False
    eps: float = 1e-8

    def __post_init__(self) -> None:
        settle(self, eps="[0, inf)")

    def elements(self, xp: Any, a: Array, y: Array, c: Any) -> tuple[Array, Array]:
        """(ℓ, c ℓ′)."""
        if self.log_input:
            rate = xp.exp(a)
            costs, δ = rate - y * a, c * (rate - y)
        else:
            shifted = a + self.eps
            costs, δ = a - y * xp.log(shifted), c * (1.0 - y / shifted)
        if self.full:
            large = xp.where(y > 1.0, y, 1.0)  # no log of 0 is taken
            stirling = (large + 0.5) * xp.log(large) - large + 0.5 * log(2.0 * pi)
            costs = costs + xp.where(y > 1.0, stirling, 0.0)
        return costs, δ

    def check(self, y: Any) -> None:
        """Counts are 0 or more."""
        if (y < 0).any():
            raise ValueError(f"PoissonNLL: the targets are counts, 0 or more; got {y[y < 0][0]}")
