"""What the commands share: the parser whose errors are one line, checked values, the options for files."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, NoReturn

from xnn.arrays import get_backend
from xnn.contract import Backend
from xnn.datasets.files import read_table
from xnn.datasets.table import Table
from xnn.settings import number, whole

__all__ = [
    "Parser",
    "backend_of",
    "choice",
    "common_options",
    "names",
    "real",
    "table_of",
    "table_options",
    "whole_number",
]


class Parser(argparse.ArgumentParser):
    """Errors in one line, which says what to do; texts as they are written, options in full."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        self.exit(2, f"xnn: {message}; try: {self.prog} --help\n")

    def refuse(self, unknown: list[str]) -> NoReturn:
        """Exit for arguments that the command does not have, with the option that was meant."""
        first = unknown[0].partition("=")[0]
        near = get_close_matches(first, re.findall(r"--[a-z][a-z0-9-]+", self.format_help()), 1)
        if first.startswith("-"):
            self.error(
                f"{self.prog.removeprefix('xnn ')} has no option {first}"
                + (f"; did you mean {near[0]}?" if near else "")
            )
        self.error(f"{first!r} is one argument too many")


def real(interval: str) -> Callable[[str], float]:
    """A number in an interval, such as ``"[0, 1)"``."""

    def parse(text: str) -> float:
        try:
            return number("the value", float(text), interval)
        except (TypeError, ValueError):
            raise argparse.ArgumentTypeError(f"expected a number in {interval}; got {text!r}") from None

    return parse


def whole_number(least: int) -> Callable[[str], int]:
    """A whole number that is not below the least one."""

    def parse(text: str) -> int:
        try:
            return whole("the value", int(text), least)
        except (TypeError, ValueError):
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} on; got {text!r}") from None

    return parse


def choice(known: Iterable[str]) -> Callable[[str], str]:
    """One of the known words; small letters, hyphens and underscores do not matter."""
    plain = {re.sub("[-_]", "", word.lower()): word for word in known}

    def parse(text: str) -> str:
        key = re.sub("[-_]", "", text.lower())
        if key in plain:
            return plain[key]
        near = [plain[word] for word in get_close_matches(key, plain, 2)]
        said = f"did you mean {' or '.join(near)}?" if near else f"known are: {', '.join(plain.values())}"
        raise argparse.ArgumentTypeError(f"unknown {text!r}; {said}")

    return parse


def names(text: str) -> list[str]:
    """Names of columns, with commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]


def table_options(parser: Parser) -> None:
    """How the file of data is to be read."""
    group = parser.add_argument_group("the file", "CSV, npz or Parquet; CSV may be compressed by gzip")
    group.add_argument("--delimiter", metavar="C", help='between the cells of CSV; found out among , ; | and "\\t"')
    group.add_argument("--decimal", metavar="C", help="a comma for numbers such as 3,14 (default: a point)")
    group.add_argument(
        "--header", action=argparse.BooleanOptionalAction, default=None,
        help="the first row holds the names, or is data, and columns are column1, column2 … (found out)",
    )  # fmt: skip
    group.add_argument("--encoding", metavar="NAME", help="of the text, such as latin-1 (default: utf-8)")


def table_of(options: argparse.Namespace) -> Table:
    """The table in the file ``options.data``; ``-`` is what comes through a pipe."""
    return read_table(
        "/dev/stdin" if options.data == "-" else options.data,
        delimiter="\t" if options.delimiter in ("\\t", "tab") else options.delimiter,
        decimal=options.decimal,
        header=options.header,
        encoding=options.encoding,
    )


def common_options(parser: Any) -> None:
    """Where it runs."""
    parser.add_argument("--backend", metavar="NAME", help="numpy, cupy, torch, jax, cupy:1 … (see xnn info)")


def backend_of(options: argparse.Namespace) -> Backend:
    """The backend that was asked for, or the current one."""
    return get_backend(options.backend)
