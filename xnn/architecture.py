"""The layers of a network as plain JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from xnn.layers.base import Layer

__all__ = ["build", "describe"]


def describe(network: Any) -> dict[str, Any]:
    """What makes a network besides its arrays: layers, inputs, dtype, seed, how far it has been trained, and notes.

    Raises:
        TypeError: for a setting of a layer that JSON cannot hold; a network without it would be another one; and
            for notes that are no dictionary.
    """
    if not isinstance(network.notes, dict):
        raise TypeError(f"network.notes: expected a dictionary of plain JSON; got {network.notes!r:.60}")
    return {
        "layers": [{"type": type(layer).__name__, **_settings(layer)} for layer in network.layers],
        "inputs": list(network.inputs),
        "dtype": network.dtype,
        "seed": network.seed,
        "step": network.step,
        "epoch": network.epoch,
        "notes": network.notes,
    }


def build(described: Mapping[str, Any], known: Mapping[str, type[Layer]]) -> Layer:
    """The layer that ``describe`` described, if its class is among the known ones.

    Raises:
        ValueError, TypeError, KeyError: where it does not make one.
    """
    settings = dict(described)
    name = settings.pop("type")
    if name not in known:
        raise ValueError(f"unknown layer {name!r}; if it is your own: xnn.load(path, layers=[{name}])")
    return known[name](**settings)


def _settings(layer: Layer) -> dict[str, Any]:
    """The fields as JSON; a function for initial values is not needed to load a network, and left out."""
    if not is_dataclass(layer):
        raise TypeError(f"{type(layer).__name__} must be a dataclass to be saved: its fields are its settings")
    import json  # on use: it takes a twentieth of the import of xnn

    settings = {}
    for field in fields(layer):
        value = getattr(layer, field.name)
        if field.compare and not callable(value):
            try:
                settings[field.name] = json.loads(json.dumps(value, default=lambda number: number.item()))
            except (TypeError, ValueError, AttributeError) as error:
                raise TypeError(
                    f"{type(layer).__name__}: the setting {field.name} = {value!r} cannot be stored in a file; "
                    "settings are numbers, texts, and lists of them"
                ) from error
    return settings
