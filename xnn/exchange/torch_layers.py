"""Layers for PyTorch that it does not have; imported where PyTorch is used."""

from __future__ import annotations

import torch

__all__ = ["Standardize"]


class Standardize(torch.nn.Module):
    """y = (x − μ)/s over the last axis, with the buffers ``mean`` and ``scale``: the layer of xnn."""

    def __init__(self, mean: torch.Tensor, scale: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(x − μ)/s."""
        return (x - self.mean) / self.scale
