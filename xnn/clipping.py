"""Gradient clipping: gradients that are too long, or have too large entries, are shortened.

Everything stays on the device: nothing here waits for a number.
"""

from __future__ import annotations

from typing import Any

from xnn.arrays import Array, on_their_device
from xnn.settings import number
from xnn.trees import arrays, rebuild

__all__ = ["clip_by_norm", "clip_by_value", "norm"]


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
    c = xp.minimum(limit / (norm(xp, g) + 1e-6), 1.0)
    # With several data types, each array keeps its own.
    return rebuild(gradient, [a * (c if c.dtype == a.dtype else xp.astype(c, a.dtype)) for a in g])


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
    # xp.clip of array-api-compat looks at the values of the bounds, for which CuPy waits.
    return rebuild(gradient, [xp.minimum(xp.maximum(a, -limit), limit) for a in g])


def norm(xp: Any, g: list[Array]) -> Array:
    """‖g‖ = √Σg² over all entries of all the arrays together, as a 0-d array."""
    flat = [xp.reshape(a, (-1,)) for a in g]
    total = xp.vecdot(flat[0], flat[0])
    for a in flat[1:]:
        total = total + xp.vecdot(a, a)
    return xp.sqrt(total)
