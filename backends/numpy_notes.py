"""Arrays that do what NumPy is asked for at once, and note down how it was done.

``numpy_plan`` writes a function from the notes.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy
from numpy.lib.mixins import NDArrayOperatorsMixin
from xnn.backends.numpy_products import quickest

__all__ = ["DOT", "Noted", "Unplanned", "among"]

DOT = numpy.ndarray.dot  # numpy.dot asks its arguments for an __array_function__ first: 0.16 µs
_LARGE = 1 << 16  # entries


class Unplanned(Exception):
    """The step cannot be written down."""


class Noted(NDArrayOperatorsMixin):
    """An array of the run that is noted down: its numbers in that run, and the call that makes it.

    ``notes`` is the list of all calls so far, each a ``Noted`` of its own. A view knows the array whose memory it
    looks at as ``root``.
    """

    __slots__ = ("args", "call", "changed", "notes", "out", "root", "value")

    def __init__(
        self, notes: list[Noted], value: Any, call: Any = None, args: tuple[Any, ...] = (), out: str = ""
    ) -> None:
        self.notes, self.value, self.call, self.args = notes, value, call, args
        self.out = out  # how the call takes the place of its result: see _line
        self.root = self
        self.changed = False  # by an augmented assignment: the name stands for another array since
        if call is not None:
            notes.append(self)

    # -- What is noted -------------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, out: Any = None, **options: Any) -> Any:
        if method == "__call__" and ufunc.nout == 1 and not options:
            made = self._ufunc(ufunc, args)
        elif method == "reduce" and not options.keys() - {"axis", "dtype", "keepdims"} and len(args) < 6:
            names = ("axis", "dtype", "out", "keepdims")
            every = {"axis": 0, "dtype": None, "keepdims": False, **dict(zip(names, args[1:], strict=False)), **options}
            reduced = (args[0], every["axis"], every["dtype"], None, every["keepdims"])
            made = self._note(ufunc.reduce, reduced, "argument 3")
        else:
            raise Unplanned(f"{ufunc.__name__}.{method} with {sorted(options)}")
        if out is not None:  # a += b
            (old,) = out
            if type(old) is not Noted or old.value.dtype != made.value.dtype or old.value.shape != made.value.shape:
                raise Unplanned(f"{ufunc.__name__} into an array that stays")
            old.root.changed = True
        return made

    def _ufunc(self, ufunc: Any, args: tuple[Any, ...]) -> Noted:
        arrays = [a.value if type(a) is Noted else a for a in args]
        kinds = list({a.dtype for a in arrays if isinstance(a, (numpy.ndarray, numpy.generic))})
        if len(kinds) == 1 and kinds[0].kind == "f":  # a number has the type of the array beside it
            args = tuple(numpy.asarray(a, dtype=kinds[0]) if type(a) in (int, float) else a for a in args)
        if all(type(a) is not Noted or a.out == "number" for a in args):
            raise Unplanned("arithmetic between numbers, which Python does in double precision")
        if ufunc is numpy.matmul and len(kinds) == 1 and _same_by_dot(*arrays):  # the same product, by shorter ways
            if type(args[0]) is type(args[1]) is Noted:
                product: Noted = quickest(*arrays)(*args)
                return product
            return self._note(DOT, args, "last")
        if ufunc.signature is None:  # entry by entry
            shape = numpy.broadcast_shapes(*map(numpy.shape, arrays))
            # NumPy takes much longer to add (n,) to (1, n) than (1, n).
            args = tuple(a.reshape(shape) if type(a) is Noted and a._fills(shape) else a for a in args)
            if ufunc in (numpy.maximum, numpy.minimum):  # with an array they take a third of the time
                args = tuple(_spread(shape, a) if type(a) is numpy.ndarray and not a.ndim else a for a in args)
        return self._note(ufunc, args, "out=" if ufunc in (numpy.maximum, numpy.minimum) else "last")

    def _fills(self, shape: tuple[int, ...]) -> bool:
        """Whether it has as many entries as an array of this other shape."""
        return self.out != "number" and self.shape != shape and self.size == math.prod(shape)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return self._note(_Call(function, tuple(options)) if options else function, (*args, *options.values()))

    def _note(self, call: Any, args: tuple[Any, ...], out: str = "") -> Noted:
        for a in among(args):
            if a.root.changed:
                raise Unplanned("an array is used after it was changed")
        value = call(*map(_value, args))
        if not isinstance(value, (numpy.ndarray, numpy.generic)):
            raise Unplanned(f"{call} gives no array")
        value = numpy.asarray(value)  # a number of NumPy has no memory, but its place in the plan has: views look at it
        made = Noted(self.notes, value, call, args, out)
        for a in among(args):
            if _in_memory_of(value, a.value):
                made.root = a.root
        return made

    # -- What else an array of NumPy has ---------------------------------------------------------------------------

    dtype = property(lambda self: self.value.dtype)
    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    device = property(lambda self: "cpu")
    T = property(lambda self: self._note(operator.attrgetter("T"), (self,)))

    def reshape(self, *shape: Any) -> Noted:
        return self._note(operator.methodcaller("reshape", *shape), (self,))

    def astype(self, dtype: Any, copy: bool = True) -> Noted:
        return self if not copy and self.dtype == dtype else self._note(_Cast(dtype), (self,), "copy")

    def view(self, dtype: Any) -> Noted:
        return self._note(operator.methodcaller("view", dtype), (self,))

    def copy(self) -> Noted:
        return self._note(numpy.ndarray.copy, (self,), "copy")

    def dot(self, other: Noted) -> Noted:
        return self._note(DOT, (self, other), "last")

    def take(self, indices: Any, axis: Any = None) -> Noted:
        return self._note(numpy.take, (self, indices, axis))

    def __getitem__(self, index: Any) -> Noted:
        return self._note(operator.getitem, (self, index))

    def __pow__(self, other: Any) -> Noted:
        return self._note(operator.pow, (self, other))  # not the ufunc: NumPy takes the square as a product

    def __len__(self) -> int:
        return len(self.value)

    def _refuse(self, *args: Any, **options: Any) -> Any:
        raise Unplanned("a number is looked at, or an array changed")

    __array__ = __bool__ = __float__ = __int__ = __index__ = __iter__ = __setitem__ = __complex__ = _refuse


def _spread(shape: tuple[int, ...], number: Any) -> Any:
    """An array of the number that broadcasts to the shape: a whole one, or a row where that would be large."""
    return _full(shape if math.prod(shape) <= _LARGE else shape[-1:], number.dtype, number.tobytes())


@functools.lru_cache(256)  # layers of one shape share it
def _full(shape: tuple[int, ...], dtype: Any, number: bytes) -> Any:
    return numpy.full(shape, numpy.frombuffer(number, dtype), dtype)


class _Call:
    """A function with its last arguments given by name."""

    def __init__(self, function: Callable[..., Any], names: tuple[str, ...]) -> None:
        self.function, self.names = function, names

    def __call__(self, *args: Any) -> Any:
        n = len(args) - len(self.names)
        return self.function(*args[:n], **dict(zip(self.names, args[n:], strict=True)))


class _Cast(_Call):
    """``astype``."""

    def __init__(self, dtype: Any) -> None:
        super().__init__(lambda x: x.astype(dtype), ())


def among(args: Iterable[Any]) -> Iterable[Noted]:
    """The noted arrays among the arguments of a call, in lists and tuples, too."""
    for a in args:
        if type(a) is Noted:
            yield a
        elif type(a) in (list, tuple):
            yield from among(a)


def _value(a: Any) -> Any:
    if type(a) is Noted:
        return a.value
    return type(a)(map(_value, a)) if type(a) in (list, tuple) else a


def _in_memory_of(view: Any, a: Any) -> bool:
    """Whether the first looks at the memory of the second; numbers of NumPy are no arrays."""
    return isinstance(view, numpy.ndarray) and isinstance(a, numpy.ndarray) and numpy.may_share_memory(view, a)


def _same_by_dot(a: Any, b: Any) -> bool:
    """Whether ``dot`` does what ``matmul`` does, to the bit: BLAS takes both as they lie, and one is a matrix.

    Products of one number each they form differently: the zeros among them can have another sign.
    """
    return _whole(a) and _whole(b) and a.ndim + b.ndim > 2 and a.shape[-1] > 1


def _whole(a: Any) -> bool:
    if not isinstance(a, numpy.ndarray) or a.ndim not in (1, 2) or a.dtype.kind != "f" or not a.size:
        return False
    return bool(a.flags.c_contiguous or a.flags.f_contiguous)
