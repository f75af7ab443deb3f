"""Where files are written: better an error now than after hours of training."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["place"]


def place(path: str | Path, *inputs: str) -> Path:
    """A path that can be written; the files of ``inputs`` must not be.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: where it cannot be written.
        ValueError: where it is one of the inputs.
    """
    path = Path(path)
    folder = path.parent
    if not folder.exists():
        raise FileNotFoundError(f"{path}: the folder {folder} does not exist; create it first")
    if not folder.is_dir():
        raise NotADirectoryError(f"{path}: {folder} is no folder")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; give the name of a file in it")
    if not os.access(path if path.exists() else folder, os.W_OK) or not os.access(folder, os.W_OK):
        raise PermissionError(f"{path} cannot be written: no permission")
    for other in inputs:
        if path.exists() and os.path.exists(other) and path.samefile(other):
            raise ValueError(f"{path} is the file {other} that is read, and would be overwritten; give another name")
    return path
