"""Changes in place, ``x[i] = v`` and ``x += v``, of arrays that carry a derivative.

No memory is changed, which a tape may still read: the operation is recorded, and the array object is given its result
as a new value. So all names of the object see the change, as they do of an array of NumPy, and so do its views; the
array that the user differentiates at is another object and stays as it is. Where the library's arrays do not change in
place, as JAX's and NumPy's single numbers do not, ``x += v`` makes a new array, as it does there.
"""

from __future__ import annotations

from typing import Any

from array_api_compat import device

from xnn.autodiff.linear import GETITEM, SETITEM
from xnn.autodiff.products import TRANSPOSED
from xnn.autodiff.rule import is_complex
from xnn.autodiff.tracing import Derivative, Traced, apply
from xnn.autodiff.views import is_mutable, plain, relatives
from xnn.contract import Array

__all__ = ["plain_key", "setitem", "update", "write"]


def plain_key(xp: Any, x: Array, key: Any) -> Any:
    """A key with arrays of the library in the place of lists; what would depend on a derivative is refused."""
    parts = key if isinstance(key, tuple) else (key,)
    if any(isinstance(k, Traced) for k in parts):
        raise Derivative(f"x[{key!r}] has no derivative here; take xp.take(x, indices, axis=…) or xp.where")
    parts = tuple(_indices(xp, list(k), plain(x)) if isinstance(k, (list, range)) else plain(k) for k in parts)
    return parts if isinstance(key, tuple) else parts[0]


def _indices(xp: Any, key: list[Any], like: Array) -> Array:
    return xp.base_namespace.asarray(key, dtype=None if key else xp.int64, device=device(like))


def setitem(xp: Any, x: Any, key: Any, value: Any) -> None:
    """x[key] = value, where x or the value carries a derivative."""
    if not hasattr(value, "dtype"):
        value = value if isinstance(value, (int, float, complex)) else xp.asarray(value, dtype=x.dtype)
    else:
        value = _of_type(xp, value, x)
    _replace(xp, x, apply(SETITEM, xp.base_namespace, (_inner(x), value), {"key": plain_key(xp, x, key)}))


def update(xp: Any, x: Traced, new: Array) -> Array:
    """What an operator such as ``x += v``, whose result is ``new``, leaves under the name of x."""
    return write(xp, x, new) if is_mutable(x) else new


def write(xp: Any, x: Traced, new: Array) -> Array:
    """x with the numbers of ``new`` in it, as of a function that writes into x whatever the library of its value."""
    if new.shape != x.shape:
        raise ValueError(f"in-place arithmetic gave the shape {tuple(new.shape)}, which the array of shape "
                         f"{tuple(x.shape)} cannot take")  # fmt: skip
    new = _of_type(xp, new, x)
    _replace(xp, x, new if isinstance(new, Traced) else x.level.constant(new, x.mark))
    return x


def _of_type(xp: Any, new: Array, x: Array) -> Array:
    if new.dtype == x.dtype:
        return new
    if is_complex(new) and not is_complex(x):
        raise TypeError(f"an array of {x.dtype} cannot take complex numbers in place")
    if isinstance(new, Traced) and not xp.isdtype(x.dtype, ("real floating", "complex floating")):
        raise TypeError(
            f"an array of {x.dtype} would lose the derivative of what is written into it: make it of floats"
        )
    return xp.astype(new, x.dtype)


def _inner(x: Any) -> Any:
    """x itself where it carries a derivative, else the array of the library."""
    return x if isinstance(x, Traced) else plain(x)


def _replace(xp: Any, x: Any, new: Any) -> None:
    """Give x the value ``new``, and its views and what it is a view of theirs."""
    others = relatives(x)
    if others and any(member.kin.path is None for member in (x, *others)):
        raise TypeError(
            "an array that carries a derivative is changed in place while another one is in use that may share its "
            "memory, as after reshape or transpose; change a copy of it: x.copy(), or xp.asarray(x, copy=True)"
        )
    root = x if not others or x.kin.root is None else x.kin.root
    top = new if x is root else _put(xp, _inner(root), x.kin.path, new)
    for member in (x, *others):
        if member is not root:
            y = top
            for key in member.kin.path:
                y = _read(xp, y, key)
            _assign(member, y)
    _assign(root, top)


def _put(xp: Any, x: Array, path: tuple[Any, ...], new: Array) -> Array:
    """x with the part that the keys lead to replaced."""
    key, *rest = path
    if rest:
        new = _put(xp, _read(xp, x, key), tuple(rest), new)
    if key is TRANSPOSED:
        return _read(xp, new, key)
    return apply(SETITEM, xp.base_namespace, (x, new), {"key": key})


def _read(xp: Any, x: Array, key: Any) -> Array:
    """x[key], or x.T."""
    args = (x,) if key is TRANSPOSED else (x, key)
    return apply(key if key is TRANSPOSED else GETITEM, xp.base_namespace, args, {})


def _assign(x: Any, new: Traced) -> None:
    if type(x) is not type(new):  # an array without a derivative that now takes one in
        x.__class__ = type(new)
    x.value, x.level, x.mark = new.value, new.level, new.mark
