"""NAdam: Adam that looks ahead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

from xnn.contract import Array
from xnn.optimizers.adam import moments, weights
from xnn.optimizers.base import Optimizer, Rule, coupled, decoupled
from xnn.schedules import Schedule
from xnn.settings import settle

__all__ = ["NAdam"]


@dataclass(frozen=True)
class NAdam(Optimizer):
    """Adam with Nesterov's momentum (Dozat, 2016, in PyTorch's form).

        μₜ = β₁(1 − ½·0.96^(tψ))        Pₜ = μ₁μ₂…μₜ
        m ← β₁m + (1−β₁)g               v ← β₂v + (1−β₂)g²
        θ ← θ − η ((1−μₜ)/(1−Pₜ)·g + μₜ₊₁/(1−Pₜ₊₁)·m) / (√v̂ + ε)

    Settings: those of Adam, with lr = 0.002, and
        momentum_decay: ψ.
        decoupled_weight_decay: whether the decay is AdamW's.
    """

    lr: float | Schedule = 2e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    momentum_decay: float = 4e-3
    decoupled_weight_decay: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, betas="[0, 1)", eps="[0, inf)", weight_decay="[0, inf)", momentum_decay="[0, inf)")

    def buffers(self) -> dict[str, float]:
        """m and v."""
        return {"m": 0.0, "v": 0.0}

    def numbers(self) -> dict[str, Any]:
        """The step, and P."""
        return {"step": 0, "mu_product": 1.0}

    def advance(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """t and Pₜ."""
        t = state["step"] + 1
        return {"step": t, "mu_product": state["mu_product"] * self.mu(t)}

    def mu(self, t: int) -> float:
        """μₜ."""
        decay: float = 0.96 ** (t * self.momentum_decay)
        return self.betas[0] * (1.0 - 0.5 * decay)

    def rule(self, numbers: Mapping[str, Any], η: float) -> Rule:
        """The equation above."""
        t, p = numbers["step"], numbers["mu_product"]
        β1, β2 = self.betas
        root, ahead = sqrt(weights(β2, t)), self.mu(t + 1)
        scalars = {
            "a": η * root * (1.0 - self.mu(t)) / (1.0 - p),
            "b": η * root * (1.0 - β1) * ahead / (1.0 - p * ahead),
            "β1": β1,
            "β2": β2,
            "ε": self.eps * root,
        }
        if self.decoupled_weight_decay:
            return decoupled(self.weight_decay, η, nadam, scalars)
        return coupled(self.weight_decay, nadam, scalars)


def nadam(
    xp: Any, θ: Array, g: Array, m: Array, v: Array, *, a: float, b: float, β1: float, β2: float, ε: float
) -> tuple[Array, ...]:
    """m ← β₁m + g, v ← β₂v + g², θ ← θ − (ag + bm) / (√v + ε), with m and v as in ``adam``."""
    m, v = moments(m, v, g, β1, β2)
    d = xp.sqrt(v)
    d += ε
    n = b * m
    n += a * g
    n /= d
    θ -= n
    return θ, m, v
