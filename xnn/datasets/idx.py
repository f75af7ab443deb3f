"""The idx format of MNIST and its kin: a header of a few bytes, and the numbers."""

from __future__ import annotations

import gzip
import os
import zlib
from io import BufferedIOBase
from math import prod

from xnn.errors import FileError
from xnn.host import ndarray, numpy

__all__ = ["read_idx"]

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_PIECE = 1 << 24  # bytes read at a time: a header that promises too much costs no memory


def read_idx(path: str | os.PathLike[str]) -> ndarray:
    """The array in an idx file, compressed by gzip or not.

    The header holds two zero bytes, the code of the type (0x08: uint8, …), the number of axes, and
    the length of each axis as a big-endian integer of 4 bytes; the numbers follow, the last axis fastest.

    Raises:
        FileError: for a file that is missing, of another kind, damaged, cut short or too long.

    Source: LeCun, Cortes & Burges, "The MNIST database".
    """
    place = os.fspath(path)
    try:
        with open(place, "rb") as raw:
            packed = raw.peek(2)[:2] == b"\x1f\x8b"
            return _read(place, gzip.GzipFile(fileobj=raw) if packed else raw)
    except (OSError, EOFError, zlib.error) as error:  # of gzip, too
        reason = getattr(error, "strerror", None) or str(error)
        raise FileError(f"{place} cannot be read: {reason}; expected an idx file, compressed by gzip or not") from error


def _read(place: str, file: BufferedIOBase) -> ndarray:
    head = file.read(4)
    axes = head[3] if len(head) == 4 else 0
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES or axes == 0:
        raise FileError(
            f"{place} is no idx file: it begins with the bytes {head.hex(' ') or '(none)'}; "
            "expected 00 00, a type from 08 to 0e, and the number of axes"
        )
    lengths = file.read(4 * axes)
    shape = tuple(int.from_bytes(lengths[i : i + 4], "big") for i in range(0, len(lengths), 4))
    dtype = numpy.dtype(_TYPES[head[2]])
    wanted = prod(shape) * dtype.itemsize
    content = bytearray()
    while len(lengths) == 4 * axes and len(content) <= wanted:
        piece = file.read(min(_PIECE, wanted + 1 - len(content)))  # one more: is there too much?
        if not piece:
            break
        content += piece
    if len(lengths) < 4 * axes or len(content) != wanted:
        found = "more" if len(content) > wanted else f"{len(content):,}"
        raise FileError(
            f"{place} is damaged or cut short: its header announces shape {shape} of {dtype.name}, {wanted:,} bytes; "
            f"found {found}"
        )
    return numpy.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
