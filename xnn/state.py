"""What a network remembers: its parameters, as one flat vector θ, and the buffers of its layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from xnn.arguments import as_dtype, as_layers, as_seed, as_shape
from xnn.arrays import get_backend
from xnn.batches import real
from xnn.contract import Array, Backend
from xnn.host import generator
from xnn.initializers import draw
from xnn.layers.base import Layer, Shape
from xnn.parameters import Layout, buffers_of, trace_shapes
from xnn.plans import Task

__all__ = ["State"]


class State:
    """The parameters and the buffers of these layers, on a backend: drawn at first, looked at, replaced.

    Plans know the place of θ, so new numbers are copied to it, and where it moves the plans are forgotten.
    """

    def __init__(
        self,
        layers: Iterable[Layer],
        inputs: int | Sequence[int],
        backend: str | Backend | None,
        dtype: str,
        seed: int | None,
    ) -> None:
        self.layers = as_layers(layers)
        self.inputs = as_shape(inputs)
        self.shapes = trace_shapes(self.layers, self.inputs)
        self.layout = Layout.of(self.layers, self.shapes)
        self.backend = get_backend(backend)
        self.dtype = as_dtype(dtype)
        self.backend.dtype(self.dtype)  # a library may lack it
        self.seed, self.seeded = as_seed(seed), seed is not None

        draws = generator(self.seed)
        values = [draw(p.initializer, draws, p.shape) for p in self.layout.specifications]
        self._buffers: list[dict[str, Array]] = []
        with self.backend.scope():
            θ = self._pack([self.backend.asarray(value, self.dtype) for value in values])
            self._set_flat(self.backend.xp.asarray(θ, copy=True))  # where the library likes it
            for layer, shape in zip(self.layers, self.shapes, strict=False):
                given = {name: buffer for name, buffer in layer.buffers(shape).items() if buffer.value is not None}
                self._buffers.append({name: self._filled(buffer.value, buffer.shape) for name, buffer in given.items()})

    @property
    def parameters(self) -> dict[str, Array]:
        """The parameters by name, ``"0.weight"``, ``"0.bias"``, …, as copies."""
        xp = self.backend.xp
        with self.backend.scope():
            copy = xp.asarray(self._θ, copy=True)
            return dict(zip(self.layout.names, self.layout.unpack(xp, copy), strict=True))

    @property
    def buffers(self) -> dict[str, Array]:
        """What the layers keep beside their parameters, such as ``"1.running_mean"``, as copies."""
        xp = self.backend.xp
        with self.backend.scope():
            return {
                f"{i}.{name}": xp.asarray(array, copy=True)
                for i, own in enumerate(self._buffers)
                for name, array in own.items()
            }

    def set_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Replace some or all parameters by copies of these arrays (of any library) or nested lists.

        Raises:
            KeyError: for an unknown name; it lists the known ones.
            ValueError: for a wrong shape; nothing is changed then.
        """
        unknown = [name for name in parameters if name not in self.layout.names]
        if unknown:
            buffers = list(buffers_of(self.layers, self.shapes))
            others = f", and {buffers}, which set_buffers takes" if buffers else ""
            raise KeyError(f"unknown parameters {unknown}; this network has {list(self.layout.names)}{others}")
        with self.backend.scope():
            arrays = self.layout.unpack(self.backend.xp, self._θ)
            for k, (name, shape) in enumerate(zip(self.layout.names, self.layout.shapes, strict=True)):
                if name in parameters:
                    arrays[k] = real(parameters[name], f"parameter {name!r}", self.backend, self.dtype)
                    if tuple(arrays[k].shape) != shape:
                        raise ValueError(
                            f"parameter {name!r} has shape {shape}; got an array of shape {tuple(arrays[k].shape)}"
                        )
            self._set_values(self._pack(arrays))

    def set_buffers(self, buffers: Mapping[str, Any]) -> None:
        """Replace some or all buffers by copies of these arrays; names and shapes are checked."""
        known = buffers_of(self.layers, self.shapes)
        unknown = [name for name in buffers if name not in known]
        if unknown:
            raise KeyError(f"unknown buffers {unknown}; this network has {list(known)}")
        new = [dict(own) for own in self._buffers]
        with self.backend.scope():
            for key, value in buffers.items():
                i, name, buffer = known[key]
                array = real(value, f"buffer {key!r}", self.backend, self.dtype)
                if tuple(array.shape) != buffer.shape:
                    raise ValueError(
                        f"buffer {key!r} has shape {buffer.shape}; got an array of shape {tuple(array.shape)}"
                    )
                new[i][name] = self.backend.xp.asarray(array, copy=True)
        self._buffers = new

    def snapshot(self) -> Any:
        """A private copy of all parameters and buffers, for ``restore``."""
        with self.backend.scope():
            return self.backend.xp.asarray(self._θ, copy=True), [dict(own) for own in self._buffers]

    def restore(self, snapshot: Any) -> None:
        """Take the parameters and buffers of a ``snapshot`` back."""
        θ, buffers = snapshot
        with self.backend.scope():
            self._set_values(θ)
        self._buffers = [dict(own) for own in buffers]

    @property
    def fitted(self) -> bool:
        """Whether every layer has seen the training data that it needs."""
        return all(
            buffer.value is not None or name in self._buffers[i]
            for i, name, buffer in buffers_of(self.layers, self.shapes).values()
        )

    def update(self, θ: Array) -> None:
        """Take the θ of an update: it is the vector itself, changed in place, or a new one, as that of a solver."""
        if self.backend.immutable:
            self._set_flat(θ)
        elif θ is not self._θ:
            self._set_values(θ)

    @property
    def flat(self) -> Array:
        """All parameters as the one vector that training changes in place; not a copy."""
        return self._θ

    # -- Within ----------------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the views of θ: those of a copy are views of its own."""
        state = {name: value for name, value in vars(self).items() if name not in ("_deferred_θ", "_tasks")}
        on_host = self.backend.to_numpy  # not every library has arrays that can be pickled
        return state | {
            "_θ": on_host(self._θ),
            "_buffers": [{name: on_host(a) for name, a in own.items()} for own in self._buffers],
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        with self.backend.scope():
            self._buffers = [{name: self.backend.asarray(a) for name, a in own.items()} for own in self._buffers]
            self._set_flat(self.backend.xp.asarray(self.backend.asarray(self._θ), copy=True))

    def _pack(self, arrays: Sequence[Array]) -> Array:
        if not arrays:
            return self._filled(0.0, (0,))
        return self.layout.pack(self.backend.xp, arrays)

    def _held(self) -> list[Array]:
        """The buffers in their order."""
        return [array for own in self._buffers if own for array in own.values()]

    def _named(self, arrays: Iterable[Array]) -> list[dict[str, Array]]:
        """The first of these arrays in the places of the buffers."""
        rest = iter(arrays)
        return [{name: next(rest) for name in own} for own in self._buffers]

    def _set_flat(self, θ: Array) -> None:
        """Make θ, which is nobody else's, the parameters."""
        self._θ = θ
        self._tasks: dict[Any, Task] = {}  # the plans of those there were know the old place
        views = self.layout.unpack(self.backend.xp, θ)
        self._deferred_θ = self.layout.by_layer([self.backend.defer(view) for view in views])

    def _set_values(self, θ: Array) -> None:
        """Copy the numbers of θ to where the parameters stand: plans know the place."""
        if self.backend.immutable:
            self._set_flat(self.backend.xp.asarray(θ, copy=True))
        else:
            self._θ[...] = θ

    def _filled(self, value: Any, shape: Shape) -> Array:
        """An array of the network, of this shape, with this value or these values."""
        xp = self.backend.xp
        return xp.asarray(xp.broadcast_to(self.backend.asarray(value, self.dtype), shape), copy=True)
