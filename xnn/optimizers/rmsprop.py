"""RMSprop: the gradient in units of its own recent size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xnn.contract import Array, Equation
from xnn.optimizers.base import Optimizer, Rule, coupled
from xnn.schedules import Schedule
from xnn.settings import settle

__all__ = ["RMSprop", "mean_square"]


def mean_square(v: Array, g: Array, β: float, γ: float) -> Array:
    """v ← βv + γg², the running mean of the squares, with γ = 1 − β from the host."""
    s = g * g
    s *= γ
    v *= β
    v += s
    return v


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """The gradient over the root of its running mean square (Tieleman & Hinton, lecture 6e, 2012).

        v ← αv + (1−α)g²        d = g / (√v + ε)        θ ← θ − ηd

    ``centered`` divides by the standard deviation instead (Graves, 2013), with m ← αm + (1−α)g and
    v − m² in the place of v. With momentum μ: b ← μb + d, θ ← θ − ηb.

    Settings:
        lr: η, a number or a schedule.
        alpha: α.
        eps: ε.
        weight_decay: λ, which adds λθ to g.
        momentum: μ.
        centered: as above.
    """

    lr: float | Schedule = 1e-2
    alpha: float = 0.99
    eps: float = 1e-8
    weight_decay: float = 0.0
    momentum: float = 0.0
    centered: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, alpha="[0, 1]", eps="[0, inf)", weight_decay="[0, inf)", momentum="[0, inf)")

    def buffers(self) -> dict[str, float]:
        """v, then m if centered, then b with momentum."""
        return {"v": 0.0} | ({"m": 0.0} if self.centered else {}) | ({"b": 0.0} if self.momentum else {})

    def rule(self, numbers: Mapping[str, Any], η: float) -> Rule:
        """The equation that the settings ask for."""
        equation = _RMSPROP[self.centered, self.momentum > 0.0]
        scalars = {"η": η, "α": self.alpha, "γ": 1.0 - self.alpha, "ε": self.eps}
        if self.momentum:
            scalars["μ"] = self.momentum
        return coupled(self.weight_decay, equation, scalars)


def rmsprop(xp: Any, θ: Array, g: Array, v: Array, *, η: float, α: float, γ: float, ε: float) -> tuple[Array, ...]:
    """v ← αv + γg², θ ← θ − ηg / (√v + ε)."""
    v = mean_square(v, g, α, γ)
    d = _over_root(xp, g, xp.sqrt(v), ε)
    d *= η
    θ -= d
    return θ, v


def rmsprop_momentum(
    xp: Any, θ: Array, g: Array, v: Array, b: Array, *, η: float, α: float, γ: float, ε: float, μ: float
) -> tuple[Array, ...]:
    """v ← αv + γg², b ← μb + g / (√v + ε), θ ← θ − ηb."""
    v = mean_square(v, g, α, γ)
    b *= μ
    b += _over_root(xp, g, xp.sqrt(v), ε)
    θ -= η * b
    return θ, v, b


def rmsprop_centered(
    xp: Any, θ: Array, g: Array, v: Array, m: Array, *, η: float, α: float, γ: float, ε: float
) -> tuple[Array, ...]:
    """v ← αv + γg², m ← αm + γg, θ ← θ − ηg / (√(v − m²) + ε)."""
    v = mean_square(v, g, α, γ)
    m *= α
    m += γ * g
    d = _over_root(xp, g, _deviation(xp, v, m), ε)
    d *= η
    θ -= d
    return θ, v, m


def rmsprop_centered_momentum(
    xp: Any, θ: Array, g: Array, v: Array, m: Array, b: Array, *, η: float, α: float, γ: float, ε: float, μ: float
) -> tuple[Array, ...]:
    """v ← αv + γg², m ← αm + γg, b ← μb + g / (√(v − m²) + ε), θ ← θ − ηb."""
    v = mean_square(v, g, α, γ)
    m *= α
    m += γ * g
    b *= μ
    b += _over_root(xp, g, _deviation(xp, v, m), ε)
    θ -= η * b
    return θ, v, m, b


def _deviation(xp: Any, v: Array, m: Array) -> Array:
    """√(v − m²), where rounding must not bring the difference below 0."""
    d = m * m
    d = v - d
    return xp.sqrt(xp.maximum(d, 0.0))


def _over_root(xp: Any, g: Array, root: Array, ε: float) -> Array:
    """g / (root + ε); root is a fresh array."""
    root += ε
    return g / root


_RMSPROP: dict[tuple[bool, bool], Equation] = {  # by centered, momentum
    (False, False): rmsprop,
    (False, True): rmsprop_momentum,
    (True, False): rmsprop_centered,
    (True, True): rmsprop_centered_momentum,
}
