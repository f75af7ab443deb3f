"""Which array library runs the mathematics: the selector of the backend, and what is to be known of any array.

The libraries are found by their backends (``xnn.contract``), so nothing here names one.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

import array_api_compat

from xnn.contract import Array, Backend, BackendError, has_mask

__all__ = [
    "available_backends",
    "get_backend",
    "isdtype",
    "known_as",
    "namespace",
    "on_their_device",
    "one_library",
    "owner",
    "set_backend",
    "their_device",
    "to_numpy",
    "unify",
    "unmasked",
    "use_backend",
]

# Where the backends that come with xnn are found; others come through the entry-point group.
_BUILT_IN = {
    "numpy": "xnn.backends.numpy_backend:NumpyBackend",
    "cupy": "xnn.backends.cupy_backend:CupyBackend",
    "torch": "xnn.backends.torch_backend:TorchBackend",
    "jax": "xnn.backends.jax_backend:JaxBackend",
    "array_api_strict": "xnn.backends.strict_backend:StrictBackend",
    "dpnp": "xnn.backends.dpnp_backend:DpnpBackend",
}
_GROUP = "xnn.backends"

_classes: dict[str, type[Backend]] = {}
_instances: dict[str, Backend] = {}
_owners: dict[type, type[Backend] | None] = {}
_chosen: ContextVar[str | None] = ContextVar("xnn_backend", default=None)  # by use_backend
_default: str | None = None  # by set_backend


def _third_party() -> dict[str, str]:
    from importlib.metadata import entry_points  # reads every installed package: only when needed

    return {e.name: e.value for e in entry_points(group=_GROUP) if e.name not in _BUILT_IN}


def _load(name: str) -> type[Backend]:
    if name not in _classes:
        place = _BUILT_IN.get(name) or _third_party().get(name)
        if place is None:
            known = ", ".join([*_BUILT_IN, *_third_party()])
            raise BackendError(f"unknown backend {name!r}; known are: {known}")
        module, _, attribute = place.partition(":")
        if name in _BUILT_IN and importlib.util.find_spec(_GROUP) is None:
            raise BackendError(
                "the package xnn.backends is not found, because xnn is not installed but imported from "
                "its source folder; run: pip install -e ."
            )
        try:
            _classes[name] = getattr(importlib.import_module(module), attribute)
            _owners.clear()
        except (ImportError, AttributeError) as error:
            raise BackendError(f"backend {name!r} cannot be loaded from {place}: {error}") from error
    return _classes[name]


def get_backend(name: str | Backend | None = None) -> Backend:
    """The backend of this name, or the current one.

    ``name`` is ``"numpy"``, ``"cupy"``, ``"torch"``, ``"jax"``, ``"dpnp"``, ``"array_api_strict"`` or one that
    another package provides; a device may follow a colon: ``"cupy:1"``, ``"torch:cuda"``.
    ``None`` is the one of ``use_backend``, else of ``set_backend``, else of the environment variable
    ``XNN_BACKEND``, else NumPy.

    Raises:
        BackendError: for an unknown name, and for one that cannot be used here, with the reason.
    """
    if isinstance(name, Backend):
        return name
    named_by_environment = False
    if name is None:
        name = _chosen.get() or _default
        named_by_environment = name is None
        name = name or os.environ.get("XNN_BACKEND") or "numpy"
    if not isinstance(name, str):
        raise BackendError(f"a backend is given by its name, such as 'numpy' or 'cupy:1'; got {name!r}")
    if name not in _instances:
        library, _, device = name.partition(":")
        try:
            _instances[name] = _load(library)(device)
        except BackendError as error:
            if named_by_environment:
                raise BackendError(f"{error} (the environment variable XNN_BACKEND is {name!r})") from error
            raise
    return _instances[name]


def set_backend(name: str | Backend) -> None:
    """Make this backend the current one for the whole program; it must be usable."""
    global _default
    _default = known_as(get_backend(name), name)


@contextmanager
def use_backend(name: str | Backend) -> Iterator[Backend]:
    """Make this backend the current one inside a ``with`` block (of this thread or task only)."""
    backend = get_backend(name)
    token = _chosen.set(known_as(backend, name))
    try:
        yield backend
    finally:
        _chosen.reset(token)


def known_as(backend: Backend, name: str | Backend | None = None) -> str:
    """The name under which ``get_backend`` finds this very backend again."""
    if isinstance(name, str):
        return name
    for key, instance in _instances.items():
        if instance is backend:
            return key
    key = backend.name if backend.name not in _instances else f"{backend.name}:{backend.device}"
    _instances[key] = backend  # made by hand: keep it, beside that of the plain name
    return key


def available_backends() -> dict[str, str]:
    """Every known backend, with an empty text where it can be used here, else the reason why not."""
    reasons = {}
    for name in [*_BUILT_IN, *_third_party()]:
        try:
            get_backend(name)
            reasons[name] = ""
        except BackendError as error:
            reasons[name] = str(error)
    return reasons


def owner(x: object) -> type[Backend] | None:
    """The backend whose library x is an array of; None for numbers, lists and anything else."""
    kind = type(x)
    if kind in _owners:
        return _owners[kind]
    if hasattr(kind, "__wrapped_array__"):  # an array that carries a derivative has one of a library inside
        return owner(x.__wrapped_array__)  # type: ignore[attr-defined]
    found = None
    for name in [*_BUILT_IN, *_classes]:
        # An array of a library can only exist once that library has been imported.
        if name in _classes or name in sys.modules:
            with suppress(BackendError):
                candidate = _load(name)
                if candidate.owns(x):
                    found = candidate
                    break
    _owners[kind] = found
    return found


def to_numpy(x: Any, name: str = "") -> Any:
    """x, an array of any library or numbers in lists, as a NumPy array on the host; errors call it by its name."""
    kind = owner(x)
    if kind is not None:
        return kind.to_numpy(x)
    where = f"{name}: " if name else ""
    x = unmasked(x, name)
    try:
        array = get_backend("numpy").xp.asarray(x)
    except ValueError as error:
        raise ValueError(f"{where}nested lists need rows of one length: {error}") from error
    if array.dtype.kind not in "biufc":
        hint = ""
        if hasattr(x, "toarray"):
            hint = "; a sparse matrix has to be filled: x.toarray()"
        elif not isinstance(x, str) and any(isinstance(value, str) for value in array.flat):
            hint = "; words are to be numbered, as numpy.unique(words, return_inverse=True)[1] does"
        elif hasattr(x, "astype"):  # a table with columns of several types
            hint = "; if all in it are numbers: x.astype('float64')"
        raise TypeError(f"{where}expected numbers in an array or in nested lists; got {_describe(x)}{hint}")
    return array


def unmasked(x: Any, name: str = "") -> Any:
    """x itself, or what lies below the mask of a masked array that masks nothing; ValueError where it does."""
    if not has_mask(x):
        return x
    if (masked := int(x.mask.sum())) > 0:
        raise ValueError(
            f"{name}{': ' if name else ''}{masked} of the values are masked, and the mask would be lost; put numbers "
            "in their place, x.filled(0.0), or leave their rows out"
        )
    return x.data


_P = ParamSpec("_P")
_R = TypeVar("_R")


def on_their_device(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The function, with the device of its arrays as the current one: CuPy computes only there.

    The first array among the arguments, or in a list or dictionary of them, decides.
    """

    @functools.wraps(function)
    def inside(*args: _P.args, **options: _P.kwargs) -> _R:
        with their_device(*args, *options.values()):
            return function(*args, **options)

    return inside


def their_device(*values: Any) -> AbstractContextManager[Any]:
    """The scope in which the device of the first array among the values, or in them, is the current one."""
    array = _first_array(values)
    kind = None if array is None else owner(array)
    return nullcontext() if kind is None else kind.scope_of(getattr(array, "__wrapped_array__", array))


def _first_array(values: Any) -> Any:
    for value in values:
        if owner(value) is not None:
            return value
        if isinstance(value, (list, tuple, Mapping)):
            found = _first_array(value.values() if isinstance(value, Mapping) else value)
            if found is not None:
                return found
    return None


def _describe(x: object) -> str:
    text = " ".join(repr(x).split())
    return f"{type(x).__name__} {text if len(text) < 60 else text[:57] + '...'}"


def namespace(x: Array) -> Any:
    """The namespace of the standard in which to compute with the array x."""
    kind = owner(x)
    if kind is not None and kind.name in _instances and type(x) in _owners:
        return _instances[kind.name].xp
    return array_api_compat.array_namespace(x)


@functools.cache
def isdtype(xp: Any, dtype: Any, kind: str | tuple[str, ...]) -> bool:
    """xp.isdtype, remembered: NumPy's takes 2 µs, and each call of a loss or of an optimizer asks several times."""
    return bool(xp.isdtype(dtype, kind))


def unify(**arrays: Any) -> tuple[Any, ...]:
    """The common namespace of the arrays, then the arrays themselves, in the order given.

    Numbers and lists become arrays of the library of the others (of the current backend where there
    are no others).

    Raises:
        TypeError: where arrays of two libraries meet; the message names both. And for what is no array, by its name.
    """
    owners = one_library(**arrays)
    if not owners:
        backend = get_backend()
        return (backend.xp, *map(backend.asarray, arrays.values()))
    # A namespace that records goes before the plain one.
    first = arrays[next((name for name in owners if type(arrays[name]) not in _owners), next(iter(owners)))]
    xp = namespace(first)
    if len(owners) == len(arrays):
        return (xp, *arrays.values())
    device = array_api_compat.device(first)
    return (
        xp,
        *(x if name in owners else xp.asarray(to_numpy(x, name), device=device) for name, x in arrays.items()),
    )


def one_library(**arrays: Any) -> dict[str, type[Backend]]:
    """The backends of those that are arrays, after a look that it is one and the same.

    Raises:
        TypeError: where arrays of two libraries meet; the message names both.
    """
    owners = {name: kind for name, x in arrays.items() if (kind := owner(x)) is not None}
    if len(set(owners.values())) > 1:
        listed = ", ".join(f"{name} is an array of {kind.library}" for name, kind in owners.items())
        raise TypeError(f"arrays of different libraries: {listed}; convert them to one of these first")
    return owners
