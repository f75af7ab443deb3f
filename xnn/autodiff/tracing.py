"""Traced arrays: arrays of the standard that carry a derivative.

A traced array is a value and a mark. Every derivative that is being taken is a level of its own, with a
number that grows with nesting; a value may be traced by a level further out. A function of traced arrays
(``apply``) takes the innermost level among its arguments, computes the values there, which the outer levels
see, and tells that level about the result:

- ``Reverse`` (in ``levels``) writes the operation down (a tape): the mark is a place on the tape.
- ``Forward`` computes derivatives at once: the mark holds the derivatives ẏ, ÿ, … along one direction.

Since all that a rule computes goes through the same functions, it is itself seen by the outer levels; that
is how derivatives of derivatives come out right. There is no global state: numbers come from one counter,
and what is not reached from a result is forgotten.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dis import opmap
from itertools import count
from math import prod
from operator import add, attrgetter, floordiv, matmul, mod, mul, neg, pow, sub, truediv
from typing import Any, NoReturn

from array_api_compat import device

from xnn.arrays import isdtype, namespace
from xnn.autodiff.elementwise import ELEMENTWISE
from xnn.autodiff.methods import Methods
from xnn.autodiff.products import MATMUL, TRANSPOSED
from xnn.autodiff.rule import Rule, is_complex
from xnn.autodiff.views import ArrayObject, relate
from xnn.contract import Array

__all__ = ["NO_OPTIONS", "Derivative", "Level", "Traced", "apply", "innermost", "one", "raw", "two", "unmarked"]


#: The options of most operations; nobody writes into them.
NO_OPTIONS: dict[str, Any] = {}


class Derivative(NotImplementedError):
    """A function has no derivative here; the message names it."""


class Level:
    """One derivative that is being taken, over arrays of the library of x.

    ``xp`` is the namespace of the library, ``recording`` the one that its traced arrays answer with, ``kind`` their
    class, and ``dtype`` that of the arguments (a hint that spares checks, no more).
    """

    _numbers = count(1)

    def __init__(self, x: Array, recording: Callable[[Any], Any]) -> None:
        self.xp, self.kind, self.dtype = namespace(raw(x)), kind_of(raw(x)), x.dtype
        self.recording = recording(self.xp)
        self.number = next(self._numbers)  # inner levels are made later, so theirs is larger
        self.open = True

    def record(self, rule: Rule, y: Array, args: tuple[Any, ...], marks: tuple[Any, ...], options: Any) -> Traced:
        """The result y = f(args), traced; ``marks`` holds the mark of each argument, or None."""
        raise NotImplementedError

    def constant(self, x: Array, mark: Any) -> Traced:
        """x as an array of this level whose derivative is zero; ``mark`` is that of another one."""
        raise NotImplementedError

    def accepts(self, y: Array) -> bool:
        """Whether y has a derivative; integers and truth values have none."""
        return isdtype(self.xp, y.dtype, ("real floating", "complex floating"))


def apply(rule: Rule, xp: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Array:
    """y = f(args) by the rule, seen by the levels of all traced arrays among the arguments.

    ``xp`` is the namespace of the library, which does not record.
    """
    level = innermost(args)
    if level is None:
        return rule.evaluate(xp, *args, **options)
    if not level.open:
        _closed(rule)
    values, marks = unmarked(level, args)
    y = apply(rule, level.xp, values, options)
    if y.dtype is level.dtype or level.accepts(y):
        return level.record(rule, y, values, marks, options)
    return raw(y)


def innermost(args: tuple[Any, ...]) -> Any:
    """The innermost level among the arguments; None where nothing is traced."""
    level: Any = None
    for a in args:
        if isinstance(a, Traced) and (level is None or a.level.number > level.number):
            level = a.level
    return level


def unmarked(level: Any, args: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The arguments as they are without this level, and the mark of each on it, or None."""
    values, marks = list(args), [None] * len(args)
    for i, a in enumerate(args):
        if isinstance(a, Traced):
            if a.level is level:
                values[i], marks[i] = a.value, a.mark
            else:
                values[i] = still(a)
    return tuple(values), tuple(marks)


def still(x: Any) -> Any:
    """x as it is now: what a tape keeps of an array of a level further out, which may be changed later."""
    return x.copy() if isinstance(x, Traced) else x


def _closed(rule: Rule) -> NoReturn:
    raise RuntimeError(
        f"{rule.name}: this array belongs to a derivative that has been taken already; it was kept, by a global "
        "variable or a list, beyond the function that was differentiated: return it from there instead"
    )


def raw(x: Any) -> Any:
    """The array inside, without any derivative."""
    while isinstance(x, Traced):
        x = x.value
    return x


def one(rule: Rule, function: Any) -> Any:
    """A function of one traced array; ``function`` is the same on values: what apply does, in a shorter way."""

    def operator(self: Traced) -> Array:
        level = self.level
        if not level.open:
            _closed(rule)
        return level.record(rule, function(self.value), (self.value,), (self.mark,), NO_OPTIONS)

    return operator


def two(rule: Rule, function: Any) -> Any:
    """A function of two arrays, of which one is traced at least: what apply does, in a shorter way."""

    def operator(a: Any, b: Any) -> Array:
        first, second = isinstance(a, Traced), isinstance(b, Traced)
        level = a.level if first and not (second and b.level.number > a.level.number) else b.level
        if not level.open:
            _closed(rule)
        if not first and a.__class__ is list:
            return operator(level.recording.beside(a, b), b)
        if not second and b.__class__ is list:
            return operator(a, level.recording.beside(b, a))
        m = n = None
        if first:
            a, m = (a.value, a.mark) if a.level is level else (still(a), None)
        if second:
            b, n = (b.value, b.mark) if b.level is level else (still(b), None)
        y = function(a, b)
        if y.dtype is level.dtype or level.accepts(y):
            return level.record(rule, y, (a, b), (m, n), NO_OPTIONS)
        return raw(y)

    return operator


def _operators(rule: Rule, function: Any) -> tuple[Any, Any]:
    """An operator of two arrays, and the same with the arguments exchanged."""
    operator = two(rule, function)

    def reflected(self: Traced, other: Any) -> Array:
        if isinstance(other, complex) and isinstance(raw(self), float):  # 1j * numpy.float64(1) is a Python number
            other = self.level.xp.asarray(other)
        return operator(other, self)

    return operator, reflected


def _in_place(function: Any) -> Any:
    """An operator such as ``x += y``: a new value for x where the arrays of the library change in place."""

    def operator(self: Traced, other: Any) -> Array:
        return self.level.recording.update(self, function(self, other))

    return operator


def _constant(name: str) -> Any:
    """An operator whose results carry no derivative."""

    def operator(self: Traced, *others: Any) -> Any:
        return getattr(raw(self), name)(*map(raw, others))

    return operator


def _refused(what: str) -> Any:
    def method(self: Traced, *args: Any, **options: Any) -> NoReturn:
        raise TypeError(
            f"{what} of an array that carries a derivative would lose it; compute with NumPy's functions or those of "
            "x.__array_namespace__(), make arrays of numbers by numpy.stack([a, b]) or numpy.array([a, b], like=x), "
            "fill those of numpy.zeros_like(x) or numpy.zeros(n, like=x), or take xnn.stop_gradient(x) if the "
            "derivative is not wanted"
        )

    return method


class Traced(Methods):
    """An array that carries a derivative; made by ``grad`` and its kin, never by hand."""

    __slots__ = ()
    value: Array
    level: Any
    mark: Any
    kin: Any  # a Kin, or None

    def __init__(self, value: Array, level: Level, mark: Any) -> None:
        self.value, self.level, self.mark, self.kin = value, level, mark, None

    # -- What an array is --------------------------------------------------------------------------------------

    @property
    def __wrapped_array__(self) -> Array:
        """The array inside, by which xnn.arrays knows the library."""
        return raw(self)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return self.level.recording

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: prod(self.value.shape))
    device = property(lambda self: device(raw(self)))
    T = property(lambda self: _transposed(self))
    mT = property(lambda self: self.level.recording.matrix_transpose(self))
    real = property(lambda self: self.level.recording.real(self) if is_complex(self) else self)
    imag = property(lambda self: self.level.recording.imag(self))

    def __repr__(self) -> str:
        return f"<{raw(self)!r} with a derivative>"

    def __format__(self, form: str) -> str:
        return format(raw(self), form) if form else repr(self)

    def __len__(self) -> int:
        return len(raw(self))

    def __iter__(self) -> Any:
        if self.ndim == 0:
            raise TypeError("iteration over an array without axes")
        return (self[i] if self.ndim == 1 else self[i, ...] for i in range(self.shape[0]))

    def __getitem__(self, key: Any) -> Array:
        return self.level.recording.getitem(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.level.recording.setitem(self, key, value)

    # -- Arithmetic ----------------------------------------------------------------------------------------------

    __add__, __radd__ = _operators(ELEMENTWISE["add"], add)
    __sub__, __rsub__ = _operators(ELEMENTWISE["subtract"], sub)
    __mul__, __rmul__ = _operators(ELEMENTWISE["multiply"], mul)
    __truediv__, __rtruediv__ = _operators(ELEMENTWISE["divide"], truediv)
    __pow__, __rpow__ = _operators(ELEMENTWISE["pow"], pow)
    __matmul__, __rmatmul__ = _operators(MATMUL, matmul)
    __mod__, __rmod__ = _operators(ELEMENTWISE["remainder"], mod)
    __neg__ = one(ELEMENTWISE["negative"], neg)
    __pos__ = one(ELEMENTWISE["positive"], lambda x: +x)
    __abs__ = one(ELEMENTWISE["abs"], abs)

    __iadd__, __isub__, __imul__, __itruediv__ = map(_in_place, (add, sub, mul, truediv))
    __ipow__, __imatmul__, __imod__, __ifloordiv__ = map(_in_place, (pow, matmul, mod, floordiv))

    __eq__ = _constant("__eq__")
    __ne__ = _constant("__ne__")
    __lt__ = _constant("__lt__")
    __le__ = _constant("__le__")
    __gt__ = _constant("__gt__")
    __ge__ = _constant("__ge__")
    __floordiv__ = _constant("__floordiv__")
    __rfloordiv__ = _constant("__rfloordiv__")
    __round__ = _constant("__round__")
    __divmod__, __rdivmod__ = lambda a, b: (a // b, a % b), lambda a, b: (b // a, b % a)
    __hash__ = None  # type: ignore[assignment]

    # -- What would cut the derivative --------------------------------------------------------------------------

    __bool__ = _refused("bool()")
    __float__ = _refused("float()")
    __int__ = _refused("int()")
    __index__ = _refused("an index made")
    __complex__ = _refused("complex()")
    __array__ = _refused("numpy.asarray")
    __dlpack__ = _refused("the exchange by DLPack")
    __reduce__ = _refused("a pickle")

    item = tolist = numpy = _refused("the number")

    # -- Calls of NumPy and PyTorch ------------------------------------------------------------------------------

    def __array_ufunc__(self, function: Any, method: str, *args: Any, **options: Any) -> Any:
        if options and "out" in options and options["out"][0] is args[0] and not isinstance(args[0], Traced):
            _into_plain(function, sys._getframe(1))
        return self.level.recording.ufunc(function, method, args, options)

    def __cupy_override_elementwise_kernel__(self, function: Any, *args: Any, **options: Any) -> Any:
        """CuPy's way to hand cupy.sin(x) over."""
        return self.level.recording.ufunc(function, "__call__", args, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return self.level.recording.function(function, args, options, self)


def _into_plain(function: Any, frame: Any) -> None:
    """Refuse numpy.add(a, x, out=a) of a plain a, but not ``a += x``, which binds a to the result."""
    if frame.f_code.co_code[frame.f_lasti] != opmap["BINARY_OP"]:
        raise Derivative(
            f"numpy.{function.__name__} with out= cannot write what carries a derivative into a plain array; write "
            "a = a + x, or make the array by numpy.zeros_like(x)"
        )


def _transposed(x: Traced, transpose: Any = one(TRANSPOSED, attrgetter("T"))) -> Array:  # noqa: B008
    y = transpose(x)
    relate(y, x, TRANSPOSED, known=True)
    return y


class Slim(Traced, ArrayObject):
    """The usual traced array, which takes little memory."""

    __slots__ = ()


# What functions compiled for the arrays of one library, such as torch.sin and cupy.matmul, say of an argument.
Slim.__name__ = Slim.__qualname__ = "traced array (for it take NumPy's function, or that of x.__array_namespace__())"


class _Stranger:
    """An object that no library knows."""

    __array_ufunc__ = None


_KINDS: dict[type, type[Traced]] = {}


def kind_of(x: Array) -> type[Traced]:
    """The class of traced arrays over a plain array like x.

    With a plain array on the left of an operator, most libraries leave the answer to a stranger on the right.
    One that raises instead (the strict one) is asked second where the right one is of a subclass.
    """
    own = type(x)
    if own not in _KINDS:
        try:
            defers = x.__add__(_Stranger()) is NotImplemented
        except TypeError:
            defers = False
        kind: type[Traced] = Slim
        if not defers:
            body = {"__new__": lambda cls, *_: object.__new__(cls)}
            with suppress(TypeError):  # two classes that cannot be one
                kind = type("Traced", (Traced, own), body)
        _KINDS[own] = kind
    return _KINDS[own]
