"""dpnp: Intel's array library on SYCL devices, which are GPUs and, through OpenCL, the CPU."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from xnn.contract import Array, Backend, BackendError

__all__ = ["DpnpBackend"]


class DpnpBackend(Backend):
    """dpnp; the device is a filter of SYCL: ``"dpnp:cpu"``, ``"dpnp:gpu"``, ``"dpnp:level_zero:gpu:1"``."""

    name = "dpnp"
    library = "dpnp"
    install = "pip install dpnp"

    def __init__(self, device: str = "") -> None:
        try:
            import dpnp
        except ImportError as error:
            raise BackendError(
                f"backend 'dpnp' cannot be used here: {error}; install it with: {self.install}"
            ) from error
        try:
            one = dpnp.ones(2, dtype="float32", device=device or None)
            float((one @ one)[()])  # one kernel and one product, before it is called usable
        except Exception as error:  # dpctl has an error of its own for each thing that can be missing
            reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
            wanted = f"the device {device!r}" if device else "any device"
            raise BackendError(f"backend 'dpnp' cannot use {wanted} here: {reason}{_hint()}") from error
        self.xp = dpnp
        self.device = one.device
        self._queue = one.sycl_queue

    def dtype(self, name: str) -> Any:
        if name in ("float64", "complex128") and not self.device.sycl_device.has_aspect_fp64:
            raise BackendError(f"{self.device} has no {name}; take dtype='float32'")
        return super().dtype(name)

    @classmethod
    def name_of(cls, x: Array) -> str:
        return f"{cls.name}:{x.sycl_device.filter_string}"

    @classmethod
    def to_numpy(cls, a: Array) -> Any:
        return a.asnumpy()

    def synchronize(self) -> None:
        self._queue.wait()

    def info(self) -> dict[str, str]:
        device = self.device.sycl_device
        words = f"{device.name.strip()} ({device.filter_string}), {device.global_mem_size / 2**30:.0f} GiB"
        return {**super().info(), "device": words}


def _hint() -> str:
    """What to do where SYCL finds no device: the CPU's driver may be there and only not be registered."""
    driver = Path(sys.prefix, "lib", "libintelocl.so")
    if not driver.exists():
        return "; on a CPU it needs intel-opencl-rt, on a GPU Intel's driver; python -m dpctl -l lists the devices"
    return f"; for the CPU set, before Python starts: export OCL_ICD_FILENAMES={driver}"
