"""Step sizes that adapt to each parameter by the squares of its gradients: Adagrad and Adadelta."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xnn.contract import Array
from xnn.optimizers.base import Optimizer, Rule, coupled
from xnn.optimizers.rmsprop import mean_square
from xnn.schedules import Schedule
from xnn.settings import settle

__all__ = ["Adadelta", "Adagrad"]


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """The step of a parameter shrinks with the squares of all its gradients so far (Duchi et al., 2011).

        s ← s + g²        θ ← θ − ηₜ g / (√s + ε)        ηₜ = η / (1 + (t−1)·lr_decay)

    Settings:
        lr: η, a number or a schedule.
        lr_decay: as above.
        weight_decay: λ, which adds λθ to g.
        initial_accumulator_value: the first s.
        eps: ε.
    """

    lr: float | Schedule = 1e-2
    lr_decay: float = 0.0
    weight_decay: float = 0.0
    initial_accumulator_value: float = 0.0
    eps: float = 1e-10

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(
            self,
            lr_decay="[0, inf)",
            weight_decay="[0, inf)",
            initial_accumulator_value="[0, inf)",
            eps="[0, inf)",
        )

    def buffers(self) -> dict[str, float]:
        """s, the sum of the squares."""
        return {"s": self.initial_accumulator_value}

    def rule(self, numbers: Mapping[str, Any], η: float) -> Rule:
        """The equation above."""
        η = η / (1.0 + (numbers["step"] - 1) * self.lr_decay)
        return coupled(self.weight_decay, adagrad, {"η": η, "ε": self.eps})


def adagrad(xp: Any, θ: Array, g: Array, s: Array, *, η: float, ε: float) -> tuple[Array, ...]:
    """s ← s + g², θ ← θ − ηg / (√s + ε)."""
    s += g * g
    d = xp.sqrt(s)
    d += ε
    d = g / d
    d *= η
    θ -= d
    return θ, s


@dataclass(frozen=True)
class Adadelta(Optimizer):
    """Steps in the units of θ, from the running mean squares of gradients and of steps (Zeiler, 2012).

        v ← ρv + (1−ρ)g²        d = g √(u + ε) / √(v + ε)        u ← ρu + (1−ρ)d²        θ ← θ − ηd

    Settings:
        lr: η, a number or a schedule.
        rho: ρ.
        eps: ε.
        weight_decay: λ, which adds λθ to g.
    """

    lr: float | Schedule = 1.0
    rho: float = 0.9
    eps: float = 1e-6
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, rho="[0, 1]", eps="[0, inf)", weight_decay="[0, inf)")

    def buffers(self) -> dict[str, float]:
        """v and u, the running mean squares of g and d."""
        return {"v": 0.0, "u": 0.0}

    def rule(self, numbers: Mapping[str, Any], η: float) -> Rule:
        """The equation above."""
        return coupled(self.weight_decay, adadelta, {"η": η, "ρ": self.rho, "γ": 1.0 - self.rho, "ε": self.eps})


def adadelta(
    xp: Any, θ: Array, g: Array, v: Array, u: Array, *, η: float, ρ: float, γ: float, ε: float
) -> tuple[Array, ...]:
    """v ← ρv + γg², d = g √(u + ε) / √(v + ε), u ← ρu + γd², θ ← θ − ηd."""
    v = mean_square(v, g, ρ, γ)
    d = xp.sqrt(u + ε)
    d /= xp.sqrt(v + ε)
    d *= g
    u = mean_square(u, d, ρ, γ)
    d *= η
    θ -= d
    return θ, v, u
