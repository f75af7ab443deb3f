"""Training data as batches on the device.

Data that fits is put on the device once, and every batch is gathered there. A NumPy memory map may
be larger than any memory: its batches are read and uploaded one by one. An iterable of batches is
taken as it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from xnn.arrays import Array, Backend, owner, to_numpy
from xnn.host import numpy
from xnn.losses import Loss

__all__ = ["CHUNK", "ArrayData", "Batch", "IterableData", "class_weights", "columns", "moments", "source", "split"]


CHUNK = 8192  # examples that are looked at together where nothing is learned from them


class Batch(NamedTuple):
    """Examples that are trained on together, on the device: inputs, targets, weights or None."""

    x: Array
    y: Array
    weights: Array | None


Prepare: TypeAlias = Callable[..., tuple[Array, Array, Array | None]]  # network.prepare with its loss


def _is_mapped(x: Any) -> bool:
    """Whether x is a NumPy memory map, or a view of one."""
    while x is not None:
        if isinstance(x, numpy.memmap):
            return True
        x = getattr(x, "base", None) if isinstance(x, numpy.ndarray) else None
    return False


class ArrayData:
    """Examples in arrays: ``prepare`` checks and uploads them, at once or, memory maps, batch by batch."""

    def __init__(self, x: Any, y: Any, weights: Any, prepare: Prepare, backend: Backend) -> None:
        self._backend, self._prepare = backend, prepare
        self._on_host = _is_mapped(x) or _is_mapped(y)
        if self._on_host:
            x, y = (a if _is_mapped(a) else to_numpy(a) for a in (x, y))
            if len(x) != len(y):
                raise ValueError(f"x holds {len(x)} examples, y {len(y)}; each example needs one target")
            self._columns: tuple[Any, ...] = (x, y, None if weights is None else to_numpy(weights))
            for start in range(0, len(y), CHUNK):  # look at all targets before anything is trained
                self._rows(slice(start, start + CHUNK), targets_only=True)
        else:
            self._columns = prepare(x, y, weights)
        self.samples = int(self._columns[0].shape[0])

    def _rows(self, rows: Any, targets_only: bool = False) -> Batch:
        x, y, weights = self._columns
        if targets_only:  # one look at the shape of x is enough
            y = y[rows]
            first = x[:1].repeat(len(y), axis=0) if len(y) else x[:0]
            return Batch(*self._prepare(first, y, None))
        return Batch(*self._prepare(x[rows], y[rows], None if weights is None else weights[rows]))

    def batches(self, size: int = CHUNK, order: Any = None) -> Iterator[Batch]:
        """The examples in pieces of ``size``, in this order (a NumPy permutation), else as they stand."""
        if order is not None and not self._on_host:
            order = self._backend.asarray(order, "int32")
        for start in range(0, self.samples, size):
            rows = slice(start, min(start + size, self.samples))
            if self._on_host:
                yield self._rows(rows if order is None else order[rows])
            elif order is None:
                yield Batch(*(c if c is None else c[rows, ...] for c in self._columns))
            else:
                take, chosen = self._backend.xp.take, order[rows]
                yield Batch(*(c if c is None else take(c, chosen, axis=0) for c in self._columns))


class IterableData:
    """An iterable of batches (x, y) or (x, y, weights); it is gone through once an epoch."""

    samples: int | None = None

    def __init__(self, batches: Any, prepare: Prepare) -> None:
        self._iterable, self._prepare = batches, prepare

    def batches(self, size: int = CHUNK, order: Any = None) -> Iterator[Batch]:
        """The batches as they come."""
        number = -1
        for number, batch in enumerate(self._iterable):
            if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
                raise ValueError(
                    f"batch {number}: expected (x, y) or (x, y, weights); got {type(batch).__name__}"
                    + (f" of length {len(batch)}" if hasattr(batch, "__len__") else "")
                )
            try:
                yield Batch(*self._prepare(*batch))
            except (ValueError, TypeError) as error:
                raise type(error)(f"batch {number}: {error}") from error
        if number < 0:
            raise ValueError(
                "the iterable of batches gave none; a generator is used up after one epoch: "
                "pass a list, or an object whose __iter__ starts anew"
            )


def source(network: Any, loss: Loss, x: Any, y: Any, weights: Any, check_finite: bool) -> ArrayData | IterableData:
    """The data behind one interface; all that can be checked is checked here."""

    def prepare(x: Any, y: Any, weights: Any = None) -> tuple[Array, Array, Array | None]:
        batch = network.prepare(x, y, loss, weights, check_values=True)
        if check_finite:
            for name, column in zip(("x", "y", "weights"), batch, strict=True):
                _finite(network.backend, name, column)
        return batch  # type: ignore[no-any-return]

    if y is None:
        if owner(x) is not None or not hasattr(x, "__iter__"):
            raise TypeError(f"y is missing; without it, x is an iterable of batches (x, y), not {type(x).__name__}")
        return IterableData(x, prepare)
    return ArrayData(x, y, weights, prepare, network.backend)


def _finite(backend: Backend, name: str, column: Array | None) -> None:
    xp = backend.xp
    if column is None or not xp.isdtype(column.dtype, "real floating") or bool(xp.all(xp.isfinite(column))):
        return
    host = backend.to_numpy(column)
    bad = numpy.argwhere(~numpy.isfinite(host))
    where = tuple(int(i) for i in bad[0])
    raise ValueError(f"{name} holds {len(bad)} value(s) that are NaN or infinite; the first, {host[where]}, at {where}")


def columns(given: Any) -> tuple[Any, Any, Any]:
    """x, y and weights of (x, y) or (x, y, weights); an iterable of batches stands for x alone."""
    if isinstance(given, tuple) or (isinstance(given, list) and given and owner(given[0]) is not None):
        if len(given) not in (2, 3):
            raise ValueError(f"validation_data: expected (x, y) or (x, y, weights); got {len(given)} items")
        return given[0], given[1], given[2] if len(given) == 3 else None
    return given, None, None


def split(x: Any, y: Any, weights: Any, share: float, given: Any) -> tuple[tuple[Any, Any, Any], tuple[Any, ...]]:
    """The first examples for training, the last ones for validation, as Keras does."""
    if given is not None:
        raise ValueError("give validation_data or validation_split, not both")
    if y is None:
        raise ValueError("validation_split needs x and y; an iterable of batches cannot be split: use validation_data")
    x, y = (_sliceable(a) for a in (x, y))
    weights = None if weights is None else _sliceable(weights)
    n = len(x) if not hasattr(x, "shape") else x.shape[0]
    kept = int(n * (1.0 - share))
    if not 0 < kept < n:
        raise ValueError(f"validation_split={share} of {n} examples leaves none to train on or to validate with")
    columns = [(None, None) if a is None else (_first(a, kept), _last(a, kept)) for a in (x, y, weights)]
    (x1, x2), (y1, y2), (w1, w2) = columns
    return (x1, y1, w1), (x2, y2) if w2 is None else (x2, y2, w2)


def _sliceable(a: Any) -> Any:
    return a if owner(a) is not None else to_numpy(a)


def _first(a: Array, n: int) -> Array:
    return a[:n, ...]


def _last(a: Array, n: int) -> Array:
    return a[n:, ...]


def class_weights(y: Any, weights: Any, table: Mapping[int, float]) -> Any:
    """The weight of each example: that of its class (1 for a class not named), times its own."""
    if y is None:
        raise ValueError("class_weight needs x and y; for an iterable of batches give (x, y, weights)")
    labels = to_numpy(y)
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise ValueError(f"class_weight needs integer labels of shape (examples,); got {labels.dtype} {labels.shape}")
    each = numpy.ones(len(labels))
    for label, weight in table.items():
        each[labels == label] = weight
    if weights is not None:
        each = each * to_numpy(weights)
    kind = owner(y)
    return each if kind is None or kind.name == "numpy" else each.tolist()


def moments(f: Callable[[Array], Array], data: ArrayData | IterableData) -> tuple[Any, Any]:
    """Mean and variance of f(x) over all training examples, along the last axis, in float64 on the host.

    Batch by batch with the update of Chan, Golub & LeVeque (1979), so that nothing cancels.
    """
    count, mean, squares = 0, 0.0, 0.0
    for x, _, _ in data.batches():
        a = to_numpy(f(x)).astype("float64")
        a = a.reshape(-1, a.shape[-1])
        n, m = a.shape[0], a.mean(axis=0)
        shift = m - mean
        squares = squares + ((a - m) ** 2).sum(axis=0) + shift**2 * (count * n / (count + n))
        mean = mean + shift * (n / (count + n))
        count += n
    return mean, squares / count
