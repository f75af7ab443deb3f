"""A batch on its way into a network, and results on their way out: types, shapes, and the library of the arrays."""

from __future__ import annotations

from math import prod
from typing import Any

import array_api_compat

from xnn.arguments import check_loss
from xnn.arrays import isdtype, namespace, one_library, owner, to_numpy
from xnn.contract import Array, Backend, by_dlpack, is_writeable
from xnn.layers.base import Shape
from xnn.losses import Loss
from xnn.losses.base import readable

__all__ = ["batch", "like", "real", "shaped"]


def batch(
    backend: Backend,
    dtype: str,
    shapes: tuple[Shape, Shape],
    x: Any,
    y: Any,
    loss: Loss,
    weights: Any = None,
    check_values: bool = False,
) -> tuple[Array, Array, Array | None]:
    """Examples, targets and weights for a network with inputs and outputs of these shapes, as arrays of the backend.

    Raises:
        ValueError, TypeError: for what does not fit; the values of targets and weights are looked at where they are
            on the host, or if asked for.
    """
    check_loss(loss)
    one_library(x=x, y=y, sample_weight=weights)
    inputs, outputs = shapes
    x = shaped(backend.xp, real(x, "x", backend, dtype), inputs)
    if x.shape[0] == 0:
        raise ValueError("x holds no examples: a cost is the mean over at least one")
    y = loss.targets(backend, y, outputs, dtype, check_values)
    if y.shape[0] != x.shape[0]:
        raise ValueError(f"x holds {x.shape[0]} examples, y {y.shape[0]}; each example needs one target")
    if weights is not None:
        given = to_numpy(weights, "sample_weight") if owner(weights) is None else weights
        weights = real(given, "sample_weight", backend, dtype)
        if tuple(weights.shape) != (x.shape[0],):
            raise ValueError(f"weights of the examples have shape ({x.shape[0]},); got {tuple(weights.shape)}")
        seen = to_numpy(weights) if check_values else readable(given)
        if seen is not None and not (seen >= 0).all():
            raise ValueError("weights of the examples must be 0 or more; got negative ones, or NaN")
    return x, y, weights


def real(x: Any, name: str, backend: Backend, dtype: str) -> Array:
    """x as an array of the backend, of this type; only real numbers are taken."""
    if owner(x) is None:
        x = to_numpy(x, name)
    if not isdtype(namespace(x), x.dtype, ("bool", "integral", "real floating")):
        hint = "; if all in it are numbers: x.astype('float64')" if getattr(x.dtype, "kind", "") == "O" else ""
        raise TypeError(f"{name}: expected real numbers; got an array of type {x.dtype}{hint}")
    return backend.asarray(x, dtype)


def shaped(xp: Any, x: Array, inputs: Shape) -> Array:
    """x with the batch as its first axis and examples of the shape of the inputs."""
    if tuple(x.shape[1:]) == inputs and x.ndim:
        return x
    if x.ndim == 1 and inputs == (1,):
        return xp.reshape(x, (-1, 1))  # n numbers are n examples of one input
    expected = ", ".join(["examples", *map(str, inputs)])
    message = f"x: expected shape ({expected}); got {tuple(x.shape)}"
    if tuple(x.shape) == inputs:
        message += "; one example needs the batch axis, too: x[None, ...]"
    elif prod(x.shape[1:]) == prod(inputs) and x.ndim:
        message += f"; to change the shape: x.reshape(-1, {', '.join(map(str, inputs))})"
    raise ValueError(message)


def like(x: Any, y: Array, backend: Backend) -> Array:
    """y, of the backend, as an array of the library of x; as it is for lists."""
    if owner(x) is None or backend.owns(x):
        return y
    xp, device = namespace(x), array_api_compat.device(x)
    shared = by_dlpack(xp, y, device)
    if shared is not None and is_writeable(shared):
        return shared
    host = backend.to_numpy(y)  # read-only where it is the memory of an immutable array
    return xp.asarray(host if is_writeable(host) else host.copy(), device=device)
