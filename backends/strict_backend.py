"""array-api-strict: the smallest library that obeys the standard, to find what is not portable."""

from __future__ import annotations

from typing import Any

from xnn.contract import Array, Backend, BackendError

__all__ = ["StrictBackend"]


class StrictBackend(Backend):
    """array-api-strict; ``"array_api_strict:device1"`` names a device that NumPy cannot read from."""

    name = "array_api_strict"
    library = "array_api_strict"
    install = "pip install array-api-strict"

    def __init__(self, device: str = "") -> None:
        try:
            import array_api_strict
        except ImportError as error:
            raise BackendError(
                f"backend 'array_api_strict' cannot be used here: {error}; install it with: {self.install}"
            ) from error
        try:
            self.device = array_api_strict.Device(device or "CPU_DEVICE")
        except ValueError as error:
            raise BackendError(f"backend 'array_api_strict' has no device {device!r}: {error}") from error
        self.xp = array_api_strict

    @classmethod
    def name_of(cls, x: Array) -> str:
        return f"{cls.name}:{_words(x.device)}"

    def info(self) -> dict[str, str]:
        words = _words(self.device)
        return {**super().info(), "device": "cpu" if words == "CPU_DEVICE" else words}

    @classmethod
    def to_numpy(cls, a: Array) -> Any:
        import array_api_strict
        import numpy

        return numpy.asarray(a.to_device(array_api_strict.Device("CPU_DEVICE")))


def _words(device: Any) -> str:
    return repr(device).partition("'")[2].rstrip("')")
