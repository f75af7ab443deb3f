"""Counting what a piece of code asks of the emulated device."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cupy_backends

__all__ = ["Counts", "count", "counters"]

#: In the order of Event in library/state.h.
# fmt: off
NAMES = [
    "launch", "gemm", "d2h", "h2d", "d2d", "malloc", "free", "sync", "d2h_bytes", "h2d_bytes", "rand", "sort", "memset",
    "blas_other",
]
# fmt: on

_library = cupy_backends._CUDACPU
_counters = (ctypes.c_uint64 * len(NAMES)).in_dll(_library, "cudacpu_counters")
_divergent = ctypes.c_int.in_dll(_library, "cudacpu_divergent")
_Hook = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint)


def counters() -> dict[str, int]:
    """How often each thing happened since the process began.

    ``launch`` kernel launches, ``gemm`` matrix products, ``blas_other`` other calls of cuBLAS, ``rand`` of
    cuRAND, ``sort`` of Thrust, ``d2h``, ``h2d`` and ``d2d`` copies (device to host, …) and their bytes,
    ``memset``, ``malloc`` and ``free`` (those that the memory pool did not serve), ``sync`` explicit waits
    (a copy to the host waits, too), ``divergent`` barriers that only a part of a warp or block reached.
    """
    return dict(zip(NAMES, _counters, strict=True)) | {"divergent": _divergent.value}


class Counts(dict[str, Any]):
    """The counts of one block, as attributes and as keys."""

    __getattr__ = dict.__getitem__


@contextmanager
def count(trace: bool = False) -> Iterator[Counts]:
    """Count inside a ``with`` block; the counts are there when it has ended.

    With ``trace``, ``kernels`` lists (name, blocks, threads in a block) of each launch, in order.
    """
    before = counters()
    counts = Counts(kernels=[])
    # Kept in a variable until the end: the library holds no reference to a Python callback.
    hook = _Hook(lambda name, grid, block, shared: counts["kernels"].append((name.decode(), grid, block)))
    if trace:
        _library.cudacpu_set_hook(hook)
    try:
        yield counts
    finally:
        if trace:
            _library.cudacpu_set_hook(None)
        counts.update({name: now - before[name] for name, now in counters().items()})
