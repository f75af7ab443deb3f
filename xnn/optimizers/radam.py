"""RAdam: Adam that waits for its mean squares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

from xnn.contract import Array, Equation
from xnn.optimizers.adam import adam, moments, weights
from xnn.optimizers.base import Optimizer, Rule, coupled, decoupled
from xnn.schedules import Schedule
from xnn.settings import settle

__all__ = ["RAdam"]


@dataclass(frozen=True)
class RAdam(Optimizer):
    """Adam, rectified while v has seen too few gradients to be trusted (Liu et al., 2019, algorithm 2).

        ρ∞ = 2/(1−β₂) − 1        ρₜ = ρ∞ − 2tβ₂ᵗ/(1−β₂ᵗ)
        ρₜ > 5:   r = √((ρₜ−4)(ρₜ−2)ρ∞ / ((ρ∞−4)(ρ∞−2)ρₜ)),   θ ← θ − η r m̂ √(1−β₂ᵗ) / (√v + ε)
        else:     θ ← θ − η m̂

    Settings: those of Adam, and
        decoupled_weight_decay: whether the decay is AdamW's.
    """

    lr: float | Schedule = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    decoupled_weight_decay: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, betas="[0, 1)", eps="[0, inf)", weight_decay="[0, inf)")

    def buffers(self) -> dict[str, float]:
        """m and v."""
        return {"m": 0.0, "v": 0.0}

    def rule(self, numbers: Mapping[str, Any], η: float) -> Rule:
        """Adam's equation with other scalars, or in the first updates the one without a root."""
        t = numbers["step"]
        β1, β2 = self.betas
        α = η / weights(β1, t)
        scalars = {"α": α, "β1": β1, "β2": β2}
        limit = 2.0 / (1.0 - β2) - 1.0
        ρ = limit - 2.0 * t * β2**t / (1.0 - β2**t)
        equation: Equation = unrectified
        if ρ > 5.0:
            r = sqrt((ρ - 4.0) * (ρ - 2.0) * limit / ((limit - 4.0) * (limit - 2.0) * ρ))
            ε = self.eps / sqrt(1.0 - β2)  # stands beside √v, not √v̂
            equation, scalars = adam, {**scalars, "α": α * r * sqrt(weights(β2, t)), "ε": ε}
        if self.decoupled_weight_decay:
            return decoupled(self.weight_decay, η, equation, scalars)
        return coupled(self.weight_decay, equation, scalars)


def unrectified(
    xp: Any, θ: Array, g: Array, m: Array, v: Array, *, α: float, β1: float, β2: float
) -> tuple[Array, ...]:
    """m ← β₁m + g, v ← β₂v + g², θ ← θ − αm, with m and v as in ``adam``."""
    m, v = moments(m, v, g, β1, β2)
    θ -= α * m
    return θ, m, v
