"""A training run as those who watch it see it, and what a watcher is: the callback.

A callback is told of four things: the run begins, a step or an epoch has ended, the run is over (however it
ends: by its limit, by Ctrl-C, by an error). The callbacks that come with xnn are in
``xnn.callbacks``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from xnn.history import History
from xnn.meter import Meter

__all__ = ["Callback", "Run", "as_callback", "as_callbacks"]


@dataclass
class Run:
    """One call of ``fit`` while it is under way: its settings, and what callbacks see and may change."""

    network: Any
    loss: Any
    optimizer: Any
    epochs: int  # the limit
    samples: int | None  # examples of an epoch; None for an iterable of batches
    measures: Any  # the metrics, by name
    penalty: Any
    clip_norm: float | None
    clip_value: float | None
    tol: float | None
    stop_on: str
    check_every: int | None
    batch_size: int | None = None
    shuffle: bool = False
    data: Any = field(default=None, repr=False)  # the examples, and those for validation
    validation: Any = field(default=None, repr=False)
    callbacks: list[Callback] = field(default_factory=list, repr=False)
    names: list[str] = field(default_factory=list)  # of the values that each epoch reports: loss, accuracy, …
    history: History = field(default_factory=History)
    epoch: int = 0  # the one under way, or that just ended, counted from 0
    batch: int = 0  # batches of the epoch under way that are done
    meter: Meter | None = field(default=None, repr=False)  # their costs and metrics, ...
    total: Any = field(default=None, repr=False)  # ... and the sum of their gradients, where its norm decides
    interrupted: bool = False  # the user has asked to stop, in the middle of an epoch
    step: int = 0  # updates so far
    lr_scale: float = 1.0  # multiplied into the step size of the optimizer
    reason: str = ""  # why training stops; "" while it goes on
    state: Any = field(default=None, repr=False)  # the optimizer's

    @property
    def backend(self) -> Any:
        """The backend of the network."""
        return self.network.backend

    def stop(self, reason: str) -> None:
        """Stop after this epoch; the first reason given is the one that is told."""
        self.reason = self.reason or reason


class Callback:
    """Derive from it, and write those of the methods that you need.

    A callback that remembers something from epoch to epoch gives it to ``BackupAndRestore`` as
    ``state_dict()``: numbers, texts and arrays, in lists and dictionaries; and takes it back by
    ``load_state_dict(state)``, after ``on_train_begin``.
    """

    def on_train_begin(self, run: Run) -> None:
        """Before the first epoch; what an earlier run left in the callback is forgotten here."""

    def on_step_end(self, run: Run) -> None:
        """After each update; whoever reads an array here waits for the device."""

    def on_epoch_end(self, run: Run, logs: dict[str, float]) -> None:
        """After each epoch, with its values by name: loss, accuracy, val_loss, ..."""

    def on_train_end(self, run: Run) -> None:
        """After the last epoch, however the run ends."""

    def state_dict(self) -> dict[str, Any]:
        """What the callback remembers, so that another process can go on with the run."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Remember what ``state_dict`` gave."""


@dataclass(frozen=True)
class _Function(Callback):
    """A plain function as a callback."""

    function: Callable[[int, dict[str, float]], object]

    def on_epoch_end(self, run: Run, logs: dict[str, float]) -> None:
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


def as_callbacks(
    given: Iterable[Callback | Callable[..., Any]] | Callback | Callable[..., Any] | None,
) -> list[Callback]:
    """The callbacks in a list, where one, several or none (None, too) are given."""
    several: Any = [given] if isinstance(given, Callback) or callable(given) else given or ()
    return [as_callback(one) for one in several]
