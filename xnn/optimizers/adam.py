"""Adam and its relatives: running means of the gradient and of its square, corrected for their start at 0.

All of them have, with betas = (β₁, β₂):

    m ← β₁m + (1−β₁)g        v ← β₂v + (1−β₂)g²

The corrections m̂ = m / (1−β₁ᵗ) and v̂ = v / (1−β₂ᵗ) are numbers for all entries at once, so the host
folds them into two scalars: η m̂ / (√v̂ + ε) = α m / (√v + ε̂), where with c₁ = 1−β₁ᵗ, c₂ = 1−β₂ᵗ
α = η √c₂ / c₁ and ε̂ = ε √c₂ (Kingma & Ba, end of section 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

from xnn.arrays import Array
from xnn.optimizers.base import Optimizer, Rule, coupled, decoupled
from xnn.optimizers.rmsprop import mean_square
from xnn.schedules import Schedule
from xnn.settings import settle

__all__ = ["Adam", "AdamW", "Adamax", "adam"]


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adaptive moments (Kingma & Ba, 2014, algorithm 1).

        m ← β₁m + (1−β₁)g        v ← β₂v + (1−β₂)g²
        m̂ = m / (1−β₁ᵗ)          v̂ = v / (1−β₂ᵗ)          θ ← θ − η m̂ / (√v̂ + ε)

    Settings:
        lr: η, a number or a schedule.
        betas: (β₁, β₂).
        eps: ε.
        weight_decay: λ, which adds λθ to g.
    """

    lr: float | Schedule = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, betas="[0, 1)", eps="[0, inf)", weight_decay="[0, inf)")

    def buffers(self) -> dict[str, float]:
        """m and v."""
        return {"m": 0.0, "v": 0.0}

    def rule(self, numbers: Mapping[str, Any], η: float) -> Rule:
        """The equation above, with λθ added to g."""
        return coupled(self.weight_decay, adam, self.scalars(numbers["step"], η))

    def scalars(self, t: int, η: float) -> dict[str, float]:
        """The scalars of ``adam`` in update t."""
        β1, β2 = self.betas
        root = sqrt(1.0 - β2**t)
        α = η * root / (1.0 - β1**t)
        return {"α": α, "β1": β1, "γ1": 1.0 - β1, "β2": β2, "γ2": 1.0 - β2, "ε": self.eps * root}


def adam(
    xp: Any, θ: Array, g: Array, m: Array, v: Array,
    *, α: float, β1: float, γ1: float, β2: float, γ2: float, ε: float,
) -> tuple[Array, ...]:  # fmt: skip
    """m ← β₁m + γ₁g, v ← β₂v + γ₂g², θ ← θ − αm / (√v + ε), with γ = 1 − β."""
    m *= β1
    m += γ1 * g
    v = mean_square(v, g, β2, γ2)
    d = xp.sqrt(v)
    d += ε
    d = m / d
    d *= α
    θ -= d
    return θ, m, v


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with weight decay apart from the gradient (Loshchilov & Hutter, 2017, algorithm 2).

        θ ← (1 − ηλ)θ, then Adam's equation

    Settings: those of Adam, with weight_decay = 0.01.
    """

    weight_decay: float = 1e-2

    def rule(self, numbers: Mapping[str, Any], η: float) -> Rule:
        """θ shrinks first."""
        return decoupled(self.weight_decay, η, adam, self.scalars(numbers["step"], η))


@dataclass(frozen=True)
class Adamax(Optimizer):
    """Adam with the largest gradient in the place of the mean square (Kingma & Ba, 2014, algorithm 2).

        m ← β₁m + (1−β₁)g        u ← max(β₂u, |g| + ε)        θ ← θ − η/(1−β₁ᵗ) · m / u

    Settings: those of Adam, with lr = 0.002.
    """

    lr: float | Schedule = 2e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, betas="[0, 1)", eps="[0, inf)", weight_decay="[0, inf)")

    def buffers(self) -> dict[str, float]:
        """m and u."""
        return {"m": 0.0, "u": 0.0}

    def rule(self, numbers: Mapping[str, Any], η: float) -> Rule:
        """The equation above."""
        β1, β2 = self.betas
        α = η / (1.0 - β1 ** numbers["step"])
        scalars = {"α": α, "β1": β1, "γ1": 1.0 - β1, "β2": β2, "ε": self.eps}
        return coupled(self.weight_decay, adamax, scalars)


def adamax(
    xp: Any, θ: Array, g: Array, m: Array, u: Array, *, α: float, β1: float, γ1: float, β2: float, ε: float
) -> tuple[Array, ...]:
    """m ← β₁m + γ₁g, u ← max(β₂u, |g| + ε), θ ← θ − αm / u."""
    m *= β1
    m += γ1 * g
    d = xp.abs(g)
    d += ε
    u *= β2
    u = xp.maximum(u, d)
    d = m / u
    d *= α
    θ -= d
    return θ, m, u
