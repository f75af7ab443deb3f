"""Adam and its relatives: running means of the gradient and of its square.

With betas = (β₁, β₂), these are weighted sums over the sums of their weights,

    m ← β₁m + g        m̂ = m / n₁        n₁ = 1 + β₁ + … + β₁ᵗ⁻¹ = (1−β₁ᵗ) / (1−β₁)
    v ← β₂v + g²       v̂ = v / n₂        n₂ = 1 + β₂ + … + β₂ᵗ⁻¹ = (1−β₂ᵗ) / (1−β₂)

The papers, and the docstrings of the classes, keep (1−β₁)m and (1−β₂)v in the places of m and v, which gives the
same m̂ and v̂. Here these factors, too, are left to n₁ and n₂, numbers for all entries at once, which the host folds
into two scalars: η m̂ / (√v̂ + ε) = α m / (√v + ε̂) with α = η √n₂ / n₁ and ε̂ = ε √n₂ (as Kingma & Ba do at the
end of section 2). That spares two of twelve passes over the memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

from xnn.contract import Array, Equation
from xnn.optimizers.base import Optimizer, Rule, coupled, decoupled
from xnn.schedules import Schedule
from xnn.settings import settle

__all__ = ["Adam", "AdamW", "Adamax", "adam", "moments", "weights"]


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
        amsgrad: u ← max(u, v), the largest v so far, takes the place of v in v̂, so that no step size grows again
            (Reddi, Kale & Kumar, 2018, algorithm 2, with PyTorch's 1−β₂ᵗ).
    """

    lr: float | Schedule = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    amsgrad: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, betas="[0, 1)", eps="[0, inf)", weight_decay="[0, inf)")

    def buffers(self) -> dict[str, float]:
        """m and v, and u for amsgrad."""
        return {"m": 0.0, "v": 0.0, **({"u": 0.0} if self.amsgrad else {})}

    @property
    def equation(self) -> Equation:
        """The equation above, without λ."""
        return amsgrad if self.amsgrad else adam

    def rule(self, numbers: Mapping[str, Any], η: float) -> Rule:
        """The equation above, with λθ added to g."""
        return coupled(self.weight_decay, self.equation, self.scalars(numbers["step"], η))

    def scalars(self, t: int, η: float) -> dict[str, float]:
        """The scalars of ``adam`` in update t."""
        β1, β2 = self.betas
        root = sqrt(weights(β2, t))
        return {"α": η * root / weights(β1, t), "β1": β1, "β2": β2, "ε": self.eps * root}


def weights(β: float, t: int) -> float:
    """n = 1 + β + … + βᵗ⁻¹, the sum of the weights in m or v after t updates."""
    return (1.0 - β**t) / (1.0 - β)


def moments(m: Array, v: Array, g: Array, β1: float, β2: float) -> tuple[Array, Array]:
    """m ← β₁m + g, v ← β₂v + g²."""
    m *= β1
    m += g
    v *= β2
    v += g * g
    return m, v


def adam(
    xp: Any, θ: Array, g: Array, m: Array, v: Array, *, α: float, β1: float, β2: float, ε: float
) -> tuple[Array, ...]:
    """m ← β₁m + g, v ← β₂v + g², θ ← θ − αm / (√v + ε)."""
    m, v = moments(m, v, g, β1, β2)
    return downhill(xp, θ, m, v, α, ε), m, v


def amsgrad(
    xp: Any, θ: Array, g: Array, m: Array, v: Array, u: Array, *, α: float, β1: float, β2: float, ε: float
) -> tuple[Array, ...]:
    """m ← β₁m + g, v ← β₂v + g², u ← max(u, v), θ ← θ − αm / (√u + ε): u lacks the factor 1−β₂ as v does."""
    m, v = moments(m, v, g, β1, β2)
    u = xp.maximum(u, v)
    return downhill(xp, θ, m, u, α, ε), m, v, u


def downhill(xp: Any, θ: Array, m: Array, v: Array, α: float, ε: float) -> Array:
    """θ ← θ − αm / (√v + ε)."""
    d = xp.sqrt(v)
    d += ε
    d = m / d
    d *= α
    θ -= d
    return θ


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with weight decay apart from the gradient (Loshchilov & Hutter, 2017, algorithm 2).

        θ ← (1 − ηλ)θ, then Adam's equation

    Settings: those of Adam, with weight_decay = 0.01.
    """

    weight_decay: float = 1e-2

    def rule(self, numbers: Mapping[str, Any], η: float) -> Rule:
        """θ shrinks first."""
        return decoupled(self.weight_decay, η, self.equation, self.scalars(numbers["step"], η))


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
        scalars = {"α": η / weights(β1, numbers["step"]), "β1": β1, "β2": β2, "ε": self.eps}
        return coupled(self.weight_decay, adamax, scalars)


def adamax(
    xp: Any, θ: Array, g: Array, m: Array, u: Array, *, α: float, β1: float, β2: float, ε: float
) -> tuple[Array, ...]:
    """m ← β₁m + g, u ← max(β₂u, |g| + ε), θ ← θ − αm / u."""
    m *= β1
    m += g
    d = xp.abs(g)
    d += ε
    u *= β2
    u = xp.maximum(u, d)
    d = m / u
    d *= α
    θ -= d
    return θ, m, u
