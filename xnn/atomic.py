"""Files that are written whole or not at all, whatever happens to the process meanwhile."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["has_access", "replacing", "writable"]


def writable(path: Any) -> str:
    """Where a file of this path is written: the path itself, or what the link at it points to.

    Whoever will write to it after hours of training asks before.

    Raises:
        OSError: where it cannot be written (FileNotFoundError where its folder is missing).
    """
    target = os.path.realpath(os.fsdecode(path))
    folder = os.path.dirname(target)
    if not os.path.exists(folder):
        raise FileNotFoundError(f"{path}: the folder {folder} does not exist; create it first")
    if not os.path.isdir(folder):
        raise NotADirectoryError(f"{path}: {folder} is no folder")
    if os.path.isdir(target):
        raise IsADirectoryError(f"{path} is a folder; give the name of a file in it")
    if os.path.exists(target) and not os.path.isfile(target):
        raise OSError(f"{path} is a device or a pipe, and would be replaced by a file; give the name of a file")
    if not has_access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)
    return target


def has_access(path: str, mode: int) -> bool:
    """Whether this process may read or write there (``os.R_OK``, ``os.W_OK``)."""
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


@contextlib.contextmanager
def replacing(path: Any) -> Iterator[BinaryIO]:
    """A binary file to write to, which takes the place of ``path`` at the end, if nothing has failed.

    It is a temporary file in the same folder (``.xnn-….tmp``), flushed to disk before it is moved in one step.
    When writing fails it is removed; only a killed process can leave one behind, and the next call for that
    folder removes it.

    Raises:
        OSError: where the file cannot be written (FileNotFoundError where its folder is missing).
    """
    target = writable(path)  # a link stays, and what it points to is replaced
    folder = os.path.dirname(target)
    _sweep(folder)
    with _temporary(folder) as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:  # such as a full disk, which does not say of which file
            if error.errno is not None:  # one that is words alone would lose them for the name
                error.filename = error.filename or os.fspath(path)
            raise
        if fcntl is None:
            file.close()  # Windows moves no open file
        os.replace(file.name, target)
    if os.name == "posix":  # the new name itself is on disk only when the folder is
        _flush(folder)


@contextlib.contextmanager
def _temporary(folder: str) -> Iterator[BinaryIO]:
    """A new file for the time of writing, removed at the end if it is still there.

    It is locked until then: a lock ends with its process, however that ends, so that ``_sweep`` can tell
    what is left over from what another process is writing.
    """
    while True:
        place = os.path.join(folder, f".xnn-{os.urandom(8).hex()}.tmp")
        try:
            file = open(place, "xb")  # noqa: SIM115 -- closed below
        except OSError as error:
            error.filename = folder  # nobody has heard of the temporary file
            raise
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
                if not os.path.exists(place):  # swept in the moment before it was locked
                    continue
            yield file
            return
        finally:
            file.close()
            with contextlib.suppress(OSError):
                os.unlink(place)


def _sweep(folder: str) -> None:
    """Remove what killed processes have left in the folder (where files can be locked)."""
    for name in os.listdir(folder) if fcntl is not None else ():
        if re.fullmatch(r"\.xnn-[0-9a-f]{16}\.tmp", name):
            with contextlib.suppress(OSError), open(os.path.join(folder, name), "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails where a process is writing it
                os.unlink(file.name)


def _flush(folder: str) -> None:
    """Have the system write a folder to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
