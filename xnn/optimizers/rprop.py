"""Rprop: only the signs of the gradient count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xnn.contract import Array
from xnn.optimizers.base import Optimizer, Rule
from xnn.schedules import Schedule
from xnn.settings import number, settle

__all__ = ["Rprop"]


@dataclass(frozen=True)
class Rprop(Optimizer):
    """Resilient backpropagation (Riedmiller & Braun, 1993), for full batches.

    Each parameter has a step size Δ of its own, which grows while the sign of its gradient stays and
    shrinks when it turns; after a turn the parameter waits for one update (p is the last sign):

        gp > 0:   Δ ← min(η₊Δ, Δmax)        θ ← θ − sign(g)Δ        p ← sign(g)
        gp < 0:   Δ ← max(η₋Δ, Δmin)        θ stays                 p ← 0
        gp = 0:   Δ stays                   θ ← θ − sign(g)Δ        p ← sign(g)

    Settings:
        lr: the first Δ, a number; no schedule, for Rprop finds the step sizes itself.
        etas: (η₋, η₊), with 0 < η₋ < 1 < η₊.
        step_sizes: (Δmin, Δmax).
    """

    lr: float | Schedule = 1e-2
    etas: tuple[float, float] = (0.5, 1.2)
    step_sizes: tuple[float, float] = (1e-6, 50.0)

    def __post_init__(self) -> None:
        if callable(self.lr):
            raise TypeError(f"Rprop: lr must be a number, the first of the step sizes that it adapts; got {self.lr!r}")
        super().__post_init__()
        settle(self, etas="(0, inf)", step_sizes="(0, inf)")
        if not self.etas[0] < 1.0 < self.etas[1]:
            raise ValueError(f"Rprop: etas must be one number below 1 and one above, got {self.etas}")
        if not self.step_sizes[0] <= self.step_sizes[1]:
            raise ValueError(f"Rprop: step_sizes must be the smallest and the largest, got {self.step_sizes}")

    def buffers(self) -> dict[str, float]:
        """p and Δ."""
        return {"p": 0.0, "delta": number("lr", self.lr, "(0, inf)")}

    def rate(self, step: int) -> float:
        """1, for Δ is the step size."""
        return 1.0

    def rule(self, numbers: Mapping[str, Any], η: float) -> Rule:
        """The equation above; ``lr_scale`` multiplies Δ where θ changes."""
        (shrink, grow), (low, high) = self.etas, self.step_sizes
        return rprop, {"η": η, "shrinkage": 1.0 - shrink, "growth": grow - 1.0, "low": low, "high": high}


def rprop(
    xp: Any, θ: Array, g: Array, p: Array, Δ: Array,
    *, η: float, shrinkage: float, growth: float, low: float, high: float,
) -> tuple[Array, ...]:  # fmt: skip
    """The three cases above, by factors entry by entry: NumPy takes six times as long to choose (``where``)."""
    d = xp.sign(g)
    turn = d * p  # 1 where the sign stays, −1 where it turns
    stayed = xp.maximum(turn, 0.0)
    turned = xp.minimum(turn, 0.0)
    stayed *= growth
    Δ *= 1.0 + stayed
    Δ *= 1.0 + shrinkage * turned
    Δ = xp.minimum(xp.maximum(Δ, low), high)
    p = d * (1.0 + turned)
    d = p * Δ
    d *= η
    θ -= d
    return θ, p, Δ
