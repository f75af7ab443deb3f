"""Gradient clipping: gradients that are too long, or have too large entries, are shortened.

Everything stays on the device: nothing here waits for a number.
"""

from __future__ import annotations

from typing import Any

from xnn.arrays import on_their_device
from xnn.contract import Array, Backend
from xnn.settings import number
from xnn.trees import arrays, rebuild

__all__ = ["clip", "clip_by_norm", "clip_by_value", "norm"]


@on_their_device
def clip_by_norm(gradient: Any, max_norm: float) -> Any:
    """The gradient g, shortened to the length ``max_norm`` if it is longer: g · min(1, max_norm / (‖g‖ + 10⁻⁶)).

    ‖g‖ = √Σg² runs over all entries of all arrays together. ``gradient`` is an array of any library,
    or a list or dictionary of arrays; what comes back has the same form, and is new. A norm too large
    for the data type gives zeros, one that is NaN gives NaN: both as in PyTorch's
    ``clip_grad_norm_``, with which this agrees.

    Source: Pascanu, Mikolov & Bengio, On the difficulty of training recurrent neural networks, 2013.

    Raises:
        ValueError: where ``max_norm`` is not positive.
    """
    limit = number("max_norm", max_norm, "(0, inf]")
    xp, g = arrays(gradient, "gradient")
    if not g:
        return rebuild(gradient, g)
    return rebuild(gradient, _shortened(xp, g, limit))


@on_their_device
def clip_by_value(gradient: Any, limit: float) -> Any:
    """The gradient with every entry moved into [−limit, limit]; PyTorch's ``clip_grad_value_``.

    ``gradient`` is an array of any library, or a list or dictionary of arrays; what comes back has
    the same form, and is new.

    Raises:
        ValueError: where ``limit`` is not positive.
    """
    limit = number("limit", limit, "(0, inf]")
    xp, g = arrays(gradient, "gradient")
    return rebuild(gradient, [_bounded(xp, a, limit) for a in g])


def clip(backend: Backend, g: Array, limit: float | None, max_norm: float | None) -> Array:
    """The flat gradient of a step, clipped by value and then by norm where these are given, in few kernels."""
    if limit is None and max_norm is None:
        return g
    xp, clipped = backend.recorder, backend.defer(g)
    if limit is not None:
        clipped = _bounded(xp, clipped, limit)
    if max_norm is not None:
        (clipped,) = _shortened(xp, [clipped], max_norm)
    return backend.compute([clipped])[0][0]


def _bounded(xp: Any, a: Array, limit: float) -> Array:
    # xp.clip of array-api-compat looks at the values of the bounds, for which CuPy waits.
    return xp.minimum(xp.maximum(a, -limit), limit)


def _shortened(xp: Any, g: list[Array], limit: float) -> list[Array]:
    c = xp.minimum(limit / (norm(xp, g) + 1e-6), 1.0)
    # With several data types, each array keeps its own.
    return [a * (c if c.dtype == a.dtype else xp.astype(c, a.dtype)) for a in g]


def norm(xp: Any, g: list[Array]) -> Array:
    """‖g‖ = √Σg² over all entries of all the arrays together, as a 0-d array."""
    flat = [xp.reshape(a, (-1,)) for a in g]
    total = xp.vecdot(flat[0], flat[0])
    for a in flat[1:]:
        total = total + xp.vecdot(a, a)
    return xp.sqrt(total)
