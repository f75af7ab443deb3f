"""From the columns of a table to the numbers of a network: what is learned once and kept with the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from xnn.datasets.dataset import Dataset
from xnn.datasets.table import Table, known
from xnn.errors import FileError
from xnn.host import ndarray, numpy

__all__ = ["MISSING_VALUES", "Encoding", "Feature"]

MISSING_VALUES = ("error", "drop", "mean")
_REMEDY = "have such rows left out (option missing: drop), or the mean put in its place (missing: mean)"


@dataclass(frozen=True)
class Feature:
    """A column of inputs: a number, or for a text one input for each category, 1 for its own and 0 for the others."""

    name: str
    categories: tuple[str, ...] = ()
    fill: float | None = None  # stands for a missing number

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of its inputs: ``age``, or ``city=Oslo`` and ``city=Rome``."""
        return tuple(f"{self.name}={category}" for category in self.categories) or (self.name,)


@dataclass(frozen=True)
class Encoding:
    """How a table becomes the inputs x and the targets y of a network.

    Attributes:
        features: the columns that are inputs, in order.
        target: the column to be predicted.
        classes: its classes, in the order of their numbers; empty where it is a number.
        missing: what a missing value is: ``"error"``, a row to ``"drop"``, or (``"mean"``) the mean of its column
            in training, and no category at all for a text.
    """

    features: tuple[Feature, ...]
    target: str
    classes: tuple[str, ...] = ()
    missing: str = "error"

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the columns of x."""
        return tuple(name for feature in self.features for name in feature.inputs)

    def dataset(self, table: Table, name: str = "") -> Dataset:
        """x and y of a table, with their names."""
        x, y = self.inputs(table), self.targets(table)
        return Dataset(x, y, name=name or table.source, feature_names=self.feature_names, classes=self.classes)

    def inputs(self, table: Table, *, unseen: str = "error") -> ndarray:
        """x, (rows, inputs), float64; NaN for a missing number, unless the feature has a ``fill``.

        A missing text, and with ``unseen="zeros"`` one that is none of the categories, is 0 in all of them.

        Raises:
            ValueError: for a column that the table lacks.
            FileError: for a text where a number is expected, and a text that is none of the categories.
        """
        parts = []
        for feature in self.features:
            name = self._in(table, feature.name)
            if feature.categories:
                codes = _codes(table, name, table.texts(name), feature.categories, "category", unseen)
                parts.append((codes[:, None] == numpy.arange(len(feature.categories))).astype("float64"))
            else:
                parts.append(table.numbers(name)[:, None])
        return self.fill(numpy.concatenate(parts, axis=1))

    def targets(self, table: Table) -> ndarray:
        """y, (rows,): the numbers of the classes, int64, or the numbers themselves, float64.

        Raises:
            ValueError: where the table lacks the column.
            FileError: for a missing value, a class that is none of ours, a text where a number is expected.
        """
        name = self._in(table, self.target)
        missing = table.missing(name)
        if missing.any():
            raise FileError(f"{table.where(int(missing.argmax()), name)}: the value to be predicted is missing")
        if not self.classes:
            return table.numbers(name)
        return _codes(table, name, table.labels(name), self.classes, "class", "error")

    def complete(self, table: Table, remedy: str = _REMEDY) -> Table:
        """The rows that have what is needed: all of them, or an error, or those that are left, as ``missing`` says.

        The error ends with ``remedy``: what can be done about a missing value.

        Raises:
            FileError: for a missing value that must not be, and where no row is left.
        """
        names = [self._in(table, feature.name) for feature in self.features] if self.missing != "mean" else []
        names += [self.target] * (self.target in table.columns)
        lacks = numpy.zeros(len(table), dtype=bool)
        for name in names:
            missing = table.missing(name)
            if self.missing == "error" and missing.any():
                raise FileError(
                    f"{table.where(int(missing.argmax()), name)}: the value is missing, as it is in {missing.sum()} "
                    f"of {len(table)} rows there; {remedy}"
                )
            lacks |= missing
        if lacks.all():
            raise FileError(f"{table.source}: a value is missing in every row; no row is left")
        return table.take(~lacks) if lacks.any() else table

    def fill(self, x: ndarray) -> ndarray:
        """x with the mean of the training data in the place of NaN, for the features that have one."""
        fills = [feature.fill for feature in self.features for _ in feature.inputs]
        if all(fill is None for fill in fills):
            return x
        means = numpy.asarray([numpy.nan if fill is None else fill for fill in fills])
        filled: ndarray = numpy.where(numpy.isnan(x), means, x)
        return filled

    def with_means(self, x: ndarray) -> Encoding:
        """The encoding that fills with the means of these inputs, over the rows where they are known."""
        known_there = ~numpy.isnan(x)
        sums, counts = numpy.where(known_there, x, 0.0).sum(axis=0), known_there.sum(axis=0)
        means = dict(zip(self.feature_names, (sums / numpy.maximum(counts, 1)).tolist(), strict=True))
        features = (f if f.categories else replace(f, fill=means[f.name]) for f in self.features)
        return replace(self, features=tuple(features))

    def notes(self) -> dict[str, Any]:
        """The encoding as plain JSON."""
        return asdict(self)

    @classmethod
    def from_notes(cls, notes: dict[str, Any]) -> Encoding:
        """The encoding of ``notes``.

        Raises:
            KeyError, TypeError, ValueError: for what ``notes`` has not made.
        """
        features = tuple(
            Feature(str(f["name"]), tuple(map(str, f["categories"])), None if f["fill"] is None else float(f["fill"]))
            for f in notes["features"]
        )
        return cls(features, str(notes["target"]), tuple(map(str, notes["classes"])), str(notes["missing"]))

    def _in(self, table: Table, name: str) -> str:
        what = "the column to be predicted," if name == self.target else "the column"
        return known(name, list(table.columns), f"{table.source} lacks {what}")


def _codes(table: Table, name: str, texts: ndarray, ours: Sequence[str], what: str, unseen: str) -> ndarray:
    """The number of each text among ours; −1 where it is missing or, if that may be, unseen."""
    number = {text: i for i, text in enumerate(ours)}
    codes = numpy.asarray([number.get(text, -1) for text in texts.tolist()], dtype="int64")
    strange = (codes < 0) & (texts != "")
    if unseen == "error" and strange.any():
        row = int(strange.argmax())
        listed = ", ".join(map(repr, ours[:10])) + (", …" if len(ours) > 10 else "")
        raise FileError(
            f"{table.where(row, name)}: {texts[row]!r} is no {what} of the training data, which had: {listed}"
        )
    return codes
