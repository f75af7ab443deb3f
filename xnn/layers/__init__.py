"""The layers: one file an idea, and ``LAYERS``, by which a saved network finds them again."""

from __future__ import annotations

from xnn.layers.activations import (
    ELU,
    GELU,
    SELU,
    HardTanh,
    Identity,
    LeakyReLU,
    LogSoftmax,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from xnn.layers.base import Buffer, Key, Layer, Operation, Parameter
from xnn.layers.dense import Dense
from xnn.layers.dropout import Dropout
from xnn.layers.normalization import BatchNorm, LayerNorm
from xnn.layers.reshape import Flatten, Reshape
from xnn.layers.standardize import Standardize

__all__ = [
    "ELU",
    "GELU",
    "LAYERS",
    "SELU",
    "BatchNorm",
    "Buffer",
    "Dense",
    "Dropout",
    "Flatten",
    "HardTanh",
    "Identity",
    "Key",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LogSoftmax",
    "Operation",
    "PReLU",
    "Parameter",
    "ReLU",
    "Reshape",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Standardize",
    "Tanh",
]

#: Every layer that comes with xnn, by the name of its class.
LAYERS: dict[str, type[Layer]] = {
    layer.__name__: layer
    for layer in (
        Dense,
        Identity,
        Sigmoid,
        Tanh,
        ReLU,
        LeakyReLU,
        PReLU,
        ELU,
        SELU,
        GELU,
        SiLU,
        Softplus,
        HardTanh,
        Softmax,
        LogSoftmax,
        Dropout,
        BatchNorm,
        LayerNorm,
        Flatten,
        Reshape,
        Standardize,
    )
}
