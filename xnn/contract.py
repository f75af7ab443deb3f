"""The contract of a backend: the small object that says how one array library is reached.

Everything else in xnn is written against the Python Array API standard and is handed a backend, or its namespace
``xp``. Which backend that is, ``xnn.arrays`` selects.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, TypeAlias

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
    "by_dlpack",
    "comes_with_xnn",
    "has_mask",
    "is_writeable",
    "slices",
    "typed",
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
        from xnn.arrays import get_backend, known_as

        return get_backend, (known_as(self),)

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
        from xnn.arrays import to_numpy

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

    def lacks_room(self, error: Exception) -> bool:
        """Whether this is how the library says that there was no memory for an array."""
        return isinstance(error, MemoryError)

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
        that many entries at a time, so that each is read from memory only once; an equation of the user's own, which
        may look at all of them together, such as at the norm of the gradient, gets all.
        """
        size = gradient.shape[0]
        if self.block is None or size <= self.block or not comes_with_xnn(equation):
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
        return apart(self.xp, state, equation(self.xp, state[0], gradient, *state[1:], **scalars))

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


def typed(xp: Any, a: Array, like: Array) -> Array:
    """The array a in the data type of another one, which it nearly always has: NumPy's numbers promote, say.

    Complex numbers stay such, and so do real ones that are made of them, as between a Fourier transform and its power.
    """
    if a.dtype == like.dtype or any(xp.isdtype(x.dtype, "complex floating") for x in (a, like)):
        return a
    return xp.astype(a, like.dtype)


def apart(xp: Any, state: Sequence[Array], new: Sequence[Array]) -> tuple[Array, ...]:
    """The new state of an update, to be written over the old one, in its data types: an array of the old one that has
    another place in the new one, such as the θ of before, is copied.

    Raises:
        TypeError: for what is no tuple of as many arrays: one array would be taken for its entries.
        ValueError: for other shapes, which would be broadcast.
    """
    if not isinstance(new, (tuple, list)) or len(new) != len(state):
        got = f"{len(new)} of them" if isinstance(new, (tuple, list)) else type(new).__name__
        raise TypeError(
            f"an equation must return θ and its buffers in a tuple, {len(state)} in all (one alone is written θ,); "
            f"got {got}"
        )
    for a, b in zip(state, new, strict=True):
        if getattr(b, "shape", None) != a.shape:
            shapes = [tuple(b.shape) if hasattr(b, "shape") else b for b in new]
            raise ValueError(
                f"an equation must return θ and its buffers in the shapes that it was given, {len(state)} times "
                f"{tuple(a.shape)}; got {shapes}"
            )
    return tuple(
        b * 1.0 if b is not a and any(b is other for other in state) else typed(xp, b, a)
        for a, b in zip(state, new, strict=True)
    )


def slices(first: int, n: int, size: int) -> list[slice]:
    """From ``first`` to n in pieces of this size, the last one smaller (the standard knows no slices beyond n)."""
    return [slice(start, min(start + size, n)) for start in range(first, n, size)]


def has_mask(x: object) -> bool:
    """Whether x is a masked array, as of numpy.ma, which is imported only by those who use it."""
    return hasattr(x, "mask") and hasattr(x, "filled")


def is_writeable(x: Any) -> bool:
    """False for an array of NumPy that is read-only, as its views of JAX's are; other libraries do not tell."""
    return bool(getattr(getattr(x, "flags", None), "writeable", True))


def by_dlpack(xp: Any, x: Any, device: Any) -> Array | None:
    """x, of any library, as an array of xp on this device in the same memory; None where only a copy leads there."""
    if has_mask(x) or not is_writeable(x) or any(stride < 0 for stride in getattr(x, "strides", ())):
        return None  # a mask would be lost; PyTorch would write to what is read-only, and dies of what is turned round
    try:
        array = xp.from_dlpack(x)
    except (AssertionError, AttributeError, BufferError, NotImplementedError, RuntimeError, TypeError, ValueError):
        # It lies elsewhere (of which a PyTorch without CUDA says so by an assertion), is read-only, carries
        # derivatives, or knows nothing of DLPack.
        return None
    return array if array_api_compat.device(array) == device else None
