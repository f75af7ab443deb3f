"""Optional libraries, imported on use."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["need"]


def need(library: str, function: str) -> Any:
    """The library, or an error that says which function needs it and how to install it.

    Raises:
        ImportError: where it is not there, or does not work.
    """
    try:
        return import_module(library)
    except ImportError as error:
        raise ImportError(
            f"xnn.exchange.{function} needs {library}: pip install {library}, or all of them by "
            f"pip install 'xnn-arrays[exchange]' ({error})"
        ) from error
