"""Numbers and lists as arrays beside others, as NumPy's functions of several arrays take them."""

from __future__ import annotations

from typing import Any

from array_api_compat import device

from xnn.autodiff.tracing import raw
from xnn.contract import Array

__all__ = ["arrays_of", "at_least"]


def arrays_of(xp: Any, every: Any) -> list[Array]:
    """Numbers and lists as arrays, like the first of the others."""
    first = next(a for a in every if hasattr(a, "shape"))
    like = {"dtype": first.dtype, "device": device(raw(first))}
    return [a if hasattr(a, "shape") else xp.asarray(a, **like) for a in every]


def at_least(xp: Any, a: Array, least: int) -> Array:
    """The array with so many axes, as NumPy's ``atleast_1d``, ``atleast_2d`` and ``atleast_3d`` have it."""
    if a.ndim >= least:
        return a
    shape = (1, *a.shape, 1) if least == 3 and a.ndim == 1 else (1,) * (least - a.ndim) + tuple(a.shape)
    return xp.reshape(a, (*a.shape, 1) if least == 3 and a.ndim == 2 else shape)
