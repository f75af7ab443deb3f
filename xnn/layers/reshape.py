"""Layers that only rearrange the numbers of an example."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import Any

from xnn.contract import Array
from xnn.layers.base import Layer, Shape

__all__ = ["Flatten", "Reshape"]


class Rearrangement(Layer):
    """y holds the numbers of x, example by example in the order of the rows; δ goes back the same way."""

    def forward(self, xp: Any, x: Array, *parameters: Array) -> tuple[Array, tuple[Array, ...]]:
        """The numbers of x in the new shape."""
        return xp.reshape(x, (x.shape[0], *self.outputs(x.shape[1:]))), ()

    def delta(self, xp: Any, δ: Array, y: Array, kept: tuple[Array, ...], x: Array, *parameters: Array) -> Array:
        """The numbers of δ in the shape of x."""
        return xp.reshape(δ, x.shape)


@dataclass(frozen=True)
class Flatten(Rearrangement):
    """Each example as one row of features: (n, a, b, …) becomes (n, a·b·…), and (n,) becomes (n, 1)."""

    def outputs(self, inputs: Shape) -> Shape:
        """(the number of features,)."""
        return (math.prod(inputs),)


@dataclass(frozen=True)
class Reshape(Rearrangement):
    """Each example in another shape: (n, …) becomes (n, *shape).

    ``shape`` is that of one example, without the batch axis, and may hold one −1, for the size that follows
    from the others.

    Raises:
        TypeError, ValueError: when made with sizes that are no integers, or negative, or with two of −1, and,
            once the inputs are known, where their numbers do not fill the shape.
    """

    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        try:  # a file gives a list
            sizes = self.shape if isinstance(self.shape, (tuple, list)) else [self.shape]
            shape = tuple(operator.index(size) for size in sizes)
        except TypeError:
            raise TypeError(
                f"Reshape needs the shape of one example as integers, such as Reshape((8, 8)); got {self.shape!r}"
            ) from None
        if min(shape, default=0) < -1 or shape.count(-1) > 1:
            raise ValueError(f"Reshape needs sizes of 0 or more, and at most one −1; got {shape}")
        object.__setattr__(self, "shape", shape)

    def outputs(self, inputs: Shape) -> Shape:
        """``shape``, with the size that −1 stands for."""
        size = math.prod(inputs)
        if -1 in self.shape:
            others = -math.prod(self.shape)
            if others > 0 and size % others == 0:
                return tuple(size // others if s == -1 else s for s in self.shape)
        elif math.prod(self.shape) == size:
            return self.shape
        raise ValueError(
            f"Reshape cannot give examples of shape {inputs}, {size} numbers each, the shape {self.shape}: "
            "the batch axis does not belong to it, and the sizes must multiply to the same number"
        )
