"""Columns of raw data, as a file holds them; what they mean for a network is decided in ``encoding``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from xnn.errors import FileError
from xnn.host import ndarray, numpy

__all__ = ["MISSING", "Table", "as_column", "has_comma", "is_number", "known", "numbered"]

#: Texts that stand for a missing value: those of pandas, and the question mark of the UCI repository.
MISSING = frozenset(
    "? #N/A #NA N/A NA n/a <NA> NULL Null null None NaN nan NAN -NaN -nan #VALUE! #DIV/0!".split()  # noqa: SIM905
)


@dataclass(frozen=True, eq=False)
class Table:
    """Columns by name, all of one length.

    Attributes:
        source: the path of the file, for messages.
        columns: texts (NumPy's ``StringDType``, stripped, ``""`` where missing) or float64 (NaN where missing).
        places: where each row stands in the file, counted from 1.
        unit: what ``places`` counts: ``"line"`` or ``"row"``.
    """

    source: str
    columns: dict[str, ndarray]
    places: ndarray
    unit: str = "row"

    def __len__(self) -> int:
        return len(self.places)

    def take(self, rows: ndarray) -> Table:
        """The table of these rows: a mask, or their numbers."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        return replace(self, columns=columns, places=self.places[rows])

    def where(self, row: int, name: str) -> str:
        """The words for a cell in a message."""
        return f"{self.source}, {self.unit} {self.places[row]}, column {name!r}"

    def missing(self, name: str) -> ndarray:
        """Which rows have no value in this column: booleans."""
        column = self.columns[name]
        found: ndarray = numpy.isnan(column) if column.dtype.kind == "f" else column == ""
        return found

    def count_numbers(self, name: str) -> int:
        """How many cells hold numbers."""
        column = self.columns[name]
        filled = column[~self.missing(name)]
        if column.dtype.kind == "f" or _parsed(column) is not None:
            return len(filled)
        return sum(map(is_number, filled.tolist()))

    def is_numeric(self, name: str) -> bool:
        """Whether every cell that is not missing holds a number, and there is one."""
        column = self.columns[name]
        return not self.missing(name).all() and (column.dtype.kind == "f" or _parsed(column) is not None)

    def numbers(self, name: str) -> ndarray:
        """The column as float64, NaN where a value is missing.

        Raises:
            FileError: for the first cell that is no number, or infinite.
        """
        column = self.columns[name]
        numbers = column if column.dtype.kind == "f" else _parsed(column)
        if numbers is None:
            row, text = next((i, text) for i, text in enumerate(column.tolist()) if text and not is_number(text))
            comma = "; if the comma is its decimal point, say so (option decimal)" if has_comma(text) else ""
            raise FileError(f"{self.where(row, name)}: {text!r} is no number{comma}")
        infinite = numpy.isinf(numbers)
        if infinite.any():
            raise FileError(f"{self.where(int(infinite.argmax()), name)}: the number must be finite")
        return numbers

    def texts(self, name: str) -> ndarray:
        """The column as texts, ``""`` where a value is missing; whole numbers without a decimal point."""
        column = self.columns[name]
        if column.dtype.kind != "f":
            return column
        return _strings([_words(value) for value in column.tolist()])

    def labels(self, name: str) -> ndarray:
        """The column as the names of classes: ``texts``, but such that 1 and 1.0 are one."""
        return _strings([_words(v) for v in self.numbers(name).tolist()]) if self.is_numeric(name) else self.texts(name)


def known(name: str, names: Sequence[str], what: str) -> str:
    """The name, if it is among these.

    Raises:
        TypeError: for what is no text.
        ValueError: with those that are most like it, else all of them.
    """
    if not isinstance(name, str):
        raise TypeError(f"expected the name of a column; got {name!r}")
    if name in names:
        return name
    near = get_close_matches(name, names, 3) or get_close_matches(name.lower(), [n for n in names if n.islower()], 3)
    near = near or [other for other in names if other.lower() == name.lower()]
    listed = ", ".join(map(repr, names[:20])) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    if len(names) == 1:
        listed += " alone; if it is several, say what stands between them (option delimiter)"
    elif list(names) == [numbered(i) for i in range(len(names))]:
        listed += "; if the first row holds the names, say so (option header)"
    raise ValueError(
        f"{what} {name!r}; " + (f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are: {listed}")
    )


def numbered(i: int) -> str:
    """The name of a column that has none."""
    return f"column{i + 1}"


def as_column(values: Any) -> ndarray:
    """A column of a table from the texts, numbers, truth values or dates of another library."""
    array = numpy.asarray(values)
    if array.dtype.kind in "iuf":
        return array.astype("float64")
    if array.dtype.kind == "O":
        array = _strings(["" if value is None or value != value else value for value in array.tolist()])
    elif array.dtype.kind == "M":
        array = numpy.where(numpy.isnat(array), "", numpy.datetime_as_string(array))
    texts = numpy.strings.strip(_strings(array))
    return numpy.where(numpy.isin(texts, _strings(list(MISSING))), _strings([""]), texts)


def is_number(text: str) -> bool:
    """Whether a cell reads as a number; Python's underscores do not."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def has_comma(text: str) -> bool:
    """Whether a cell reads as a number once its comma is a point: 3,14."""
    return "," in text and is_number(text.replace(",", "."))


def _parsed(texts: ndarray) -> ndarray | None:
    """The numbers of a column of texts, NaN for missing ones, or None where one is no number."""
    try:
        numbers: ndarray = numpy.where(texts == "", _strings(["nan"]), texts).astype("float64")
    except ValueError:
        return None
    return None if (numpy.strings.find(texts, "_") >= 0).any() else numbers


def _words(value: float) -> str:
    return "" if value != value else f"{value:.0f}" if value.is_integer() else repr(value)


def _strings(texts: Any) -> ndarray:
    if not isinstance(texts, ndarray):
        texts = [str(text) for text in texts]
    return numpy.asarray(texts, dtype=numpy.dtypes.StringDType())
