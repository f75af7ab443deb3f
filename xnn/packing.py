"""What a running computation remembers, as plain JSON and named arrays, and back to the last bit.

A state is made of numbers, texts, ``None`` and arrays of any library, in lists, tuples and dictionaries.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from xnn.arrays import owner, to_numpy
from xnn.contract import Array, Backend
from xnn.host import ndarray

__all__ = ["pack", "unpack"]


def pack(state: Any, name: str, arrays: dict[str, ndarray], backend: Backend) -> Any:
    """The state as JSON; its arrays are added to ``arrays`` under names that begin with ``name``.

    Arrays that are not of this backend are noted as such.

    Raises:
        TypeError: for what is none of the above; it says where.
    """
    if owner(state) is not None and not isinstance(state, float):  # numpy.float64 is a float
        while name in arrays:  # keys of dictionaries may hold dots, too
            name += "'"
        arrays[name] = to_numpy(state)
        return {"array": name, "foreign": not backend.owns(state)}
    if state is None or isinstance(state, bool | int | str):
        return state
    if isinstance(state, float):
        return float(state) if math.isfinite(state) else {"float": repr(float(state))}
    if isinstance(state, Mapping):
        items = state.items()
        return {
            "dict": [[pack(key, name, arrays, backend), pack(x, f"{name}.{key}", arrays, backend)] for key, x in items]
        }
    if isinstance(state, list | tuple):
        packed = [pack(x, f"{name}.{i}", arrays, backend) for i, x in enumerate(state)]
        return packed if isinstance(state, list) else {"tuple": packed}
    raise TypeError(f"{name}: expected numbers, texts, arrays, lists, tuples or dictionaries; got {state!r}")


def unpack(packed: Any, arrays: Mapping[str, ndarray], backend: Backend) -> Any:
    """The state that was packed, its arrays on this backend (the foreign ones: NumPy's).

    Raises:
        ValueError, KeyError, TypeError, RecursionError: for what ``pack`` could not have made.
    """
    if isinstance(packed, list):
        return [unpack(x, arrays, backend) for x in packed]
    if not isinstance(packed, dict):
        return packed
    kind = next(iter(packed), None)
    if kind == "array":
        return _array(arrays[packed["array"]], backend, packed["foreign"])
    if kind == "float":
        return float(packed["float"])
    if kind == "tuple":
        return tuple(unpack(x, arrays, backend) for x in packed["tuple"])
    if kind == "dict":
        return {unpack(key, arrays, backend): unpack(x, arrays, backend) for key, x in packed["dict"]}
    raise ValueError(f"no kind of state is called {kind!r}")


def _array(array: ndarray, backend: Backend, foreign: bool) -> Array:
    if foreign:
        return array
    return backend.xp.asarray(backend.asarray(array), copy=True)  # ours to change
