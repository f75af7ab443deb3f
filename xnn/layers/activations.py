"""Activation functions a = f(z), each a layer of its own; the shape stays what it is.

Here x is z, the input of the layer, and y is a, its output, of the same shape: any, with the batch as its
first axis. Backward an elementwise one is δ·f′(z), with f′ written in the output where the textbook does so,
σ′ = a(1 − a). At a kink the derivative is PyTorch's. All are safe at z = ±1000 and far beyond.

Everything is computed from the arguments by functions of ``xp``, so that second derivatives follow by
differentiating these bodies. Cases are told apart by multiplying with masks of 0 and 1, since ``where`` on
unsorted data takes NumPy ten times as long.

Sources: texts 000 to 004 (Sigmoid, Tanh, ReLU, Softmax); the others name theirs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any, TypeAlias

from xnn.contract import Array
from xnn.initializers import Constant
from xnn.layers.base import Layer, Parameter, Shape
from xnn.numerics import log_softmax, normal, sigmoid, softmax

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "HardTanh",
    "Identity",
    "LeakyReLU",
    "LogSoftmax",
    "PReLU",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
]

Kept: TypeAlias = tuple[Array, ...]  # what forward saves for delta


@dataclass(frozen=True)
class Identity(Layer):
    """a = z. The output is the input itself, not a copy."""

    def forward(self, xp: Any, x: Array) -> tuple[Array, Kept]:
        """z."""
        return x, ()

    def delta(self, xp: Any, δ: Array, y: Array, kept: Kept, x: Array) -> Array:
        """δ."""
        return δ


@dataclass(frozen=True)
class Sigmoid(Layer):
    """a = σ(z) = 1/(1 + e⁻ᶻ), the logistic function, with σ′ = a(1 − a)."""

    def forward(self, xp: Any, x: Array) -> tuple[Array, Kept]:
        """σ(z)."""
        return sigmoid(xp, x), ()

    def delta(self, xp: Any, δ: Array, y: Array, kept: Kept, x: Array) -> Array:
        """δ·a(1 − a)."""
        return δ * (y * (1.0 - y))


@dataclass(frozen=True)
class Tanh(Layer):
    """a = tanh z, with tanh′ = 1 − a²."""

    def forward(self, xp: Any, x: Array) -> tuple[Array, Kept]:
        """Tanh z."""
        return xp.tanh(x), ()

    def delta(self, xp: Any, δ: Array, y: Array, kept: Kept, x: Array) -> Array:
        """δ·(1 − a²)."""
        return δ * (1.0 - y * y)


@dataclass(frozen=True)
class ReLU(Layer):
    """a = max(z, 0), with derivative 1 for z > 0, else 0."""

    def forward(self, xp: Any, x: Array) -> tuple[Array, Kept]:
        """max(z, 0)."""
        return xp.maximum(x, 0.0), ()

    def delta(self, xp: Any, δ: Array, y: Array, kept: Kept, x: Array) -> Array:
        """δ·[z > 0]."""
        return δ * xp.astype(y > 0.0, y.dtype)


@dataclass(frozen=True)
class LeakyReLU(Layer):
    """a = z for z > 0, else αz, with derivative 1 or α (at 0: α); α is ``negative_slope``, any finite number.

    Source: A. L. Maas, A. Y. Hannun, A. Y. Ng, "Rectifier nonlinearities improve neural network acoustic
    models" (2013).
    """

    negative_slope: float = 0.01

    def __post_init__(self) -> None:
        _check_number(self, "negative_slope")

    def forward(self, xp: Any, x: Array) -> tuple[Array, Kept]:
        """max(z, αz), or min(z, αz) where α > 1."""
        α = self.negative_slope
        return (xp.maximum if α <= 1.0 else xp.minimum)(x, α * x if α else 0.0), ()  # 0·∞ is no number

    def delta(self, xp: Any, δ: Array, y: Array, kept: Kept, x: Array) -> Array:
        """δ·([z > 0] + α[z ≤ 0])."""
        α = self.negative_slope
        mask = xp.astype(x > 0.0, x.dtype)
        return δ * (xp.maximum(mask, α) if 0.0 <= α <= 1.0 else mask + α * (1.0 - mask))


@dataclass(frozen=True)
class PReLU(Layer):
    """a = z for z > 0, else wz, where w is learned: one number for the layer, ``weight`` of shape (1,), at first 0.25.

    The derivative is 1 or w (at 0: w), and ∂C/∂w = Σ δ·min(z, 0) over all entries. Penalties do not apply to w:
    at w = 0 this is a ReLU, which is no simpler than another slope.

    Source: K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers" (2015), eqs. 1 and 8.
    """

    def parameters(self, inputs: Shape) -> dict[str, Parameter]:
        """The slope w."""
        return {"weight": Parameter((1,), Constant(0.25))}

    def forward(self, xp: Any, x: Array, w: Array) -> tuple[Array, Kept]:
        """max(z, 0) + w·min(z, 0)."""
        return xp.maximum(x, 0.0) + w * xp.minimum(x, 0.0), ()

    def delta(self, xp: Any, δ: Array, y: Array, kept: Kept, x: Array, w: Array) -> Array:
        """δ·([z > 0] + w[z ≤ 0])."""
        mask = xp.astype(x > 0.0, x.dtype)
        return δ * (mask + w * (1.0 - mask))

    def gradients(self, xp: Any, δ: Array, y: Array, kept: Kept, x: Array, w: Array) -> tuple[Array, ...]:
        """Σ δ·min(z, 0)."""
        return (xp.reshape(xp.sum(δ * xp.minimum(x, 0.0)), (1,)),)


@dataclass(frozen=True)
class ELU(Layer):
    """a = z for z > 0, else α(eᶻ − 1), with derivative 1 or αeᶻ = a + α (at 0: α); α is ``alpha`` > 0.

    Source: D.-A. Clevert, T. Unterthiner, S. Hochreiter, "Fast and accurate deep network learning by
    exponential linear units (ELUs)" (2016).
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        _check_number(self, "alpha", above=0.0)

    def forward(self, xp: Any, x: Array) -> tuple[Array, Kept]:
        """max(z, 0) + α·(exp(min(z, 0)) − 1)."""
        return _elu(xp, x, 1.0, self.alpha), ()

    def delta(self, xp: Any, δ: Array, y: Array, kept: Kept, x: Array) -> Array:
        """δ·([z > 0] + (a + α)[z ≤ 0])."""
        return δ * _elu_slope(xp, y, 1.0, self.alpha)


@dataclass(frozen=True)
class SELU(Layer):
    """a = λz for z > 0, else λα(eᶻ − 1), with derivative λ or a + λα (at 0: λα); λ = 1.0507…, α = 1.6732….

    With these two numbers, mean 0 and variance 1 are a fixed point of wide layers with LeCun's normal weights.

    Source: G. Klambauer, T. Unterthiner, A. Mayr, S. Hochreiter, "Self-normalizing neural networks" (2017).
    """

    def forward(self, xp: Any, x: Array) -> tuple[Array, Kept]:
        """λ·max(z, 0) + λα·(exp(min(z, 0)) − 1)."""
        return _elu(xp, x, _SELU_λ, _SELU_λ * _SELU_α), ()

    def delta(self, xp: Any, δ: Array, y: Array, kept: Kept, x: Array) -> Array:
        """δ·(λ[z > 0] + (a + λα)[z ≤ 0])."""
        return δ * _elu_slope(xp, y, _SELU_λ, _SELU_λ * _SELU_α)


@dataclass(frozen=True)
class GELU(Layer):
    """a = zΦ(z), with derivative Φ(z) + zφ(z); Φ and φ are the standard normal distribution and its density.

    With ``approximate="tanh"``, Φ is replaced by h = ½(1 + tanh u) = σ(2u), where u = √(2/π)·(z + 0.044715z³),
    and the derivative is h + a(1 − h)·2u′.

    Source: D. Hendrycks, K. Gimpel, "Gaussian error linear units (GELUs)" (2016).
    """

    approximate: str = "none"

    def __post_init__(self) -> None:
        if self.approximate not in ("none", "tanh"):
            raise ValueError(f"GELU expects approximate='none' or approximate='tanh'; got {self.approximate!r}")

    def forward(self, xp: Any, x: Array) -> tuple[Array, Kept]:
        """zΦ(z), and keeps (Φ, φ); or zh, and keeps (h,)."""
        if self.approximate == "none":
            Φ, φ = normal(xp, x)
            return x * Φ, (Φ, φ)
        h = sigmoid(xp, x * (_TWO_C + (_TWO_C * 0.044715) * (x * x)))
        return x * h, (h,)

    def delta(self, xp: Any, δ: Array, y: Array, kept: Kept, x: Array) -> Array:
        """δ·(Φ + zφ), or δ·(h + a(1 − h)·2u′)."""
        if self.approximate == "none":
            Φ, φ = kept
            return δ * (Φ + x * φ)
        (h,) = kept
        return δ * (h + y * (1.0 - h) * (_TWO_C + (_TWO_C * 3.0 * 0.044715) * (x * x)))


@dataclass(frozen=True)
class SiLU(Layer):
    """a = zσ(z), also called swish, with derivative σ + a(1 − σ).

    Source: S. Elfwing, E. Uchibe, K. Doya, "Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning" (2018).
    """

    def forward(self, xp: Any, x: Array) -> tuple[Array, Kept]:
        """zσ(z), and keeps (σ,)."""
        σ = sigmoid(xp, x)
        return x * σ, (σ,)

    def delta(self, xp: Any, δ: Array, y: Array, kept: Kept, x: Array) -> Array:
        """δ·(σ + a(1 − σ))."""
        (σ,) = kept
        return δ * (σ + y * (1.0 - σ))


@dataclass(frozen=True)
class Softplus(Layer):
    """a = log(1 + exp(βz))/β, and a = z where βz > ``threshold``, with derivative σ(βz) = 1 − exp(−βa), and 1 there.

    β is ``beta`` > 0; the threshold is at least 0. As in PyTorch, a jumps down by about exp(−threshold)/β there.

    Source: C. Dugas, Y. Bengio, F. Bélisle, C. Nadeau, R. Garcia, "Incorporating second-order functional
    knowledge for better option pricing" (2001).
    """

    beta: float = 1.0
    threshold: float = 20.0

    def __post_init__(self) -> None:
        _check_number(self, "beta", above=0.0)
        _check_number(self, "threshold", least=0.0)

    @property
    def _top(self) -> float:
        """The largest exponent: e⁸⁰ fits float32, and log(1 + e⁸⁰) is 80 in float64, so no larger one is needed."""
        return min(self.threshold, 80.0)

    def forward(self, xp: Any, x: Array) -> tuple[Array, Kept]:
        """log(1 + exp(βz))/β, or z."""
        z = self.beta * x  # a mask would not give z itself, and few entries are that large: where is quick
        return xp.where(z > self._top, x, xp.log1p(xp.exp(xp.minimum(z, self._top))) / self.beta), ()

    def delta(self, xp: Any, δ: Array, y: Array, kept: Kept, x: Array) -> Array:
        """δ·(1 − exp(−βa)), or δ."""
        mask = xp.astype(self.beta * x > self._top, x.dtype)
        return δ * xp.maximum(mask, -xp.expm1(-self.beta * y))


@dataclass(frozen=True)
class HardTanh(Layer):
    """a = min(max(z, ``min_val``), ``max_val``), with derivative 1 strictly between the two, else 0.

    Source: R. Collobert, "Large scale machine learning" (2004).
    """

    min_val: float = -1.0
    max_val: float = 1.0

    def __post_init__(self) -> None:
        _check_number(self, "min_val")
        _check_number(self, "max_val")
        if not self.min_val < self.max_val:
            raise ValueError(f"HardTanh expects min_val < max_val; got {self.min_val} and {self.max_val}")

    def forward(self, xp: Any, x: Array) -> tuple[Array, Kept]:
        """min(max(z, min_val), max_val)."""
        return xp.minimum(xp.maximum(x, self.min_val), self.max_val), ()  # the checks of xp.clip take 8 µs on NumPy

    def delta(self, xp: Any, δ: Array, y: Array, kept: Kept, x: Array) -> Array:
        """δ·[min_val < z < max_val]."""
        return δ * xp.astype((x > self.min_val) & (x < self.max_val), x.dtype)


@dataclass(frozen=True)
class Softmax(Layer):
    """aⱼ = exp zⱼ / Σₖ exp zₖ over the last axis, with δ_below = a·(δ − Σₖ δₖaₖ).

    For training, leave it out and give the logits z to ``CrossEntropy``, which is more accurate.

    Source: J. S. Bridle, "Probabilistic interpretation of feedforward classification network outputs" (1990).
    """

    def outputs(self, inputs: Shape) -> Shape:
        """The shape of the inputs, which need a last axis."""
        return _with_last_axis(self, inputs)

    def forward(self, xp: Any, x: Array) -> tuple[Array, Kept]:
        """exp zⱼ / Σₖ exp zₖ."""
        return softmax(xp, x), ()

    def delta(self, xp: Any, δ: Array, y: Array, kept: Kept, x: Array) -> Array:
        """a·(δ − Σₖ δₖaₖ)."""
        return y * (δ - xp.sum(δ * y, axis=-1, keepdims=True))


@dataclass(frozen=True)
class LogSoftmax(Layer):
    """aⱼ = zⱼ − log Σₖ exp zₖ over the last axis, with δ_below = δ − exp(a)·Σₖ δₖ."""

    def outputs(self, inputs: Shape) -> Shape:
        """The shape of the inputs, which need a last axis."""
        return _with_last_axis(self, inputs)

    def forward(self, xp: Any, x: Array) -> tuple[Array, Kept]:
        """zⱼ − log Σₖ exp zₖ."""
        return log_softmax(xp, x), ()

    def delta(self, xp: Any, δ: Array, y: Array, kept: Kept, x: Array) -> Array:
        """δ − exp(a)·Σₖ δₖ."""
        return δ - xp.exp(y) * xp.sum(δ, axis=-1, keepdims=True)


_SELU_λ = 1.0507009873554804934193349852946
_SELU_α = 1.6732632423543772848170429916717
_TWO_C = 2.0 * math.sqrt(2.0 / math.pi)


def _elu(xp: Any, z: Array, λ: float, α: float) -> Array:
    """λz for z > 0, else α(eᶻ − 1); the exponential never sees a positive number."""
    above, below = xp.maximum(z, 0.0), xp.expm1(xp.minimum(z, 0.0))
    return (above if λ == 1.0 else λ * above) + (below if α == 1.0 else α * below)


def _elu_slope(xp: Any, a: Array, λ: float, α: float) -> Array:
    """λ for a > 0, else a + α: one sum, to which the mask adds what is missing above."""
    slope = xp.minimum(a, 0.0) + α
    return slope if λ == α else slope + (λ - α) * xp.astype(a > 0.0, a.dtype)


def _with_last_axis(layer: Layer, inputs: Shape) -> Shape:
    if not inputs or inputs[-1] == 0:
        raise ValueError(
            f"{type(layer).__name__} expects examples with at least one entry along their last axis; got examples of "
            f"shape {inputs}: give x the shape (n, classes)"
        )
    return inputs


def _check_number(layer: Layer, name: str, *, above: float = -math.inf, least: float = -math.inf) -> None:
    """Make the setting a Python float (a scalar of NumPy would turn float32 into float64), or say what is wrong."""
    value = getattr(layer, name)
    bound = f" above {above:g}" if above > -math.inf else f" of at least {least:g}" if least > -math.inf else ""
    expected = f"{type(layer).__name__} expects {name} to be a finite number{bound}; got {value!r}"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(expected)
    number = float(value)
    if not (math.isfinite(number) and number > above and number >= least):
        raise ValueError(expected)
    object.__setattr__(layer, name, number)
