"""The cost and the metrics of many batches, without a wait for the device in between."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from math import prod
from typing import Any, TypeAlias

from xnn.arrays import isdtype, to_numpy
from xnn.contract import Array
from xnn.host import numpy
from xnn.metrics import counted, is_mean, resolve

__all__ = ["Measures", "Meter", "named"]

Measures: TypeAlias = list[tuple[str, Callable[..., Array]]]  # metrics with the names they have in a history

_TOGETHER = 256  # numbers that are joined in one array: libraries that compile do so for each count
_ON_HOST = (float, int, numpy.number)  # one of NumPy's, which is no array, is there already
_HELD = 1 << 22  # values of outputs that are kept, for metrics that are means over examples


class Meter:
    """Collects, batch by batch: the cost with its weight, and what the metrics need.

    A metric that is a mean over examples is taken whenever enough outputs have gathered; for the others,
    such as R², all outputs and targets are kept until the end.
    """

    def __init__(self, xp: Any, measures: Measures) -> None:
        self._xp = xp
        self._means = [(name, f) for name, f in measures if is_mean(f)]
        self._others = [(name, f) for name, f in measures if not is_mean(f)]
        self._order = [name for name, _ in measures]
        # Single numbers, on the device or not, that are to be joined with arrays of one axis before them.
        self._costs: list[Any] = []
        self._weights: list[Any] = []
        self._joined: dict[str, list[Any]] = {name: [] for name in ["cost", "weight"]}
        # Of each mean, its values for groups of batches, and over how many examples each was taken.
        self._joined |= {of: [] for name, _ in self._means for of in (name, _examples(name))}
        self._held: list[tuple[Array, Array]] = []
        self._values = 0  # in the outputs that are held
        self._all: list[tuple[Array, Array]] = []

    def add(self, cost: Array, weight: Array | float, outputs: Array, targets: Array) -> None:
        """A batch: the sum of its costs over ``weight``, or their mean where ``weight`` is its size."""
        self._costs.append(cost)
        self._weights.append(weight)
        if len(self._costs) == _TOGETHER:
            self._join()
        if self._others:
            self._all.append((outputs, targets))
        if self._means:
            self._held.append((outputs, targets))
            self._values += prod(outputs.shape)
            if self._values >= _HELD:
                self._release()

    def numbers(self, name: str) -> Any:
        """All numbers under this name, as a NumPy array of float64; waits for the device."""
        self._join()
        return numpy.concatenate([to_numpy(a).astype("float64") for a in self._joined[name]])

    def mean_cost(self) -> float:
        """The mean of the costs over all examples, of batches that gave their mean and their size."""
        sizes = self.numbers("weight")
        return float((self.numbers("cost") * sizes).sum() / sizes.sum())

    def metrics(self) -> dict[str, float]:
        """The metrics of all batches, by name."""
        self._release()
        found: dict[str, float] = {}
        for name, _ in self._means:
            n = self.numbers(_examples(name))
            found[name] = float((self.numbers(name) * n).sum() / max(n.sum(), 1.0))
        if self._others:
            a, y = self._concatenated(self._all)
            if isdtype(self._xp, y.dtype, "integral"):  # int16 would do for the labels, not for what is made of them
                y = self._xp.astype(y, self._xp.__array_namespace_info__().default_dtypes()["integral"])
            found |= {name: _number(name, f(a, y)) for name, f in self._others}
        return {name: found[name] for name in self._order}

    def state_dict(self) -> dict[str, Any]:
        """What was collected so far."""
        self._join()
        self._held, self._all = ([self._concatenated(pairs)] if pairs else [] for pairs in (self._held, self._all))
        return {
            "numbers": self._joined, "held": self._held, "values": self._values, "all": self._all
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what ``state_dict`` gave."""
        self._joined, self._values = state["numbers"], state["values"]
        self._held, self._all = state["held"], state["all"]

    def _join(self) -> None:
        """Arrays in the place of the single numbers."""
        for single, joined in ((self._costs, self._joined["cost"]), (self._weights, self._joined["weight"])):
            for kind, group in groupby(single, type):
                if issubclass(kind, _ON_HOST):
                    joined.append(numpy.asarray(list(group)))  # in their own type, which is quicker
                else:
                    joined.append(self._xp.concat([self._xp.reshape(a, (1,)) for a in group]))
            single.clear()

    def _release(self) -> None:
        if self._held:
            a, y = self._concatenated(self._held)
            for name, f in self._means:
                self._joined[name].append(self._xp.reshape(f(a, y), (1,)))
                n = counted(f, a, y)
                self._joined[_examples(name)].append(
                    numpy.asarray([n]) if isinstance(n, int) else self._xp.reshape(n, (1,))
                )
            self._held, self._values = [], 0

    def _concatenated(self, pairs: list[tuple[Array, Array]]) -> tuple[Array, Array]:
        """All outputs and all targets; joined in steps, as the single numbers are."""
        while len(pairs) > 1:
            groups = [pairs[i : i + _TOGETHER] for i in range(0, len(pairs), _TOGETHER)]
            pairs = [
                (self._xp.concat([a for a, _ in group]), self._xp.concat([y for _, y in group])) for group in groups
            ]
        return pairs[0]


def _examples(name: str) -> str:
    """The name of the numbers of examples over which the mean of this name was taken."""
    return f"examples of {name}"


def _number(name: str, value: Any) -> float:
    """What a metric of the user's gave, as a Python float."""
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        what = f"an array of shape {tuple(value.shape)}" if hasattr(value, "shape") else repr(value)
        raise TypeError(f"metric {name!r}: expected a function (outputs, targets) -> number; got {what}") from error


def named(metrics: Any, threshold: float) -> Measures:
    """Metrics given by name or as functions, one or several or None, with their names.

    Raises:
        ValueError: where two have the same name.
    """
    given = [metrics] if isinstance(metrics, str) or callable(metrics) else (metrics or ())
    measures = [resolve(metric, threshold) for metric in given]
    names = [name for name, _ in measures]
    for name in names:
        if names.count(name) > 1 or name == "loss":
            raise ValueError(f"metrics: two values would be called {name!r}; give the functions different names")
    return measures
