"""A network in a file: its architecture and its arrays, to and from ``xnn.checkpoint``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from xnn.architecture import build, describe
from xnn.contract import Backend
from xnn.errors import FileError
from xnn.layers import LAYERS
from xnn.layers.base import Layer
from xnn.network import Network
from xnn.parameters import Layout, buffers_of, trace_shapes

__all__ = ["load", "save"]


def save(network: Network, path: Any) -> None:
    """Write the network to a safetensors file; see ``Network.save``."""
    from xnn.checkpoint import write  # on use: with json, it takes a tenth of the import of xnn

    arrays = {**network.parameters, **network.buffers}
    write(path, describe(network), {key: network.backend.to_numpy(a) for key, a in arrays.items()})


def load(
    path: Any, *, backend: str | Backend | None = None, layers: Iterable[type[Layer]] | type[Layer] = ()
) -> Network:
    """The network in a file that ``Network.save`` wrote, on any backend.

    Args:
        path: the file.
        backend: where the network shall live; ``None`` is the current backend, not the one that saved.
        layers: the classes of your own layers in it. Nothing in a file is ever executed, so a class
            is found only among xnn's layers and these.

    Raises:
        FileError: for a file that is missing, damaged, foreign, or from a newer version.
        BackendError: where the backend cannot be used.
    """
    from xnn.checkpoint import read  # as above

    architecture, arrays = read(path)
    if "run" in architecture:  # a training run, and the network in it
        arrays = {key: array for key, array in arrays.items() if not key.startswith("run.")}
    own: list[Any] = list(layers) if isinstance(layers, Iterable) else [layers]
    for layer in own:
        if not (isinstance(layer, type) and issubclass(layer, Layer)):
            raise TypeError(f"layers: expected classes of layers, as in layers=[MyLayer]; got {layers!r}")
    known = LAYERS | {layer.__name__: layer for layer in own}
    try:
        built = [build(described, known) for described in architecture["layers"]]
        inputs = tuple(architecture["inputs"])
        shapes = trace_shapes(built, inputs)
        layout = Layout.of(built, shapes)
        # Look at the shapes before any memory is taken for them.
        wanted = dict(zip(layout.names, layout.shapes, strict=True))
        buffers = {key: buffer for key, (_, _, buffer) in buffers_of(built, shapes).items()}
        optional = {key: buffer.shape for key, buffer in buffers.items()}
        needed = [*wanted, *(key for key, buffer in buffers.items() if buffer.value is not None)]
        for key in needed:
            if key not in arrays:
                raise ValueError(f"the array {key!r} is missing")
        for key, array in arrays.items():
            shape = (wanted | optional).get(key)
            if shape is None:
                raise ValueError(f"the array {key!r} belongs to none of its layers")
            if tuple(array.shape) != shape:
                raise ValueError(f"the array {key!r} has shape {tuple(array.shape)}, its layer wants {shape}")
        seed, step, epoch = (int(architecture[name]) for name in ("seed", "step", "epoch"))
        notes = architecture.get("notes", {})  # files of earlier versions have none
        if not isinstance(notes, dict):
            raise TypeError(f"its notes are a {type(notes).__name__}, expected a dictionary")
        network = Network(built, inputs=inputs, backend=backend, dtype=architecture["dtype"], seed=seed)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise FileError(f"{path}: the description of the network does not make one: {reason}") from error
    network.set_parameters({key: arrays[key] for key in wanted})
    network.set_buffers({key: array for key, array in arrays.items() if key in optional})
    network.step, network.epoch, network.notes = step, epoch, notes
    return network
