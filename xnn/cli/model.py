"""The network of a table: made, trained on a quantity in its own unit, and kept with what its columns mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xnn.contract import Backend
from xnn.datasets.encoding import Encoding
from xnn.errors import FileError
from xnn.files import load
from xnn.host import ndarray, numpy
from xnn.layers import LAYERS, Dense, Dropout, Layer, Standardize
from xnn.network import Network

__all__ = ["ACTIVATIONS", "REMEDY", "load_model", "precision", "probabilities", "rescale", "stack", "with_table"]

ACTIVATIONS = (
    "relu", "tanh", "sigmoid", "gelu", "silu", "elu", "selu", "leakyrelu", "prelu", "softplus", "hardtanh", "identity",
)  # fmt: skip
REMEDY = "fill it in, or train the network with --missing mean"  # for a value that a trained network lacks
_KEY = "table"  # of the notes of a network: how its inputs and outputs are columns


def stack(hidden: Sequence[int], activation: str, dropout: float, outputs: int) -> list[Layer]:
    """Standardized inputs, hidden layers each with its activation and dropout, and the outputs."""
    kinds = {name.lower(): kind for name, kind in LAYERS.items()}
    layers: list[Layer] = [Standardize()]
    for units in hidden:
        layers += [Dense(units), kinds[activation](), *([Dropout(dropout)] if dropout else [])]
    return [*layers, Dense(outputs)]


def precision(columns: ndarray, names: Sequence[str]) -> str:
    """float32, or float64 where a column has values so large, or so close to each other, that float32 loses them.

    Raises:
        ValueError: for values whose squares are too large for float64.
    """
    size = numpy.abs(columns).max(axis=0)
    if size.max() > 1e150:
        at = int(size.argmax())
        raise ValueError(f"the column {names[at]!r} has values as large as {size[at]:.3g}; divide it by a power of ten")
    spread = columns.std(axis=0)
    lost = (size > 1e15) | ((spread > 0) & (size * 2.0**-24 > 1e-3 * spread))
    return "float64" if lost.any() else "float32"


def rescale(network: Network, mean: float, scale: float) -> None:
    """Turn the outputs a into mean + scale·a, by the weights of the last layer."""
    weight, bias = (f"{len(network.layers) - 1}.{name}" for name in ("weight", "bias"))
    last = {name: network.backend.to_numpy(network.parameters[name]).astype("float64") for name in (weight, bias)}
    network.set_parameters({weight: last[weight] * scale, bias: last[bias] * scale + mean})


def probabilities(outputs: ndarray) -> ndarray:
    """Of the classes, from the outputs of the network: eᵃʲ / Σ eᵃᵏ."""
    e = numpy.exp(outputs - outputs.max(axis=1, keepdims=True))
    shares: ndarray = e / e.sum(axis=1, keepdims=True)
    return shares


def with_table(network: Network, encoding: Encoding) -> Network:
    """The network, with the meaning of its columns among its notes."""
    network.notes[_KEY] = encoding.notes()
    return network


def load_model(path: Any, backend: Backend) -> tuple[Network, Encoding]:
    """The network that ``xnn train`` saved, and the meaning of its columns.

    Raises:
        FileError: for what is no such file.
    """
    network = load(path, backend=backend)
    if _KEY not in network.notes:
        raise FileError(
            f"{path} holds a network, but not what the columns of a table are for it; only a file that xnn train has "
            "saved does (from Python: xnn.load)"
        )
    try:
        encoding = Encoding.from_notes(network.notes[_KEY])
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(f"{path}: what it says of the columns of a table cannot be understood: {error}") from error
    sizes = len(encoding.feature_names), max(len(encoding.classes), 1)
    if network.inputs != sizes[:1] or network.shapes[-1] != sizes[1:]:
        raise FileError(
            f"{path}: its columns make {sizes[0]} inputs and {sizes[1]} outputs; its network takes {network.inputs}, "
            f"and gives {network.shapes[-1]}"
        )
    return network, encoding
