"""The cost and the metrics of a network on data that it is not trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from xnn.arrays import Array
from xnn.data import CHUNK, Batch, source
from xnn.losses import Loss
from xnn.metrics import resolve
from xnn.penalties import Penalty

__all__ = ["Measures", "evaluate", "measure", "named"]

Measures: TypeAlias = list[tuple[str, Callable[..., Array]]]  # metrics with the names they have in a history


def evaluate(
    network: Any,
    x: Any,
    y: Any = None,
    *,
    loss: Loss,
    metrics: Iterable[Any] = (),
    sample_weight: Any = None,
    penalty: Penalty | None = None,
    batch_size: int = CHUNK,
    check_finite: bool = False,
) -> dict[str, float]:
    """The cost and the metrics of the network on data, in the mode of prediction.

    Returns:
        ``{"loss": cost, "accuracy": …}``; the arguments are those of ``fit``.
    """
    measures = named(metrics, loss)
    with network.backend.scope():
        data = source(network, loss, x, y, sample_weight, check_finite)
        return measure(network, data.batches(batch_size), loss, measures, penalty)


def measure(
    network: Any,
    batches: Iterator[Batch],
    loss: Loss,
    metrics: Measures,
    penalty: Penalty | None,
) -> dict[str, float]:
    """The cost and the metrics over all examples of the batches, in the mode of prediction."""
    xp = network.backend.xp
    columns = list(zip(*((network.forward(x), y, w) for x, y, w in batches), strict=True))
    a, y = xp.concat(list(columns[0])), xp.concat(list(columns[1]))
    weights = None if columns[2][0] is None else xp.concat(list(columns[2]))
    cost = loss.cost_and_delta(xp, a, y, weights)[0]
    if penalty is not None:
        cost = cost + network.penalty(penalty)
    return {"loss": float(cost)} | {name: float(metric(a, y)) for name, metric in metrics}


def named(metrics: Any, loss: Loss) -> Measures:
    """Metrics given by name or as functions, one or several, with their names."""
    given = [metrics] if isinstance(metrics, str) or callable(metrics) else metrics
    return [resolve(metric, loss.threshold) for metric in given]
