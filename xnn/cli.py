"""The command line: ``python -m xnn info`` and ``python -m xnn gpu-report``."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from xnn.arrays import Backend, BackendError, available_backends, get_backend

__all__ = ["main"]

_WIDTH = 100  # columns, at most
_COMMANDS = ("info", "gpu-report")
_HELP = """\
xnn trains neural networks on the array library of your choice, its backend.

commands:
  info          show every backend: whether it can be used here or why not, its version, its device
  gpu-report    try everything on a GPU through CuPy, and write a report (gpu-report.md)
"""
_EXAMPLES = """\
examples:
  python -m xnn info                          what can be used here; * marks the current backend
  python -m xnn gpu-report --output gpu.md    tests, examples, a run against NumPy, speed, a verdict
  XNN_BACKEND=cupy python train.py            run a program of yours on an NVIDIA GPU
  XNN_BACKEND=torch:cuda python -m xnn info   a device may follow a colon

in Python:
  xnn.set_backend("cupy")                     for the whole program
  with xnn.use_backend("numpy"): ...          for a part of it
  xnn.Network(..., backend="torch")           for one network
"""


class _Parser(argparse.ArgumentParser):
    """Errors in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"xnn: {message}; try: {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return the exit status: 0, or 1 where the current backend cannot be used
    (``info``) or something failed (``gpu-report``).

    Wrong arguments exit with status 2 and one line on stderr.
    """
    parser = _Parser(
        prog="python -m xnn",
        usage="python -m xnn [--help] [--version] command [--output FILE]",
        description=_HELP,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)  # the description says what there is
    parser.add_argument("--version", action="version", version=f"xnn {_version()}", help="show the version of xnn")
    parser.add_argument("--output", metavar="FILE", help="where gpu-report writes its report")
    options = parser.parse_args(arguments)
    command = options.command
    if command is None:
        parser.print_help()
        return 0
    if command not in _COMMANDS:
        parser.error(f"unknown command {command!r}; known are: {', '.join(_COMMANDS)}")
    if command == "gpu-report":
        return _gpu_report(options.output or "gpu-report.md")
    if options.output is not None:
        parser.error(f"{command} takes no --output")
    return _info()


def _gpu_report(path: str) -> int:
    from xnn.gpu_report import gpu_report

    try:
        passed = gpu_report(Path(path), lambda words: print(f"trying {words} …", flush=True))
    except (BackendError, OSError) as error:
        print(f"xnn: no report: {error}", file=sys.stderr)
        return 1
    print(f"{'everything that was tried passed' if passed else 'something FAILED'}; the report is {path}")
    return 0 if passed else 1


def _info() -> int:
    reasons = available_backends()
    current, problem = None, ""
    try:
        current = get_backend()
    except BackendError as error:
        problem = str(error)
    rows = []
    for name, reason in reasons.items():
        chosen = current is not None and current.name == name
        backend = current if chosen else None if reason else get_backend(name)
        rows.append(("*" if chosen else "", name, *_describe(name, backend, reason)))
    print(f"xnn {_version()}, Python {platform.python_version()}, {platform.system()} {platform.machine()}\n")
    print(_table(("", "backend", "usable", "version", "device, or why it cannot be used"), rows))
    last = "* the current backend; choose another one with XNN_BACKEND=name or xnn.set_backend(name)"
    if current is None:
        last = f"The current backend, XNN_BACKEND={os.environ.get('XNN_BACKEND', '')}, cannot be used: {problem}"
    print("\n" + textwrap.fill(last, _width(), break_on_hyphens=False))
    return 1 if current is None else 0


def _describe(name: str, backend: Backend | None, reason: str) -> tuple[str, str, str]:
    """Usable or not, the version of the library, and the device or the reason."""
    if backend is None:
        imported = sys.modules.get(name)  # the library may be there, and its device not
        return "no", str(getattr(imported, "__version__", "-")), reason
    try:
        info = backend.info()
    except Exception as error:  # a backend of someone else may fail in any way; the table still says the rest
        return "yes", "-", f"{backend.device} ({type(error).__name__} when asked for more: {error})"
    return "yes", info.get("version", "-"), info.get("device", str(backend.device))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The rows in columns; the last one is wrapped in its place, or below the row where that is narrow."""
    widths = [max(map(len, column)) for column in list(zip(head, *rows, strict=True))[:-1]]
    indent = sum(widths) + 2 * len(widths)
    room = _width() - indent
    lines = []
    for row in (head, *rows):
        line = "".join(f"{cell:{width}}  " for cell, width in zip(row[:-1], widths, strict=True))
        if room >= 30:
            first, *more = textwrap.wrap(row[-1], room, break_on_hyphens=False) or [""]
            lines += [line + first, *(" " * indent + part for part in more)]
        else:
            lines += [line, textwrap.indent(textwrap.fill(row[-1], _width() - 6, break_on_hyphens=False), " " * 6)]
    return "\n".join(line.rstrip() for line in lines)


def _width() -> int:
    return max(min(shutil.get_terminal_size().columns, _WIDTH), 20) if sys.stdout.isatty() else _WIDTH


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("xnn-arrays")
    except PackageNotFoundError:
        return "(not installed)"
