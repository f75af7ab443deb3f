"""NumPy on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy
from xnn.backends.numpy_namespace import fast

from xnn.arrays import Array, Backend, BackendError, Equation

__all__ = ["NumpyBackend"]

_BLOCK = (
    1 << 17
)  # elements of an update that stay in the cache together; Adam on 670,000: 2¹⁷ 1.19 ms, 2¹⁸ 1.40, 2¹⁵ 1.17


class NumpyBackend(Backend):
    """NumPy on the CPU; its only device is ``"cpu"``."""

    name = "numpy"
    library = "numpy"
    install = "pip install numpy"
    xp = fast
    device = "cpu"

    def __init__(self, device: str = "") -> None:
        if device not in ("", "cpu"):
            raise BackendError(f"backend 'numpy' has one device, 'cpu'; got 'numpy:{device}'")
        _keep_freed_memory()

    @classmethod
    def owns(cls, x: object) -> bool:
        return isinstance(x, (numpy.ndarray, numpy.generic))

    def asarray(self, x: Any, dtype: str | None = None) -> Array:
        array = numpy.asarray(x if self.owns(x) else super().asarray(x))
        return array if dtype is None else array.astype(dtype, copy=False)

    @classmethod
    def to_numpy(cls, a: Array) -> Any:
        return numpy.asarray(a)

    def update(
        self, equation: Equation, state: Sequence[Array], gradient: Array, scalars: Mapping[str, float]
    ) -> tuple[Array, ...]:
        """The update in blocks that fit the cache: each block is read from memory only once."""
        for start in range(0, gradient.shape[0], _BLOCK):
            part = slice(start, start + _BLOCK)
            old = [array[part] for array in state]
            new = equation(self.xp, old[0], gradient[part], *old[1:], **scalars)
            for before, after in zip(old, new, strict=True):
                if after is not before:  # an equation that rebinds instead is right, too
                    before[...] = after
        return tuple(state)

    def info(self) -> dict[str, str]:
        return {"version": numpy.__version__, "device": "cpu"}


def _keep_freed_memory() -> None:
    """Ask the C library to keep freed memory instead of handing it back after every array.

    glibc returns the top of the heap to the system whenever an array is freed, and the next one
    costs a page fault for every 4 KiB again. Freeing one block just under 32 MiB raises the limits
    at which it does so (``mallopt(3)``, M_TRIM_THRESHOLD, "dynamic"); the block is never touched,
    so it takes no memory. Other C libraries are not affected.
    """
    block = numpy.empty((32 << 20) - 65536, dtype=numpy.uint8)
    del block
