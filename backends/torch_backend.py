"""PyTorch's tensors on the CPU, on CUDA or on Apple's GPU. Its autograd is not used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xnn.contract import Array, Backend, BackendError, Plan, Step, is_writeable

__all__ = ["TorchBackend"]


class TorchBackend(Backend):
    """PyTorch; the device is one of its own names: ``"torch:cuda"``, ``"torch:cuda:1"``, ``"torch:mps"``."""

    name = "torch"
    library = "torch"
    install = 'pip install "xnn-arrays[torch]"'

    def __init__(self, device: str = "") -> None:
        try:
            import array_api_compat.torch
            import torch
        except ImportError as error:
            raise BackendError(
                f"backend 'torch' cannot be used here: {error}; install it with: {self.install}"
            ) from error
        try:
            self.device = torch.zeros(1, device=device or "cpu").device  # "cuda" is known as "cuda:0" then
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = str(error).splitlines()[0]
            raise BackendError(
                f"backend 'torch' cannot use the device {device!r} here: {reason}; "
                "name one that this PyTorch supports, such as 'torch:cpu'"
            ) from error
        self.xp = array_api_compat.torch
        self._torch = torch
        if self.device.type == "cpu":
            self.block = 1 << 19  # Adam on 10⁷ weights takes 22 ms instead of 78 on one core, 13 instead of 64 on two

    def asarray(self, x: Any, dtype: str | None = None) -> Array:
        array = x.detach() if self.owns(x) else self.shared(x, dtype)
        if not self.owns(array):  # on the host, of NumPy
            # PyTorch knows no read-only memory and no negative strides: such arrays are copied.
            if not is_writeable(array) or any(stride < 0 for stride in array.strides):
                array = array.copy()
            array = self._torch.from_numpy(array) if array.ndim else self._torch.tensor(array)
        return array.to(device=self.device, dtype=None if dtype is None else self.dtype(dtype))

    def plan(
        self,
        step: Step,
        given: Sequence[Array | int | None],
        standing: Sequence[Sequence[Array]],
        most: int | None = None,
    ) -> Plan | None:
        """The step as it stands, but for the memory of its flat vector, which is taken from the system once."""
        flat: Array | None = None

        def plan(given: Sequence[Array | int | None]) -> tuple[list[Array], Array | None]:
            nonlocal flat
            results, packed = step(self.xp, standing, given)
            parts = [part.reshape(-1) for part in packed]
            if parts:
                flat = self._torch.cat(parts, out=flat)
            return list(results), flat

        return plan

    def pieces(self, a: Array, size: int) -> Sequence[Array]:
        return a.split(size)  # type: ignore[no-any-return]

    @classmethod
    def to_numpy(cls, a: Array) -> Any:
        if str(a.dtype) == "torch.bfloat16":  # NumPy has none
            a = a.float()
        return a.detach().resolve_conj().resolve_neg().cpu().numpy()

    def synchronize(self) -> None:
        if self.device.type == "cuda":
            self._torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            self._torch.mps.synchronize()

    def lacks_room(self, error: Exception) -> bool:
        # CUDA's error has a class, which has this name in all versions; that of the CPU is told by its words alone.
        return isinstance(error, (MemoryError, self._torch.cuda.OutOfMemoryError)) or (
            isinstance(error, RuntimeError) and "you tried to allocate" in str(error)
        )

    def info(self) -> dict[str, str]:
        words = str(self.device)
        if self.device.type == "cuda":
            words += f" ({self._torch.cuda.get_device_name(self.device)})"
        return {"version": self._torch.__version__, "device": words}
