"""The cost and the metrics of a network on data that it is not trained on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from xnn.anomaly import watch
from xnn.data import Batch, source
from xnn.losses import Loss
from xnn.meter import Measures, Meter, named
from xnn.penalties import Penalty, check_penalty
from xnn.settings import whole

__all__ = ["evaluate", "measure"]


def evaluate(
    network: Any,
    x: Any,
    y: Any = None,
    *,
    loss: Loss,
    metrics: Iterable[Any] | None = (),
    sample_weight: Any = None,
    penalty: Penalty | None = None,
    batch_size: int | None = None,
    check_finite: bool = False,
) -> dict[str, float]:
    """The cost and the metrics of the network on data, in the mode of prediction.

    Returns:
        ``{"loss": cost, "accuracy": …}``; the arguments are those of ``fit``.
    """
    check_penalty(penalty)
    size = None if batch_size is None else whole("batch_size", batch_size, 1)
    with network.backend.scope():
        data = source(network, loss, x, y, sample_weight, check_finite)
        return measure(network, data.batches(size), loss, named(metrics, loss.threshold), penalty)


def measure(
    network: Any, batches: Iterator[Batch], loss: Loss, measures: Measures, penalty: Penalty | None
) -> dict[str, float]:
    """The cost and the metrics over all examples of the batches, in the mode of prediction."""
    backend = network.backend
    meter = Meter(backend.xp, measures)
    check = watch(network.layers, network.step)
    for x, y, weights in batches:
        outputs = network.forward(x)
        given = [None if a is None else backend.defer(a) for a in (outputs, y, weights)]
        (total, weight), _ = backend.compute(loss.totals(backend.recorder, *given))
        if check is not None:
            check(backend.xp, -1, f"the cost ({type(loss).__name__})", (total,))
        meter.add(total, weight, outputs, y)
    weight = meter.numbers("weight").sum()
    cost = meter.numbers("cost").sum() / weight if weight else 0.0
    if penalty is not None:
        cost += float(network.penalty(penalty))
    return {"loss": float(cost), **meter.metrics()}
