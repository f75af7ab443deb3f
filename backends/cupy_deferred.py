"""Arrays that are computed later: a step is first noted down, and then run in as few kernels as will do.

On a GPU a small network is bound by the number of kernels that are launched. A ``Deferred`` array knows its
shape, its type, and the function and the arguments that it is to be computed from. When the numbers are wanted,
``cupy_schedule`` looks at all that was noted, and computes it with few kernels. The equations of a layer or of a
loss know nothing of this: they are handed the namespace of ``cupy_recorder``, which takes the notes.

Noted are: the functions of entries, sums and maxima along the first or the last axis, matrix products,
transposes, reshaped arrays, constants and counts. Whatever else is asked of a deferred array, by a function of
the namespace or by a method, is done at once, by CuPy, with numbers that are computed for it; and so is what
mixes data types. So a missing entry in the tables costs launches, never a result.

Deferred arrays are never changed in place: ``a += b`` makes a new one. On an ordinary array it would be seen under
every other name of it, too, and in the array of which it is a part. Here these are ``Outdated`` from then on: whoever
asks for them gets an ``InPlace`` error, and never the numbers of before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from typing import Any

import array_api_compat.cupy
import cupy
import numpy
from xnn.backends.cupy_expressions import REDUCTIONS, RESULTS, TYPES
from xnn.backends.cupy_kernel import matrix
from xnn.backends.cupy_schedule import evaluate

__all__ = [
    "Deferred", "InPlace", "View", "astype", "at_once", "broadcast", "common", "compute", "defer", "matmul", "note",
    "number", "pair", "power", "twin",
]  # fmt: skip

_xp: Any = array_api_compat.cupy
_ages = count()
_CHANGING = {"fill", "partition", "put", "scatter_add", "scatter_max", "scatter_min", "set", "sort"}  # CuPy's methods

# The data types of what is noted, each by the character that NumPy has for it.
_DTYPES = {char: numpy.dtype(char) for char in TYPES}


class InPlace(TypeError):
    """A change in place, of an array that may not be computed yet."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}; an array of a training step may not be computed yet: use xp.where, xp.concat or xp.stack, which "
            "every backend has"
        )


class Deferred:
    """An array that is yet to be computed by ``op`` from ``args``: deferred arrays and Python's numbers.

    ``axis`` is that of a sum in the matrix of the argument (``cupy_kernel.matrix``); ``char`` is "" for arrays of
    which nothing is noted. ``value`` is the CuPy array, once there is one.
    """

    __slots__ = ("age", "args", "axis", "char", "op", "shape", "value")
    __hash__ = object.__hash__

    def __init__(
        self, op: str, args: tuple[Any, ...], shape: tuple[int, ...], char: str, axis: Any = None, value: Any = None
    ) -> None:
        self.op, self.args, self.shape, self.char, self.axis, self.value = op, args, shape, char, axis, value
        self.age = next(_ages)

    # -- What an array of the standard has -----------------------------------------------------------------------

    @property
    def now(self) -> Any:
        """The CuPy array, computed if it is not yet there."""
        if self.value is None:
            evaluate([self], keep=True)
        return self.value

    @property
    def dtype(self) -> Any:
        return _DTYPES[self.char] if self.char else self.value.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def device(self) -> Any:
        if self.value is not None:
            return self.value.device
        return cupy.cuda.Device()  # that of the step

    @property
    def T(self) -> Any:
        if len(self.shape) != 2 or not self.char:
            return _seen(self.now.T, self)
        return View(Deferred("T", (defer(self),), self.shape[::-1], self.char), self)

    @property
    def mT(self) -> Any:
        return self.T if len(self.shape) == 2 else _seen(_xp.matrix_transpose(self.now), self)

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        from xnn.backends.cupy_recorder import namespace

        return namespace

    def __array__(self, *args: Any, **options: Any) -> Any:
        return self.now.__array__(*args, **options)  # CuPy's refusal

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **options: Any) -> Any:
        """NumPy's functions, which CuPy's arrays know, too; with them NumPy's numbers on the left come here."""
        if method != "__call__" or not hasattr(_xp, ufunc.__name__):
            return NotImplemented
        # Of a number on the left of a comparison NumPy makes an array, which CuPy does not take.
        args = tuple(a[()] if isinstance(a, numpy.ndarray) and not a.ndim else a for a in args)
        return getattr(self.__array_namespace__(), ufunc.__name__)(*args, **options)

    def __cupy_get_ndarray__(self) -> Any:
        return self.now

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__cuda_array_interface__", "__dlpack__", "__dlpack_device__"):
            raise AttributeError(name)
        if name in _CHANGING:
            raise InPlace(f"{name} would change an array in place")
        found = getattr(self.now, name)
        if not callable(found):
            return _seen(found, self)
        return lambda *args, **options: _seen(
            found(*map(now, args), **{key: now(option) for key, option in options.items()}), self
        )

    def __getitem__(self, index: Any) -> Any:
        return _seen(self.now[now(index)], self)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise InPlace("a part of an array is not changed in place")

    def __repr__(self) -> str:
        return repr(self.now)

    def __len__(self) -> int:
        return len(self.now)

    def __bool__(self) -> bool:
        return bool(self.now)

    def __float__(self) -> float:
        return float(self.now)

    def __int__(self) -> int:
        return int(self.now)

    def __index__(self) -> int:
        return int(self.now.__index__())

    def __neg__(self) -> Any:
        return note("negative", self)

    def __pos__(self) -> Any:
        return twin(self)

    def __abs__(self) -> Any:
        return note("abs", self)

    def __invert__(self) -> Any:
        return note("bitwise_invert", self)

    def __pow__(self, other: Any) -> Any:
        return power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return power(other, self)

    def __matmul__(self, other: Any) -> Any:
        return matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return matmul(other, self)

    def __ipow__(self, other: Any) -> Any:
        return _instead(self, power(self, other))

    def __imatmul__(self, other: Any) -> Any:
        return _instead(self, matmul(self, other))


class Outdated(Deferred):
    """What is left under the other names of an array that was changed in place."""

    __slots__ = ()

    @property
    def now(self) -> Any:
        raise InPlace("an array was changed in place, as by += or *=, and is used under another name")


class View(Deferred):
    """What has no memory of its own on an ordinary array, but looks at that of ``root``; ``node`` computes it."""

    __slots__ = ("node", "root")

    def __init__(self, node: Deferred, of: Deferred) -> None:
        super().__init__(node.op, node.args, node.shape, node.char, node.axis, node.value)
        self.node = node
        self.root: Deferred = of.root if isinstance(of, View) else of

    @property
    def now(self) -> Any:
        return defer(self).now


def _seen(value: Any, *arrays: Any) -> Any:
    """What CuPy made of these arrays, as a deferred one: a view of the one that lies in the same memory, if any."""
    if type(value) in (tuple, list):
        return type(value)(_seen(item, *arrays) for item in value)
    made = defer(value)
    for a in arrays:
        if type(made) is Deferred and isinstance(a, Deferred) and cupy.may_share_memory(value, a.now):
            return View(made, a)
    return made


def _instead(old: Deferred, new: Any) -> Any:
    """What stands for an array after a change in place; whatever else looks at it is outdated."""
    if new.shape != old.shape:
        raise ValueError(f"an array of shape {old.shape} is to be changed in place to one of shape {new.shape}")
    if new.char != old.char or not old.char:
        if not numpy.can_cast(new.dtype, old.dtype, "same_kind"):
            raise TypeError(f"an array of {old.dtype} is to be changed in place to one of {new.dtype}")
        new = astype(new, old.dtype)
    (old.root if isinstance(old, View) else old).__class__ = Outdated
    return new


def _operators(name: str, op: str) -> None:
    def left(self: Deferred, other: Any) -> Any:
        return pair(op, self, other)

    def right(self: Deferred, other: Any) -> Any:
        return pair(op, other, self)

    def in_place(self: Deferred, other: Any) -> Any:
        return _instead(self, pair(op, self, other))

    setattr(Deferred, f"__{name}__", left)
    setattr(Deferred, f"__r{name}__", right)
    setattr(Deferred, f"__i{name}__", in_place)


for _name, _op in {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide",
    "mod": "remainder", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
    "lshift": "bitwise_left_shift", "rshift": "bitwise_right_shift",
}.items():  # fmt: skip
    _operators(_name, _op)
for _name, _op in {
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal",
}.items():  # fmt: skip
    setattr(Deferred, f"__{_name}__", lambda self, other, op=_op: pair(op, self, other))


# -- Into deferred arrays, and out of them ---------------------------------------------------------------------------


def defer(value: Any) -> Any:
    """A CuPy array as a deferred one whose value is there; several in a tuple or list; all else as it is."""
    if type(value) is Deferred:
        return value
    if isinstance(value, cupy.ndarray):
        if not value.flags.c_contiguous:
            value = cupy.ascontiguousarray(value)
        char = value.dtype.char if value.size else ""
        return Deferred("given", (), value.shape, char if char in _DTYPES else "", None, value)
    if type(value) in (tuple, list):
        return type(value)(defer(item) for item in value)
    if type(value) is View:
        return value.node if type(value.root) is not Outdated else value.root.now
    return value if type(value) is not Outdated else value.now


def compute(arrays: Sequence[Any], packed: Sequence[Any] = ()) -> tuple[list[Any], Any]:
    """The CuPy arrays of deferred ones; those of ``packed`` in one flat vector, in which they are made."""
    results = [defer(a) for a in arrays]
    parts = [astype(a, packed[0].dtype, copy=False) for a in packed]
    flat: Any = None
    places, start = [], 0
    if parts:
        flat = cupy.empty(sum(part.size for part in parts), parts[0].dtype)
    for part in parts:
        places.append(flat[start : start + part.size].reshape(part.shape))
        start += part.size
    known = [k for k, a in enumerate(results) if type(a) is Deferred]  # a number stays what it is
    values = evaluate([*(results[k] for k in known), *parts], places) if known or parts else []
    for k, value in zip(known, values, strict=False):
        results[k] = value
    return results, flat


def now(value: Any) -> Any:
    """What ``defer`` made, as CuPy's arrays again."""
    if isinstance(value, Deferred):
        return value.now
    if type(value) in (tuple, list):
        return type(value)(now(item) for item in value)
    return value


def at_once(name: str, *args: Any, **options: Any) -> Any:
    """CuPy's own function, with numbers."""
    if options.get("out") is not None:
        raise InPlace(f"{name} with out= would change an array in place")
    value = getattr(_xp, name)(*map(now, args), **{key: now(option) for key, option in options.items()})
    return _seen(value, *args)


# -- Taking notes ----------------------------------------------------------------------------------------------------


def note(op: str, *args: Any) -> Any:
    """The function ``op`` of entries, with broadcasting: noted, or done at once where it is not in the tables."""
    found = [defer(a) for a in args]
    arrays = [a for a in found if type(a) is Deferred]
    char = arrays[0].char if arrays else ""
    shape = common(arrays, char)
    found = [a if type(a) is Deferred else number(a, char) for a in found]
    if shape is None or (op, char) not in RESULTS or any(a is None for a in found):
        return at_once(op, *args)
    return Deferred(op, tuple(found), shape, RESULTS[op, char])


def pair(op: str, a: Any, b: Any) -> Any:
    """``note`` for two arguments, the most frequent cases first."""
    if type(a) is Deferred:
        result = RESULTS.get((op, a.char))
        if result is not None:
            if type(b) is Deferred:
                if b.char == a.char:
                    shape = a.shape if b.shape == a.shape else broadcast(a.shape, b.shape)
                    if shape is not None:
                        return Deferred(op, (a, b), shape, result)
            elif type(b) is float and a.char in "fd":
                return Deferred(op, (a, b), a.shape, result)
    return note(op, a, b)


def common(arrays: Sequence[Deferred], char: str) -> tuple[int, ...] | None:
    """The common shape of arrays of this type; None where one is of another type, or where there is none."""
    shape: tuple[int, ...] | None = ()
    for a in arrays:
        shape = None if shape is None or a.char != char else broadcast(shape, a.shape)
    return shape


@lru_cache(4096)
def broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...] | None:
    """The common shape of a and b, if both fill it by repeating whole rows or whole columns of their matrices."""
    try:
        shape = numpy.broadcast_shapes(a, b)
    except ValueError:
        return None
    (rows, columns), of = matrix(shape), (matrix(a), matrix(b))
    return shape if all(r in (1, rows) and c in (1, columns) for r, c in of) else None


def number(a: Any, char: str) -> float | int | None:
    """A Python number as the arithmetic of this type takes it; None for what CuPy is to judge."""
    if char in ("f", "d"):
        return float(a) if type(a) in (float, int) else None
    return a if type(a) is int and char in ("h", "i") and abs(a) < 1 << (15 if char == "h" else 31) else None


def twin(x: Deferred) -> Deferred:
    """A copy, as one may call it whose arrays are never changed: what computes the same."""
    x = defer(x)
    if x.op in REDUCTIONS or x.op == "matmul":  # they are dear
        return Deferred("reshape", (x,), x.shape, x.char, None, x.value)
    return Deferred(x.op, x.args, x.shape, x.char, x.axis, x.value)


def astype(x: Any, dtype: Any, /, *, copy: bool = True, **options: Any) -> Any:
    """x in another type; x itself where it has that type and needs no copy."""
    x, char = defer(x), numpy.dtype(dtype).char
    if type(x) is Deferred and x.char == char:
        return twin(x) if copy else x
    if type(x) is not Deferred or not x.char or char not in _DTYPES:
        return at_once("astype", x, dtype, **options)
    return Deferred("astype", (x,), x.shape, char)


def power(a: Any, b: Any, /) -> Any:
    """aᵇ; the square as a product."""
    return pair("multiply", a, a) if type(b) in (int, float) and b == 2 else note("pow", a, b)


def matmul(a: Any, b: Any, /) -> Any:
    """A B for two matrices."""
    a, b = defer(a), defer(b)
    if type(a) is not Deferred or type(b) is not Deferred or a.char != b.char or a.char not in ("f", "d"):
        return at_once("matmul", a, b)
    if not len(a.shape) == len(b.shape) == 2 or a.shape[1] != b.shape[0]:
        return at_once("matmul", a, b)
    return Deferred("matmul", (a, b), (a.shape[0], b.shape[1]), a.char)
