"""NumPy on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy
from xnn.backends.numpy_memory import empty, keep_freed
from xnn.backends.numpy_namespace import fast
from xnn.backends.numpy_plan import write
from xnn.backends.numpy_update import Update

from xnn.contract import Array, Backend, BackendError, Equation, Plan, Step

__all__ = ["NumpyBackend"]

_TYPES = {name: numpy.dtype(name) for name in ("float32", "float64")}
_MANY = 64  # plans of updates that are kept


class NumpyBackend(Backend):
    """NumPy on the CPU; its only device is ``"cpu"``."""

    name = "numpy"
    library = "numpy"
    install = "pip install numpy"
    xp = fast
    device = "cpu"
    block = 1 << 17  # Adam on 670,000 weights takes 0.82 ms by 2¹⁵, 0.76 by 2¹⁷, 0.73 by 2¹⁸

    def __init__(self, device: str = "") -> None:
        if device not in ("", "cpu"):
            raise BackendError(f"backend 'numpy' has one device, 'cpu'; got 'numpy:{device}'")
        keep_freed()
        self._updates: dict[Any, Any] = {}

    @classmethod
    def owns(cls, x: object) -> bool:
        """Also of derived classes, but those with a mask: what computes here would not look at it."""
        return isinstance(x, (numpy.ndarray, numpy.generic)) and not hasattr(x, "mask")

    def asarray(self, x: Any, dtype: str | None = None) -> Array:
        """x row by row, as plans expect it: where the numbers lie shows in the last bits of a product."""
        array = x if self.owns(x) else super().asarray(x)
        return numpy.asarray(array, None if dtype is None else _TYPES.get(dtype, dtype), order="C")

    def quickly(self, x: Any, dtype: str) -> Array | None:
        if type(x) is not numpy.ndarray or x.dtype.kind not in "fiub":
            return None
        return numpy.asarray(x, _TYPES[dtype], order="C")

    def pieces(self, a: Array, size: int) -> Sequence[Array]:
        whole = len(a) // size
        parts = list(a[: whole * size].reshape(whole, size, *a.shape[1:]))  # a quarter of the time of so many slices
        return [*parts, a[whole * size :]] if whole * size < len(a) else parts

    @classmethod
    def to_numpy(cls, a: Array) -> Any:
        return numpy.asarray(a)

    def plan(
        self,
        step: Step,
        given: Sequence[Array | int | None],
        standing: Sequence[Sequence[Array]],
        most: int | None = None,
    ) -> Plan | None:
        """The step as a list of calls (``numpy_plan``); None for what cannot be written down."""
        counts = [len(own) for own in standing]
        numbers = {k: numpy.full(1, a, "int32") for k, a in enumerate(given) if type(a) is int}
        arrays = [None if k in numbers else a for k, a in enumerate(given)]

        def noted(arrays: Any, standing: Any, _: Any) -> Any:
            rest = iter(standing)
            own = [tuple(next(rest) for _ in range(n)) for n in counts]
            return step(self.xp, own, [next(rest) if k in numbers else a for k, a in enumerate(arrays)])

        flat: list[Array] = []

        def places(parts: Sequence[Array]) -> list[Array]:
            sizes = [part.size for part in parts]
            flat.extend([empty((sum(sizes),), parts[0].dtype)] if parts else [])
            cuts = numpy.split(flat[0], numpy.cumsum(sizes)[:-1]) if parts else []
            return [cut.reshape(part.shape) for cut, part in zip(cuts, parts, strict=True)]

        try:
            stays = [*[array for own in standing for array in own], *numbers.values()]
            run = write(noted, arrays, stays, places=places, most=most)
        except Exception:  # if it is the step's own, the plain run will raise it
            return None
        gradient = flat[0] if flat else None

        def plan(given: Sequence[Array | int | None]) -> tuple[list[Array], Array | None]:
            for k, number in numbers.items():
                number.fill(given[k])
            return run(*given), gradient

        plan.__doc__ = run.__doc__
        return plan

    def _update(
        self, equation: Equation, state: Sequence[Array], gradient: Array, scalars: Mapping[str, float]
    ) -> tuple[Array, ...]:
        """The update of one block, by a plan where there is one; it serves one thread at a time."""
        key = equation, gradient.shape, gradient.dtype, *scalars
        plan = self._updates.pop(key, None)
        if plan is None:
            plan = Update.of(self.xp, equation, state, gradient, scalars)
        plan(state, gradient, scalars)
        if len(self._updates) >= _MANY:
            self._updates.clear()
        self._updates[key] = plan
        return tuple(state)

    def info(self) -> dict[str, str]:
        return {"version": numpy.__version__, "device": "cpu"}
