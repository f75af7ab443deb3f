"""What the estimators are given: dense arrays, and sparse matrices that become dense batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import array_api_compat
from scipy import sparse
from sklearn import get_config
from sklearn.utils.validation import _check_sample_weight

from xnn.arrays import namespace, owner, to_numpy
from xnn.contract import Array, slices
from xnn.data import ArrayData, Batch, chunk, source
from xnn.host import ndarray, numpy
from xnn.losses import Loss

__all__ = ["Examples", "SparseData", "data_of", "floats", "on_host", "outputs", "place", "weights_of"]


@dataclass(frozen=True)
class Examples:
    """What is trained on: the inputs, an array or a sparse matrix, and columns on the host."""

    x: Any
    y: Any  # (n, outputs): the targets as scikit-learn arranges them, classes as columns of 0 and 1
    targets: Any  # the same as the loss takes them
    weights: Any  # (n,), or None

    def __len__(self) -> int:
        return int(self.x.shape[0])

    def take(self, chosen: Any) -> Examples:
        """The examples with these numbers, a NumPy array."""
        columns = (None if a is None else a[chosen] for a in (self.y, self.targets, self.weights))
        return Examples(_rows(self.x, chosen), *columns)


class SparseData:
    """Examples in the rows of a sparse matrix; only those of a batch are dense at a time."""

    def __init__(self, network: Any, loss: Loss, x: Any, y: Any, weights: Any) -> None:
        self._network, self._loss = network, loss
        self._x, self._y, self._weights = sparse.csr_array(x), y, weights
        self.samples = int(x.shape[0])

    def batches(self, size: int, order: Any = None) -> Iterator[Batch]:
        """The examples in pieces of ``size``, in this order, else as they stand."""
        for part in slices(0, self.samples, size):
            chosen = part if order is None else order[part]
            weights = None if self._weights is None else self._weights[chosen]
            yield self._network.prepare(self._x[chosen].toarray(), self._y[chosen], self._loss, weights)


def data_of(network: Any, loss: Loss, x: Any, y: Any, weights: Any) -> ArrayData | SparseData:
    """The examples as batches; a dense array is on the device of the network from now on."""
    if sparse.issparse(x):
        return SparseData(network, loss, x, y, weights)
    x, y, weights = (a if a is None else network.backend.asarray(a) for a in (x, y, weights))
    return source(network, loss, x, y, weights, False)  # type: ignore[return-value]


def outputs(network: Any, x: Any) -> Array:
    """The outputs of the network for all rows of x, an array of the library of x."""
    if not sparse.issparse(x):
        return network.predict(x)
    x, size = sparse.csr_array(x), chunk(network.inputs)
    return numpy.concatenate([network.predict(x[i : i + size].toarray()) for i in range(0, x.shape[0], size)])


def _rows(x: Any, chosen: Any) -> Any:
    if isinstance(x, ndarray) or sparse.issparse(x):
        return x[chosen]
    xp = namespace(x)
    return xp.take(x, xp.asarray(chosen, device=array_api_compat.device(x)), axis=0)


def on_host(x: Any) -> Any:
    """x as a NumPy array where it is an array of another library; lists, frames and the rest as they are."""
    return x if owner(x) is None else to_numpy(x)


def place(x: Any) -> str | None:
    """The name of the backend on which the array x lives, with its device; None for what is on the host."""
    kind = owner(x)
    return None if kind is None or isinstance(x, ndarray) else kind.name_of(x)


def floats(X: Any) -> list[Any]:
    """The types that X may have, in its own library where scikit-learn dispatches to that."""
    if get_config()["array_api_dispatch"] and owner(X) is not None:
        info = namespace(X).__array_namespace_info__()
        found = info.dtypes(kind="real floating", device=array_api_compat.device(X))
        return [found[name] for name in ("float64", "float32") if name in found]
    return [numpy.float64, numpy.float32]


def weights_of(sample_weight: Any, n: int) -> Any:
    """The weights of n examples as scikit-learn checks them, on the host; None stays None."""
    if sample_weight is None:
        return None
    return numpy.asarray(_check_sample_weight(sample_weight, numpy.zeros(n)), dtype="float64")
