"""Anomaly detection: the first NaN or infinity names the layer, the operation and the step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from xnn.contract import Array
from xnn.errors import AnomalyError

__all__ = ["detect_anomaly", "detecting", "watch"]

_detecting: ContextVar[bool] = ContextVar("xnn_detect_anomaly", default=False)


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Look at every result inside the ``with`` block, and stop at the first NaN or infinity.

    Each look waits for the device, so training is slower inside.

    Raises:
        AnomalyError: it names the layer, the operation and the step.
    """
    token = _detecting.set(True)
    try:
        yield
    finally:
        _detecting.reset(token)


def detecting() -> bool:
    """Whether anomalies are looked for here."""
    return _detecting.get()


def watch(layers: Sequence[object], step: int) -> Callable[[Any, int, str, Sequence[Array]], None] | None:
    """A function that checks results of this step; None where nobody asked for it.

    It is called with the namespace, the index of the layer (−1: no layer), what was computed, and the
    arrays that came out.
    """
    if not _detecting.get():
        return None

    def check(xp: Any, layer: int, what: str, arrays: Sequence[Array]) -> None:
        for array in arrays:
            if not bool(xp.all(xp.isfinite(array))):
                kind = "NaN" if bool(xp.any(xp.isnan(array))) else "infinity"
                place = f"layer {layer} ({type(layers[layer]).__name__}), {what}" if layer >= 0 else what
                raise AnomalyError(
                    f"{kind} in {place}, step {step}, in an array of shape {tuple(array.shape)}; "
                    "everything before it was finite"
                )

    return check
