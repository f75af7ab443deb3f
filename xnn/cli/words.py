"""Text for a terminal, a pipe or a file: tables, one line of an error."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence

__all__ = ["counts", "number_of", "one_line", "table", "version", "width"]

_WIDTH = 100  # columns, at most


def version() -> str:
    """The version of the installed xnn."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("xnn-arrays")
    except PackageNotFoundError:
        return "(not installed)"


def one_line(error: object) -> str:
    """The message of an error without its line breaks; what is said of files goes before the reason."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, KeyError) and error.args:
        error = error.args[0]  # its own text is quoted
    return " ".join(str(error).split()) or type(error).__name__


def number_of(n: int, what: str) -> str:
    """1 row, 2 rows."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def width() -> int:
    """The columns to write in."""
    return max(min(shutil.get_terminal_size().columns, _WIDTH), 20) if sys.stdout.isatty() else _WIDTH


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The rows in columns; the last one is wrapped in its place, or below the row where that is narrow."""
    widths = [max(map(len, column)) for column in list(zip(head, *rows, strict=True))[:-1]]
    indent = sum(widths) + 2 * len(widths)
    room = width() - indent
    lines = []
    for row in (head, *rows):
        line = "".join(f"{cell:{size}}  " for cell, size in zip(row[:-1], widths, strict=True))
        if room >= 30:
            first, *more = textwrap.wrap(row[-1], room, break_on_hyphens=False) or [""]
            lines += [line + first, *(" " * indent + part for part in more)]
        else:
            lines += [line, textwrap.indent(textwrap.fill(row[-1], width() - 6, break_on_hyphens=False), " " * 6)]
    return "\n".join(line.rstrip() for line in lines)


def counts(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    """A confusion matrix: the names before the rows, and above the columns as far as they fit."""
    shown = [name if len(name) <= 16 else f"{name[:15]}…" for name in names]
    left = max(map(len, shown))
    digits = max(len(str(max(max(row) for row in matrix))), 3)
    fitting = (width() - left) // len(names) - 2  # columns for a name above each
    cell = max(digits, min(left, fitting))
    heads = [name if len(name) <= cell else name[:cell] for name in shown]
    lines = [" " * left + "".join(f"  {head:>{cell}}" for head in heads)]
    for name, row in zip(shown, matrix, strict=True):
        lines.append(f"{name:{left}}" + "".join(f"  {count or '.':>{cell}}" for count in row))
    return "\n".join(lines)
