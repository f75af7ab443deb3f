"""The fully connected layer: every output is a weighted sum of all inputs, and a bias."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any

from xnn.contract import Array
from xnn.initializers import Uniform, resolve
from xnn.layers.base import Initializer, Layer, Parameter, Shape
from xnn.settings import whole

__all__ = ["Dense"]


@dataclass(frozen=True)
class Dense(Layer):
    """A fully connected layer of ``units`` neurons: z = W a + b for each example.

    With the n examples as the rows of x, the equations of text 003 read in matrix form

        y = x Wᵀ + b,    δ_below = δ W,    ∂C/∂W = δᵀ x,    ∂C/∂b = Σᵢ δᵢ

    where W (``weight``) has shape (units, inputs) and b (``bias``) has shape (units,). The orientation is
    that of texts 002, 003 and 004 (text 001 writes x W). An example of more than one axis, such as
    (time, features), has the equations applied along its last axis, with the same W and b everywhere.

    ``weight_init`` and ``bias_init`` say how W and b start: a name of ``xnn.initializers``, a function
    f(generator, shape), or an array of that shape. With "pytorch" for both, W and b start as in PyTorch.

    Raises:
        TypeError: for settings of the wrong kind.
        ValueError: for fewer than one unit, for an initializer of an unknown name, and for inputs without
            features.

    Source: Rumelhart, Hinton & Williams (1986), "Learning representations by back-propagating errors";
    texts 000 to 004.
    """

    units: int
    _: KW_ONLY
    bias: bool = True
    weight_init: Initializer | Array = "glorot_uniform"
    bias_init: Initializer | Array = "zeros"

    def __post_init__(self) -> None:
        object.__setattr__(self, "units", whole("Dense: units", self.units, 1))
        if not isinstance(self.bias, bool):
            raise TypeError(f"Dense takes bias=True or bias=False; got {self.bias!r} (values go to bias_init=)")
        for setting in ("weight_init", "bias_init"):
            initializer = getattr(self, setting)
            found = resolve(initializer)  # an unknown name is an error here, where the user wrote it
            if not isinstance(initializer, str):
                object.__setattr__(self, setting, found)  # an array becomes a function that owns a copy

    def outputs(self, inputs: Shape) -> Shape:
        """The shape of the inputs with ``units`` in the place of its last axis."""
        if not inputs:
            raise ValueError(
                "Dense expects examples with at least one axis, of shape (features,); got single numbers, "
                "of shape (): give x the shape (n, 1), for instance x.reshape(-1, 1)"
            )
        if inputs[-1] < 1:
            raise ValueError(f"Dense needs at least one feature; got examples of shape {inputs}")
        return (*inputs[:-1], self.units)

    def parameters(self, inputs: Shape) -> dict[str, Parameter]:
        """W, to which penalties apply, and b, to which they do not."""
        self.outputs(inputs)
        start = self.bias_init
        if start == "pytorch":  # its biases depend on the inputs of the layer, which the shape of b does not tell
            start = Uniform(-1 / math.sqrt(inputs[-1]), 1 / math.sqrt(inputs[-1]))
        weight = Parameter((self.units, inputs[-1]), self.weight_init, penalized=True)
        return {"weight": weight, "bias": Parameter((self.units,), start)} if self.bias else {"weight": weight}

    def forward(self, xp: Any, x: Array, W: Array, b: Array | None = None) -> tuple[Array, tuple[Array, ...]]:
        """y = x Wᵀ + b."""
        z = _rows(xp, x) @ W.T
        if b is not None:
            z += b
        return _like(xp, z, x, W.shape[0]), ()

    def delta(
        self, xp: Any, δ: Array, y: Array, kept: tuple[Array, ...], x: Array, W: Array, b: Array | None = None
    ) -> Array:
        """δ W."""
        return _like(xp, _rows(xp, δ) @ W, x, W.shape[1])

    def gradients(
        self, xp: Any, δ: Array, y: Array, kept: tuple[Array, ...], x: Array, W: Array, b: Array | None = None
    ) -> tuple[Array, ...]:
        """(δᵀ x, Σᵢ δᵢ)."""
        δ, x = _rows(xp, δ), _rows(xp, x)
        dW = δ.T @ x
        # A product with ones would save NumPy up to 3 µs at 128 examples, and cost PyTorch as much and
        # a GPU a second kernel.
        return (dW,) if b is None else (dW, xp.sum(δ, axis=0))

    def per_example(
        self, xp: Any, δ: Array, y: Array, kept: tuple[Array, ...], x: Array, W: Array, b: Array | None = None
    ) -> tuple[Array, ...]:
        """The outer product δᵢ xᵢᵀ, and δᵢ, of each example i: shapes (n, units, inputs) and (n, units)."""
        if x.ndim == 2:
            dW, db = δ[:, :, None] * x[:, None, :], δ
        else:
            n, places = x.shape[0], math.prod(x.shape[1:-1])
            δ, x = xp.reshape(δ, (n, places, δ.shape[-1])), xp.reshape(x, (n, places, x.shape[-1]))
            dW, db = xp.matmul(xp.matrix_transpose(δ), x), xp.sum(δ, axis=1)
        return (dW,) if b is None else (dW, db)


def _rows(xp: Any, a: Array) -> Array:
    """The array a with all axes but the last one made one: one large product is faster than many small."""
    return a if a.ndim == 2 else xp.reshape(a, (-1, a.shape[-1]))


def _like(xp: Any, rows: Array, a: Array, features: int) -> Array:
    """The rows, of so many features, with the leading axes of a again."""
    return rows if a.ndim == 2 else xp.reshape(rows, (*a.shape[:-1], features))
