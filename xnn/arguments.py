"""What a user gives to make a network, checked: layers, shape, data type, seed, loss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import index
from typing import Any

from xnn.host import fresh_seed
from xnn.layers.base import Layer, Shape
from xnn.losses import Loss

__all__ = ["as_dtype", "as_layers", "as_seed", "as_shape", "check_loss"]

DTYPES = ("float32", "float64")


def as_layers(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """The layers, after a look that each one is a layer."""
    if isinstance(layers, Layer):
        raise TypeError(f"layers: expected a list of layers; got one layer, {layers!r}: put it in a list")
    if not isinstance(layers, Iterable):
        raise TypeError(f"layers: expected a list of layers; got {layers!r}")
    listed = tuple(layers)
    for i, layer in enumerate(listed):
        if isinstance(layer, type) and issubclass(layer, Layer):
            raise TypeError(f"layer {i}: expected a layer; got the class {layer.__name__}: write {layer.__name__}(…)")
        if not isinstance(layer, Layer):
            raise TypeError(f"layer {i}: expected an xnn.Layer such as xnn.Dense(10); got {layer!r}")
    if not listed:
        raise ValueError("layers: expected at least one layer; got an empty list")
    return listed


def as_shape(inputs: int | Sequence[int]) -> Shape:
    """The shape of one example."""
    given = tuple(inputs) if isinstance(inputs, Sequence) else (inputs,)
    try:
        shape = tuple(index(n) for n in given if not isinstance(n, bool))
    except TypeError:
        shape = ()
    if len(shape) != len(given) or not shape or min(shape) < 1:
        raise ValueError(f"inputs: expected a positive number of inputs, or the shape of one example; got {inputs!r}")
    return shape


def as_dtype(dtype: Any) -> str:
    """The name of a data type that a network can have, given by name or as the type of any library."""
    name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", str(dtype)).rpartition(".")[2]
    if name not in DTYPES:
        raise ValueError(f"dtype: expected 'float32' or 'float64'; got {dtype!r}")
    return name


def as_seed(seed: int | None) -> int:
    """The seed, or a new one for None."""
    if seed is None:
        return fresh_seed()
    if isinstance(seed, bool) or not hasattr(seed, "__index__") or index(seed) < 0:
        raise ValueError(f"seed: expected a whole number from 0 on, or None; got {seed!r}")
    return index(seed)


def check_loss(loss: Any) -> None:
    """Raise TypeError for what is no loss."""
    if isinstance(loss, type) and issubclass(loss, Loss):
        raise TypeError(f"loss: expected a loss; got the class {loss.__name__}: write xnn.{loss.__name__}()")
    if not isinstance(loss, Loss):
        raise TypeError(f"loss: expected one of xnn's losses, such as xnn.CrossEntropy(); got {loss!r}")
