"""Columns of raw data, as a file holds them; what they mean for a network is decided in ``encoding``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from xnn.errors import FileError
from xnn.host import ndarray, numpy

__all__ = ["MISSING", "Table", "as_column", "as_texts", "has_comma", "is_number", "known", "numbered", "parsed"]

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
    _numbers: dict[str, ndarray | None] = field(default_factory=dict, init=False, repr=False)  # parsed once, when asked

    def __len__(self) -> int:
        return len(self.places)

    def take(self, rows: ndarray) -> Table:
        """The table of these rows: a mask, or their numbers."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        taken = replace(self, columns=columns, places=self.places[rows])
        taken._numbers.update({name: n[rows] for name, n in self._numbers.items() if n is not None})
        return taken

    def filled(self, name: str) -> Table:
        """This column alone, in the rows where it has a value."""
        alone = replace(self, columns={name: self.columns[name]})
        if name in self._numbers:
            alone._numbers[name] = self._numbers[name]
        return alone.take(~self.missing(name))

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
        if self._parsed(name) is not None:
            return int((~self.missing(name)).sum())
        return sum(count for text, count in Counter(self.columns[name].tolist()).items() if is_number(text))

    def is_numeric(self, name: str) -> bool:
        """Whether every cell that is not missing holds a number, and there is one."""
        return not self.missing(name).all() and self._parsed(name) is not None

    def numbers(self, name: str) -> ndarray:
        """The column as float64, NaN where a value is missing.

        Raises:
            FileError: for the first cell that is no number, or infinite.
        """
        numbers = self._parsed(name)
        if numbers is None:
            texts = self.columns[name].tolist()
            row, text = next((i, text) for i, text in enumerate(texts) if text and not is_number(text))
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

    def _parsed(self, name: str) -> ndarray | None:
        """The column as numbers, NaN for missing ones, or None where one is no number."""
        column = self.columns[name]
        if column.dtype.kind == "f":
            return column
        if name not in self._numbers:
            self._numbers[name] = parsed(column)
        return self._numbers[name]


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
    return as_texts(_strings(array).tolist())


def as_texts(cells: Sequence[str]) -> ndarray:
    """A column of a table from the cells of a file."""
    cells = list(map(str.strip, cells))
    if not MISSING.isdisjoint(cells):
        cells = ["" if cell in MISSING else cell for cell in cells]
    return numpy.asarray(cells, dtype=numpy.dtypes.StringDType())


def is_number(text: str) -> bool:
    """Whether a cell reads as a number; Python's underscores do not."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def has_comma(text: str) -> bool:
    """Whether a cell is a number but for its commas: 3,14 or 1,234,567."""
    return "," in text and is_number(text.replace(",", ""))


def parsed(texts: ndarray) -> ndarray | None:
    """The numbers of a column of texts, NaN for missing ones, or None where one is no number."""
    filled = texts != ""
    numbers: ndarray = numpy.full(len(texts), numpy.nan)
    try:
        numbers[filled] = texts[filled].astype("float64")
    except ValueError:
        return None
    return None if (numpy.strings.find(texts, "_") >= 0).any() else numbers


def _words(value: float) -> str:
    return "" if value != value else f"{value:.0f}" if value.is_integer() else repr(value)


def _strings(texts: Any) -> ndarray:
    if not isinstance(texts, ndarray):
        texts = [str(text) for text in texts]
    return numpy.asarray(texts, dtype=numpy.dtypes.StringDType())
