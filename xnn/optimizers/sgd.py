"""Gradient descent: plain, with momentum, and with Nesterov's momentum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xnn.contract import Array
from xnn.optimizers.base import Optimizer, Rule, coupled
from xnn.schedules import Schedule
from xnn.settings import settle

__all__ = ["SGD"]


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent, which is stochastic when g comes from a mini-batch.

        θ ← θ − ηg

    With momentum μ, where v starts with the first gradient, and dampening d (Polyak, 1964):

        v ← μv + (1 − d)g        θ ← θ − ηv

    With Nesterov's momentum, in PyTorch's form (Nesterov, 1983; Sutskever et al., 2013):

        v ← μv + g               θ ← θ − η(g + μv)

    Settings:
        lr: η, a number or a schedule.
        momentum: μ ≥ 0; below 1 in practice.
        dampening: d.
        weight_decay: λ, which adds λθ to g.
        nesterov: needs a momentum and no dampening.
    """

    lr: float | Schedule = 1e-3
    momentum: float = 0.0
    dampening: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, momentum="[0, inf)", dampening="(-inf, inf)", weight_decay="[0, inf)")
        if self.nesterov and (not self.momentum or self.dampening):
            raise ValueError(
                "SGD: nesterov=True needs momentum > 0 and dampening = 0, "
                f"got momentum={self.momentum} and dampening={self.dampening}"
            )

    def buffers(self) -> dict[str, float]:
        """v, with momentum."""
        return {"v": 0.0} if self.momentum else {}

    def rule(self, numbers: Mapping[str, Any], η: float) -> Rule:
        """The equation that the settings ask for."""
        if not self.momentum:
            return coupled(self.weight_decay, descent, {"η": η})
        scalars = {"η": η, "μ": self.momentum}
        if self.nesterov:
            return coupled(self.weight_decay, nesterov, scalars)
        if self.dampening and numbers["step"] > 1:  # the first v is g itself
            return coupled(self.weight_decay, dampened, {**scalars, "γ": 1.0 - self.dampening})
        return coupled(self.weight_decay, momentum, scalars)


def descent(xp: Any, θ: Array, g: Array, *, η: float) -> tuple[Array, ...]:
    """θ ← θ − ηg."""
    θ -= η * g
    return (θ,)


def momentum(xp: Any, θ: Array, g: Array, v: Array, *, η: float, μ: float) -> tuple[Array, ...]:
    """v ← μv + g, θ ← θ − ηv."""
    v *= μ
    v += g
    θ -= η * v
    return θ, v


def dampened(xp: Any, θ: Array, g: Array, v: Array, *, η: float, μ: float, γ: float) -> tuple[Array, ...]:
    """v ← μv + γg, θ ← θ − ηv, with γ = 1 − d."""
    v *= μ
    v += γ * g
    θ -= η * v
    return θ, v


def nesterov(xp: Any, θ: Array, g: Array, v: Array, *, η: float, μ: float) -> tuple[Array, ...]:
    """v ← μv + g, θ ← θ − η(g + μv)."""
    v *= μ
    v += g
    d = μ * v
    d += g
    d *= η
    θ -= d
    return θ, v
