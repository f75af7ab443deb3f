"""The callbacks that come with xnn: early stopping, a smaller step on a plateau, files."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

from xnn.atomic import writable
from xnn.run import Callback, Run, as_callback
from xnn.settings import settle, whole

__all__ = ["CSVLogger", "Callback", "Checkpoint", "EarlyStopping", "Record", "ReduceLROnPlateau", "as_callback"]

_GROWS = ("acc", "auc", "r2", "f1", "precision", "recall")  # parts of names that are better when larger


def _sign(owner: str, monitor: str, mode: str) -> int:
    """+1 where a larger value of this name is better, −1 where a smaller one is."""
    if not isinstance(monitor, str):
        raise TypeError(f"{owner}: monitor: expected a name such as 'val_loss'; got {monitor!r}")
    if mode not in ("auto", "min", "max"):
        raise ValueError(f"{owner}: expected mode 'auto', 'min' or 'max'; got {mode!r}")
    return 1 if mode == "max" or (mode == "auto" and any(part in monitor.lower() for part in _GROWS)) else -1


def _check_monitor(owner: str, monitor: str, run: Run) -> None:
    """Raise ValueError, before the first epoch, where none of them will report such a value."""
    if monitor not in run.names:
        hint = "; what begins with val_ needs data for validation" if monitor.startswith("val_") else ""
        there = ", ".join(run.names)
        raise ValueError(f"{owner} watches {monitor!r}, which no epoch will report; there will be: {there}{hint}")


@dataclass(eq=False)
class EarlyStopping(Callback):
    """Stop when a value has not improved for ``patience`` epochs, and go back to the best weights.

    An epoch improves when the value is better than the best one by more than ``min_delta``; NaN never
    is. ``baseline`` is a value to beat as well: until it is beaten, an improvement does not start the
    count of epochs anew. ``mode`` is ``"min"``, ``"max"``, or ``"auto"``: names with acc, auc, r2,
    f1, precision or recall in them are better when larger, all others when smaller. The first
    ``start_from_epoch`` epochs are passed over, as if they had not been.

    With ``restore_best`` the weights of the best epoch come back at the end of the run, however it
    ends, and the stop reason says so. ``best`` is the best value (NaN: none yet) and ``best_epoch``
    its epoch, counted from 1.

    Raises:
        ValueError: before training, where no epoch will report the ``monitor``.

    Source: Prechelt (1998), "Early stopping – but when?"; the semantics are those of Keras.
    """

    monitor: str = "val_loss"
    _: KW_ONLY
    min_delta: float = 0.0
    patience: int = 0
    mode: str = "auto"
    baseline: float | None = None
    restore_best: bool = True
    start_from_epoch: int = 0
    best: float = field(default=math.nan, init=False, repr=False)
    best_epoch: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        self._sign = _sign("EarlyStopping", self.monitor, self.mode)
        settle(self, min_delta="[0, inf)", **({} if self.baseline is None else {"baseline": "(-inf, inf)"}))
        for name in ("patience", "start_from_epoch"):
            setattr(self, name, whole(f"EarlyStopping: {name}", getattr(self, name), 0))
        self._forget()

    def _forget(self) -> None:
        self.best, self.best_epoch = math.nan, 0
        self._wait = 0  # epochs since the last improvement
        self._reason = ""  # why this callback has stopped the run
        self._state: Any = None  # what the network had learned in the best epoch, ...
        self._step = 0  # ... and the updates up to there

    def on_train_begin(self, run: Run) -> None:
        """Forget an earlier run."""
        self._forget()
        _check_monitor("EarlyStopping", self.monitor, run)

    def on_epoch_end(self, run: Run, logs: dict[str, float]) -> None:
        """Keep the weights of a better epoch; stop when the patience is spent."""
        if run.epoch < self.start_from_epoch:
            return
        value = float(logs[self.monitor])
        self._wait += 1
        if self._beats(value, self.best if self.best_epoch else -self._sign * math.inf):
            self.best, self.best_epoch = value, run.epoch + 1
            if self.restore_best:
                self._state, self._step = run.network.snapshot(), run.step
            if self.baseline is None or self._beats(value, self.baseline):
                self._wait = 0
        elif self._wait >= self.patience and run.epoch > 0:
            self._reason = self._words()
            run.stop(self._reason)

    def state_dict(self) -> dict[str, Any]:
        """The best epoch, its weights, and the count of epochs since."""
        return {name: getattr(self, name) for name in ("best", "best_epoch", "_wait", "_reason", "_state", "_step")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        vars(self).update(state)

    def on_train_end(self, run: Run) -> None:
        """Restore the best weights, and say so where the stop reason does not yet."""
        if self._state is None:
            return
        run.network.restore(self._state)
        self._state = None
        reason = run.history.stop_reason
        told = bool(self._reason) and reason == self._reason
        if not told and run.step != self._step:
            words = f"{self.monitor} was best in epoch {self.best_epoch}: {self.best:.4g} (weights restored)"
            run.history.stop_reason = f"{reason}; {words}" if reason else words

    def _beats(self, value: float, reference: float) -> bool:
        return self._sign * value - self.min_delta > self._sign * reference  # False for NaN

    def _words(self) -> str:
        beaten = self.baseline is None or self._beats(self.best, self.baseline)
        what = "improved" if beaten else f"beaten the baseline {self.baseline:.4g}"
        waited = f"{self._wait} epoch" if self._wait == 1 else f"{self._wait} epochs"
        words = f"early stopping: {self.monitor} has not {what} for {waited}"
        if not self.best_epoch:
            return f"{words}; it was never a finite number"
        restored = " (weights restored)" if self.restore_best else ""
        return f"{words}; best {self.best:.4g} in epoch {self.best_epoch}{restored}"


@dataclass(eq=False)
class ReduceLROnPlateau(Callback):
    """Multiply the learning rate by ``factor`` when a value has not improved for ``patience`` epochs.

    α ← max(factor·α, min_lr), where α is the rate of the optimizer, or of its schedule at this step.
    Then ``cooldown`` epochs pass before epochs are counted again. ``min_delta`` and ``mode`` are as
    in ``EarlyStopping``. ``reductions`` lists what was done, as pairs (epoch, new α).

    Raises:
        ValueError: for a factor that is not between 0 and 1, and as ``EarlyStopping``.

    Source: the semantics are those of Keras.
    """

    monitor: str = "val_loss"
    _: KW_ONLY
    factor: float = 0.1
    patience: int = 10
    mode: str = "auto"
    min_delta: float = 1e-4
    cooldown: int = 0
    min_lr: float = 0.0
    reductions: list[tuple[int, float]] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        settle(self, factor="(0, 1)", min_delta="[0, inf)", min_lr="[0, inf)")
        for name in ("patience", "cooldown"):
            setattr(self, name, whole(f"ReduceLROnPlateau: {name}", getattr(self, name), 0))
        self._sign = _sign("ReduceLROnPlateau", self.monitor, self.mode)

    def on_train_begin(self, run: Run) -> None:
        """Forget an earlier run."""
        self.reductions = []
        self._best = -self._sign * math.inf
        self._wait = self._cooling = 0
        _check_monitor("ReduceLROnPlateau", self.monitor, run)

    def on_epoch_end(self, run: Run, logs: dict[str, float]) -> None:
        """Count the epochs without improvement; reduce the rate when there are enough."""
        value = float(logs[self.monitor])
        if self._cooling:
            self._cooling -= 1
            self._wait = 0
        if self._sign * value > self._sign * self._best + self.min_delta:  # False for NaN
            self._best, self._wait = value, 0
        elif not self._cooling:
            self._wait += 1
            if self._wait >= self.patience:
                self._reduce(run)

    def state_dict(self) -> dict[str, Any]:
        """The best value, the counts of epochs, and what was done."""
        return {name: getattr(self, name) for name in ("reductions", "_best", "_wait", "_cooling")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        vars(self).update(state)

    def _reduce(self, run: Run) -> None:
        lr = run.optimizer.lr
        base = float(lr(run.step) if callable(lr) else lr)
        if base * run.lr_scale > self.min_lr:
            run.lr_scale = max(run.lr_scale * self.factor, self.min_lr / base)
            self.reductions.append((run.epoch + 1, base * run.lr_scale))
            self._cooling, self._wait = self.cooldown, 0


@dataclass(eq=False)
class Checkpoint(Callback):
    """Save the network every so many epochs, or whenever a value is the best so far.

    ``path`` may hold ``{epoch}`` (counted from 1) and names of the logs, with their formats:
    ``"digits-{epoch:03}-{val_loss:.3f}.safetensors"``; else the file is replaced each time, and is
    never half written. With ``monitor``, an epoch is saved only when its value is better than every
    one saved before; ``mode`` is as in ``EarlyStopping``. ``saved`` is the path of the last file.

    Raises:
        OSError: before training, where the file cannot be written (FileNotFoundError where its folder is missing).
        ValueError: before training, for a name in the path, or a monitor, that no epoch will report.
    """

    path: str | os.PathLike[str]
    _: KW_ONLY
    every: int = 1
    monitor: str | None = None
    mode: str = "auto"
    saved: str = field(default="", init=False, repr=False)

    def __post_init__(self) -> None:
        self.every = whole("Checkpoint: every", self.every, 1)
        self._sign = _sign("Checkpoint", self.monitor or "", self.mode)

    def on_train_begin(self, run: Run) -> None:
        """Forget an earlier run; better no folder now than after hours of training."""
        self.saved, self._best = "", -self._sign * math.inf
        if self.monitor is not None:
            _check_monitor("Checkpoint", self.monitor, run)
        path = self._name(0, dict.fromkeys(run.names, 0.0))
        if "{" not in str(Path(self.path).parent):
            writable(path)

    def on_epoch_end(self, run: Run, logs: dict[str, float]) -> None:
        """Save, when it is time or the value is better."""
        if (run.epoch + 1) % self.every:
            return
        if self.monitor is not None:
            value = float(logs[self.monitor])
            if not self._sign * value > self._sign * self._best:  # NaN is no better than anything
                return
            self._best = value
        path = self._name(run.epoch, logs)
        run.network.save(path)
        self.saved = path

    def state_dict(self) -> dict[str, Any]:
        """The last file, and the best value."""
        return {"saved": self.saved, "_best": self._best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        vars(self).update(state)

    def _name(self, epoch: int, logs: dict[str, float]) -> str:
        path = os.fspath(self.path)
        try:
            return path.format(**{**logs, "epoch": epoch + 1})
        except (KeyError, IndexError, ValueError) as error:
            there = ", ".join(["epoch", *logs])
            raise ValueError(
                f"Checkpoint cannot make a file name of {path!r} ({error}); it may name: {there}"
            ) from None


@dataclass(eq=False)
class CSVLogger(Callback):
    """Write the values of each epoch as a line of a CSV file: ``epoch,loss,accuracy,val_loss,...``.

    Epochs count from 1. The file is closed after each line: what it holds stays, whatever happens to
    the run. Its columns are the names that the first epoch reports. With ``append`` an existing file
    is continued.

    Raises:
        OSError: before training, where the file cannot be written.
        ValueError: before training, where the file to be continued has other columns.
    """

    path: str | os.PathLike[str]
    _: KW_ONLY
    append: bool = False

    def on_train_begin(self, run: Run) -> None:
        """Read the names of the columns of a file that is to be continued; another one is kept until the first line."""
        with open(self.path, "a+", encoding="utf-8", newline="", errors="replace") as file:
            file.seek(0)
            text = file.read() if self.append else ""
        self._columns = next(csv.reader(text.splitlines()), [])
        self._begun = self.append
        self._lead = "" if text[-1:] in ("", "\r", "\n") else "\n"  # a last line that was cut short stays one
        names = ["epoch", *run.names]
        if self._columns and self._columns != names:
            raise ValueError(
                f"CSVLogger cannot continue {os.fspath(self.path)!r}: its columns are {', '.join(self._columns)}; "
                f"this run reports {', '.join(names)}; give another path, or append=False"
            )

    def on_epoch_end(self, run: Run, logs: dict[str, float]) -> None:
        """Write one line."""
        rows: list[list[object]] = []
        if not self._columns:
            self._columns = ["epoch", *logs]
            rows.append([*self._columns])
        values: dict[str, object] = {**logs, "epoch": run.epoch + 1}
        rows.append([values.get(name, "") for name in self._columns])
        with open(self.path, "a" if self._begun else "w", encoding="utf-8", newline="") as file:
            file.write(self._lead)
            csv.writer(file, lineterminator="\n").writerows(rows)
        self._begun, self._lead = True, ""

    def state_dict(self) -> dict[str, Any]:
        """All lines so far."""
        return {"text": Path(self.path).read_text(encoding="utf-8") if self._begun else ""}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Write these lines again, and no others: epochs that were lost come once more."""
        with open(self.path, "w", encoding="utf-8", newline="") as file:
            file.write(state["text"])
        self._columns = next(csv.reader(state["text"].splitlines()), [])
        self._begun, self._lead = True, ""


@dataclass(eq=False)
class Record(Callback):
    """Keep ``what(network)`` from before the first epoch and after each one, or each ``every``-th, for a picture::

        path = xnn.Record(lambda network: network.parameters)
        network.fit(x, y, loss=loss, epochs=50, callbacks=[path])
        xnn.plot.landscape(network, x, y, loss, path.values)

    ``values`` lists what was kept, ``epochs`` the epochs after which that was, 0 before the first. A result that
    training changes later must be a copy; what the network's own methods return is one.
    """

    what: Callable[[Any], Any]
    _: KW_ONLY
    every: int = 1
    values: list[Any] = field(default_factory=list, init=False, repr=False)
    epochs: list[int] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self.every = whole("Record: every", self.every, 1)

    def on_train_begin(self, run: Run) -> None:
        """Forget an earlier run, and keep the beginning."""
        self.values, self.epochs = [self.what(run.network)], [0]

    def on_epoch_end(self, run: Run, logs: dict[str, float]) -> None:
        """Keep what is there after this epoch."""
        if (run.epoch + 1) % self.every == 0:
            self.values.append(self.what(run.network))
            self.epochs.append(run.epoch + 1)

    def state_dict(self) -> dict[str, Any]:
        """What was kept."""
        return {"values": self.values, "epochs": self.epochs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Keep more."""
        vars(self).update(state)
