"""To and from Keras: ``keras.Sequential``, ``.keras`` and ``.weights.h5``, for the layers that both sides have."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from xnn import layers as ours
from xnn.contract import Backend
from xnn.errors import FileError
from xnn.exchange.need import check_fitted, need, set_arrays
from xnn.host import ndarray, numpy
from xnn.layers.base import Layer
from xnn.network import Network
from xnn.parameters import buffers_of

__all__ = ["from_keras", "to_keras"]


def from_keras(
    source: Any, *, into: Network | None = None, backend: str | Backend | None = None, dtype: str | None = None
) -> Network:
    """A model of Keras as a network, or weights that Keras saved in a network that is there::

        network = xnn.exchange.from_keras("model.keras")
        xnn.exchange.from_keras("model.weights.h5", into=network)

    Args:
        source: a ``keras.Sequential`` that is built, the path of a ``.keras`` file of one, or of a ``.weights.h5``
            file, which holds arrays alone.
        into: the network whose layers, the same ones, take the arrays of a ``.weights.h5`` file or of a model.
        backend: where a new network shall live.
        dtype: of a new network; by default that of the model.

    Returns:
        The network, which predicts what the model does. ``Dense`` with an activation becomes two layers; kernels
        are transposed, since Keras writes x W. The arrays of a model in float64 come whole, but on PyTorch and JAX
        Keras multiplies and normalizes in float32 even then; its own predictions are the ones that are 1e-6 off.

    Raises:
        ImportError: where Keras (with one of its backends) is not installed.
        FileError: for a file that Keras cannot read, or whose arrays do not fit; nothing is changed then.
        ValueError: for a layer that xnn does not have, or a setting of it; it names both. And for a model whose layers
            are not those of ``into``; the network is then as it was.
    """
    keras = need("keras", "from_keras")
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        if not os.path.isfile(path):
            raise FileError(f"{path} does not exist; expected a .keras or .weights.h5 file")
        model = _weights(path, into) if path.endswith(".h5") else _loaded(keras, path)
    else:
        model = source
    if not isinstance(model, keras.Sequential) or type(model).call is not keras.Sequential.call:
        raise ValueError(
            f"expected a keras.Sequential, whose layers follow each other; got {type(model).__name__}"
            + (", which has a call of its own" if isinstance(model, keras.Sequential) else "")
        )
    if not model.built:
        raise ValueError("the model is not built: give it a keras.Input, or call it once")
    layers: list[Layer] = []
    arrays: dict[str, ndarray] = {}
    for layer in model.layers:
        for made, own in _from(layer):
            arrays |= {f"{len(layers)}.{name}": _numpy(array) for name, array in own.items() if array is not None}
            layers.append(made)
    if into is None:
        kind = dtype or (model.layers[-1].compute_dtype if model.layers else "float32")
        kind = kind if kind == "float64" else "float32"
        into = Network(layers or [ours.Identity()], inputs=model.input_shape[1:], backend=backend, dtype=kind, seed=0)
    elif sorted(arrays) != (wanted := sorted([*into.layout.names, *buffers_of(into.layers, into.shapes)])):
        raise ValueError(f"the layers differ: the model has the arrays {sorted(arrays)}, the network takes {wanted}")
    set_arrays(into, arrays)
    return into


def to_keras(network: Network) -> Any:
    """The network as a ``keras.Sequential`` with copies of its arrays; ``model.save("a.keras")`` stores it.

    A model of your own with the same layers takes them by ``model.set_weights(to_keras(network).get_weights())``.

    Raises:
        ImportError: where Keras (with one of its backends) is not installed.
        ValueError: for a layer, or a setting of it, that Keras does not have; it names it.
        NotFittedError: where a layer has not seen the training data that it needs.
    """
    keras = need("keras", "to_keras")
    check_fitted(network)
    arrays = {key: network.backend.to_numpy(a) for key, a in {**network.parameters, **network.buffers}.items()}
    model = keras.Sequential([keras.Input(network.inputs, dtype=network.dtype)])
    for i in range(len(network.layers)):
        own = {key.partition(".")[2]: a for key, a in arrays.items() if key.partition(".")[0] == str(i)}
        made, values = _to(keras, network, i, own)
        model.add(made)
        if values:
            made.set_weights(values)
    return model


def _loaded(keras: Any, path: str) -> Any:
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # of any kind: it depends on which part is wrong
        raise FileError(f"{path} cannot be read as a model of Keras: {str(error)[:300]}") from error


def _weights(path: str, network: Network | None) -> Any:
    """A model with the layers of the network, and the weights in the file."""
    if network is None:
        raise ValueError(f"{path} holds arrays, not layers: give into=network, a network with those layers")
    model = to_keras(network)
    try:
        model.load_weights(path)
    except Exception as error:  # of any kind, too
        raise FileError(f"{path} cannot be read as weights of these layers: {str(error)[:300]}") from error
    return model


# -- From Keras ------------------------------------------------------------------------------------------------------


def _numpy(array: Any) -> ndarray:
    from keras import ops

    return numpy.asarray(ops.convert_to_numpy(array), dtype="float64")


_ACTIVATIONS: dict[str, Callable[[], Layer]] = {
    "elu": ours.ELU,
    "gelu": ours.GELU,
    "hard_tanh": ours.HardTanh,
    "leaky_relu": lambda: ours.LeakyReLU(0.2),
    "log_softmax": ours.LogSoftmax,
    "relu": ours.ReLU,
    "relu6": lambda: ours.HardTanh(0.0, 6.0),
    "selu": ours.SELU,
    "sigmoid": ours.Sigmoid,
    "silu": ours.SiLU,
    "softmax": ours.Softmax,
    "softplus": lambda: ours.Softplus(threshold=40.0),  # without one, as Keras
    "tanh": ours.Tanh,
}

_Part = tuple[Layer, dict[str, Any]]  # a layer, and its arrays by name


def _from(layer: Any) -> list[_Part]:
    """The layers that a layer of Keras is made of, with their arrays."""
    kind = type(layer).__name__
    if kind == "InputLayer":
        return []
    if kind not in _FROM:
        raise ValueError(f"layer {layer.name!r} ({kind}): xnn has no such layer; it takes {', '.join(_FROM)}")
    try:
        return _FROM[kind](layer)
    except (TypeError, ValueError) as error:
        raise ValueError(f"layer {layer.name!r} ({kind}): {error}") from error


def _activation(activation: Any) -> list[_Part]:
    if not hasattr(activation, "__name__"):  # a layer as an activation
        return _from(activation)
    name = activation.__name__
    if name == "linear":
        return []
    if name not in _ACTIVATIONS:
        raise ValueError(f"xnn has no activation {name!r}; it takes linear, {', '.join(_ACTIVATIONS)}")
    return [(_ACTIVATIONS[name](), {})]


def _dense(layer: Any) -> list[_Part]:
    own = {"weight": _numpy(layer.kernel).T, "bias": layer.bias if layer.use_bias else None}
    return [(ours.Dense(layer.units, bias=layer.use_bias), own), *_activation(layer.activation)]


def _batch_norm(layer: Any) -> list[_Part]:
    _last(layer)
    own = {"weight": layer.gamma, "bias": layer.beta}
    statistics = {"running_mean": layer.moving_mean, "running_var": layer.moving_variance}
    return [(ours.BatchNorm(layer.epsilon, 1 - layer.momentum), own | statistics)]


def _layer_norm(layer: Any) -> list[_Part]:
    _last(layer)
    if getattr(layer, "rms_scaling", False):
        raise ValueError("xnn has no rms_scaling")
    return [(ours.LayerNorm(layer.epsilon), {"weight": layer.gamma, "bias": layer.beta})]


def _normalization(layer: Any) -> list[_Part]:
    _last(layer)
    if getattr(layer, "invert", False):
        raise ValueError("xnn has no invert=True")
    mean, variance = _numpy(layer.mean).reshape(-1), _numpy(layer.variance).reshape(-1)
    return [(ours.Standardize(), {"mean": mean, "scale": numpy.maximum(numpy.sqrt(variance), 1e-7)})]


def _prelu(layer: Any) -> list[_Part]:
    slopes = _numpy(layer.alpha).reshape(-1)
    if (slopes != slopes[0]).any():
        raise ValueError(f"xnn has one slope for all units; got {slopes.size} different ones")
    return [(ours.PReLU(), {"weight": slopes[:1]})]


def _relu(layer: Any) -> list[_Part]:
    top, slope, threshold = layer.max_value, layer.negative_slope, layer.threshold
    if threshold or (slope and top is not None):
        raise ValueError(f"xnn has no ReLU with max_value={top}, negative_slope={slope}, threshold={threshold}")
    if top is not None:
        return [(ours.HardTanh(0.0, float(top)), {})]
    return [(ours.LeakyReLU(float(slope)) if slope else ours.ReLU(), {})]


def _softmax(layer: Any) -> list[_Part]:
    _last(layer)
    return [(ours.Softmax(), {})]


def _last(layer: Any) -> None:
    """Raise ValueError where the axis is not the last one; lists, and numbers counted from the front, are told."""
    axis = getattr(layer, "axis", -1)
    axes = [axis] if isinstance(axis, int) else list(axis)
    rank = len(layer.input.shape) if getattr(layer, "_inbound_nodes", None) else None
    if axes != [-1] and axes != [None if rank is None else rank - 1]:
        raise ValueError(f"xnn works along the last axis; got axis={axis}")


_FROM: dict[str, Callable[[Any], list[_Part]]] = {
    "Sequential": lambda layer: [part for inner in layer.layers for part in _from(inner)],
    "Dense": _dense,
    "Activation": lambda layer: _activation(layer.activation) or [(ours.Identity(), {})],
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "Normalization": _normalization,
    "Dropout": lambda layer: [(ours.Dropout(layer.rate), {})],
    "Flatten": lambda layer: [(ours.Flatten(), {})],
    "Reshape": lambda layer: [(ours.Reshape(tuple(layer.target_shape)), {})],
    "Identity": lambda layer: [(ours.Identity(), {})],
    "ReLU": _relu,
    "LeakyReLU": lambda layer: [(ours.LeakyReLU(float(layer.negative_slope)), {})],
    "PReLU": _prelu,
    "ELU": lambda layer: [(ours.ELU(float(layer.alpha)), {})],
    "Softmax": _softmax,
}


# -- To Keras --------------------------------------------------------------------------------------------------------


def _to(keras: Any, network: Network, i: int, own: dict[str, ndarray]) -> tuple[Any, list[ndarray]]:
    """The layer, and its weights in the order of Keras."""
    layer: Any = network.layers[i]
    k, kind, rank = keras.layers, {"dtype": network.dtype}, len(network.shapes[i])
    norm = [own[name] for name in ("weight", "bias", "running_mean", "running_var") if name in own]
    make: dict[type[Layer], Callable[[], tuple[Any, list[ndarray]]]] = {
        ours.Dense: lambda: (k.Dense(layer.units, use_bias=layer.bias, **kind), [norm[0].T, *norm[1:]]),
        ours.BatchNorm: lambda: (k.BatchNormalization(epsilon=layer.eps, momentum=1 - layer.momentum, **kind), norm),
        ours.LayerNorm: lambda: (k.LayerNormalization(epsilon=layer.eps, **kind), norm),
        ours.Standardize: lambda: (k.Normalization(mean=own["mean"], variance=own["scale"] ** 2, **kind), []),
        ours.PReLU: lambda: (
            k.PReLU(shared_axes=list(range(1, rank + 1)), **kind), [own["weight"].reshape((1,) * rank)]
        ),
        ours.Dropout: lambda: (k.Dropout(layer.p, **kind), []),
        ours.Flatten: lambda: (k.Flatten(**kind), []),
        ours.Reshape: lambda: (k.Reshape(network.shapes[i + 1], **kind), []),
        ours.Identity: lambda: (k.Identity(**kind), []),
        ours.LeakyReLU: lambda: (k.LeakyReLU(negative_slope=layer.negative_slope, **kind), []),
        ours.ELU: lambda: (k.ELU(alpha=layer.alpha, **kind), []),
        ours.Softmax: lambda: (k.Softmax(**kind), []),
    }  # fmt: skip
    if type(layer) in make:
        return make[type(layer)]()
    if isinstance(layer, ours.HardTanh) and layer.min_val == 0:
        return k.ReLU(max_value=layer.max_val, **kind), []
    for name, activation in _ACTIVATIONS.items():
        if _same(layer, activation()):
            return k.Activation(name, **kind), []
    raise ValueError(f"layer {i}: Keras has no {layer!r}")


def _same(layer: Layer, other: Layer) -> bool:
    """Whether they compute the same; the threshold of Softplus is far beyond what can be told in float32."""
    if isinstance(layer, ours.Softplus) and isinstance(other, ours.Softplus):
        return layer.beta == other.beta and layer.threshold >= 20.0
    return layer == other
