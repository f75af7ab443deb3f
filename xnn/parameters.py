"""All parameters of a network as one flat vector θ, and the map from names to places in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import prod
from typing import Any

from xnn.contract import Array
from xnn.layers.base import Buffer, Layer, Parameter, Shape

__all__ = ["Layout", "buffers_of", "trace_shapes"]


def trace_shapes(layers: Sequence[Layer], inputs: Shape) -> list[Shape]:
    """The shape of one example before the first layer, and after each one.

    Raises:
        ValueError: where a layer cannot take what the layer below gives; it names the layer.
    """
    shapes = [inputs]
    for i, layer in enumerate(layers):
        try:
            shapes.append(tuple(layer.outputs(shapes[-1])))
        except (ValueError, TypeError) as error:
            raise ValueError(f"layer {i} ({type(layer).__name__}): {error}") from error
    return shapes


def buffers_of(layers: Sequence[Layer], shapes: Sequence[Shape]) -> dict[str, tuple[int, str, Buffer]]:
    """The buffers of these layers by their full names, ``"1.running_mean"``: (layer, name in it, buffer)."""
    return {
        f"{i}.{name}": (i, name, buffer)
        for i, (layer, shape) in enumerate(zip(layers, shapes, strict=False))
        for name, buffer in layer.buffers(shape).items()
    }


@dataclass(frozen=True)
class Layout:
    """Where each parameter lies in θ: entry k stands at ``offsets[k]`` with shape ``shapes[k]``.

    ``counts[l]`` is the number of parameters of layer l; their names are ``"l.name"``.
    """

    names: tuple[str, ...]
    specifications: tuple[Parameter, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, layers: Sequence[Layer], shapes: Sequence[Shape]) -> Layout:
        """The layout of these layers, given the shapes between them (``trace_shapes``)."""
        named = [layer.parameters(shape) for layer, shape in zip(layers, shapes, strict=False)]
        return cls(
            tuple(f"{i}.{name}" for i, own in enumerate(named) for name in own),
            tuple(parameter for own in named for parameter in own.values()),
            tuple(len(own) for own in named),
        )

    @cached_property
    def shapes(self) -> list[Shape]:
        """The shapes of the parameters."""
        return [parameter.shape for parameter in self.specifications]

    @cached_property
    def offsets(self) -> list[int]:
        """Where each parameter starts in θ; the last entry is the length of θ."""
        return [0, *accumulate(prod(shape) for shape in self.shapes)]

    @property
    def size(self) -> int:
        """The length of θ: how many numbers are learned."""
        return self.offsets[-1]

    def pack(self, xp: Any, arrays: Sequence[Array]) -> Array:
        """One flat vector of the arrays, in order; always a copy."""
        return xp.concat([xp.reshape(array, (-1,)) for array in arrays])

    def unpack(self, xp: Any, θ: Array) -> list[Array]:
        """The parameters in order; views of θ where the library has views."""
        offsets = self.offsets
        return [
            xp.reshape(θ[start:stop], shape)
            for start, stop, shape in zip(offsets, offsets[1:], self.shapes, strict=False)
        ]

    def by_layer(self, arrays: Sequence[Array]) -> list[tuple[Array, ...]]:
        """The same arrays as one tuple for each layer."""
        rest = iter(arrays)
        return [tuple(next(rest) for _ in range(count)) for count in self.counts]
