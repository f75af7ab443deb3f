"""Memory for NumPy's arrays: where they begin, and what becomes of that which is freed."""

from __future__ import annotations

import math
from typing import Any

import numpy

__all__ = ["copied", "empty", "keep_freed"]

_LINE = 64  # bytes of a cache line, and of the largest register
_SMALL = 1024  # bytes of an array for which it does not matter where it begins


def empty(shape: tuple[int, ...], dtype: Any) -> Any:
    """An array that begins with a cache line.

    NumPy's own begin anywhere at a multiple of 16, so that three of four have every register of 64 bytes read from
    two lines. For what is gone through again and again, such as the parameters and what an optimizer remembers,
    that is up to a quarter of the time. Small ones begin anywhere.
    """
    dtype = numpy.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size <= _SMALL:
        return numpy.empty(shape, dtype)
    block = numpy.empty(size + _LINE, "uint8")
    start = -block.ctypes.data % _LINE
    return block[start : start + size].view(dtype).reshape(shape)


def copied(x: Any) -> Any:
    """A copy of the array in such memory."""
    made = empty(x.shape, x.dtype)
    made[...] = x
    return made


def keep_freed() -> None:
    """Ask the C library to keep freed memory instead of handing it back after every array.

    glibc returns the top of the heap to the system whenever an array is freed, and the next one
    costs a page fault for every 4 KiB again. Freeing one block just under 32 MiB raises the limits
    at which it does so (``mallopt(3)``, M_TRIM_THRESHOLD, "dynamic"); the block is never touched,
    so it takes no memory. Other C libraries are not affected.
    """
    block = numpy.empty((32 << 20) - 65536, dtype=numpy.uint8)
    del block
