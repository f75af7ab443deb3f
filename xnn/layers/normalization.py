"""Layers that give their inputs the mean 0 and the variance 1, and then a learned mean and scale.

Both subtract a mean μ and multiply by r = 1/√(v + ε), where v is the variance over the same numbers: the
features one by one over the batch (BatchNorm), or the example itself over its features (LayerNorm):

    c = x − μ,    x̂ = r c,    y = γ x̂ + β

γ (``weight``) and β (``bias``) are learned, one of each for a feature. The variance is taken from c, in a
second pass: mean(x²) − μ² would cancel. ε keeps r finite where the variance is 0; there x̂ = 0 and y = β.

The derivative, with means over the m numbers that share μ and v, and 1ᵢⱼ = 1 for i = j, else 0: from
∂μ/∂xⱼ = 1/m and ∂v/∂xⱼ = 2cⱼ/m (what v owes to μ vanishes, since Σc = 0) follow ∂r/∂xⱼ = −½ r³ · 2cⱼ/m and

    ∂x̂ᵢ/∂xⱼ = r (1ᵢⱼ − 1/m) + cᵢ ∂r/∂xⱼ = r (1ᵢⱼ − 1/m − x̂ᵢ x̂ⱼ/m)

so that with g = γδ = ∂C/∂x̂ the error of the layer below is

    δ_below = r (g − mean(g) − x̂ mean(g x̂)),    ∂C/∂γ = Σ δ x̂,    ∂C/∂β = Σ δ.

Sources: Ioffe & Szegedy (2015), "Batch normalization"; Ba, Kiros & Hinton (2016), "Layer normalization".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xnn.contract import Array
from xnn.layers.base import Buffer, Key, Layer, Operation, Parameter, Shape
from xnn.settings import settle

__all__ = ["BatchNorm", "LayerNorm"]


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Each feature normalized over the batch, for examples of shape (features,).

    In training μ and v are those of the batch. In prediction they are constants, the running statistics,
    which every training step moves a part α (``momentum``) of the way:

        running_mean ← (1−α) running_mean + α μ,    running_var ← (1−α) running_var + α v n/(n−1)

    They start as 0 and 1. A batch of n = 1 has x̂ = 0, so y = β and δ_below = 0; its v = 0 enters running_var
    as it is, since n/(n−1) does not exist. The rows of a training batch depend on each other, so that an
    example has no gradient of its own: per-example gradients are there with ``training=False`` only.

    The numbers are those of PyTorch's BatchNorm1d, which refuses n = 1.

    Raises:
        TypeError, ValueError: when made with eps ≤ 0 or with a momentum outside 0 … 1; and, once the inputs
            are known, for examples of another number of axes than one.
    """

    eps: float = 1e-5
    momentum: float = 0.1

    def __post_init__(self) -> None:
        settle(self, eps="(0, inf)", momentum="[0, 1]")

    def outputs(self, inputs: Shape) -> Shape:
        """The shape of the inputs."""
        if len(inputs) != 1:
            raise ValueError(
                f"BatchNorm expects examples of shape (features,); got the shape {inputs}: "
                "put Flatten() before it, or take LayerNorm()"
            )
        return inputs

    def parameters(self, inputs: Shape) -> dict[str, Parameter]:
        """γ and β; penalties apply to neither."""
        return {"weight": Parameter(self.outputs(inputs), "ones"), "bias": Parameter(inputs, "zeros")}

    def buffers(self, inputs: Shape) -> dict[str, Buffer]:
        """The running statistics."""
        return {"running_mean": Buffer(inputs, 0.0), "running_var": Buffer(inputs, 1.0)}

    def training(self, buffers: Mapping[str, Array], key: Key) -> Operation:
        """The normalization by the statistics of the batch."""
        return BatchStatistics(self.eps)

    def prediction(self, buffers: Mapping[str, Array]) -> Operation:
        """The normalization by the running statistics."""
        return RunningStatistics(self.eps, buffers["running_mean"], buffers["running_var"])

    def learned(self, xp: Any, buffers: Mapping[str, Array], x: Array, kept: tuple[Array, ...]) -> dict[str, Array]:
        """The running statistics after a step with this batch; a batch of no examples changes nothing."""
        n, α = x.shape[0], self.momentum
        if n == 0:
            return {}
        _, _, μ, v = kept
        return {
            "running_mean": (1 - α) * buffers["running_mean"] + α * μ,
            "running_var": (1 - α) * buffers["running_var"] + (α * n / max(n - 1, 1)) * v,
        }


class FeatureNorm(Operation):
    """What BatchNorm does in both modes: y = γ r c + β with one r for each feature. It keeps c, r, …."""

    def gradients(
        self, xp: Any, δ: Array, y: Array, kept: tuple[Array, ...], x: Array, γ: Array, β: Array
    ) -> tuple[Array, ...]:
        """(Σ δ x̂, Σ δ)."""
        c, r = kept[:2]
        return r * xp.sum(δ * c, axis=0), xp.sum(δ, axis=0)


@dataclass(frozen=True)
class BatchStatistics(FeatureNorm):
    """BatchNorm in a training step; it keeps c, r and the statistics μ and v of the batch."""

    eps: float

    def forward(self, xp: Any, x: Array, γ: Array, β: Array) -> tuple[Array, tuple[Array, ...]]:
        """γ r c + β with the μ and v of the batch."""
        n = max(x.shape[0], 1)
        μ = xp.sum(x, axis=0) / n
        c = x - μ
        v = xp.sum(c * c, axis=0) / n
        r = 1.0 / xp.sqrt(v + self.eps)
        return c * (γ * r) + β, (c, r, μ, v)

    def delta(self, xp: Any, δ: Array, y: Array, kept: tuple[Array, ...], x: Array, γ: Array, β: Array) -> Array:
        """γ r (δ − mean(δ) − x̂ mean(δ x̂)): γ is the same in every row."""
        c, r = kept[:2]
        n = max(x.shape[0], 1)
        a = r * (r * xp.sum(δ * c, axis=0)) / n  # c a = x̂ mean(δ x̂); r² alone could underflow
        return (γ * r) * (δ - xp.sum(δ, axis=0) / n - c * a)

    def per_example(
        self, xp: Any, δ: Array, y: Array, kept: tuple[Array, ...], x: Array, *parameters: Array
    ) -> tuple[Array, ...]:
        """Raises ValueError: the examples of a training batch have no gradients of their own."""
        raise ValueError(
            "BatchNorm in training mixes the rows of a batch, so that no gradient belongs to one example alone; "
            "ask for the gradients per example with training=False"
        )


@dataclass(frozen=True, eq=False)
class RunningStatistics(FeatureNorm):
    """BatchNorm in a prediction: an affine function of each feature; it keeps c and r."""

    eps: float
    mean: Array
    variance: Array

    def forward(self, xp: Any, x: Array, γ: Array, β: Array) -> tuple[Array, tuple[Array, ...]]:
        """γ r c + β with constant statistics."""
        c = x - self.mean
        r = 1.0 / xp.sqrt(self.variance + self.eps)
        return c * (γ * r) + β, (c, r)

    def delta(self, xp: Any, δ: Array, y: Array, kept: tuple[Array, ...], x: Array, γ: Array, β: Array) -> Array:
        """γ r δ."""
        return (γ * kept[1]) * δ

    def per_example(
        self, xp: Any, δ: Array, y: Array, kept: tuple[Array, ...], x: Array, γ: Array, β: Array
    ) -> tuple[Array, ...]:
        """(δ x̂, δ), row by row."""
        c, r = kept
        return δ * (c * r), δ


@dataclass(frozen=True)
class LayerNorm(Layer):
    """Each example normalized over its last axis; the same in training and in prediction.

    Examples of shape (…, features); γ and β have shape (features,). With a single feature, and where all
    features of an example are equal, x̂ = 0: y = β, and with a single feature δ_below = 0.

    Raises:
        TypeError, ValueError: when made with eps ≤ 0; and, once the inputs are known, for single numbers.
    """

    eps: float = 1e-5

    def __post_init__(self) -> None:
        settle(self, eps="(0, inf)")

    def outputs(self, inputs: Shape) -> Shape:
        """The shape of the inputs."""
        if not inputs:
            raise ValueError(
                "LayerNorm expects examples with at least one axis, (…, features); got single numbers, of shape ()"
            )
        return inputs

    def parameters(self, inputs: Shape) -> dict[str, Parameter]:
        """γ and β; penalties apply to neither."""
        features = self.outputs(inputs)[-1:]
        return {"weight": Parameter(features, "ones"), "bias": Parameter(features, "zeros")}

    def forward(self, xp: Any, x: Array, γ: Array, β: Array) -> tuple[Array, tuple[Array, ...]]:
        """γ x̂ + β; x̂ and r are kept."""
        m = x.shape[-1]
        c = x - xp.sum(x, axis=-1, keepdims=True) / m
        r = 1.0 / xp.sqrt(xp.sum(c * c, axis=-1, keepdims=True) / m + self.eps)
        x̂ = c * r
        return γ * x̂ + β, (x̂, r)

    def delta(self, xp: Any, δ: Array, y: Array, kept: tuple[Array, ...], x: Array, γ: Array, β: Array) -> Array:
        """r (g − mean(g) − x̂ mean(g x̂)) with g = γ δ."""
        x̂, r = kept
        m = x.shape[-1]
        g = γ * δ
        return r * (g - xp.sum(g, axis=-1, keepdims=True) / m - x̂ * (xp.sum(g * x̂, axis=-1, keepdims=True) / m))

    def gradients(
        self, xp: Any, δ: Array, y: Array, kept: tuple[Array, ...], x: Array, γ: Array, β: Array
    ) -> tuple[Array, ...]:
        """(Σ δ x̂, Σ δ) over all axes but the last."""
        others = tuple(range(x.ndim - 1))
        return xp.sum(δ * kept[0], axis=others), xp.sum(δ, axis=others)

    def per_example(
        self, xp: Any, δ: Array, y: Array, kept: tuple[Array, ...], x: Array, γ: Array, β: Array
    ) -> tuple[Array, ...]:
        """(Σ δ x̂, Σ δ) over the axes between the first and the last."""
        between = tuple(range(1, x.ndim - 1))
        both = δ * kept[0], δ
        return tuple(xp.sum(a, axis=between) for a in both) if between else both
