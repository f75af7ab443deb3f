"""What the columns of a table mean, found out from their values: numbers or categories, classes or a quantity."""

from __future__ import annotations

import re
from collections.abc import Sequence

from xnn.datasets.encoding import MISSING_VALUES, Encoding, Feature
from xnn.datasets.table import Table, has_comma, is_number, known
from xnn.errors import FileError
from xnn.host import numpy

__all__ = ["learn"]

_CLASSES = 20  # more whole numbers than that are no classes, unless asked for
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}( .*)?|\d{1,2}:\d{2}(:\d{2}.*)?"
)


def learn(
    table: Table,
    target: str,
    *,
    task: str | None = None,
    ignore: str | Sequence[str] = (),
    text: str | Sequence[str] = (),
    missing: str = "error",
    max_categories: int = 100,
) -> tuple[Encoding, list[str]]:
    """The encoding for this table, and remarks on what was decided.

    A column is a number where each of its values is one, else it has categories, the texts that occur. Columns of
    one value only say nothing and are left out. The target has classes where it is a text, or a whole number with
    at most 20 different values, each three times on average; else it is a number.

    Args:
        table: the raw data.
        target: the column to be predicted.
        task: ``"classification"`` or ``"regression"``, if it shall not be found out.
        ignore: columns that are no inputs, or one.
        text: columns, or one, that have categories though they hold numbers.
        missing: what to do about missing values; see ``Encoding``.
        max_categories: more different texts in a column are an error.

    Raises:
        ValueError: for unknown columns and options, and where nothing is left to learn from or to predict.
        FileError: for columns that are neither numbers nor categories, with the cell or the reason.
    """
    if missing not in MISSING_VALUES:
        raise ValueError(f"missing: expected one of {', '.join(MISSING_VALUES)}; got {missing!r}")
    names = list(table.columns)
    ignore, text = ([one] if isinstance(one, str) else list(one) for one in (ignore, text))
    for name in (target, *ignore, *text):
        known(name, names, f"{table.source} has no column")
    classes, remark = _target(table, target, task)
    remarks, features = [remark], []
    for name in names:
        if name == target or name in ignore:
            continue
        if _constant(table, name):
            remarks.append(f"column {name!r} has one value only, and is left out")
        elif name not in text and table.is_numeric(name):
            table.numbers(name)  # raises for infinity
            features.append(Feature(name))
        else:
            features.append(Feature(name, _categories(table, name, max_categories, name in text)))
    if not features:
        raise ValueError(
            f"{table.source}: no column is left to predict {target!r} from: the others are constant or ignored"
        )
    return Encoding(tuple(features), target, classes, missing), remarks


def _target(table: Table, name: str, task: str | None) -> tuple[tuple[str, ...], str]:
    """The classes of the target, () for a number, and why."""
    if task not in (None, "classification", "regression"):
        raise ValueError(f"task: expected 'classification' or 'regression'; got {task!r}")
    rows = table.filled(name)
    if not len(rows) or _constant(rows, name):
        raise ValueError(f"{table.source}: the column {name!r} has one value only, or none: nothing to predict")
    numeric = rows.is_numeric(name)
    if task == "regression" or (task is None and not numeric and _mostly_numbers(rows, name)):
        rows.numbers(name)  # raises for a text among them
        return (), f"{name!r} is a number: regression"
    values = numpy.unique(rows.numbers(name)) if numeric else numpy.unique(rows.texts(name))
    if task is None and not numeric:
        _no_commas(f"{table.source}: the column {name!r}", values.tolist(), "classes (option task)")
    few = len(values) <= min(_CLASSES, len(rows) // 3)
    if task is None and numeric and not (few and (values == numpy.floor(values)).all()):
        unless = " (unless the option task says classification)" if len(values) <= _CLASSES else ""
        return (), f"{name!r} is a number: regression{unless}"
    if len(values) > max(len(rows) // 2, 2):
        raise ValueError(
            f"{table.source}: the column {name!r} has {len(values)} different values in {len(rows)} rows; "
            "classes must occur more often to be learned"
        )
    classes = tuple(Table("", {name: values}, values).texts(name).tolist())
    unless = " (unless the option task says regression)" if numeric and task is None else ""
    return classes, f"{name!r} has {len(classes)} classes: classification{unless}"


def _categories(table: Table, name: str, most: int, forced: bool) -> tuple[str, ...]:
    rows = table.filled(name)
    texts = rows.texts(name)
    found = sorted(set(texts.tolist()))
    column = f"{table.source}: the column {name!r}"
    if not forced and _mostly_numbers(rows, name):
        row = next(i for i, text in enumerate(texts.tolist()) if not is_number(text))
        raise FileError(
            f"{rows.where(row, name)}: {texts[row]!r} is no number, but most values there are; mend it, have the "
            "column taken for categories (option text), or leave it out (option ignore)"
        )
    if not forced and all(map(_DATE.fullmatch, found)):
        raise FileError(
            f"{column} holds dates or times such as {found[0]!r}, which are neither numbers nor categories; put "
            "numbers in their place (the year, the day of the year), or leave it out (option ignore)"
        )
    if not forced:
        _no_commas(column, found, "categories (option text)")
    if len(found) > most:
        raise FileError(
            f"{column} has {len(found)} different texts such as {found[0]!r}, more than {most}; leave it out "
            "(option ignore), or allow so many categories (option max-categories)"
        )
    return tuple(found)


def _no_commas(column: str, texts: list[str], else_taken_for: str) -> None:
    """Raise FileError where all of the texts are numbers, some of them with a comma."""
    if all(is_number(text) or has_comma(text) for text in texts):
        shown = next(filter(has_comma, texts), texts[0])
        raise FileError(
            f"{column} holds numbers with a comma such as {shown!r}; if it is the decimal point, say so (option "
            f"decimal); if it parts thousands, remove it; or have the column taken for {else_taken_for}"
        )


def _mostly_numbers(table: Table, name: str) -> bool:
    return 2 * table.count_numbers(name) > len(table)


def _constant(table: Table, name: str) -> bool:
    """Whether all values are one, or missing; a text that is sometimes missing says something."""
    if not table.is_numeric(name):
        return len(set(table.texts(name).tolist())) < 2
    numbers = table.numbers(name)
    return bool(numpy.nanmin(numbers) == numpy.nanmax(numbers))
