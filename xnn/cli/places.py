"""Where files are written: better an error now than after hours of training."""

from __future__ import annotations

import os
from pathlib import Path

from xnn.atomic import has_access, writable

__all__ = ["place"]


def place(path: str | Path, *inputs: str) -> Path:
    """A path that can be written; the files of ``inputs`` must not be.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: where it cannot be written.
        ValueError: where it is one of the inputs.
    """
    path = Path(path)
    writable(path)
    if path.exists() and not has_access(str(path), os.W_OK):
        raise PermissionError(f"{path} cannot be written: no permission")
    for other in inputs:
        if path.exists() and os.path.exists(other) and path.samefile(other):
            raise ValueError(f"{path} is the file {other} that is read, and would be overwritten; give another name")
    return path
