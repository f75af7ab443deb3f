"""Which array library runs the mathematics: the contract of a backend, and the selector.

A backend is the small object that says how one array library is reached. Everything else in xnn is
written against the Python Array API standard and is handed a backend, or its namespace ``xp``.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from typing import Any, NamedTuple, ParamSpec, TypeAlias, TypeVar

import array_api_compat

__all__ = [
    "Array",
    "Backend",
    "BackendError",
    "Equation",
    "Memory",
    "Plan",
    "Step",
    "apart",
    "available_backends",
    "by_dlpack",
    "comes_with_xnn",
    "get_backend",
    "is_writeable",
    "isdtype",
    "namespace",
    "on_their_device",
    "one_library",
    "owner",
    "set_backend",
    "slices",
    "their_device",
    "to_numpy",
    "unify",
    "use_backend",
]

Array: TypeAlias = Any  # an array of any library of the standard
Equation: TypeAlias = Callable[..., tuple[Array, ...]]  # (xp, θ, g, *state, **scalars) -> (θ, *state)
Step: TypeAlias = Callable[..., tuple[Sequence[Array], Sequence[Array]]]  # (xp, standing, given) -> results, gradients
Plan: TypeAlias = Callable[[Sequence[Array | int | None]], tuple[list[Array], Array | None]]


class BackendError(RuntimeError):
    """The backend is unknown, or cannot be used here; the message says why and how to mend it."""


class Memory(NamedTuple):
    """The memory of a device, in bytes."""

    used: int  # by arrays
    held: int  # by the library, which keeps freed memory for the next arrays
    free: int  # what further arrays could have
    total: int


class Backend:
    """How one array library is reached: its namespace, its device, and the way in and out.

    A backend derives from this class and sets the attributes below; ``__init__(device)`` raises
    ``BackendError`` with the reason where the library, or the device, cannot be used. The methods
    have defaults that suit any library of the standard.
    """

    name: str  # "numpy": what the user types
    library: str  # the import name of the library
    install: str  # the command that installs it
    xp: Any  # the namespace of the standard
    device: Any  # what xp's creation functions take as device=
    #: Whether a slice of an array has memory of its own (JAX), so that changes in place rebind.
    immutable: bool = False
    #: So many entries of an update stay in the cache together; None: all are gone through at once.
    block: int | None = None

    def __init__(self, device: str = "") -> None:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<xnn backend {self.name} on {self.device}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, or one that comes out of a pickle in another process, is the backend of that name there."""
        return get_backend, (_name(self, self),)

    @classmethod
    def owns(cls, x: object) -> bool:
        """Whether x is an array of this library."""
        return type(x).__module__.partition(".")[0] == cls.library and hasattr(x, "dtype") and hasattr(x, "shape")

    @classmethod
    def name_of(cls, x: Array) -> str:
        """What ``get_backend`` is asked for to compute where the array x of this library is: ``"cupy:1"``."""
        return f"{cls.name}:{array_api_compat.device(x)}"

    def asarray(self, x: Any, dtype: str | None = None) -> Array:
        """x, an array of any library or numbers in lists, as an array of this backend.

        No copy is made where memory can be shared; ``dtype`` is a name such as ``"float32"``.
        """
        if not self.owns(x):
            x = self.shared(x, dtype)
        return self.xp.asarray(x, dtype=None if dtype is None else self.dtype(dtype), device=self.device)

    def quickly(self, x: Any, dtype: str) -> Array | None:
        """The real numbers ``asarray(x, dtype)`` where no look and no ``scope`` is needed; None costs time, no more."""
        return None

    def shared(self, x: Any, dtype: str | None = None) -> Any:
        """x, of another library, in the same memory as an array of this one; on the host where that is impossible."""
        array = by_dlpack(self.xp, x, self.device)
        if array is not None:
            return array
        x = to_numpy(x)
        # Converted on the host, so that the device receives what it keeps.
        return x if dtype is None else x.astype(dtype, copy=False)

    @classmethod
    def to_numpy(cls, a: Array) -> Any:
        """The array a of this library as a NumPy array on the host; waits for the device."""
        raise NotImplementedError

    def dtype(self, name: str) -> Any:
        """The data type of the library with this name of the standard."""
        return getattr(self.xp, name)

    def synchronize(self) -> None:
        """Wait until the device has finished all that it was asked to do."""

    def scope(self) -> AbstractContextManager[Any]:
        """The context in which the mathematics runs, where a library needs one (CuPy: the device)."""
        return nullcontext()

    @classmethod
    def scope_of(cls, a: Array) -> AbstractContextManager[Any]:
        """The same for the device of the array a of this library."""
        return nullcontext()

    def memory(self) -> Memory | None:
        """How much memory the device has; None where the library does not tell."""
        return None

    def fits(self, size: int) -> bool:
        """Whether data of ``size`` bytes may lie on the device as long as a network is trained with it."""
        return True

    def pieces(self, a: Array, size: int) -> Sequence[Array]:
        """The array a in pieces of ``size`` along its first axis, the last one smaller; views where there are any."""
        return [a[rows, ...] for rows in slices(0, a.shape[0], size)]

    def upload(self, batches: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Array, ...]]:
        """Batches of NumPy arrays (or None) as arrays of the library, one after the other.

        A device with a memory of its own may be sent the next one while it works on the one that is given.
        """
        for batch in batches:
            yield tuple(None if a is None else self.asarray(a) for a in batch)

    def update(
        self, equation: Equation, state: Sequence[Array], gradient: Array, scalars: Mapping[str, float]
    ) -> tuple[Array, ...]:
        """Run an elementwise update, and return the new state.

        ``equation(xp, θ, gradient, *rest, **scalars)`` changes the arrays of ``state = (θ, *rest)``
        in place where the library allows that, and returns them, or what it rebound. With a ``block``, it gets
        that many entries at a time, so that each is read from memory only once.
        """
        size = gradient.shape[0]
        if self.block is None or size <= self.block:
            return self._update(equation, state, gradient, scalars)
        for part in slices(0, size, self.block):
            before = [array[part] for array in state]
            for old, new in zip(before, self._update(equation, before, gradient[part], scalars), strict=True):
                if new is not old:
                    old[...] = new
        return tuple(state)

    def _update(
        self, equation: Equation, state: Sequence[Array], gradient: Array, scalars: Mapping[str, float]
    ) -> tuple[Array, ...]:
        """The update of one block."""
        return apart(state, equation(self.xp, state[0], gradient, *state[1:], **scalars))

    # A step of a network as a whole. A library of which every call is dear may hand out a namespace that only
    # takes notes, and compute all of them together in the end; the equations of the layers know nothing of it.

    @property
    def recorder(self) -> Any:
        """The namespace in which a network computes, ``xp`` or one whose functions take arrays of ``defer``."""
        return self.xp

    def defer(self, array: Array) -> Array:
        """The array as the functions of ``recorder`` take it."""
        return array

    def compute(self, arrays: Sequence[Array], packed: Sequence[Array] = ()) -> tuple[list[Array], Array | None]:
        """What was computed in ``recorder``, as arrays of the library; those of ``packed`` as one flat vector."""
        flat = [self.xp.reshape(array, (-1,)) for array in packed]
        return list(arrays), self.xp.concat(flat) if flat else None

    def plan(
        self,
        step: Step,
        given: Sequence[Array | int | None],
        standing: Sequence[Sequence[Array]],
        most: int | None = None,
    ) -> Plan | None:
        """A faster way to do what was done twice already; None where the library has none.

        ``step(xp, standing, given)`` gives results, and gradients that belong in one flat vector. It does the same
        with all arrays like ``given``, among which there may be whole numbers, of 32 bits, and other ones each time;
        those of ``standing`` stay where they are, while the numbers in them change.
        The plan is a function of ``given`` alone, which does not look at them. The flat vector is its own: the next
        call changes it. A plan that would take more than ``most`` bytes of memory is not made.
        """
        return None

    def info(self) -> dict[str, str]:
        """What ``python -m xnn info`` shows: the version of the library, and the device in words."""
        module = importlib.import_module(self.library)
        return {"version": str(module.__version__), "device": str(self.device)}


def comes_with_xnn(own: Any) -> bool:
    """Whether this class or function is one of xnn's, of which it is known what it does: the same each time."""
    return str(own.__module__).startswith("xnn.")


def apart(state: Sequence[Array], new: Sequence[Array]) -> tuple[Array, ...]:
    """The new state of an update, to be written over the old one: an array of the old one that has another place in
    the new one, such as the θ of before, is copied.

    Raises:
        ValueError: for other shapes, which would be broadcast.
    """
    for a, b in zip(state, new, strict=True):
        if getattr(b, "shape", None) != a.shape:
            shapes = [tuple(b.shape) if hasattr(b, "shape") else b for b in new]
            raise ValueError(
                f"an equation must return θ and its buffers in the shapes that it was given, {len(state)} times "
                f"{tuple(a.shape)}; got {shapes}"
            )
    return tuple(
        b * 1.0 if b is not a and any(b is other for other in state) else b for a, b in zip(state, new, strict=True)
    )


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
    _default = _name(get_backend(name), name)


@contextmanager
def use_backend(name: str | Backend) -> Iterator[Backend]:
    """Make this backend the current one inside a ``with`` block (of this thread or task only)."""
    backend = get_backend(name)
    token = _chosen.set(_name(backend, name))
    try:
        yield backend
    finally:
        _chosen.reset(token)


def _name(backend: Backend, name: str | Backend) -> str:
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
    if _has_mask(x):
        if (masked := int(x.mask.sum())) > 0:
            raise ValueError(
                f"{where}{masked} of the values are masked, and the mask would be lost; put numbers in their place, "
                "x.filled(0.0), or leave their rows out"
            )
        x = x.data
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


def _has_mask(x: object) -> bool:
    """Whether x is a masked array, as of numpy.ma, which is imported only by those who use it."""
    return hasattr(x, "mask") and hasattr(x, "filled")


def is_writeable(x: Any) -> bool:
    """False for an array of NumPy that is read-only, as its views of JAX's are; other libraries do not tell."""
    return bool(getattr(getattr(x, "flags", None), "writeable", True))


def by_dlpack(xp: Any, x: Any, device: Any) -> Array | None:
    """x, of any library, as an array of xp on this device in the same memory; None where only a copy leads there."""
    if _has_mask(x) or not is_writeable(x) or any(stride < 0 for stride in getattr(x, "strides", ())):
        return None  # a mask would be lost; PyTorch would write to what is read-only, and dies of what is turned round
    try:
        array = xp.from_dlpack(x)
    except (AssertionError, AttributeError, BufferError, NotImplementedError, RuntimeError, TypeError, ValueError):
        # It lies elsewhere (of which a PyTorch without CUDA says so by an assertion), is read-only, carries
        # derivatives, or knows nothing of DLPack.
        return None
    return array if array_api_compat.device(array) == device else None


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


def slices(first: int, n: int, size: int) -> list[slice]:
    """From ``first`` to n in pieces of this size, the last one smaller (the standard knows no slices beyond n)."""
    return [slice(start, min(start + size, n)) for start in range(first, n, size)]


def unify(**arrays: Any) -> tuple[Any, ...]:
    """The common namespace of the arrays, then the arrays themselves, in the order given.

    Numbers and lists become arrays of the library of the others (of the current backend where there
    are no others); ``None`` stays ``None``.

    Raises:
        TypeError: where arrays of two libraries meet; the message names both.
    """
    owners = one_library(**arrays)
    if not owners:
        backend = get_backend()
        return (backend.xp, *(None if x is None else backend.asarray(x) for x in arrays.values()))
    # A namespace that records goes before the plain one.
    first = arrays[next((name for name in owners if type(arrays[name]) not in _owners), next(iter(owners)))]
    xp = namespace(first)
    if len(owners) == len(arrays) or all(x is None or name in owners for name, x in arrays.items()):
        return (xp, *arrays.values())
    device = array_api_compat.device(first)
    return (
        xp,
        *(
            x if x is None or name in owners else xp.asarray(to_numpy(x, name), device=device)
            for name, x in arrays.items()
        ),
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
