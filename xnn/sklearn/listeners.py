"""How callbacks, and the progress bar, are told of the training of an estimator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from xnn.losses import Loss
from xnn.run import Run, as_callbacks

__all__ = ["begin", "listening", "step_ended"]


def begin(est: Any, loss: Loss, optimizer: Any, samples: int, names: list[str]) -> Run:
    """The training as callbacks see it; each epoch reports values with these names."""
    network, most = est.network_, est.max_iter
    return Run(network, loss, optimizer, most, samples, [], None, None, None, None, "cost", None, names=names)


def step_ended(run: Run) -> None:
    """Count an update of the network, and tell of it."""
    run.step += 1
    for listener in run.callbacks:
        listener.on_step_end(run)


@contextmanager
def listening(est: Any, run: Run) -> Iterator[Callable[[dict[str, float]], None]]:
    """A function that tells of the end of an epoch; the begin and the end are told here."""
    listeners = as_callbacks(est.callbacks)
    if est.verbose == "progress":
        from xnn.progress import Progress

        listeners.append(Progress())
    run.callbacks = listeners

    def epoch_ended(logs: dict[str, float]) -> None:
        run.history.append(logs)
        if est.verbose and est.verbose != "progress":
            print(f"Iteration {est.n_iter_}, loss = {logs['loss']:.8f}")
            if est.solver != "lbfgs" and est.early_stopping:
                print(f"Validation score: {est.validation_scores_[-1]:f}")
        for listener in listeners:
            listener.on_epoch_end(run, logs)

    with ExitStack() as endings:
        for listener in listeners:
            endings.callback(listener.on_train_end, run)
            listener.on_train_begin(run)
        try:
            yield epoch_ended
        finally:
            run.history.stop_reason = run.reason
