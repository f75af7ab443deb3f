"""The methods of arrays that code written with NumPy uses, and that functions of CuPy such as ``cupy.sum`` call."""

from __future__ import annotations

from operator import index
from typing import Any

from xnn.contract import Array
from xnn.host import numpy

__all__ = ["Methods", "shape_of"]

_OF_STANDARD = {"axis", "keepdims"}


def _method(name: str, *positional: str) -> Any:
    """A method that is the function of this name; the options named may be given by position."""
    called = getattr(numpy, name)

    def method(self: Methods, *args: Any, **options: Any) -> Array:
        options.update(zip(positional, args, strict=False))
        options = _given(options)
        if options.keys() <= _OF_STANDARD:
            return getattr(self.level.recording, name)(self, **options)
        return self.level.recording.function(called, (self,), options, self)

    return method


def _of_numpy(name: str) -> Any:
    """A method with the name and the arguments of a function of NumPy."""

    def method(self: Methods, *args: Any, **options: Any) -> Any:
        recording, called = self.level.recording, getattr(numpy, name)
        if isinstance(called, numpy.ufunc):
            return recording.ufunc(called, "__call__", (self, *args), options)
        return recording.function(called, (self, *args), _given(options), self)

    return method


def shape_of(shape: Any) -> tuple[int, ...]:
    """The shape that NumPy takes 6, (2, 3), [2, 3] or an array of these numbers for."""
    try:
        return tuple(map(index, shape))
    except TypeError:  # one number
        return (index(shape),)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if value is not None}


class Methods:
    """What a traced array does by the name of a function; ``order=`` is "C" or "F" where it decides on numbers."""

    __slots__ = ()
    ndim: Any
    dtype: Any
    value: Any
    level: Any
    mark: Any

    sum = _method("sum", "axis", "dtype", "out", "keepdims")
    mean = _method("mean", "axis", "dtype", "out", "keepdims")
    max = _method("max", "axis", "out", "keepdims")
    min = _method("min", "axis", "out", "keepdims")
    prod = _method("prod", "axis", "dtype", "out", "keepdims")
    argmax, argmin, argsort, searchsorted = map(_of_numpy, ("argmax", "argmin", "argsort", "searchsorted"))
    any, all, nonzero = map(_of_numpy, ("any", "all", "nonzero"))

    dot, std, var, trace, repeat, take = map(_of_numpy, ("dot", "std", "var", "trace", "repeat", "take"))
    cumsum, cumprod, clip, squeeze, swapaxes = map(_of_numpy, ("cumsum", "cumprod", "clip", "squeeze", "swapaxes"))
    round, diagonal = map(_of_numpy, ("round", "diagonal"))

    def compress(self, condition: Any, axis: int | None = None) -> Array:
        """The entries where the condition holds."""
        return self.level.recording.function(numpy.compress, (condition, self, axis), {}, self)

    def fill(self, value: Any) -> None:
        """Write the value into all entries."""
        self.level.recording.setitem(self, ..., value)

    def transpose(self, *axes: Any) -> Array:
        """x.transpose(), x.transpose(1, 0) or x.transpose((1, 0))."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return self.level.recording.permute_dims(self, tuple(order or range(self.ndim))[:: 1 if order else -1])

    def reshape(self, *shape: Any, order: str = "C", copy: bool | None = None) -> Array:
        """x.reshape(2, 3) or x.reshape((2, 3))."""
        to = shape_of(shape[0] if len(shape) == 1 else shape)
        return self.level.recording.reshape(self, to) if order == "C" else _reshape(self, to, order)

    def ravel(self, order: str = "C") -> Array:
        """All entries along one axis."""
        return self.reshape(-1, order=order)

    def flatten(self, order: str = "C") -> Array:
        """The same, never a view."""
        return self.reshape(-1, order=order).copy()

    def sort(self, axis: int = -1, kind: Any = None) -> None:
        """Sort the entries in place."""
        recording = self.level.recording
        recording.update(self, recording.sort(self, axis=axis))

    def astype(self, dtype: Any, order: str = "K", copy: bool = True) -> Array:
        """The numbers in another type."""
        return self if not copy and self.dtype == dtype else self.level.recording.astype(self, dtype)

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def copy(self, order: str = "C") -> Any:
        """An array of its own, which no change of this one reaches."""
        return self.level.kind(self.value, self.level, self.mark)

    def conj(self) -> Array:
        """The conjugate."""
        return self.level.recording.conj(self)

    conjugate = conj


_reshape = _of_numpy("reshape")
