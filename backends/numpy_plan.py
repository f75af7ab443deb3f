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

from collections.abc import Callable, Sequence
from typing import Any

import numpy
from xnn.backends.numpy_memory import empty
from xnn.backends.numpy_notes import DOT, Noted, Unplanned, among

__all__ = ["write"]


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
        last = {id(a.root): k for k, call in enumerate(needed) for a in (*among(call.args), call)}
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
            for a in {id(a.root): a.root for a in (*among(call.args), call)}.values():
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
                stack += [*among(a.args), a.root]
        return [a for a in notes if id(a) in found]

    def _put(self, call: Noted, k: int, last: dict[int, int]) -> None:
        """Choose the memory for the result of this call."""
        value = call.value
        if call.out in ("last", "out=") and call.call not in (DOT, numpy.matmul):  # entry by entry
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
        if type(a) in (list, tuple) and any(True for _ in among(a)):
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


def _lie_alike(a: Any, b: Any) -> bool:
    """Whether one may stand where the other does: how an array lies decides on views of it and on the order of sums."""
    return bool(a.shape == b.shape and a.dtype == b.dtype and a.strides == b.strides)
