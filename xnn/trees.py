"""Structures of arrays: one array, or lists, tuples and dictionaries of arrays, nested at will.

What descends from θ (a gradient, the state of an optimizer) has the structure of θ. A list or a
dictionary is a structure when an array is found in it; a list of mere numbers, such as
``[[1.0, 2.0], [3.0, 4.0]]``, is one array. A dictionary is always a structure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import array_api_compat

from xnn.arrays import get_backend, isdtype, namespace, owner, to_numpy, unify
from xnn.contract import Array
from xnn.host import numpy

__all__ = ["arrays", "is_structure", "leaves", "matching", "places", "rebuild"]


def is_structure(tree: Any) -> bool:
    """Whether this is a list, tuple or dictionary of arrays, and not an array itself."""
    if not isinstance(tree, (list, tuple)):
        return isinstance(tree, dict) or (owner(tree) is None and isinstance(tree, Mapping))
    for x in tree:  # noqa: SIM110 -- any() takes twice the time, and the first one nearly always decides
        if _is_array(x) or is_structure(x):
            return True
    return False


def _is_array(x: Any) -> bool:
    if type(x) in _ARRAYS:
        return True
    if owner(x) is None or isinstance(x, numpy.number):  # numpy.float64(1) counts as a number
        return False
    _ARRAYS.add(type(x))
    return True


_ARRAYS: set[type] = set()  # the classes that were found to be arrays, which are asked for several times a derivative


def leaves(tree: Any) -> list[Any]:
    """The arrays in the structure, in order."""
    if not is_structure(tree):
        return [tree]
    found: list[Any] = []
    for branch in tree if isinstance(tree, (list, tuple)) else tree.values():
        if _is_array(branch):
            found.append(branch)
        else:
            found += leaves(branch)
    return found


def places(tree: Any, name: str) -> list[str]:
    """What the user would write for each of the ``leaves``, for messages: ``"theta['w'][0]"``."""
    if not is_structure(tree):
        return [name]
    items = enumerate(tree) if isinstance(tree, (list, tuple)) else tree.items()
    return [place for key, branch in items for place in places(branch, _place(name, [key]))]


def rebuild(tree: Any, new: Iterable[Any]) -> Any:
    """The structure of ``tree`` with new leaves, in the order of ``leaves``."""
    return _rebuild(tree, iter(new))


def _rebuild(tree: Any, new: Iterator[Any]) -> Any:
    if not is_structure(tree):
        return next(new)
    if isinstance(tree, (list, tuple)):
        every = [next(new) if _is_array(x) else _rebuild(x, new) for x in tree]
        if hasattr(tree, "_make"):  # a tuple with names
            return tree._make(every)
        return tuple(every) if isinstance(tree, tuple) else every
    return {key: next(new) if _is_array(x) else _rebuild(x, new) for key, x in tree.items()}


def arrays(tree: Any, name: str = "theta", beside: Any = None) -> tuple[Any, list[Array]]:
    """The namespace of the arrays in a structure, and the arrays themselves, as floats.

    Numbers and lists become arrays of the library, device and data type of the first array; where there is none,
    of the array ``beside``, or else float64 of the current backend. Integers become floats.

    Raises:
        TypeError: for arrays of several libraries, and for what is no real number.
    """
    if _is_array(tree):  # the common case, made quick
        xp = namespace(tree)
        return xp, [_floats(xp, tree, name)]
    found = dict(zip(places(tree, name), leaves(tree), strict=True))
    owned = {place: x for place, x in found.items() if _is_array(x)}
    if not owned and beside is None:
        backend = get_backend()
        return backend.xp, [backend.asarray(_numbers(x, place)) for place, x in found.items()]
    xp = unify(**owned)[0] if owned else namespace(beside)  # raises where two libraries meet
    owned = {place: _floats(xp, x, place) for place, x in owned.items()}
    first = next(iter(owned.values()), beside)
    like = {"dtype": first.dtype, "device": array_api_compat.device(first)}
    return xp, [owned[p] if p in owned else xp.asarray(_numbers(x, p), **like) for p, x in found.items()]


def matching(tree: Any, xp: Any, like: Any, wanted: list[Array], name: str, liked: str = "theta") -> list[Array]:
    """The arrays in ``tree``, as arrays with the data types of ``wanted``, the arrays in ``like``.

    Raises:
        ValueError: where ``tree`` has not the structure of ``like``, or not its shapes.
        TypeError: for arrays of another library, and for what is no real number.
    """
    found = _beside(tree, like, name, liked)
    return [
        x if _alike(x, θ) else _match(xp, x, θ, _place(name, path), liked)
        for (path, x), θ in zip(found, wanted, strict=True)
    ]


def _beside(tree: Any, like: Any, name: str, liked: str, path: tuple[Any, ...] = ()) -> list[tuple[Any, Any]]:
    """The branches of ``tree`` that stand where the leaves of ``like`` do, each with the keys on the way there."""
    if not is_structure(like):
        return [(path, tree)]
    keys, theirs = _keys(like), _keys(tree)
    if theirs is None or isinstance(theirs, range) is not isinstance(keys, range):
        listed = f"a list of {len(keys)}" if isinstance(keys, range) else f"a dictionary with the keys {list(keys)}"
        raise ValueError(
            f"{_place(name, path)} must be {listed}, like {_place(liked, path)}; got {type(tree).__name__}"
        )
    if theirs != keys:
        raise ValueError(
            f"{_place(name, path)} must have the keys of {_place(liked, path)}, {list(keys)}; got {list(theirs)}"
        )
    return [found for key in keys for found in _beside(tree[key], like[key], name, liked, (*path, key))]


def _keys(tree: Any) -> Any:
    """The keys of a dictionary, the numbers of what is in a list; None for anything else."""
    if isinstance(tree, (list, tuple)):
        return range(len(tree))
    return tree.keys() if isinstance(tree, Mapping) else None


def _place(name: str, path: Iterable[Any]) -> str:
    """What the user would write for what is found with these keys; for messages only, since to write it takes time."""
    return name + "".join(f"[{key!r}]" for key in path)


def _alike(x: Any, θ: Any) -> bool:
    """Whether x is an array that can stand beside θ as it is."""
    return type(x) is type(θ) and x.shape == θ.shape and x.dtype == θ.dtype and not getattr(x, "requires_grad", False)


def _match(xp: Any, x: Any, θ: Array, name: str, liked: str) -> Array:
    if x is None:
        raise TypeError(f"{name} is None; expected an array of shape {tuple(θ.shape)}, like {liked}")
    if _is_array(x):
        if owner(x) is not owner(θ):
            unify(**{liked: θ, name: x})  # raises, and names both libraries
        if getattr(x, "requires_grad", False):
            x = x.detach()
    else:
        x = xp.asarray(_numbers(x, name, θ), dtype=θ.dtype, device=array_api_compat.device(θ))
    if x.shape != θ.shape:
        raise ValueError(f"{name} must have the shape of {liked}, {tuple(θ.shape)}; got {tuple(x.shape)}")
    if x.dtype == θ.dtype:
        return x
    numbers = ("real floating", "integral", *(("complex floating",) if _is_complex(θ) else ()))
    if not isdtype(xp, x.dtype, numbers):
        raise TypeError(f"{name}: expected real numbers, got an array of {x.dtype}")
    return xp.astype(x, θ.dtype)


def _is_complex(x: Any) -> bool:
    return "complex" in str(getattr(x, "dtype", ""))


def _numbers(x: Any, name: str, like: Any = None) -> Any:
    """Numbers in lists as a float64 array on the host, or complex128 beside a complex array."""
    try:
        return to_numpy(x).astype("complex128" if _is_complex(like) else "float64", casting="safe")
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name}: expected an array, or real numbers in lists; {error}") from error


def _floats(xp: Any, x: Array, name: str) -> Array:
    """x as it is if its numbers are floats, converted if they are integers."""
    if getattr(x, "requires_grad", False):  # PyTorch's record of derivatives is not to grow here
        x = x.detach()
    if isdtype(xp, x.dtype, "real floating"):
        return x
    if isdtype(xp, x.dtype, "integral"):
        return xp.astype(x, xp.__array_namespace_info__().default_dtypes()["real floating"])
    raise TypeError(f"{name}: expected real numbers, got an array of {x.dtype}")
