"""The losses of the estimators, with scikit-learn's factors: the slope is a − y for every one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from xnn.contract import Array
from xnn.losses import BinaryCrossEntropy, PoissonNLL, SquaredError

__all__ = ["BinaryLogLoss", "HalfPoissonDeviance", "HalfSquaredError"]


@dataclass(frozen=True)
class BinaryLogLoss(BinaryCrossEntropy):
    """L = Σⱼ ℓ(aⱼ, yⱼ) with the ℓ of BinaryCrossEntropy: the sum over labels, not their mean."""

    mean: ClassVar[bool] = False


@dataclass(frozen=True)
class HalfSquaredError(SquaredError):
    """∂L/∂a = a − y, as of L = ½ Σⱼ (aⱼ − yⱼ)²; the cost that is told is that of the mean over outputs, ½ e².

    So scikit-learn has it: with K outputs its ``loss_`` is the data's part of what it minimizes, divided by K.
    """

    half: bool = True

    def cost_and_delta(self, xp: Any, a: Array, y: Array, weights: Array | None = None) -> tuple[Array, Array]:
        """(C / K, ∂C/∂a)."""
        cost, δ = super().cost_and_delta(xp, a, y, weights)
        return cost * (1.0 / a.shape[1]), δ


@dataclass(frozen=True)
class HalfPoissonDeviance(PoissonNLL):
    """L = Σⱼ exp aⱼ − yⱼ aⱼ + yⱼ log yⱼ − yⱼ: zero for a rate exp a that equals y."""

    mean: ClassVar[bool] = False

    def elements(self, xp: Any, a: Array, y: Array, c: Any) -> tuple[Array, Array]:
        """(ℓ, c ℓ′)."""
        costs, δ = super().elements(xp, a, y, c)
        return costs + (y * xp.log(xp.where(y > 0.0, y, 1.0)) - y), δ
