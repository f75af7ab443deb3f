"""A step written down once as a flat list of NumPy calls on memory of its own, to be repeated without any Python.

A small network is bound by the number of calls, and by what stands around each: the layers' own lines, a new array
for every result, operators that look for the types of their arguments. But a step does the same with every batch.
So it is run once on ``Noted`` arrays. These carry the numbers of that run, and NumPy hands every function of them
back (``__array_ufunc__`` and ``__array_function__``, NEP 13 and 18), which is done at once and noted down. From the
notes a function is written, of which each line is one call, with its result in memory that is there already:

    dot(x, θ1, b1)            z = x Wᵀ
    add(b1, θ2, b1)           z += b
    maximum(b1, k1, out=b2)   a = max(z, 0)

Each result lies there as it did in the run. Memory is used again as soon as nobody needs what stands in it. The calls
are those of the plain run, so that the results are the same to the bit. What leaves the step is made anew each time:
it is the caller's.

A step that does what cannot be noted (it looks at a number, changes an array that it was given, calls what NumPy
does not hand back) raises ``Unplanned`` here, and has to be run as it stands.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy
from numpy.lib.mixins import NDArrayOperatorsMixin
from xnn.backends.numpy_memory import empty
from xnn.backends.numpy_products import quickest

from xnn.contract import apart, comes_with_xnn

__all__ = ["Noted", "Unplanned", "Update", "write"]

_LARGE = 1 << 16  # entries
_DOT = numpy.ndarray.dot  # numpy.dot asks its arguments for an __array_function__ first: 0.16 µs


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
            return self._note(_DOT, args, "last")
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
        for a in _noted(args):
            if a.root.changed:
                raise Unplanned("an array is used after it was changed")
        value = call(*map(_value, args))
        if not isinstance(value, (numpy.ndarray, numpy.generic)):
            raise Unplanned(f"{call} gives no array")
        value = numpy.asarray(value)  # a number of NumPy has no memory, but its place in the plan has: views look at it
        made = Noted(self.notes, value, call, args, out)
        for a in _noted(args):
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
        return self._note(_DOT, (self, other), "last")

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


def _noted(args: Iterable[Any]) -> Iterable[Noted]:
    for a in args:
        if type(a) is Noted:
            yield a
        elif type(a) in (list, tuple):
            yield from _noted(a)


def _value(a: Any) -> Any:
    if type(a) is Noted:
        return a.value
    return type(a)(map(_value, a)) if type(a) in (list, tuple) else a


def _in_memory_of(view: Any, a: Any) -> bool:
    """Whether the first looks at the memory of the second; numbers of NumPy are no arrays."""
    return isinstance(view, numpy.ndarray) and isinstance(a, numpy.ndarray) and numpy.may_share_memory(view, a)


def _lie_alike(a: Any, b: Any) -> bool:
    """Whether one may stand where the other does: how an array lies decides on views of it and on the order of sums."""
    return bool(a.shape == b.shape and a.dtype == b.dtype and a.strides == b.strides)


def _same_by_dot(a: Any, b: Any) -> bool:
    """Whether ``dot`` does what ``matmul`` does, to the bit: BLAS takes both as they lie, and one is a matrix.

    Products of one number each they form differently: the zeros among them can have another sign.
    """
    return _whole(a) and _whole(b) and a.ndim + b.ndim > 2 and a.shape[-1] > 1


def _whole(a: Any) -> bool:
    if not isinstance(a, numpy.ndarray) or a.ndim not in (1, 2) or a.dtype.kind != "f" or not a.size:
        return False
    return bool(a.flags.c_contiguous or a.flags.f_contiguous)


# -- From notes to a function --------------------------------------------------------------------------------------


def write(
    step: Callable[..., tuple[Sequence[Any], Sequence[Any]]],
    given: Sequence[Any],
    standing: Sequence[Any] = (),
    numbers: Sequence[Any] = (),
    places: Callable[[Sequence[Any]], Sequence[Any]] = lambda parts: (),
    most: int | None = None,
) -> Callable[..., list[Any]]:
    """A function of arrays like ``given`` that does what ``step`` does, and returns the list of its first results.

    ``step(given, standing, numbers)`` gives two sequences: what is returned, and what is written to places.

    Args:
        step: what is noted down.
        given: arrays, or None, that are others each time, of the same shapes.
        standing: arrays that stay where they are, while the numbers in them may change.
        numbers: 0-d arrays that stay where they are, for numbers of Python.
        places: where the second results are put: arrays that stay; or, as its number, a given array, which may be
            changed on the way.
        most: so many bytes of memory may be taken.

    Raises:
        Unplanned: where the step cannot be written down.
    """
    function: Callable[..., list[Any]] = _Writer(step, given, standing, numbers, places, most).function
    return function


class Update:
    """The update of a block by an optimizer, whose scalars are others each time."""

    def __init__(self, function: Callable[..., Any], numbers: list[Any]) -> None:
        self.function, self.numbers = function, numbers
        self.last: list[Any] = [None] * len(numbers)

    @classmethod
    def of(cls, xp: Any, equation: Any, state: Sequence[Any], g: Any, scalars: Any) -> Callable[..., None]:
        """A function of (state, g, scalars) that changes the state.

        Equations that come with xnn do the same each time; one of the user's own may draw noise.
        """

        def step(given: Any, standing: Any, numbers: Any) -> Any:
            return (), equation(xp, given[1], given[0], *given[2:], **dict(zip(scalars, numbers, strict=True)))

        def plain(state: Sequence[Any], g: Any, scalars: Any) -> None:
            new = apart(state, equation(xp, state[0], g, *state[1:], **scalars))
            for before, after in zip(state, new, strict=True):
                if after is not before:  # an equation that rebinds instead is right, too
                    before[...] = after

        numbers = [numpy.asarray(value, dtype=g.dtype) for value in scalars.values()]
        try:
            if not comes_with_xnn(equation):
                raise Unplanned("an equation of the user's own")
            if any(array.dtype != g.dtype for array in state):
                raise Unplanned("arrays of several types")
            copies = [array.copy() for array in state]  # noting it down does it once
            return cls(write(step, [g, *copies], (), numbers, lambda parts: range(1, 1 + len(parts))), numbers)
        except Unplanned:
            return plain

    def __call__(self, state: Sequence[Any], g: Any, scalars: Any) -> None:
        for k, value in enumerate(scalars.values()):
            if value != self.last[k]:
                self.numbers[k].fill(value)
                self.last[k] = value
        self.function(g, *state)


class _Writer:
    def __init__(self, step: Any, given: Any, standing: Any, numbers: Any, places: Any, most: int | None) -> None:
        notes: list[Noted] = []
        self.names: dict[str, Any] = {}  # what the function knows, by name
        self.known: dict[int, str] = {}  # these names, by the id of the value
        self.text: dict[int, str] = {}  # the name of each array, by the id of its Noted
        self.memory: dict[int, Any] = {}  # where it lies, for those that stay in one place
        self.free: list[Any] = []  # blocks of memory that nobody needs any more
        self.block: dict[int, Any] = {}  # of the arrays in such a block
        self.most = most
        inputs = [None if a is None else Noted(notes, a) for a in given]
        stands = [Noted(notes, a) for a in standing]
        floats = [Noted(notes, a, out="number") for a in numbers]
        parameters = [f"x{k}" for k in range(len(inputs))]
        for name, array in zip(parameters, inputs, strict=True):
            self.text[id(array)] = name
        for array in (*stands, *floats):
            self._stays(array, array.value)
        results, written = step(inputs, stands, floats)
        self.all = [a if type(a) is Noted else self._constant(notes, a) for a in (*results, *written)]
        if any(a.root.changed for a in self.all):
            raise Unplanned("an array is used after it was changed")
        results, written = self.all[: len(results)], self.all[len(results) :]
        to = places([a.value for a in written])
        self.owned = {id(inputs[k]) for k in to if type(k) is int}
        self.lines: list[str] = []
        self._lines(notes, results, written, to)
        if any(id(a.root) in self.memory and isinstance(a.value, numpy.ndarray) for a in results):
            raise Unplanned("a result that stands where the next one will")
        returned = ", ".join(self._text(a) for a in results)
        self.source = "\n    ".join([f"def step({', '.join(parameters)}):", *self.lines, f"return [{returned}]"])
        exec(self.source, self.names)
        self.function = self.names["step"]
        self.function.__doc__ = self.source  # for those who want to see it

    def _lines(self, notes: list[Noted], results: list[Noted], written: list[Noted], places: Sequence[Any]) -> None:
        needed = self._needed(notes, [*results, *written])
        last = {id(a.root): k for k, call in enumerate(needed) for a in (*_noted(call.args), call)}
        escaping = {id(a.root) for a in results}
        last |= {id(a.root): len(needed) for a in (*results, *written)}
        direct = {}  # the results that their call can write where they belong
        for a, place in zip(written, places, strict=True):
            free = a.out and a.root is a and id(a) not in escaping and id(a) not in direct
            if free and type(place) is not int and _lie_alike(a.value, place):
                direct[id(a)] = place
        for k, call in enumerate(needed):
            text = [self._text(a) for a in call.args]
            base = call.root
            if base is not call and id(base) in self.memory:  # a view of what stays: made once, now
                self._stays(call, call.call(*(self.memory[id(a)] if type(a) is Noted else a for a in call.args)))
            elif id(call) in direct:
                self._stays(call, direct[id(call)])
                self._line(call, text)
            elif call.out and base is call and id(call) not in escaping:
                self._put(call, k, last)
                self._line(call, text)
            else:
                name = self.text[id(call)] = f"a{k}"
                self.lines.append(f"{name} = {self._name(call.call)}({', '.join(text)})")
            for a in {id(a.root): a.root for a in (*_noted(call.args), call)}.values():
                if last[id(a)] == k and id(a) in self.block:
                    self.free.append(self.block.pop(id(a)))
        for a, place in zip(written, places, strict=True):
            to = f"x{place}" if type(place) is int else self._name(place)
            if id(a) not in direct and self._text(a) != to:
                if any(self._text(b) == to for b in written if b is not a):
                    raise Unplanned("results that stand in each other's place")
                self.lines.append(f"{to}[...] = {self._text(a)}")

    @staticmethod
    def _needed(notes: list[Noted], targets: list[Noted]) -> list[Noted]:
        found: set[int] = set()
        stack = list(targets)
        while stack:
            a = stack.pop()
            if id(a) not in found:
                found.add(id(a))
                stack += [*_noted(a.args), a.root]
        return [a for a in notes if id(a) in found]

    def _put(self, call: Noted, k: int, last: dict[int, int]) -> None:
        """Choose the memory for the result of this call."""
        value = call.value
        if call.out in ("last", "out=") and call.call not in (_DOT, numpy.matmul):  # entry by entry
            for a in call.args:
                if type(a) is Noted and a.root is a and last[id(a)] == k and _lie_alike(a.value, value):
                    if id(a) in self.block:
                        self.block[id(call)] = self.block.pop(id(a))
                        return self._stays(call, self.memory[id(a)], self.text[id(a)])
                    if id(a) in self.owned:
                        self.owned.add(id(call))
                        self.text[id(call)] = self.text[id(a)]
                        return None
        fitting = [block for block in self.free if block.nbytes >= value.nbytes]
        block = min(fitting, key=lambda b: b.nbytes, default=None)
        if block is None:
            block = empty((value.nbytes,), "uint8")
            if self.most is not None:
                self.most -= block.nbytes
                if self.most < 0:
                    raise Unplanned("it takes much memory")
        else:
            self.free = [b for b in self.free if b is not block]
        self.block[id(call)] = block
        return self._stays(call, numpy.ndarray(value.shape, value.dtype, block, 0, value.strides))

    def _line(self, call: Noted, text: list[str]) -> None:
        """The call, with the place of its result as the argument that it takes for it."""
        place = self.text[id(call)]
        if call.out == "copy":
            self.lines.append(f"{place}[...] = {text[0]}")
            return
        if call.out == "argument 3":
            text = [*text[:3], place, *text[4:]]
        else:
            text = [*text, f"out={place}" if call.out == "out=" else place]
        self.lines.append(f"{self._name(call.call)}({', '.join(text)})")

    def _stays(self, a: Noted, array: Any, text: str = "") -> None:
        self.memory[id(a)] = array
        self.text[id(a)] = text or self._name(array)

    def _constant(self, notes: list[Noted], value: Any) -> Noted:
        made = Noted(notes, numpy.asarray(value))
        self.text[id(made)] = self._name(value)
        return made

    def _text(self, a: Any) -> str:
        if type(a) is Noted:
            return self.text[id(a)]
        if type(a) in (list, tuple) and any(True for _ in _noted(a)):
            inner = ", ".join(map(self._text, a))
            return f"[{inner}]" if type(a) is list else f"({inner},)"
        return self._name(a)

    def _name(self, value: Any) -> str:
        """A name under which the function finds this value."""
        if value is None or type(value) in (bool, int):
            return repr(value)
        name = self.known.get(id(value))
        if name is None:
            name = self.known[id(value)] = f"k{len(self.names)}"
            self.names[name] = value  # which keeps it, and its id
        return name
