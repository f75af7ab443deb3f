"""Lifted arrays: an array of a library inside, which does everything, and a way back to a namespace that records."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from copy import copy, deepcopy
from functools import wraps
from importlib import import_module
from sys import modules
from types import ModuleType
from typing import Any

from array_api_compat import device, to_device

from xnn.arrays import owner
from xnn.autodiff.recording import VIEWS
from xnn.autodiff.tracing import Traced, raw
from xnn.autodiff.views import ArrayObject, is_mutable, relate
from xnn.contract import Array
from xnn.host import numpy

__all__ = ["Lifted", "lifted_function", "unwrap"]

_VIEWS = {*VIEWS, "asarray", "ravel", "swapaxes", "transpose", "view"}
_HIDDEN = {*ArrayObject.__slots__, "at"}  # of the library's arrays; JAX's ``at`` would give its own ones


def lifted_function(own: ModuleType, name: str, function: Any) -> Any:
    """The function, of lifted arrays; what is no function (a constant, a data type) as it is."""
    if not callable(function) or (isinstance(function, type) and name not in ("finfo", "iinfo")):
        return function

    @wraps(function)
    def lifted(*args: Any, **options: Any) -> Any:
        y = _wrap(own, function(*unwrap(args), **unwrap(options)))
        if name in _VIEWS and isinstance(y, Lifted) and args and isinstance(args[0], Lifted):
            relate(y, args[0])
        return y

    return lifted


def unwrap(x: Any) -> Any:
    """The library's arrays in the place of lifted ones, in lists, tuples and dictionaries too."""
    if isinstance(x, Lifted):
        return x.value
    if type(x) in (list, tuple):
        return type(x)(map(unwrap, x))
    return {key: unwrap(value) for key, value in x.items()} if type(x) is dict else x


def _wrap(own: ModuleType, y: Any) -> Any:
    """Lifted arrays in the place of the library's, in lists and tuples, named ones too."""
    if isinstance(y, (list, tuple)):
        every = [_wrap(own, a) for a in y]
        return type(y)._make(every) if hasattr(y, "_make") else type(y)(every)
    return Lifted(own, y) if not isinstance(y, (Traced, Lifted)) and owner(y) is not None else y


def _parts(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _unary(name: str) -> Any:
    def method(self: Lifted, /) -> Any:
        return _wrap(self.namespace, getattr(self.value, name)())

    return method


def _binary(name: str) -> Any:
    """An operator of two arrays, on their values; a traced array on the right answers itself."""
    of_values = getattr(operator, name)

    def method(self: Lifted, other: Any, /) -> Any:
        if isinstance(other, Traced) and not isinstance(raw(other), Lifted):
            return of_values(self.value, other)
        if isinstance(other, Traced) or getattr(other, "__array_ufunc__", True) is None:
            return NotImplemented
        if isinstance(other, Lifted):
            return _wrap(self.namespace, of_values(self.value, other.value))
        return _wrap(self.namespace, getattr(self.value, name)(other))

    return method


def _reflected(name: str) -> Any:
    def method(self: Lifted, other: Any, /) -> Any:
        return _wrap(self.namespace, getattr(self.value, name)(other))

    return method


def _in_place(name: str) -> Any:
    """Changes the value where the library does, so that all who hold the array see it; else makes a new array."""
    of_values, out_of_place = getattr(operator, name), getattr(operator, name.replace("__i", "__"))

    def method(self: Lifted, other: Any, /) -> Any:
        if isinstance(other, Traced):
            return other.level.recording.update(self, out_of_place(self.value, other))
        y = of_values(self.value, unwrap(other))
        return self if y is self.value else _wrap(self.namespace, y)

    return method


def _unpickled(name: str, value: Array) -> Lifted:
    from xnn.autodiff.lifting import lifted  # which is made of these arrays

    return Lifted(lifted(import_module(name)), value)


class Lifted(ArrayObject):
    """An array of ``namespace`` that carries no derivative; ``value`` is the library's array and does the work.

    Where an array with a derivative is written into it, ``x[i] = v``, it becomes one.
    """

    __slots__ = ()

    def __init__(self, namespace: ModuleType, value: Array) -> None:
        self.level, self.value, self.kin = namespace, value, None

    namespace = property(operator.attrgetter("level"))

    @property
    def __wrapped_array__(self) -> Array:
        """The array inside, by which xnn.arrays knows the library."""
        return self.value

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        if api_version is not None:
            self.value.__array_namespace__(api_version=api_version)  # raises where the library lacks this version
        return self.namespace

    dtype = property(lambda self: self.value.dtype)
    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    device = property(lambda self: device(self.value))
    T = property(lambda self: self._view(self.value.T))
    mT = property(lambda self: self.namespace.matrix_transpose(self))

    def to_device(self, device: Any, /, *, stream: Any = None) -> Lifted:
        """The array on another device."""
        return Lifted(self.namespace, to_device(self.value, device, stream=stream))

    def __getattr__(self, name: str) -> Any:
        """The methods that the library's arrays have beyond the standard, such as NumPy's ``x.sum()``."""
        if name.startswith("__") or name in _HIDDEN:
            raise AttributeError(name)
        method = lifted_function(self.namespace, name, _wrap(self.namespace, getattr(self.value, name)))
        if name not in _VIEWS or not callable(method):
            return method
        return lambda *args, **options: self._view(method(*args, **options))

    def __repr__(self) -> str:
        return repr(self.value)

    # -- Entries -------------------------------------------------------------------------------------------------

    def __getitem__(self, key: Any, /) -> Lifted:
        y = _wrap(self.namespace, self.value[unwrap(key)])
        if is_mutable(y.value) and all(k is None or k is ... or isinstance(k, (int, slice)) for k in _parts(key)):
            relate(y, self, key, known=True)
        return y  # type: ignore[no-any-return]

    def __setitem__(self, key: Any, value: Any, /) -> None:
        if isinstance(value, Traced):
            value.level.recording.setitem(self, key, value)
        elif hasattr(self.value, "at"):  # an array of JAX, whose views are copies
            self.value = self.value.at[unwrap(key)].set(unwrap(value))
        else:
            self.value[unwrap(key)] = unwrap(value)

    def _view(self, y: Any) -> Any:
        """An array that may share memory with this one."""
        y = _wrap(self.namespace, y)
        if isinstance(y, Lifted):
            relate(y, self)
        return y

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Lifted]:
        return map(self._like, iter(self.value))

    def _like(self, value: Array) -> Lifted:
        return Lifted(self.namespace, value)

    def __contains__(self, x: Any) -> bool:
        return unwrap(x) in self.value

    # -- Arithmetic ----------------------------------------------------------------------------------------------

    __neg__, __pos__, __abs__, __invert__ = map(_unary, ("__neg__", "__pos__", "__abs__", "__invert__"))
    __eq__, __ne__, __lt__, __le__, __gt__, __ge__ = map(
        _binary, ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__")
    )
    __hash__ = None  # type: ignore[assignment]

    __add__, __radd__, __iadd__ = _binary("__add__"), _reflected("__radd__"), _in_place("__iadd__")
    __sub__, __rsub__, __isub__ = _binary("__sub__"), _reflected("__rsub__"), _in_place("__isub__")
    __mul__, __rmul__, __imul__ = _binary("__mul__"), _reflected("__rmul__"), _in_place("__imul__")
    __truediv__, __rtruediv__ = _binary("__truediv__"), _reflected("__rtruediv__")
    __floordiv__, __rfloordiv__ = _binary("__floordiv__"), _reflected("__rfloordiv__")
    __itruediv__, __ifloordiv__ = _in_place("__itruediv__"), _in_place("__ifloordiv__")
    __mod__, __rmod__, __imod__ = _binary("__mod__"), _reflected("__rmod__"), _in_place("__imod__")
    __pow__, __rpow__, __ipow__ = _binary("__pow__"), _reflected("__rpow__"), _in_place("__ipow__")
    __matmul__, __rmatmul__ = _binary("__matmul__"), _reflected("__rmatmul__")
    __imatmul__ = _in_place("__imatmul__")
    __and__, __rand__, __iand__ = _binary("__and__"), _reflected("__rand__"), _in_place("__iand__")
    __or__, __ror__, __ior__ = _binary("__or__"), _reflected("__ror__"), _in_place("__ior__")
    __xor__, __rxor__, __ixor__ = _binary("__xor__"), _reflected("__rxor__"), _in_place("__ixor__")
    __lshift__, __rlshift__, __ilshift__ = _binary("__lshift__"), _reflected("__rlshift__"), _in_place("__ilshift__")
    __rshift__, __rrshift__, __irshift__ = _binary("__rshift__"), _reflected("__rrshift__"), _in_place("__irshift__")

    def __copy__(self) -> Lifted:
        return self._like(copy(self.value))

    def __deepcopy__(self, memo: Any) -> Lifted:
        return self._like(deepcopy(self.value, memo))

    def __reduce__(self) -> Any:
        named = [m.__name__ for m in (self.namespace, self.namespace.lifts) if m.__name__ in modules]
        if not named:
            raise TypeError(f"no module has arrays of {self.namespace.__name__}: pickle the array inside, x.value")
        return _unpickled, (named[0], self.value)

    # -- Out of the library --------------------------------------------------------------------------------------

    def __bool__(self) -> bool:
        return bool(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __float__(self) -> float:
        return float(self.value)

    def __complex__(self) -> complex:
        return complex(self.value)

    def __index__(self) -> int:
        return operator.index(self.value)

    def __dlpack__(
        self, /, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None
    ) -> Any:
        given = {"stream": stream, "max_version": max_version, "dl_device": dl_device, "copy": copy}
        return self.value.__dlpack__(**{name: x for name, x in given.items() if x is not None})

    def __dlpack_device__(self, /) -> Any:
        return self.value.__dlpack_device__()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return numpy.asarray(self.value, dtype=dtype, copy=copy)

    def __array_ufunc__(self, function: Any, method: str, *args: Any, **options: Any) -> Any:
        if not hasattr(self.value, "__array_ufunc__"):  # an array of PyTorch or JAX
            return self.namespace.ufunc(function, method, args, options)
        y = getattr(function, method)(*unwrap(args), **unwrap(options))
        changed = options.get("out")  # a += x for a plain a is a call with out=(a,): a itself comes back
        return (changed[0] if len(changed) == 1 else changed) if changed else _wrap(self.namespace, y)

    def __cupy_override_elementwise_kernel__(self, function: Any, *args: Any, **options: Any) -> Any:
        """CuPy's way to hand cupy.sin(x) over."""
        return _wrap(self.namespace, function(*unwrap(args), **unwrap(options)))

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, options: Any) -> Any:
        if not hasattr(self.value, "__array_function__"):
            return self.namespace.function(function, args, options, self)
        return _wrap(self.namespace, function(*unwrap(args), **unwrap(options)))
