"""A training run as those who watch it see it, and what a watcher is: the callback.

A callback is told of three things: the run begins, an epoch has ended, the run is over (however it
ends: by its limit, by Ctrl-C, by an error). The callbacks that come with xnn are in
``xnn.callbacks``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from xnn.history import History

__all__ = ["Callback", "TrainingRun", "as_callback"]


class TrainingRun(Protocol):
    """A training run (``xnn.training.Run``), as a callback sees it."""

    network: Any  # .snapshot() and .restore(state) of what it learned, .save(path)
    optimizer: Any
    history: History
    epoch: int  # the one that just ended, counted from 0
    epochs: int  # the limit
    step: int  # updates so far
    samples: int | None  # examples in an epoch; None where that is not known
    lr_scale: float  # multiplies the learning rate of the optimizer

    def stop(self, reason: str) -> None:
        """Stop after this epoch. The first reason given is the one that the history keeps."""


class Callback:
    """Derive from it, and write those of the three methods that you need."""

    def on_train_begin(self, run: TrainingRun) -> None:
        """Before the first epoch; what an earlier run left in the callback is forgotten here."""

    def on_epoch_end(self, run: TrainingRun, logs: dict[str, float]) -> None:
        """After each epoch, with its values by name: loss, accuracy, val_loss, ..."""

    def on_train_end(self, run: TrainingRun) -> None:
        """After the last epoch, however the run ends."""


@dataclass(frozen=True)
class _Function(Callback):
    """A plain function as a callback."""

    function: Callable[[int, dict[str, float]], object]

    def on_epoch_end(self, run: TrainingRun, logs: dict[str, float]) -> None:
        result = self.function(run.epoch, logs)
        # Only a truth value stops, not any result that happens to be true; NumPy has its own kind.
        if type(result).__name__ in ("bool", "bool_") and result:
            name = getattr(self.function, "__name__", type(self.function).__name__)
            run.stop(f"callback: {name} returned True after epoch {run.epoch + 1}")


def as_callback(callback: Callback | Callable[[int, dict[str, float]], object]) -> Callback:
    """The callback itself, or a function ``f(epoch, logs)`` made one; epochs count from 0, as in Keras.

    Training stops when the function returns True.

    Raises:
        TypeError: for anything else.
    """
    if isinstance(callback, Callback):
        return callback
    if isinstance(callback, type):
        raise TypeError(f"expected a callback; got the class {callback.__name__}: write {callback.__name__}()")
    if not callable(callback):
        raise TypeError(f"expected a callback or a function f(epoch, logs); got {callback!r}")
    try:
        inspect.signature(callback).bind(0, {})
    except ValueError:  # a function written in C may not tell what it takes
        pass
    except TypeError as error:
        raise TypeError(
            f"a callback function is called as f(epoch, logs); {callback!r} takes others: {error}"
        ) from None
    return _Function(callback)
