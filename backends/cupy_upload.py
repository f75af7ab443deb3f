"""Batches from the host to the GPU, the next one while the last one is worked on.

Copies run beside kernels only from pinned memory and on a stream of their own. There are two buffers of pinned
memory, and batch after batch this happens:

1. The host waits until the copy of the batch before the last one has left its buffer, and fills it.
2. The copy is queued on the second stream. It begins when the kernels queued so far have ended, because the memory
   on the device may be what one of them has just given back to the pool; those of the coming step run beside it.
3. The batch before is handed out, after the first stream was told to wait for its copy.

So the host is never more than two batches ahead, and the device holds two batches beside the one worked on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import cycle
from typing import Any

import cupy
import numpy

__all__ = ["upload"]

_ALIGNED = 256  # bytes, so that every array begins where copies are fast


def upload(batches: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """The NumPy arrays of each batch (or None) as CuPy's, on the current device."""
    copies = _copies(cupy.cuda.Device().id)
    ahead = None
    try:
        for batch, buffer in zip(batches, cycle((_Buffer(), _Buffer())), strict=False):
            sent = buffer.send(batch, copies)
            if ahead is not None:
                yield _received(*ahead)
            ahead = sent
        if ahead is not None:
            yield _received(*ahead)
    finally:
        copies.synchronize()  # the buffers and what was not handed out are given back now


def _received(arrays: tuple[Any, ...], copied: Any) -> tuple[Any, ...]:
    cupy.cuda.get_current_stream().wait_event(copied)
    return arrays


@lru_cache
def _copies(device: int) -> Any:
    """The second stream of the device; one that blocks would wait for the first one."""
    return cupy.cuda.Stream(non_blocking=True)


def _event() -> Any:
    return cupy.cuda.Event(disable_timing=True)


class _Buffer:
    """Pinned memory for one batch."""

    def __init__(self) -> None:
        self._memory: Any = None
        self._size = 0
        self._copied: Any = None  # the event after the last copy out of it

    def send(self, batch: tuple[Any, ...], copies: Any) -> tuple[tuple[Any, ...], Any]:
        """Queue the copy of a batch; gives its arrays on the device, and the event after the copy."""
        if self._copied is not None and not self._copied.done:
            self._copied.synchronize()
        given = [a for a in batch if a is not None]
        sent = [cupy.empty(a.shape, a.dtype) for a in given]
        copies.wait_event(cupy.cuda.get_current_stream().record(_event()))
        for array, place, a in zip(sent, self._places(given), given, strict=True):
            place[...] = a
            array.set(place, stream=copies)
        self._copied = copies.record(_event())
        arrays = iter(sent)
        return tuple(None if a is None else next(arrays) for a in batch), self._copied

    def _places(self, arrays: list[Any]) -> list[Any]:
        """A part of the buffer for each of the arrays, of its shape and type."""
        starts = numpy.cumsum([0, *(-(-a.nbytes // _ALIGNED) * _ALIGNED for a in arrays)]).tolist()
        if starts[-1] > self._size:
            self._memory, self._size = cupy.cuda.alloc_pinned_memory(starts[-1]), starts[-1]
        return [
            numpy.frombuffer(self._memory, a.dtype, a.size, start).reshape(a.shape)
            for a, start in zip(arrays, starts, strict=False)
        ]
