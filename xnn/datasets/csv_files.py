"""Tables from text files, CSV and its kin, by Python's csv module: what the file leaves unsaid is found out."""

from __future__ import annotations

import csv
import gzip
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xnn.datasets.table import Table, as_texts, is_number, numbered, parsed
from xnn.errors import FileError
from xnn.host import numpy

__all__ = ["no_file", "read_csv"]

_DELIMITERS = ";\t|,"  # the comma last: it stands in numbers and texts of the others
_CELLS = 200_000  # turned into columns at a time: the texts of Python take five times the memory
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_LOOK = 50  # rows that decide about the delimiter


def read_csv(
    path: str | os.PathLike[str],
    *,
    delimiter: str | None = None,
    header: bool | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
) -> Table:
    """The table in a text file of one row a line; it may be compressed by gzip.

    Cells are stripped; they may be quoted by ``"`` and then hold delimiters and line ends. Lines without any
    value are skipped, and so is a column without name that is empty or counts the rows from 0.

    Args:
        path: the file.
        delimiter: between the cells; ``None`` finds out which of ``, ; | `` and the tab it is.
        header: whether the first row holds the names; ``None``: it does unless one of its cells is a number.
            Without names, columns are called column1, column2, …
        decimal: ``","`` for numbers such as 3,14; the point by default.
        encoding: of the text; by default what its first bytes say, else UTF-8.

    Raises:
        FileError: for a file that is missing, empty or no such text, names that stand twice, and for rows of
            different lengths, with their lines.
        ValueError: for an unknown delimiter, decimal or encoding.
    """
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise ValueError(f"delimiter: expected one character such as ',' or ';'; got {delimiter!r}")
    if decimal not in (None, ".", ","):
        raise ValueError(f"decimal: expected '.' or ','; got {decimal!r}")
    source, text = os.fspath(path), _text(path, encoding)
    delimiter = delimiter or _delimiter(text)
    rows = _rows(source, text, delimiter)
    place, first = next(rows, (0, []))
    if not first:
        raise FileError(f"{source} is empty; expected a row of names and rows of values")
    first = list(map(str.strip, first))
    if header is None:
        header = not any(map(is_number, first))
    names = first if header else [numbered(i) for i in range(len(first))]
    places: list[int] = [] if header else [place]
    pieces: list[list[Any]] = [[] for _ in names]
    block = [] if header else [first]
    for place, row in rows:
        if len(row) != len(names):
            raise FileError(
                f"{source}, line {place}: {len(row)} cells, where the first row has {len(names)}; a text with "
                f"{delimiter!r} in it must be quoted, and another delimiter must be named (option delimiter)"
            )
        places.append(place)
        block.append(row)
        if len(block) * len(names) >= _CELLS:
            _store(block, pieces)
    _store(block, pieces)
    if not places:
        raise FileError(f"{source} holds names ({', '.join(names[:5])}{', …' if names[5:] else ''}), and no rows")
    columns: dict[str, Any] = {}
    for i, (name, parts) in enumerate(zip(names, pieces, strict=True)):
        column = numpy.concatenate(parts)
        parts.clear()  # of a large file, there is no room for everything twice
        if not name:
            if (column == "").all() or column.tolist() == list(map(str, range(len(column)))):
                continue  # the lines end with a delimiter; pandas has counted the rows
            name = numbered(i)
        if name in columns:
            raise FileError(
                f"{source}: two columns have the name {name!r} (columns {names.index(name) + 1} and {i + 1})"
            )
        columns[name] = _with_point(column) if decimal == "," else column
    return Table(source, columns, numpy.asarray(places), "line")


def _text(path: str | os.PathLike[str], encoding: str | None) -> str:
    try:
        content = Path(path).read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (FileNotFoundError, IsADirectoryError):
        raise FileError(no_file(path)) from None
    except (OSError, EOFError, zlib.error) as error:
        raise FileError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if content[:4] in (b"PAR1", b"PK\x03\x04", b"\x93NUM"):
        raise FileError(
            f"{path} is no text: it is a Parquet, zip, Excel or npy file; expected CSV, or the ending .parquet or .npz"
        )
    marked = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding or marked)
    except LookupError:
        raise ValueError(f"unknown encoding {encoding!r}; usual ones are utf-8, latin-1, cp1252, utf-16") from None
    except UnicodeError as error:
        line = content[: getattr(error, "start", 0)].count(b"\n") + 1
        raise FileError(
            f"{path}, line {line}: the text is not in {encoding or marked.removesuffix('-sig')}; "
            "name its encoding, such as latin-1 or cp1252"
        ) from None
    if "\0" in text:
        raise FileError(f"{path} is no text: there is a zero byte in it; expected CSV")
    return text


def no_file(path: str | os.PathLike[str]) -> str:
    """The words for a path that is no file."""
    return f"{os.fspath(path)} " + ("is a folder; expected a file" if os.path.isdir(path) else "does not exist")


def _delimiter(text: str) -> str:
    """The first one that cuts all of the first rows into equally many cells, more than one; else a comma."""
    for candidate in _DELIMITERS:
        counts = set()
        try:
            for _, (_, row) in zip(range(_LOOK), _rows("", text, candidate), strict=False):
                counts.add(len(row))
        except FileError:
            continue
        if len(counts) == 1 and counts != {1}:
            return candidate
    return ","


def _rows(source: str, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(the line where it begins, its cells) of each row that is not empty."""
    lines = map(re.Match.group, _LINE.finditer(text))  # StringIO would take four bytes a character
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
    line = 1
    try:
        for row in reader:
            if any(map(str.strip, row)):
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise FileError(f"{source}, line {line}: {error}; is a quotation mark missing?") from error


def _store(block: list[list[str]], pieces: list[list[Any]]) -> None:
    """Move rows to the pieces of their columns."""
    for parts, cells in zip(pieces, zip(*block, strict=True), strict=False):
        parts.append(as_texts(cells))
    block.clear()


def _with_point(column: Any) -> Any:
    """Numbers with a comma, 3,14, as numbers with a point; a column that has other texts stays."""
    changed = numpy.strings.replace(column, ",", ".")
    return column if parsed(changed) is None else changed
