"""The namespace of traced arrays: the functions of an array library, made to record.

``recording(xp)`` has every name of ``xp``. A function of plain arrays is the library's own, with the library's
own results; a function of traced arrays goes by its rule. What has no rule raises ``Derivative`` and says its
name: nothing is silently constant but what is constant (``argmax``, comparisons, ``floor``, …).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial, wraps
from inspect import signature
from operator import matmul
from types import ModuleType
from typing import Any

from array_api_compat import device

from xnn.autodiff import changes, foreign
from xnn.autodiff.composed import COMPOSED, gather
from xnn.autodiff.elementwise import CONSTANT, ELEMENTWISE
from xnn.autodiff.fourier import FOURIER
from xnn.autodiff.linalg import LINALG, LINALG_COMPOSED
from xnn.autodiff.linear import GETITEM, LINEAR, SELECT
from xnn.autodiff.products import MATMUL
from xnn.autodiff.rule import Elementwise, Linear, Rule
from xnn.autodiff.tracing import Derivative, Traced, apply, one, raw, still, two
from xnn.autodiff.views import ArrayObject, is_mutable, relate
from xnn.contract import Array

__all__ = ["VIEWS", "Recording", "recording"]

RULES: dict[str, Rule] = {**ELEMENTWISE, **LINEAR, **SELECT, "matmul": MATMUL}

# Arguments that may be given by keyword, but which the rules read by their position.
_POSITIONAL = {
    "reshape": ("shape",), "permute_dims": ("axes",), "broadcast_to": ("shape",), "roll": ("shift",),
    "squeeze": ("axis",), "moveaxis": ("source", "destination"),
}  # fmt: skip

#: The options that the rules know, those of the standard; a library's own, such as NumPy's ``where=``, they do not.
_OPTIONS = {"axis", "copy", "descending", "device", "dtype", "include_initial", "k", "keepdims", "rtol", "stable"}

#: Functions whose result may be a view of their first argument.
VIEWS = {"reshape", "permute_dims", "matrix_transpose", "moveaxis", "squeeze", "expand_dims", "broadcast_to", "flip",
          "real", "imag", "diagonal", "broadcast_arrays", "unstack"}  # fmt: skip


class Recording(ModuleType):
    """The namespace that records over ``base_namespace``; functions are made when they are first asked for."""

    def __init__(self, base: Any) -> None:
        super().__init__(f"xnn.autodiff.recording_{base.__name__.replace('.', '_')}", "A namespace that records.")
        self.base_namespace = base

    def __getattr__(self, name: str) -> Any:
        function: Any
        if name in _OWN:
            function = partial(_OWN[name], self)
        elif name == "linalg":
            function = Part(self, name, {**RULES, **LINALG}, {**COMPOSED, **LINALG_COMPOSED})
        elif name == "fft":
            function = Part(self, name, {}, FOURIER)
        else:
            function = _wrap(self, self.base_namespace, "", name, RULES, COMPOSED)
        self.__dict__[name] = function
        return function

    def __dir__(self) -> list[str]:
        return dir(self.base_namespace)

    def __array_namespace_info__(self) -> Any:
        return self.base_namespace.__array_namespace_info__()


class Part(ModuleType):
    """A namespace inside of it, such as ``xp.linalg``, made to record by rules of its own."""

    def __init__(self, whole: Recording, name: str, rules: Any, composed: Any) -> None:
        super().__init__(f"{whole.__name__}.{name}", "A namespace that records.")
        self.whole, self.part, self.rules, self.composed = whole, name, rules, composed
        self.plain = getattr(whole.base_namespace, name)

    def __getattr__(self, name: str) -> Any:
        self.__dict__[name] = function = _wrap(self.whole, self.plain, self.part, name, self.rules, self.composed)
        return function


@cache
def recording(xp: Any) -> Any:
    """The namespace that records over xp; there is one for each."""
    return xp if hasattr(xp, "base_namespace") else Recording(xp)


def _wrap(own: Recording, space: Any, part: str, name: str, rules: Any, composed: Any) -> Any:
    """The function of this name of the library, or of the ``part`` of it that ``space`` is, made to record."""
    plain = getattr(space, name)
    if name.startswith("__") or isinstance(plain, type) or not callable(plain):
        return plain
    plain = _of_lifted(own, plain, part, name)
    if name in ("concat", "stack"):
        function = _of_list(own, plain, RULES[name])
    elif name in rules:
        function = _recorded(own, plain, rules[name])
    elif name in CONSTANT:
        function = _constant(plain)
    elif name in composed:
        function = _composed(own, plain, composed[name], name in VIEWS)
    else:
        function = _without_rule(plain, name)
    if name in VIEWS and name not in ("broadcast_arrays", "unstack"):  # which are made of others
        function = _viewing(function)
    return wraps(plain)(function)  # its name, signature and text


def _of_lifted(own: Recording, plain: Any, part: str, name: str) -> Callable[..., Any]:
    """The library's function; lifted arrays (see ``lifting``) bring their own."""

    @wraps(plain)
    def function(*args: Any, **options: Any) -> Any:
        for a in args:
            if isinstance(a, (list, tuple)) and a:
                a = next((x for x in a if isinstance(x, ArrayObject)), None)
            if _is_lifted(own, a):
                return getattr(getattr(a.level, part) if part else a.level, name)(*args, **options)
        return plain(*args, **options)

    return function


def _is_lifted(own: Recording, a: Any) -> bool:
    """Whether a is a lifted array, of another namespace than this one."""
    return isinstance(a, ArrayObject) and not isinstance(a, Traced) and a.level.base_namespace is not own.base_namespace


def _viewing(function: Any) -> Callable[..., Array]:
    def viewing(x: Any, *args: Any, **options: Any) -> Array:
        y = function(x, *args, **options)
        if isinstance(y, Traced) and isinstance(x, Traced):
            relate(y, x)
        return y

    return viewing


def _recorded(own: Recording, plain: Any, rule: Rule) -> Callable[..., Array]:
    base, positional = own.base_namespace, _POSITIONAL.get(rule.name, ())
    constants = rule.arguments[0] if isinstance(rule, Linear) and rule.arguments else 0  # such as a condition
    if isinstance(rule, Elementwise) and len(rule.partials) == 2:

        def binary(a: Any, b: Any, /) -> Array:
            return pair(a, b) if isinstance(a, Traced) or isinstance(b, Traced) else plain(a, b)

        pair = two(rule, binary)
        return binary
    if isinstance(rule, Elementwise):
        quick = plain.__wrapped__  # the library's own

        def unary(x: Any) -> Array:
            if isinstance(x, Traced):
                return traced(x)
            return plain(x) if isinstance(x, ArrayObject) else quick(x)

        traced = one(rule, unary)
        return unary

    def function(*args: Any, **options: Any) -> Array:
        if constants:
            args = (*map(raw, args[:constants]), *args[constants:])
        for a in args:
            if isinstance(a, Traced):
                if options:
                    args = (*args, *(options.pop(name) for name in positional if name in options))
                    _check(rule.name, options, _OPTIONS)
                return apply(rule, base, args, options)
        return plain(*args, **options)

    return function


def _check(name: str, options: dict[str, Any], known: Any) -> None:
    if not options.keys() <= known:
        others = ", ".join(f"{key}=" for key in options if key not in known)
        raise Derivative(f"{name} with {others} has no derivative here; leave such arguments out")


def _of_list(own: Recording, plain: Any, rule: Rule) -> Callable[..., Array]:
    def function(arrays: Any, /, **options: Any) -> Array:
        arrays = list(arrays)
        if any(isinstance(a, Traced) for a in arrays):
            _check(rule.name, options, _OPTIONS)
            return apply(rule, own.base_namespace, tuple(arrays), {"axis": 0, **options})
        return plain(arrays, **options)

    return function


def _constant(plain: Any) -> Callable[..., Any]:
    def function(*args: Any, **options: Any) -> Any:
        return plain(*map(raw, args), **{name: raw(a) for name, a in options.items()})

    return function


def _composed(own: Recording, plain: Any, composition: Any, views: bool) -> Callable[..., Any]:
    known = frozenset(signature(composition).parameters)

    def function(*args: Any, **options: Any) -> Any:
        traced = any(isinstance(a, Traced) for a in args) or any(isinstance(a, Traced) for a in options.values())
        if not traced:
            return plain(*args, **options)
        _check(composition.__name__, options, known)
        y = composition(own, *args, **options)
        if isinstance(y, Traced) and not views:
            y = still(y)  # neither an argument itself nor a view of one
        return y

    return function


def _without_rule(plain: Any, name: str) -> Callable[..., Any]:
    def function(*args: Any, **options: Any) -> Any:
        if _holds_traced((*args, *options.values())):
            raise Derivative(f"{name} has no derivative here; write it with other functions, or give it a rule by "
                             "xnn.autodiff.custom, or xnn.stop_gradient if none is wanted")  # fmt: skip
        return plain(*args, **options)

    return function


def _holds_traced(x: Any) -> bool:
    return isinstance(x, Traced) or (isinstance(x, (list, tuple)) and any(map(_holds_traced, x)))


# -- Functions that need a word of their own ---------------------------------------------------------------------


def _asarray(xp: Recording, x: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Array:
    """A traced array as it is; lists with such arrays in them are stacked."""
    if _is_lifted(xp, x):
        return x.level.asarray(x, dtype=dtype, device=device, copy=copy)
    if _first(xp, x) is None:
        return xp.base_namespace.asarray(x, dtype=dtype, device=device, copy=copy)
    if isinstance(x, (list, tuple)):
        like = _first(xp, x)
        same = {"dtype": like.dtype, "device": like.device}
        x = xp.stack([xp.asarray(a, **({} if _first(xp, a) is not None else same)) for a in x])
    if dtype is None or x.dtype == dtype:
        return still(x) if copy else x
    return xp.astype(x, dtype)


def _beside(xp: Recording, numbers: Any, like: Array) -> Array:
    """A list as an array beside another one, as precise; PyTorch would make numbers of half the bits of it."""
    y = xp.asarray(numbers, device=device(raw(like)))
    common = xp.base_namespace.result_type(y.dtype, like.dtype) if xp.isdtype(y.dtype, "real floating") else y.dtype
    return y if y.dtype == common else xp.asarray(numbers, dtype=common, device=device(raw(like)))


def _first(xp: Recording, x: Any) -> Any:
    """The first array in nested lists that only functions of this module take, or None."""
    if isinstance(x, (list, tuple)):
        return next((a for a in (_first(xp, a) for a in x) if a is not None), None)
    return x if isinstance(x, Traced) or _is_lifted(xp, x) else None


def _full(xp: Recording, shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Array:
    if isinstance(fill_value, Traced) or _is_lifted(xp, fill_value):
        return xp.broadcast_to(xp.asarray(fill_value, dtype=dtype), shape if isinstance(shape, tuple) else (shape,))
    return xp.base_namespace.full(shape, fill_value, dtype=dtype, device=device)


def _full_like(xp: Recording, x: Any, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Array:
    if isinstance(fill_value, Traced) or _is_lifted(xp, fill_value):
        return xp.broadcast_to(xp.asarray(fill_value, dtype=dtype), x.shape)
    return xp.base_namespace.full_like(raw(x), fill_value, dtype=dtype, device=device)


_BASIC = {int, slice, type(None), type(Ellipsis)}


def _getitem(xp: Recording, x: Array, key: Any) -> Array:
    """x[key] for integers, slices, ``...`` and ``None``, for arrays and lists of integers, and for masks."""
    parts = key if isinstance(key, tuple) else (key,)
    if _BASIC.issuperset(map(type, parts)):
        y = apply(GETITEM, xp.base_namespace, (x, key), {})
        if is_mutable(y):
            relate(y, x, key, known=True)
        return y
    key = changes.plain_key(xp, x, key)
    parts = key if isinstance(key, tuple) else (key,)
    key = parts[0] if len(parts) == 1 else key
    if not any(getattr(k, "ndim", 0) or _is_bool(k) for k in parts):  # numbers of the library, as argmax gives them
        parts = tuple(int(k) if hasattr(k, "shape") or hasattr(k, "__index__") else k for k in parts)
        if not _BASIC.issuperset(map(type, parts)):
            raise IndexError(f"an array takes whole numbers, slices, ..., None, masks and arrays as keys; got {key!r}")
        return _getitem(xp, x, parts)
    if len(parts) == 1 and not _is_bool(key) and xp.isdtype(key.dtype, "integral"):
        taken = xp.take(x, xp.reshape(key, (-1,)), axis=0)
        return xp.reshape(taken, (*key.shape, *x.shape[1:]))
    return gather(xp, x, lambda places: places[key])  # masks and several arrays, where the library has them


def _is_bool(k: Any) -> bool:
    return isinstance(k, bool) or "bool" in str(getattr(k, "dtype", ""))


def _matmul(xp: Recording, a: Any, b: Any, /) -> Array:
    return product(a, b) if isinstance(a, Traced) or isinstance(b, Traced) else a @ b


product = two(MATMUL, matmul)


_OWN: dict[str, Callable[..., Any]] = {
    "apply": lambda xp, rule, args, options: apply(rule, xp.base_namespace, args, options),
    "asarray": _asarray,
    "beside": _beside,
    "full": _full,
    "full_like": _full_like,
    "getitem": _getitem,
    "setitem": changes.setitem,
    "update": changes.update,
    "write": changes.write,
    "matmul": _matmul,
    "ufunc": foreign.ufunc,
    "function": foreign.function,
}
