"""CuPy on an NVIDIA GPU."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from xnn.contract import Array, Backend, BackendError, Equation, Memory, apart, comes_with_xnn

__all__ = ["CupyBackend"]

_WHEELS = 'pip install "cupy-cuda13x[ctk]" (or "cupy-cuda12x[ctk]" for a CUDA 12 driver)'


class CupyBackend(Backend):
    """CuPy; ``"cupy:1"`` is the second GPU."""

    name = "cupy"
    library = "cupy"
    install = _WHEELS

    def __init__(self, device: str = "") -> None:
        try:
            import array_api_compat.cupy
            import cupy
        except ImportError as error:
            raise BackendError(
                f"backend 'cupy' cannot be used here: {error}; install it with: {self.install}"
            ) from error
        if device and not device.isdecimal():
            raise BackendError(f"a device of CuPy is a number, such as 'cupy:0'; got 'cupy:{device}'")
        try:
            count = cupy.cuda.runtime.getDeviceCount()
        except cupy.cuda.runtime.CUDARuntimeError as error:
            raise BackendError(f"backend 'cupy' cannot be used here: {_no_device(cupy, error)}") from error
        number = int(device or 0)
        if number >= count:
            raise BackendError(
                f"backend 'cupy' has no device {number}: this machine has {count} GPU(s), the last one is "
                f"'cupy:{count - 1}'; python -m xnn info shows it"
            )
        try:
            # The import succeeds without CUDA's compiler and its libraries: try one of each.
            with cupy.cuda.Device(number):
                ones = cupy.arange(4, dtype=cupy.float32).reshape(2, 2) + 1
                float((ones @ ones)[0, 0])
        except Exception as error:  # CuPy raises whatever the missing library raised
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise BackendError(
                f"backend 'cupy' found a GPU but cannot run on it: {reason}; the CUDA libraries come with: {_WHEELS}"
            ) from error
        self.xp = array_api_compat.cupy
        self.device = cupy.cuda.Device(number)
        self._cupy = cupy
        from xnn.backends import cupy_deferred, cupy_recorder, cupy_upload  # they need CuPy

        self._deferred, self._recorder, self._upload = cupy_deferred, cupy_recorder.namespace, cupy_upload.upload

    @classmethod
    def name_of(cls, x: Array) -> str:
        return f"{cls.name}:{x.device.id}"

    def asarray(self, x: Any, dtype: str | None = None) -> Array:
        with self.device:
            if not self.owns(x):
                x = self.shared(x, dtype)
            elif x.device != self.device:  # an array on another GPU is copied to this one
                x = x.copy()
            return self._cupy.asarray(x, dtype=dtype)

    @classmethod
    def to_numpy(cls, a: Array) -> Any:
        return a.get()

    def synchronize(self) -> None:
        self.device.synchronize()

    def scope(self) -> AbstractContextManager[Any]:
        return self._cupy.cuda.Device(self.device.id)  # type: ignore[no-any-return]

    @classmethod
    def scope_of(cls, a: Array) -> AbstractContextManager[Any]:
        return a.device  # type: ignore[no-any-return]

    def update(
        self, equation: Equation, state: Sequence[Array], gradient: Array, scalars: Mapping[str, float]
    ) -> tuple[Array, ...]:
        """The update as one kernel; an equation of the user's own is noted down as a step is, or done as it stands
        where it changes what cannot be noted: a part of an array, or an array that has another name.

        ``cupy.fuse`` computes what two scalars make, such as 1 − β, with 16 bits, and refuses much.
        """
        if not comes_with_xnn(equation):
            own = [self.defer(a) for a in state]
            try:
                new = equation(self.recorder, own[0], self.defer(gradient), *own[1:], **scalars)
                return tuple(self.compute(apart(self.recorder, own, new))[0])
            except self._deferred.InPlace:
                return super().update(equation, state, gradient, scalars)
        kernel = _kernel(equation, len(state), tuple(scalars))
        kernel(gradient, *state, *scalars.values())
        return tuple(state)

    @property
    def recorder(self) -> Any:
        return self._recorder

    def defer(self, array: Array) -> Array:
        return self._deferred.defer(array)

    def compute(self, arrays: Sequence[Array], packed: Sequence[Array] = ()) -> tuple[list[Array], Array | None]:
        """All in as few kernels as possible; gradients arise in their places of the flat vector."""
        return self._deferred.compute(arrays, packed)  # type: ignore[no-any-return]

    def memory(self) -> Memory:
        """Of the device and of CuPy's pool, whose limit (``set_limit``, ``CUPY_GPU_MEMORY_LIMIT``) counts."""
        pool = self._cupy.get_default_memory_pool()
        with self.device:
            free, total = self.device.mem_info
            used, held, limit = pool.used_bytes(), pool.total_bytes(), pool.get_limit()
        free += held - used
        return Memory(used, held, *((min(free, limit - used), min(total, limit)) if limit else (free, total)))

    def fits(self, size: int) -> bool:
        """Half of the free memory for the data leaves the other half for the training."""
        return size <= self.memory().free // 2

    def upload(self, batches: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """Through pinned memory, the next batch while the one that is given is worked on."""
        return self._upload(batches)  # type: ignore[no-any-return]

    def info(self) -> dict[str, str]:
        cuda = self._cupy.cuda.runtime
        properties = cuda.getDeviceProperties(self.device.id)
        words = f"{properties['name'].decode()}, {properties['totalGlobalMem'] / 2**30:.0f} GiB"
        words += f" ({self.memory().free / 2**30:.1f} GiB free)"
        words += f", CUDA {_version(cuda.runtimeGetVersion())}, driver {_version(cuda.driverGetVersion())}"
        import cupy_backends

        if hasattr(cupy_backends, "_CUDACPU"):  # a build that runs kernels on the CPU, for tests
            words = f"emulated on the CPU: {words}"
        return {"version": self._cupy.__version__, "device": words}


def _version(number: int) -> str:
    """CUDA's way to write a version in a number: 13000 is 13.0."""
    return f"{number // 1000}.{number % 1000 // 10}"


def _no_device(cupy: Any, error: Exception) -> str:
    """Why no device can be counted, and what to do about it."""
    driver = cupy.cuda.runtime.driverGetVersion()
    if driver == 0:
        return f"there is no NVIDIA driver ({error}); install it, and see that nvidia-smi lists the GPU"
    if "InsufficientDriver" in str(error):
        return (
            f"the NVIDIA driver is too old, it is for CUDA {_version(driver)} ({error}); update it (nvidia-smi "
            'shows it), or take the CuPy for CUDA 12: pip install "cupy-cuda12x[ctk]"'
        )
    return (
        f"the NVIDIA driver shows no GPU ({error}); see that nvidia-smi lists it, and that CUDA_VISIBLE_DEVICES "
        "does not hide it"
    )


@functools.cache
def _kernel(equation: Equation, arrays: int, names: tuple[str, ...]) -> Callable[..., None]:
    """The equation of an optimizer, fused into one kernel that writes into the arrays of the state."""
    import cupy

    def update(gradient: Array, *rest: Array) -> None:
        state, scalars = rest[:arrays], dict(zip(names, rest[arrays:], strict=True))
        new = equation(cupy, state[0], gradient, *state[1:], **scalars)
        for before, after in zip(state, new, strict=True):
            if after is not before:
                before[...] = after

    name = getattr(equation, "__name__", "update")
    return cupy.fuse(kernel_name=f"xnn_{name}")(update)  # type: ignore[no-any-return]
