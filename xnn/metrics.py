"""What is measured but not minimized: functions (outputs, targets) -> number, the number a 0-d array.

Arrays are of one library, or lists; the first axis is the examples. ``fit`` and ``evaluate`` take the
names ``"accuracy"``, ``"r2"``, ``"mse"`` and ``"mae"``, and any function of this kind. They give it
arrays of the backend: the targets as the loss takes them, labels as integers of shape (n,), −1 for those that
``CrossEntropy`` ignores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

from xnn.arrays import isdtype, on_their_device, to_numpy, unify
from xnn.contract import Array
from xnn.host import ndarray, numpy
from xnn.losses import MeanAbsoluteError, MeanSquaredError

__all__ = [
    "Accuracy",
    "Metric",
    "accuracy",
    "confusion_matrix",
    "counted",
    "is_mean",
    "mean_absolute_error",
    "mean_squared_error",
    "r2",
    "resolve",
]

Metric: TypeAlias = Callable[[Any, Any], Array]


@dataclass(frozen=True)
class Accuracy:
    """The share of examples whose class is right.

    - Several outputs (n, k): the class is the largest of them. The targets are labels 0 … k−1, of shape
      (n,) or (n, 1), or rows (n, k) of which the largest counts. Labels below 0 are left out, as
      CrossEntropy leaves out what it ignores.
    - One output (n,) or (n, 1): class 1 above ``threshold`` (0.5 for a probability, 0 for a logit or a
      margin), else class 0. Targets above 0.5 are class 1; so 0 and 1 may be given, or −1 and 1.
    - Integer outputs of one column are taken for the classes themselves.

    Raises:
        ValueError, TypeError: for targets whose shape or dtype does not fit, and for no examples.
    """

    threshold: float = 0.5

    @on_their_device
    def __call__(self, outputs: Any, targets: Any) -> Array:
        """The accuracy, 0 … 1."""
        xp, a, y = unify(outputs=outputs, targets=targets)
        predicted, actual, left_out = _classes(xp, a, y, self.threshold)
        right = xp.astype(predicted == actual, _real(xp, a))
        if not left_out:
            return xp.mean(right)
        counted = xp.sum(xp.astype(actual >= 0, right.dtype))
        return xp.sum(right) / xp.maximum(counted, 1.0)


def accuracy(outputs: Any, targets: Any) -> Array:
    """The share of examples whose class is right; ``Accuracy`` says what that means and sets a threshold."""
    return Accuracy()(outputs, targets)


def mean_squared_error(outputs: Any, targets: Any) -> Array:
    """The mean of (a − y)² over all examples and outputs."""
    return MeanSquaredError()(outputs, targets)


def mean_absolute_error(outputs: Any, targets: Any) -> Array:
    """The mean of |a − y| over all examples and outputs."""
    return MeanAbsoluteError()(outputs, targets)


@on_their_device
def r2(outputs: Any, targets: Any) -> Array:
    """R² = 1 − Σᵢ(yᵢ − aᵢ)² / Σᵢ(yᵢ − ȳ)², the mean over the outputs of each one's R² (scikit-learn's r2_score).

    1 is perfect, 0 as good as the constant mean ȳ. Where all targets of an output are equal, R² is 1
    if the outputs are, too, else 0. It needs all examples at once: R² of batches do not average.
    """
    xp, a, y = unify(outputs=outputs, targets=targets)
    _check_examples("r2", a, y)
    if tuple(a.shape) != tuple(y.shape) and not (_one_column(a) and _one_column(y) and a.shape[0] == y.shape[0]):
        raise ValueError(
            f"r2: the outputs have shape {tuple(a.shape)}, the targets {tuple(y.shape)}; expected equal ones"
        )
    dtype = _real(xp, a)
    a, y = (xp.reshape(xp.astype(x, dtype), (x.shape[0], -1)) for x in (a, y))
    e, d = a - y, y - xp.mean(y, axis=0)
    residual, total = xp.sum(e * e, axis=0), xp.sum(d * d, axis=0)
    constant = total == 0.0
    ratio = residual / xp.where(constant, 1.0, total)
    # A constant target: the ratio counts as 0 where the outputs are perfect, else as 1.
    ratio = xp.where(constant, xp.astype(residual > 0.0, dtype), ratio)
    return 1.0 - xp.mean(ratio)


def confusion_matrix(outputs: Any, targets: Any, classes: int | None = None, *, threshold: float = 0.5) -> ndarray:
    """How often class i (row) was taken for class j (column): a NumPy array of integers, (classes, classes).

    Outputs and targets as for ``Accuracy``. ``classes`` is their number; unless given, that of the
    outputs, two for one output, and as many as occur for integer outputs.

    Raises:
        ValueError: for a class that is not in 0 … classes−1.
    """
    a, y = to_numpy(outputs), to_numpy(targets)
    predicted, actual, left_out = _classes(numpy, a, y, threshold)
    predicted, actual = predicted.reshape(-1), actual.reshape(-1)
    if left_out:
        predicted, actual = predicted[actual >= 0], actual[actual >= 0]
    if classes is None:
        found = max(predicted.max(initial=0), actual.max(initial=0)) + 1
        classes = int(found) if _one_column(a) and a.dtype.kind in "iu" else max(2, a.shape[-1] if a.ndim > 1 else 1)
    for name, found in (("outputs", predicted), ("targets", actual)):
        wrong = found[(found < 0) | (found >= classes)]
        if wrong.size:
            raise ValueError(
                f"confusion_matrix: class {wrong[0]} in the {name}; with {classes} classes: 0 … {classes - 1}"
            )
    pairs = numpy.bincount(actual * classes + predicted, minlength=classes * classes)
    return pairs.reshape(classes, classes)


_KNOWN: dict[str, Metric] = {
    "r2": r2,
    "mse": mean_squared_error,
    "mae": mean_absolute_error,
    "mean_squared_error": mean_squared_error,
    "mean_absolute_error": mean_absolute_error,
}


def resolve(metric: str | Metric, threshold: float = 0.5) -> tuple[str, Metric]:
    """(name, function) of a metric given by its name or as a function; ``threshold`` is that of accuracy.

    Raises:
        ValueError: for an unknown name; the message lists the known ones.
        TypeError: for what is neither a name nor a function.
    """
    if isinstance(metric, str):
        if metric == "accuracy":
            return metric, Accuracy(threshold)
        if metric not in _KNOWN:
            raise ValueError(f"unknown metric {metric!r}; known are: accuracy, {', '.join(_KNOWN)}")
        return metric, _KNOWN[metric]
    if isinstance(metric, type):
        raise TypeError(f"expected a metric; got the class {metric.__name__}: write {metric.__name__}()")
    if not callable(metric):
        raise TypeError(f"expected the name of a metric or a function (outputs, targets); got {metric!r}")
    if metric is accuracy:
        return "accuracy", Accuracy(threshold)
    function = getattr(metric, "func", metric)  # of a functools.partial
    return getattr(function, "__name__", type(function).__name__.lower()), metric


def is_mean(metric: Metric) -> bool:
    """Whether the metric of many examples is the mean of what it is for some of them at a time."""
    return isinstance(metric, Accuracy) or metric in (mean_squared_error, mean_absolute_error)


def counted(metric: Metric, outputs: Array, targets: Array) -> Array | int:
    """How many of the examples the mean is over: all, or those whose labels ``Accuracy`` does not leave out."""
    if isinstance(metric, Accuracy) and not _one_column(outputs) and tuple(targets.shape) != tuple(outputs.shape):
        xp, _, y = unify(outputs=outputs, targets=targets)
        return xp.sum(xp.astype(y >= 0, xp.int32))
    return int(outputs.shape[0])


def _classes(xp: Any, a: Array, y: Array, threshold: float) -> tuple[Array, Array, bool]:
    """(predicted classes, actual classes, whether actual ones below 0 are to be left out)."""
    _check_examples("accuracy", a, y)
    real = isdtype(xp, a.dtype, "real floating")
    shapes = f"the outputs have shape {tuple(a.shape)}, the targets {tuple(y.shape)}"
    if _one_column(a):
        if not _one_column(y) or a.shape[0] != y.shape[0]:
            raise ValueError(f"accuracy: {shapes}; one output needs one target for each example")
        a, y = xp.reshape(a, (-1,)), xp.reshape(y, (-1,))
        if real:
            return xp.astype(a > threshold, xp.int32), xp.astype(xp.astype(y, a.dtype) > 0.5, xp.int32), False
        return xp.astype(a, xp.int32), xp.astype(y, xp.int32), False
    predicted = xp.argmax(a, axis=-1)
    if tuple(y.shape) == tuple(a.shape):
        return predicted, xp.argmax(xp.astype(y, _real(xp, a)), axis=-1), False
    if tuple(y.shape) not in (tuple(predicted.shape), (*predicted.shape, 1)):
        raise ValueError(
            f"accuracy: {shapes}; expected labels of shape {tuple(predicted.shape)} or rows of {a.shape[-1]}"
        )
    if not isdtype(xp, y.dtype, "integral"):
        raise TypeError(f"accuracy: labels must be integers; got {y.dtype}: convert them to int64")
    return predicted, xp.astype(xp.reshape(y, predicted.shape), predicted.dtype), True


def _check_examples(name: str, a: Array, y: Array) -> None:
    if a.ndim == 0 or y.ndim == 0:
        raise ValueError(f"{name}: expected arrays whose first axis is the examples; got a single number")
    if prod(a.shape) == 0:
        raise ValueError(f"{name} of 0 examples is undefined; the outputs have shape {tuple(a.shape)}")


def _one_column(a: Array) -> bool:
    return bool(a.ndim == 1 or (a.ndim == 2 and a.shape[1] == 1))


def _real(xp: Any, a: Array) -> Any:
    """The dtype of a, or the library's usual one where a holds integers."""
    if isdtype(xp, a.dtype, "real floating"):
        return a.dtype
    return xp.__array_namespace_info__().default_dtypes()["real floating"]
