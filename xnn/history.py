"""What a training run leaves behind: one number an epoch for the cost and for every metric."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, Sequence
from typing import Any, overload

from xnn.html import html_table, sparkline

__all__ = ["History"]


class History:
    """The values of each epoch by name, and the reason why training stopped.

    Names follow Keras: ``loss``, ``accuracy``, ..., and ``val_loss``, ``val_accuracy``, ... for the
    validation data. Every list has one entry an epoch; an epoch without a value holds NaN::

        history["loss"]         # a list of floats, one an epoch
        history[-1]             # the last epoch, as a dictionary
        history[10:20]          # a History of these epochs
        len(history)            # how many epochs
        "val_loss" in history   # names are what it contains and iterates over
        history.epochs          # range(1, 31): the numbers of the epochs, counted from 1
        history.stop_reason     # "iteration limit: 30 epochs"

    A slice keeps the numbers of its epochs, so that its plot says which ones they are.
    """

    def __init__(
        self,
        values: Mapping[str, Sequence[float]] | None = None,
        *,
        epochs: range | None = None,
        stop_reason: str = "",
    ) -> None:
        self._values = {name: [float(v) for v in column] for name, column in (values or {}).items()}
        lengths = {name: len(column) for name, column in self._values.items()}
        n = max(lengths.values(), default=0) if epochs is None else len(epochs)
        if any(length != n for length in lengths.values()):
            raise ValueError(f"expected one value an epoch under every name, {n} of them; got {lengths}")
        self.epochs = range(1, n + 1) if epochs is None else epochs
        self.stop_reason = stop_reason

    def append(self, logs: Mapping[str, float]) -> None:
        """Append one epoch: its values by name."""
        n = len(self)
        for name in logs:
            self._values.setdefault(name, [float("nan")] * n)
        for name, column in self._values.items():
            column.append(float(logs.get(name, "nan")))
        step = self.epochs.step
        self.epochs = range(self.epochs.start, self.epochs.stop + step, step)

    @overload
    def __getitem__(self, key: str) -> list[float]: ...
    @overload
    def __getitem__(self, key: int) -> dict[str, float]: ...
    @overload
    def __getitem__(self, key: slice) -> History: ...
    def __getitem__(self, key: str | int | slice) -> list[float] | dict[str, float] | History:
        """A name gives its values, a slice the history of these epochs, a number one epoch (from 0)."""
        if isinstance(key, slice):
            part = {name: column[key] for name, column in self._values.items()}
            return History(part, epochs=self.epochs[key], stop_reason=self.stop_reason)
        if isinstance(key, str):
            if key not in self._values:
                raise KeyError(f"no {key!r} in this history; it has: {', '.join(self._values) or 'nothing yet'}")
            return list(self._values[key])
        if not -len(self) <= key < len(self):
            raise IndexError(f"no epoch at index {key}: this history has {len(self)} epochs")
        return {name: column[key] for name, column in self._values.items()}

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def keys(self) -> KeysView[str]:
        """The names, in the order in which they first came."""
        return self._values.keys()

    def items(self) -> ItemsView[str, list[float]]:
        """Pairs of a name and its values."""
        return self.to_dict().items()

    def to_dict(self) -> dict[str, list[float]]:
        """{name: values}, a copy; what ``pandas.DataFrame`` and ``json.dumps`` take."""
        return {name: list(column) for name, column in self._values.items()}

    def plot(self, ax: Any = None) -> Any:
        """The learning curves on the axes ``ax`` of matplotlib (new ones by default); returns the axes."""
        from xnn.plot import history  # needs matplotlib

        return history(self, ax)

    def __repr__(self) -> str:
        n = len(self)
        said = [f"{n} epoch{'' if n == 1 else 's'}"]
        if n:
            said += [f"{name} {column[0]:.4g} → {column[-1]:.4g}" for name, column in self._values.items()]
        if self.stop_reason:
            said.append(f"stop reason: {self.stop_reason}")
        return f"<History of {'; '.join(said)}>"

    def _repr_html_(self) -> str:
        """The same as a table with small curves, for notebooks."""
        rows: list[tuple[str, ...]] = [("", "first", "last", "")]
        rows += [(name, f"{c[0]:.4g}", f"{c[-1]:.4g}", sparkline(c)) for name, c in self._values.items() if c]
        said = [f"{len(self)} epoch{'' if len(self) == 1 else 's'}"]
        return html_table(rows, "; ".join([*said, f"stop reason: {self.stop_reason}"] if self.stop_reason else said))
