"""What each exchange needs: optional libraries, imported on use, and networks that take arrays whole or not at all."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from xnn.host import ndarray
from xnn.network import Network

__all__ = ["check_fitted", "need", "set_arrays"]


def need(library: str, function: str) -> Any:
    """The library, or an error that says which function needs it and how to install it.

    Raises:
        ImportError: where it is not there, or does not work.
    """
    try:
        return import_module(library)
    except ImportError as error:
        raise ImportError(
            f"xnn.exchange.{function} needs {library}: pip install {library}, or all of them by "
            f"pip install 'xnn-arrays[exchange]' ({error})"
        ) from error


def check_fitted(network: Any) -> None:
    """Raise TypeError for what is no network, NotFittedError where a layer lacks what training data would tell it."""
    if not isinstance(network, Network):
        inner = "; take its network_" if hasattr(network, "network_") else ""
        raise TypeError(f"expected an xnn.Network; got {type(network).__name__}{inner}")
    network.forward(network.backend.xp.zeros((1, *network.inputs), device=network.backend.device))


def set_arrays(network: Network, arrays: dict[str, ndarray]) -> None:
    """Set parameters and buffers; all, or none where one does not fit."""
    before = network.snapshot()
    try:
        network.set_parameters({key: a for key, a in arrays.items() if key in network.layout.names})
        network.set_buffers({key: a for key, a in arrays.items() if key not in network.layout.names})
    except (KeyError, ValueError, TypeError):
        network.restore(before)
        raise
