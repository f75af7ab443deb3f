"""To and from PyTorch: ``torch.nn.Sequential`` and ``state_dict``, for the layers that both sides have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from xnn import layers as ours
from xnn.contract import Backend
from xnn.exchange.need import check_fitted, need, set_arrays
from xnn.layers.base import Layer, Shape
from xnn.network import Network
from xnn.parameters import buffers_of

__all__ = ["from_torch", "to_torch"]


def from_torch(
    source: Any,
    *,
    inputs: Any = None,
    into: Network | None = None,
    backend: str | Backend | None = None,
    dtype: str | None = None,
) -> Network:
    """A module of PyTorch as a network, or a ``state_dict`` in a network that is there::

        network = xnn.exchange.from_torch(torch.nn.Sequential(torch.nn.Linear(64, 100), torch.nn.ReLU(), …))
        xnn.exchange.from_torch(torch.load("net.pt", weights_only=True), into=network)

    Args:
        source: a ``torch.nn.Sequential`` (others within it are opened), a single layer, or a ``state_dict``.
        inputs: the shape of one example, where the first layer does not tell it.
        into: the network that takes the arrays of a ``state_dict``. They are matched in their order, layer by
            layer, whatever the modules are called; names within a layer and shapes must be equal.
        backend: where a new network shall live.
        dtype: of a new network; by default that of the module, ``"float32"`` for half precision.

    Returns:
        The network, which predicts what the module does in the mode ``eval()``.

    Raises:
        ValueError: for a layer that xnn does not have, or a setting of it; it names both. And for arrays that
            do not fit; the network is then as it was.
    """
    if isinstance(source, Mapping):
        _check_arrays(source)
        if into is None:
            raise ValueError("a state_dict holds arrays, not layers: give into=network, a network with those layers")
        _fill(into, source)
        return into
    if not hasattr(source, "state_dict"):
        raise TypeError(
            f"expected a torch.nn.Sequential or a state_dict; got {type(source).__name__}. A file is read by "
            "torch.load(path, weights_only=True)"
        )
    if into is not None:
        _fill(into, source.state_dict())
        return into
    modules = _opened(source)
    built, arrays = [], {}
    for i, module in enumerate(modules):
        built.append(_from(i, module))
        for name, tensor in module.state_dict().items():
            if name != "num_batches_tracked":
                arrays[f"{i}.{name}"] = tensor.detach()
    if dtype is None:
        dtype = "float64" if any(str(a.dtype) == "torch.float64" for a in arrays.values()) else "float32"
    network = Network(
        built, inputs=_inputs(modules) if inputs is None else inputs, backend=backend, dtype=dtype, seed=0
    )
    _check_axes(network, modules)
    set_arrays(network, {name: tensor.double().cpu().numpy() for name, tensor in arrays.items()})
    return network


def to_torch(network: Network) -> Any:
    """The network as a ``torch.nn.Sequential`` on the CPU, in the mode ``eval()``, with copies of its arrays.

    ``torch.save(to_torch(network).state_dict(), path)`` stores what PyTorch's users expect. ``Standardize`` becomes
    ``xnn.exchange.torch_layers.Standardize``, since PyTorch has no such layer.

    Raises:
        ImportError: where PyTorch is not installed.
        ValueError: for a layer that PyTorch does not have; it names it.
        NotFittedError: where a layer has not seen the training data that it needs.
    """
    torch = need("torch", "to_torch")
    check_fitted(network)
    modules = [_to(torch, network, i, layer) for i, layer in enumerate(network.layers)]
    result = torch.nn.Sequential(*modules).to(getattr(torch, network.dtype))
    state = result.state_dict()
    for name, array in {**network.parameters, **network.buffers}.items():
        state[name].copy_(torch.tensor(network.backend.to_numpy(array)))
    return result.eval()


# -- From PyTorch ----------------------------------------------------------------------------------------------------

_FROM: dict[str, Callable[[Any], Layer]] = {
    "Linear": lambda m: ours.Dense(m.out_features, bias=m.bias is not None),
    "BatchNorm1d": lambda m: ours.BatchNorm(m.eps, _given("momentum", m.momentum)),
    "LayerNorm": lambda m: ours.LayerNorm(m.eps),
    "Dropout": lambda m: ours.Dropout(m.p),
    "Flatten": lambda m: ours.Flatten(),
    "Unflatten": lambda m: ours.Reshape(tuple(m.unflattened_size)),
    "Standardize": lambda m: ours.Standardize(),
    "Identity": lambda m: ours.Identity(),
    "Sigmoid": lambda m: ours.Sigmoid(),
    "Tanh": lambda m: ours.Tanh(),
    "ReLU": lambda m: ours.ReLU(),
    "ReLU6": lambda m: ours.HardTanh(0.0, 6.0),
    "LeakyReLU": lambda m: ours.LeakyReLU(m.negative_slope),
    "PReLU": lambda m: ours.PReLU(),
    "ELU": lambda m: ours.ELU(m.alpha),
    "SELU": lambda m: ours.SELU(),
    "GELU": lambda m: ours.GELU(m.approximate),
    "SiLU": lambda m: ours.SiLU(),
    "Softplus": lambda m: ours.Softplus(m.beta, m.threshold),
    "Hardtanh": lambda m: ours.HardTanh(m.min_val, m.max_val),
    "Softmax": lambda m: ours.Softmax(),
    "LogSoftmax": lambda m: ours.LogSoftmax(),
}

_SETTINGS: dict[str, dict[str, Any]] = {  # what they must be, since xnn has nothing else
    "BatchNorm1d": {"track_running_stats": True},
    "PReLU": {"num_parameters": 1},
    "Flatten": {"start_dim": 1, "end_dim": -1},
    "Unflatten": {"dim": 1},
}


def _opened(module: Any) -> list[Any]:
    """The layers in a Sequential, and in those within it; a class of one's own that is one may add no other forward."""
    sequential = need("torch", "from_torch").nn.Sequential
    if not isinstance(module, sequential) or _altered(module):
        return [module]
    return [layer for child in module for layer in _opened(child)]


def _from(i: int, module: Any) -> Layer:
    kind = type(module).__name__
    where = f"layer {i} ({kind})"
    if kind in (*_FROM, "Sequential") and _altered(module):
        raise ValueError(
            f"{where}: it has hooks, or a forward of its own, that may change what it gives; remove them first "
            "(torch.nn.utils.prune.remove, torch.nn.utils.remove_weight_norm, …)"
        )
    if kind not in _FROM:
        parts = "; of a module of your own, into=network takes the arrays" if list(module.children()) else ""
        raise ValueError(f"{where}: xnn has no such layer; it takes {', '.join(_FROM)}{parts}")
    for name, wanted in _SETTINGS.get(kind, {}).items():
        if getattr(module, name) != wanted:
            raise ValueError(f"{where}: expected {name}={wanted!r}, as in xnn; got {getattr(module, name)!r}")
    if kind == "LayerNorm" and len(module.normalized_shape) != 1:
        raise ValueError(f"{where}: xnn normalizes over the last axis; got the shape {tuple(module.normalized_shape)}")
    try:
        return _FROM[kind](module)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error


def _altered(module: Any) -> bool:
    """Whether it may give something else than the class of PyTorch's, or of xnn's, that it is or derives from."""
    known = next(c for c in type(module).__mro__ if c.__module__.startswith(("torch.nn.modules.", "xnn.")))
    hooked = module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module)
    return bool(hooked) or type(module).forward is not known.forward  # type: ignore[attr-defined]


def _given(name: str, value: Any) -> Any:
    if value is None:
        raise ValueError(f"expected a number as {name}; got None")
    return value


def _inputs(modules: list[Any]) -> Any:
    """The number of inputs that the first layer with one tells, as long as the shape stays what it is."""
    for module in modules:
        for name in ("in_features", "num_features"):
            if hasattr(module, name):
                return getattr(module, name)
        if hasattr(module, "normalized_shape"):
            return module.normalized_shape[-1]
        if type(module).__name__ == "Standardize":
            return int(module.mean.shape[0])
        if type(module).__name__ in ("Flatten", "Unflatten"):
            break
    raise ValueError("the layers do not tell the shape of an example: give inputs=, such as inputs=64 or inputs=(8, 8)")


def _check_axes(network: Network, modules: list[Any]) -> None:
    """Softmax over the last axis is the only one that xnn has; which one it is depends on the shape."""
    for i, (module, shape) in enumerate(zip(modules, network.shapes, strict=False)):
        if type(module).__name__ in ("Softmax", "LogSoftmax"):
            axes = len(shape) + 1
            dim = module.dim if module.dim is not None else (0 if axes in (1, 3) else 1)  # PyTorch's own guess
            if dim % axes != axes - 1:
                raise ValueError(
                    f"layer {i} ({type(module).__name__}): xnn takes the last axis, dim=-1; got dim={module.dim}"
                )


def _check_arrays(state: Mapping[str, Any]) -> None:
    """Raise TypeError for what is no state_dict, such as a checkpoint that has one in it."""
    for key, value in state.items():
        if not hasattr(value, "detach"):
            inner = [name for name, part in state.items() if isinstance(part, Mapping)]
            found = f"; it may be in {', '.join(map(repr, inner))}" if inner else ""
            raise TypeError(f"expected a state_dict, tensors by name; got {type(value).__name__} as {key!r}{found}")


def _fill(network: Network, state: Mapping[str, Any]) -> None:
    """The arrays of a state_dict, layer by layer in their order."""
    groups: dict[str, dict[str, Any]] = {}
    for key, tensor in state.items():
        prefix, _, name = key.rpartition(".")
        if name != "num_batches_tracked":
            groups.setdefault(prefix, {})[name] = tensor.detach().double().cpu().numpy()
    wanted: dict[str, list[str]] = {}
    for key in (*network.layout.names, *buffers_of(network.layers, network.shapes)):
        layer, _, name = key.partition(".")
        wanted.setdefault(layer, []).append(name)
    if len(groups) < len(wanted):  # PyTorch's networks have no Standardize
        wanted = {k: names for k, names in wanted.items() if not isinstance(network.layers[int(k)], ours.Standardize)}
    arrays = {}
    wanted = {layer: wanted[layer] for layer in sorted(wanted, key=int)}
    if len(groups) != len(wanted):
        raise ValueError(
            f"the state_dict has arrays for {len(groups)} layers ({', '.join(groups)}), "
            f"the network {len(wanted)} layers with arrays ({', '.join(map(repr, _named(network, wanted)))})"
        )
    for (prefix, group), (layer, names) in zip(groups.items(), wanted.items(), strict=True):
        if set(group) != set(names):
            raise ValueError(
                f"{prefix!r} of the state_dict has {sorted(group)}; layer {layer} "
                f"({type(network.layers[int(layer)]).__name__}) takes {sorted(names)}"
            )
        arrays.update({f"{layer}.{name}": array for name, array in group.items()})
    set_arrays(network, arrays)


def _named(network: Network, layers: Any) -> list[str]:
    return [f"{layer} {type(network.layers[int(layer)]).__name__}" for layer in layers]


# -- To PyTorch ------------------------------------------------------------------------------------------------------


def _to(torch: Any, network: Network, i: int, layer: Any) -> Any:
    """The module, with settings but not yet with arrays."""
    below, above = network.shapes[i], network.shapes[i + 1]
    nn = torch.nn
    make: dict[type[Layer], Callable[[], Any]] = {
        ours.Dense: lambda: nn.Linear(below[-1], layer.units, bias=layer.bias),
        ours.BatchNorm: lambda: nn.BatchNorm1d(below[0], layer.eps, layer.momentum),
        ours.LayerNorm: lambda: nn.LayerNorm(below[-1], layer.eps),
        ours.Dropout: lambda: nn.Dropout(layer.p),
        ours.Flatten: lambda: nn.Flatten() if below else nn.Unflatten(0, (-1, 1)),
        ours.Reshape: lambda: _reshape(nn, above),
        ours.Standardize: lambda: _standardize(torch, below[-1]),
        ours.Identity: nn.Identity,
        ours.Sigmoid: nn.Sigmoid,
        ours.Tanh: nn.Tanh,
        ours.ReLU: nn.ReLU,
        ours.LeakyReLU: lambda: nn.LeakyReLU(layer.negative_slope),
        ours.PReLU: nn.PReLU,
        ours.ELU: lambda: nn.ELU(layer.alpha),
        ours.SELU: nn.SELU,
        ours.GELU: lambda: nn.GELU(layer.approximate),
        ours.SiLU: nn.SiLU,
        ours.Softplus: lambda: nn.Softplus(layer.beta, layer.threshold),
        ours.HardTanh: lambda: nn.Hardtanh(layer.min_val, layer.max_val),
        ours.Softmax: lambda: nn.Softmax(dim=-1),
        ours.LogSoftmax: lambda: nn.LogSoftmax(dim=-1),
    }
    if type(layer) not in make:
        raise ValueError(f"layer {i} ({type(layer).__name__}): PyTorch has no such layer")
    return make[type(layer)]()


def _reshape(nn: Any, shape: Shape) -> Any:
    return nn.Sequential(nn.Flatten(), nn.Unflatten(1, shape)) if prod(shape) else nn.Unflatten(1, shape)


def _standardize(torch: Any, features: int) -> Any:
    from xnn.exchange.torch_layers import Standardize

    return Standardize(torch.zeros(features), torch.ones(features))
