"""The layers behind the parameters of an estimator, and their first weights in scikit-learn's order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import sqrt
from typing import Any

from xnn import layers
from xnn.host import ndarray, numpy
from xnn.layers import BatchNorm, Dense, Dropout, Layer, Sigmoid

__all__ = ["ACTIVATIONS", "activations_of", "glorot", "placed", "stack"]

#: The names of activations; the first four are scikit-learn's.
ACTIVATIONS: dict[str, Layer] = {
    "identity": layers.Identity(),
    "logistic": layers.Sigmoid(),
    "tanh": layers.Tanh(),
    "relu": layers.ReLU(),
    "elu": layers.ELU(),
    "gelu": layers.GELU(),
    "leaky_relu": layers.LeakyReLU(),
    "selu": layers.SELU(),
    "silu": layers.SiLU(),
    "softplus": layers.Softplus(),
}


def activations_of(activation: Any, hidden: Sequence[int]) -> list[Layer]:
    """One activation for each hidden layer: a name or a layer for all of them, or one for each in a list."""
    several = not isinstance(activation, (str, Layer))
    given = list(activation) if several else [activation] * len(hidden)
    if len(given) != len(hidden):
        raise ValueError(f"activation: expected one for each of the {len(hidden)} hidden layers, got {len(given)}")
    for one in given:
        if isinstance(one, Dense) or (not isinstance(one, Layer) and one not in ACTIVATIONS):
            raise ValueError(
                f"activation: expected a layer such as xnn.LeakyReLU(0.2), or one of {list(ACTIVATIONS)}; got {one!r}"
            )
    return [one if isinstance(one, Layer) else ACTIVATIONS[one] for one in given]


def stack(
    hidden: Sequence[int], activations: Sequence[Layer], outputs: int, *, batch_norm: bool, dropout: float
) -> Iterator[Layer]:
    """Dense, BatchNorm, activation, Dropout for each hidden layer, then the Dense layer of the outputs."""
    for units, activation in zip(hidden, activations, strict=True):
        yield Dense(units, weight_init="zeros")  # ``glorot`` fills them
        if batch_norm:
            yield BatchNorm()
        yield activation
        if dropout:
            yield Dropout(float(dropout))
    yield Dense(outputs, weight_init="zeros")


def placed(layers: Iterable[Layer]) -> Iterator[tuple[int, tuple[int, Layer]]]:
    """The layers by number, each with how many Dense layers there are up to it: its place in any such network."""
    depth = 0
    for i, layer in enumerate(layers):
        depth += isinstance(layer, Dense)
        yield i, (depth, layer)


def glorot(
    units: Sequence[int], activations: Sequence[Layer], random_state: Any
) -> Iterator[tuple[ndarray[Any, Any], ndarray[Any, Any]]]:
    """The first weights (inputs, outputs) and biases of each Dense layer, drawn as scikit-learn draws them.

    Both from U(−r, r) with r = √(6/(inputs + outputs)), or √(2/(inputs + outputs)) at a sigmoid; the last
    layer goes by the activation below it (Glorot & Bengio, 2010).
    """
    for k, (fan_in, fan_out) in enumerate(pairwise(units)):
        near = activations[min(k, len(activations) - 1)] if activations else None
        r = sqrt((2.0 if isinstance(near, Sigmoid) else 6.0) / (fan_in + fan_out))
        weight = random_state.uniform(-r, r, (fan_in, fan_out))
        yield numpy.asarray(weight), numpy.asarray(random_state.uniform(-r, r, fan_out))
