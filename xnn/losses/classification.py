"""Losses for classes. Their outputs a are logits: the activation that makes probabilities is inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import array_api_compat

from xnn.arrays import isdtype, to_numpy
from xnn.contract import Array
from xnn.losses.base import Elementwise, Loss, check_examples, column, nonzero
from xnn.numerics import sigmoid
from xnn.settings import number, settle, whole

__all__ = ["BinaryCrossEntropy", "CrossEntropy", "Hinge"]


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """Softmax and cross-entropy over K classes (PyTorch's CrossEntropyLoss).

    With logits a of shape (n, K), p = exp a / Σₖ exp aₖ, and t the row of targets of an example

        L = −Σₖ tₖ log pₖ         ∂L/∂a = p Σₖ tₖ − t         C = Σ L / Σ v

    - Labels, integers 0 … K−1 of shape (n,) or (n, 1): t = w_label · (row with a single 1), v = w_label.
    - Rows of K probabilities (one-hot ones, too): tₖ = wₖ · (the row), v = 1.

    Args:
        label_smoothing: ε; the row of an example becomes (1−ε) · (the row) + ε/K.
        class_weights: w, one for each class; 1 by default.
        ignore_index: examples with this label are left out: t = 0, v = 0. Where all are left out, the
            cost and δ are 0.
    """

    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None
    ignore_index: int = -100

    def __post_init__(self) -> None:
        settle(self, label_smoothing="[0, 1]")
        ignored = whole("CrossEntropy: ignore_index", self.ignore_index, -(2**31))
        if ignored >= 2**31:
            raise ValueError(f"CrossEntropy: ignore_index must fit 32 bits; got {ignored}")
        object.__setattr__(self, "ignore_index", ignored)
        if self.class_weights is not None:
            w: Any = self.class_weights
            w = w if isinstance(w, (list, tuple)) else to_numpy(w).tolist()
            if not isinstance(w, (list, tuple)):
                raise TypeError(f"CrossEntropy: class_weights has one number for each class; got {w!r}")
            w = tuple(number(f"CrossEntropy: class_weights[{k}]", v, "[0, inf)") for k, v in enumerate(w))
            object.__setattr__(self, "class_weights", w)

    def cost_and_delta(self, xp: Any, a: Array, y: Array, weights: Array | None = None) -> tuple[Array, Array]:
        """(C, ∂C/∂a), the work shared between them."""
        # The most frequent case by a shorter way.
        if y.dtype == xp.int16 and weights is None and self.class_weights is None and not self.label_smoothing:
            p, log_p = _softmax(xp, a)
            hit = _one_hot(xp, y, a)
            n = float(a.shape[0])
            return xp.sum(xp.where(hit, log_p, 0.0)) / -n, (p - xp.astype(hit, a.dtype)) / n
        costs, slopes, v = self._examples(xp, a, y)
        if weights is not None:
            costs, slopes, v = weights * costs, column(xp, weights, a) * slopes, weights * v
        total = nonzero(xp, xp.sum(v))
        return xp.sum(costs) / total, slopes / total

    def totals(self, xp: Any, a: Array, y: Array, weights: Array | None = None) -> tuple[Array, Array]:
        """(Σ wᵢLᵢ, Σ wᵢvᵢ)."""
        costs, _, v = self._examples(xp, a, y)
        if weights is not None:
            costs, v = weights * costs, weights * v
        return xp.sum(costs), xp.sum(v)

    def examples(self, xp: Any, a: Array, y: Array) -> tuple[Array, Array]:
        """(L, ∂L/∂a) as above: with the weights of the classes in them, and 0 for what is ignored."""
        return self._examples(xp, a, y)[:2]

    def _examples(self, xp: Any, a: Array, y: Array) -> tuple[Array, Array, Array]:
        """(L, ∂L/∂a, v) for every kind of targets, and all settings."""
        ε, w, device = self.label_smoothing, self.class_weights, array_api_compat.device(a)
        if w is not None:
            w = xp.asarray(w, dtype=a.dtype, device=device)
        if y.ndim == 1:
            t = xp.astype(_one_hot(xp, y, a), a.dtype)
            # 1, or 0 where the label is left out. One that is out of range, on a device where nobody looked at
            # it, makes the cost NaN: a wrong label must not look like a perfect fit.
            counted = xp.where((y < -1) | (y >= a.shape[1]), xp.nan, xp.sum(t, axis=1))
            v = counted if w is None else xp.sum(t * w, axis=1)
            if ε:
                t = (1.0 - ε) * t + xp.reshape((ε / a.shape[1]) * counted, (-1, 1))
        else:
            t, v = y, xp.ones(a.shape[0], dtype=a.dtype, device=device)
            if ε:
                t = (1.0 - ε) * t + ε / a.shape[1]
        if w is not None:
            t = t * w
        p, log_p = _softmax(xp, a)
        costs = -xp.sum(t * xp.where(t != 0.0, log_p, 0.0), axis=1)
        return costs, p * xp.sum(t, axis=1, keepdims=True) - t, v

    def arrange(self, xp: Any, y: Array, shape: tuple[int, ...], seen: Any) -> tuple[Array, str | None]:
        """Labels as int16 of shape (n,) where each is known to count, else as int32; rows as they are.

        So whether there may be labels to ignore shows in the dtype, and a step need neither read the
        labels nor do the arithmetic of leaving some out. Arrays of both kinds, joined, become int32.
        In int32, −1 stands for what is ignored.
        """
        check_examples(self, shape)
        if len(shape) != 2:
            raise ValueError(
                f"CrossEntropy: the outputs must have shape (examples, classes); got {shape}: "
                "reshape them to two axes, the classes last"
            )
        n, K = shape
        if self.class_weights is not None and len(self.class_weights) != K:
            raise ValueError(
                f"CrossEntropy: {len(self.class_weights)} class_weights for {K} outputs; give one for each"
            )
        if not isdtype(xp, y.dtype, ("bool", "integral", "real floating")):
            raise TypeError(
                f"CrossEntropy: the targets must be labels or probabilities; got {y.dtype}; number the classes "
                "from 0, as numpy.unique(labels, return_inverse=True)[1] does"
            )
        whole = isdtype(xp, y.dtype, "integral")
        if tuple(y.shape) == shape and not (whole and K == 1):
            if seen is not None and (seen < 0).any():
                raise ValueError(f"CrossEntropy: the targets are rows of probabilities; got {seen[seen < 0][0]}")
            return y, None
        if tuple(y.shape) not in ((n,), (n, 1)):
            raise ValueError(
                f"CrossEntropy: the outputs have shape {shape}, the targets {tuple(y.shape)}; they must be "
                f"labels of shape ({n},) or rows of probabilities of shape {shape}"
            )
        if not whole:
            raise TypeError(
                f"CrossEntropy: labels must be integers; got {y.dtype} of shape {tuple(y.shape)}: convert them to "
                f"int64, or give rows of probabilities of shape {shape}"
            )
        y = xp.reshape(y, (n,))
        if seen is not None and self._all_count(seen.reshape(n), K):
            return y, "int16"
        y = xp.astype(y, xp.int32)
        return xp.where(y == self.ignore_index, -1, y), "int32"

    def _all_count(self, y: Any, K: int) -> bool:
        """Whether none of the labels is to be ignored; ValueError where one is out of range."""
        low, high = int(y.min()), int(y.max())
        if low >= 0 and high < K and not 0 <= self.ignore_index < K:
            return K <= 2**15
        ignored = y == self.ignore_index
        wrong = ~ignored & ((y < 0) | (y >= K))
        if wrong.any():
            i = int(wrong.argmax())
            hint = ": if the classes are counted from 1, subtract 1" if low == 1 and high == K else ""
            hint = ": for two classes take Dense(2), or BinaryCrossEntropy with one output" if K == 1 else hint
            raise ValueError(
                f"CrossEntropy: label {int(y[i])} of example {i} is out of range; with {K} outputs the labels are "
                f"0 … {K - 1}, or ignore_index={self.ignore_index}{hint}"
            )
        return K <= 2**15 and not ignored.any()


@dataclass(frozen=True)
class BinaryCrossEntropy(Elementwise):
    """Sigmoid and cross-entropy for two classes, or for labels that do not exclude each other.

    With the logit a, σ(a) = 1/(1 + exp −a), targets y in 0 … 1 and r = ``positive_weight``

        ℓ = −r y log σ(a) − (1−y) log(1−σ(a)) = (1−y) a + (1 + (r−1) y) log(1 + exp −a)
        ℓ′ = (1−y) − (1 + (r−1) y) (1 − σ(a))          r = 1: σ(a) − y

    the mean over outputs, too (PyTorch's BCEWithLogitsLoss; r is its pos_weight).
    """

    threshold: ClassVar[float] = 0.0
    positive_weight: float = 1.0

    def __post_init__(self) -> None:
        settle(self, positive_weight="(0, inf)")

    def elements(self, xp: Any, a: Array, y: Array, c: Any) -> tuple[Array, Array]:
        """(ℓ, c ℓ′)."""
        above = xp.astype(a > 0.0, a.dtype) * a  # max(a, 0)
        rest = xp.log1p(xp.exp(a - 2.0 * above))  # log(1 + exp −|a|), which never overflows
        if self.positive_weight == 1.0:
            return above - y * a + rest, c * (sigmoid(xp, a) - y)
        r = self.positive_weight
        v = 1.0 + (r - 1.0) * y
        # The three terms of the cost are positive, so nothing cancels.
        costs = (1.0 - y) * above + r * y * (above - a) + v * rest
        return costs, c * ((1.0 - y) - v * sigmoid(xp, -a))

    def check(self, y: Any) -> None:
        """Targets lie in 0 … 1."""
        wrong = (y < 0) | (y > 1)
        if wrong.any():
            raise ValueError(
                f"BinaryCrossEntropy: the targets lie in 0 … 1; got {y[wrong][0]}: for labels ±1 use Hinge, "
                "or map them by (y + 1)/2"
            )


@dataclass(frozen=True)
class Hinge(Elementwise):
    """A margin: ℓ = max(0, 1 − y a), ℓ′ = −y where 1 − y a > 0, else 0 (Keras's Hinge).

    The targets are ±1; 0 is taken for −1. The mean over outputs, too.
    """

    threshold: ClassVar[float] = 0.0

    def elements(self, xp: Any, a: Array, y: Array, c: Any) -> tuple[Array, Array]:
        """(ℓ, c ℓ′)."""
        m = xp.maximum(1.0 - y * a, 0.0)
        return m, -c * xp.where(m > 0.0, y, 0.0)

    def arrange(self, xp: Any, y: Array, shape: tuple[int, ...], seen: Any) -> tuple[Array, str | None]:
        """0 becomes −1."""
        y, kind = super().arrange(xp, y, shape, seen)
        if not isdtype(xp, y.dtype, "real floating"):
            y = xp.astype(y, xp.int32)  # an unsigned or logical 0 cannot become −1
        return xp.where(y == 0, -1, y), kind

    def check(self, y: Any) -> None:
        """Targets are ±1, or 0 and 1."""
        wrong = (y != 0) & (y != 1) & (y != -1)
        if wrong.any():
            raise ValueError(f"Hinge: the targets are −1 and 1 (or 0 and 1); got {y[wrong][0]}")


def _softmax(xp: Any, a: Array) -> tuple[Array, Array]:
    """(p, log p) of the rows of a; the largest logit is subtracted first, so that nothing overflows.

    A class may be ruled out by the logit −∞: p = 0 and log p = −∞. So a log p that does not count must
    be left out by ``where``; multiplied by 0 it would give NaN.
    """
    z = a - xp.max(a, axis=1, keepdims=True)
    e = xp.exp(z)
    s = xp.sum(e, axis=1, keepdims=True)
    return e / s, z - xp.log(s)


def _one_hot(xp: Any, y: Array, a: Array) -> Array:
    """For each label a row of the shape of a, True in its place; all False for a label that has none."""
    classes = xp.arange(a.shape[1], dtype=y.dtype, device=array_api_compat.device(a))
    return xp.reshape(y, (-1, 1)) == classes
