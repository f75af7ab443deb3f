"""Training data as batches on the device.

Data that fits is put on the device once, and every batch is gathered there. Data that does not (what
is too much is for the backend to say), and NumPy memory maps, which may be larger than any memory, stay
on the host: batch after batch is gathered there and sent to the device, ahead of the training where
the backend can do that. The numbers of the training are the same. An iterable of batches is taken as
it comes.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from itertools import repeat
from math import prod
from types import FunctionType
from typing import Any, TypeAlias

import array_api_compat

from xnn.arrays import get_backend, owner, to_numpy, unify
from xnn.contract import Array, Backend, slices
from xnn.host import numpy
from xnn.layers.base import Shape
from xnn.losses import Loss
from xnn.memory import GATHERED
from xnn.settings import number

__all__ = ["ArrayData", "Batch", "IterableData", "chunk", "class_weights", "columns", "moments", "source", "split"]


# Examples that are trained on together, on the device: inputs, targets, weights or None.
Batch: TypeAlias = tuple[Array, Array, Array | None]
Prepare: TypeAlias = Callable[..., tuple[Array, Array, Array | None]]  # network.prepare with its loss


def chunk(shape: Shape) -> int:
    """How many examples of this shape are looked at together where nothing is learned from them."""
    return max(1, min(8192, 2**24 // max(1, prod(shape))))


def _is_mapped(x: Any) -> bool:
    """Whether x is a NumPy memory map, or a view of one."""
    while x is not None:
        if isinstance(x, numpy.memmap):
            return True
        x = getattr(x, "base", None) if isinstance(x, numpy.ndarray) else None
    return False


class ArrayData:
    """Examples in arrays, on the device or, with ``on_host``, streamed to it batch by batch.

    ``prepare`` checks them and converts them; it is given the backend of the host where they stay there.
    """

    def __init__(
        self, x: Any, y: Any, weights: Any, prepare: Prepare, backend: Backend, check_finite: bool, on_host: bool
    ) -> None:
        self._backend, self._prepare, self.on_host = backend, prepare, on_host
        if on_host:
            self._host = get_backend("numpy")
            x, y = (a if _is_mapped(a) else to_numpy(a) for a in (x, y))
            weights = None if weights is None else to_numpy(weights)
            for name, column in (("y", y), ("weights", weights)):
                if column is not None and (column.ndim == 0 or len(column) != len(x)):
                    raise ValueError(
                        f"x holds {len(x)} examples, {name} has shape {column.shape}: one for each, please"
                    )
            self._columns: tuple[Any, ...] = (x, y, weights)
            self._look_through(check_finite)
        else:
            self._columns = prepare(x, y, weights)
            if check_finite:
                _finite(backend, self._columns)
        self.samples = int(self._columns[0].shape[0])

    def _look_through(self, check_finite: bool) -> None:
        """Look at what is on the host before anything is trained: at all of it, or at all but most of x."""
        x, y, weights = self._columns
        for start in range(0, max(len(x), 1), chunk(x.shape[1:])):
            rows = slice(start, start + chunk(x.shape[1:]))
            inputs = x[rows] if check_finite or not len(y) else x[:1].repeat(len(y[rows]), axis=0)
            batch = self._prepare(inputs, y[rows], None if weights is None else weights[rows], self._host)
            if check_finite:
                _finite(self._host, batch, start)

    def fingerprint(self) -> str:
        """A checksum of up to 64 examples, evenly spread: other examples, or another order, have another one."""
        rows = numpy.linspace(0, self.samples - 1, min(self.samples, 64)).astype("int64")
        columns = [to_numpy(c).astype("float64") for c in next(self.batches(64, rows)) if c is not None]
        return f"{zlib.crc32(b''.join(c.tobytes() for c in columns)):08x}"

    def batches(self, size: int | None = None, order: Any = None, done: int = 0) -> Iterator[Batch]:
        """The examples in pieces of ``size``, in this order (a NumPy permutation), else as they stand.

        The first ``done`` batches are left out.
        """
        n = self.samples if order is None else len(order)
        size = min(size or chunk(self._columns[0].shape[1:]), n)
        if self.on_host:
            yield from self._backend.upload(self._on_host(slices(done * size, n, size), order))
            return
        for columns in self._gathered(done * size, n, size, order):
            cut: list[Any] = [None if c is None else self._backend.pieces(c, size) for c in columns]
            x, y, weights = cut
            yield from zip(x, y, repeat(None, len(x)) if weights is None else weights, strict=True)

    def _gathered(self, first: int, n: int, size: int, order: Any) -> Iterator[tuple[Any, ...]]:
        """The columns in this order, several batches at a time: to gather each alone costs a small network much."""
        take = self._backend.xp.take
        together = n
        if order is not None:
            order = self._backend.asarray(order)
            together = size * max(1, GATHERED // (size * max(1, prod(self._columns[0].shape[1:]))))
        for rows in slices(first, n, together):
            if order is None:
                yield tuple(None if c is None else c[rows, ...] for c in self._columns)
            else:
                chosen = order[rows]
                yield tuple(None if c is None else take(c, chosen, axis=0) for c in self._columns)

    def _on_host(self, parts: list[slice], order: Any) -> Iterator[tuple[Any, ...]]:
        """The batches on the host."""
        for rows in parts:
            chosen = rows if order is None else order[rows]
            yield self._prepare(*(None if c is None else c[chosen] for c in self._columns), self._host)


class IterableData:
    """An iterable of batches (x, y) or (x, y, weights); it is gone through once an epoch."""

    samples: int | None = None

    def __init__(self, batches: Any, prepare: Prepare, backend: Backend, check_finite: bool) -> None:
        self._iterable, self._prepare = batches, prepare
        self._backend, self._check_finite = backend, check_finite
        # A generator, or another iterator of Python's own; a class of the user's may start anew in its __iter__. It is
        # not asked for an iterator here: that may start processes, as a loader of PyTorch does, or move a generator.
        self.once = hasattr(batches, "__next__") and not isinstance(type(batches).__iter__, FunctionType)

    def fingerprint(self) -> str:
        """Nothing: they are not looked at before their time."""
        return ""

    def batches(self, size: int | None = None, order: Any = None, done: int = 0) -> Iterator[Batch]:
        """The batches as they come, without the first ``done`` of them."""
        number, weighted = -1, None
        for number, given in enumerate(self._iterable):
            if number < done:
                continue
            if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
                raise ValueError(
                    f"batch {number}: expected (x, y) or (x, y, weights); got {type(given).__name__}"
                    + (f" of length {len(given)}" if hasattr(given, "__len__") else "")
                )
            try:
                batch = self._prepare(*given)
                if self._check_finite:
                    _finite(self._backend, batch)
            except (ValueError, TypeError) as error:
                raise type(error)(f"batch {number}: {error}") from error
            if weighted not in (None, batch[2] is not None):
                raise ValueError(f"batch {number}: either every batch is (x, y, weights), or every one (x, y)")
            x, y, weights = batch
            weighted = weights is not None
            # Metrics look at the targets later, when the next batch may have come in the same memory.
            yield x, self._backend.xp.asarray(y, copy=True), weights
        if number < 0:
            raise ValueError("the iterable of batches gave none; one that is used up has to start anew in its __iter__")


def source(network: Any, loss: Loss, x: Any, y: Any, weights: Any, check_finite: bool) -> ArrayData | IterableData:
    """The data behind one interface; all that can be checked is checked here."""

    backend = network.backend

    def prepare(x: Any, y: Any, weights: Any = None, host: Backend | None = None) -> tuple[Array, Array, Array | None]:
        return network.prepare(x, y, loss, weights, check_values=True, backend=host)  # type: ignore[no-any-return]

    if y is None:
        if owner(x) is not None or not hasattr(x, "__iter__"):
            raise TypeError(f"y is missing; without it, x is an iterable of batches (x, y), not {type(x).__name__}")
        if weights is not None:
            raise ValueError("sample_weight needs x and y; for an iterable of batches give (x, y, weights)")
        return IterableData(x, prepare, backend, check_finite)
    x, y, weights = alike(x, y, weights)
    on_host = _is_mapped(x) or _is_mapped(y) or not (_is_elsewhere(x) or backend.fits(_size(network.dtype, x, y)))
    return ArrayData(x, y, weights, prepare, backend, check_finite, on_host)


def alike(x: Any, y: Any, weights: Any) -> tuple[Any, Any, Any]:
    """The columns as arrays of one library: lists and tables become those of the others', or NumPy's."""
    given = {"x": x, "y": y, **({} if weights is None else {"sample_weight": weights})}
    if all(owner(column) is None for column in given.values()):
        given["x"] = to_numpy(x, "x")
    _, x, y, *rest = unify(**given)
    return x, y, rest[0] if rest else None


def _is_elsewhere(x: Any) -> bool:
    """Whether the array x is on a device already."""
    return "cpu" not in str(array_api_compat.device(x)).lower()


def _size(dtype: str, *columns: Any) -> int:
    """The bytes of the columns in this data type."""
    entries: int = sum(prod(column.shape) for column in columns)
    return entries * int(numpy.dtype(dtype).itemsize)


def _finite(backend: Backend, columns: tuple[Array | None, ...], start: int = 0) -> None:
    """Raise ValueError where one of x, y, weights is not finite; ``start`` is the number of their first row."""
    xp = backend.xp
    for name, column in zip(("x", "y", "weights"), columns, strict=True):
        if column is None or not xp.isdtype(column.dtype, "real floating") or bool(xp.all(xp.isfinite(column))):
            continue
        host = backend.to_numpy(column)
        bad = numpy.argwhere(~numpy.isfinite(host))
        value, row, *rest = host[tuple(bad[0])], *(int(i) for i in bad[0])
        raise ValueError(
            f"{name} holds {len(bad)} value(s) that are NaN or infinite; the first, {value}, at {(row + start, *rest)}"
        )


def columns(given: Any) -> tuple[Any, Any, Any]:
    """x, y and weights of (x, y) or (x, y, weights); an iterable of batches stands for x alone.

    A list of tuples is one of batches; any other tuple or list holds the columns themselves.
    """
    batches = isinstance(given, list) and all(isinstance(item, tuple) for item in given)
    if isinstance(given, (tuple, list)) and not batches:
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
    given_columns = alike(x, y, weights)
    shapes = [tuple(a.shape) for a in given_columns if a is not None]
    if shapes[0] == () or len({shape[:1] for shape in shapes}) > 1:
        raise ValueError(f"x, y and sample_weight need one row for each example; got the shapes {shapes}")
    n = shapes[0][0]
    kept = int(n * (1.0 - share))
    if not 0 < kept < n:
        raise ValueError(f"validation_split={share} of {n} examples leaves none to train on or to validate with")
    x1, y1, w1 = (None if a is None else a[:kept, ...] for a in given_columns)
    x2, y2, w2 = (None if a is None else a[kept:, ...] for a in given_columns)
    return (x1, y1, w1), (x2, y2) if w2 is None else (x2, y2, w2)


def class_weights(y: Any, weights: Any, table: Mapping[int, float]) -> Any:
    """The weight of each example: that of its class (1 for a class not named), times its own."""
    if y is None:
        raise ValueError("class_weight needs x and y; for an iterable of batches give (x, y, weights)")
    if not isinstance(table, Mapping):
        raise TypeError(f"class_weight: expected a dictionary such as {{0: 1.0, 1: 5.0}}; got {table!r}")
    labels = to_numpy(y)
    labels = labels.reshape(len(labels)) if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.ndim != 1 or (labels.dtype.kind not in "iub" and (labels != labels.round()).any()):
        raise ValueError(f"class_weight needs labels of shape (examples,); got {labels.dtype} {labels.shape}")
    each = numpy.ones(len(labels))
    for label, weight in table.items():
        chosen = labels == label
        if not numpy.any(chosen):
            known = numpy.unique(labels).tolist()
            raise ValueError(f"class_weight: no example has the label {label!r}; the labels are {known}")
        each[chosen] = number(f"class_weight[{label!r}]", weight, "[0, inf)")
    if weights is not None:
        own = to_numpy(weights, "sample_weight")
        if own.shape != each.shape:
            raise ValueError(f"sample_weight: expected shape {each.shape}, one for each example; got {own.shape}")
        each = each * own
    kind = owner(y)
    return each if kind is not None and kind.name == "numpy" else each.tolist()


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
