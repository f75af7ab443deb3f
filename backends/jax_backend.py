"""JAX, whose arrays cannot be changed in place."""

from __future__ import annotations

from typing import Any

from xnn.contract import Array, Backend, BackendError

__all__ = ["JaxBackend"]


class JaxBackend(Backend):
    """JAX; the device is a platform and a number: ``"jax:cpu"``, ``"jax:gpu:1"``."""

    name = "jax"
    library = "jax"
    install = "pip install jax"
    immutable = True

    def __init__(self, device: str = "") -> None:
        try:
            import jax
            import jax.numpy
        except ImportError as error:
            raise BackendError(
                f"backend 'jax' cannot be used here: {error}; install it with: {self.install}"
            ) from error
        platform, _, number = device.partition(":")
        try:
            self.device = jax.devices(platform or None)[int(number or 0)]
        except (RuntimeError, ValueError, IndexError) as error:
            raise BackendError(
                f"backend 'jax' has no device {device!r} here: {error}; it has {jax.devices()}"
            ) from error
        self.xp = jax.numpy
        self._jax = jax

    @classmethod
    def owns(cls, x: object) -> bool:
        # Arrays come from the compiled part of JAX, tracers from its Python part.
        return type(x).__module__.partition(".")[0] in ("jax", "jaxlib") and hasattr(x, "__array_namespace__")

    @classmethod
    def name_of(cls, x: Array) -> str:
        return f"{cls.name}:{x.device.platform}:{x.device.id}"

    def dtype(self, name: str) -> Any:
        if name in ("float64", "int64", "uint64", "complex128") and not self._jax.config.jax_enable_x64:
            raise BackendError(
                f"JAX silently turns {name} into 32 bits unless it is told otherwise: JAX_ENABLE_X64=1 in the "
                "environment or, before the first array, jax.config.update('jax_enable_x64', True)"
            )
        return getattr(self.xp, name)

    @classmethod
    def to_numpy(cls, a: Array) -> Any:
        import numpy

        return numpy.asarray(a)

    def lacks_room(self, error: Exception) -> bool:
        # Where a computation of several steps failed, it calls this an internal error.
        return isinstance(error, MemoryError) or (
            isinstance(error, self._jax.errors.JaxRuntimeError) and "out of memory" in str(error).lower()
        )

    def synchronize(self) -> None:
        self._jax.block_until_ready(self._jax.device_put(0.0, self.device) + 0)
