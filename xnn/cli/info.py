"""``xnn info``: what can be used here."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import textwrap

from xnn.arrays import available_backends, get_backend
from xnn.cli.options import Parser
from xnn.cli.words import table, version, width
from xnn.contract import Backend, BackendError

__all__ = ["ABOUT", "EXAMPLES", "USAGE", "arguments", "run"]

USAGE = "[--help]"
ABOUT = """\
show every backend: whether it can be used here or why not, its version, its device
"""
EXAMPLES = """\
  xnn info                                    * marks the current backend
  XNN_BACKEND=torch:cuda xnn info             as if this backend were chosen
"""


def arguments(parser: Parser) -> None:
    """It has none."""


def run(options: argparse.Namespace) -> int:
    """Print the table; 1 where the current backend cannot be used."""
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
    print(f"xnn {version()}, Python {platform.python_version()}, {platform.system()} {platform.machine()}\n")
    print(table(("", "backend", "usable", "version", "device, or why it cannot be used"), rows))
    last = "* the current backend; choose another one with XNN_BACKEND=name or xnn.set_backend(name)"
    if current is None:
        last = f"The current backend, XNN_BACKEND={os.environ.get('XNN_BACKEND', '')}, cannot be used: {problem}"
    print("\n" + textwrap.fill(last, width(), break_on_hyphens=False))
    return 1 if current is None else 0


def _describe(name: str, backend: Backend | None, reason: str) -> tuple[str, str, str]:
    """Usable or not, the version of the library, and the device or the reason."""
    if backend is None:
        imported = sys.modules.get(name)  # the library may be there, and its device not
        return "no", str(getattr(imported, "__version__", "-")), reason
    try:
        found = backend.info()
    except Exception as error:  # a backend of someone else may fail in any way; the table still says the rest
        return "yes", "-", f"{backend.device} ({type(error).__name__} when asked for more: {error})"
    return "yes", found.get("version", "-"), found.get("device", str(backend.device))
