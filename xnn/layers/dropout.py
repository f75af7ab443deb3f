"""Dropout: in training each input is set to zero with probability p, so that no unit can rely on another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from array_api_compat import device

from xnn.contract import Array
from xnn.hashing import hashes, threshold
from xnn.layers.base import Key, Layer, Operation
from xnn.settings import settle

__all__ = ["Dropout"]


@dataclass(frozen=True)
class Dropout(Layer):
    """Inverted dropout: y = x ⊙ m in training, y = x in prediction.

        m = 0 with probability p, else 1/(1−p),    δ_below = δ ⊙ m

    The division keeps the mean of what the next layer receives, so that prediction needs no correction. The
    mask m is a function of the seed of the network, of the layer's place in it, of the step, and of the
    position in the batch array alone (``xnn.hashing``): it is the same on every backend. p = 0 changes
    nothing, and p = 1 gives all zeros.

    Any shape; nothing is learned.

    Raises:
        TypeError, ValueError: for a p that is no number in 0 … 1.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov (2014), section 10 for the inverted form.
    """

    p: float = 0.5

    def __post_init__(self) -> None:
        settle(self, p="[0, 1]")

    def training(self, buffers: Mapping[str, Array], key: Key) -> Operation:
        """The multiplication by the mask of this key."""
        return Mask(self.p, key.halves) if self.p > 0 else self

    def forward(self, xp: Any, x: Array, *parameters: Array) -> tuple[Array, tuple[Array, ...]]:
        """y = x, in prediction."""
        return x, ()

    def delta(self, xp: Any, δ: Array, y: Array, kept: tuple[Array, ...], x: Array, *parameters: Array) -> Array:
        """δ, in prediction."""
        return δ


@dataclass(frozen=True)
class Mask(Operation):
    """y = x ⊙ m with the mask m of one key: what Dropout does in one training step. It keeps m."""

    p: float
    key: tuple[Any, Any]

    def forward(self, xp: Any, x: Array, *parameters: Array) -> tuple[Array, tuple[Array, ...]]:
        """y = x ⊙ m."""
        if self.p == 1:  # 1/(1−p) does not exist, and is not needed
            m = xp.zeros(x.shape, dtype=x.dtype, device=device(x))
        else:
            h = hashes(xp, math.prod(x.shape), self.key, device(x))
            m = xp.reshape(xp.astype(h >= threshold(self.p), x.dtype) * (1 / (1 - self.p)), x.shape)
        return x * m, (m,)

    def delta(self, xp: Any, δ: Array, y: Array, kept: tuple[Array, ...], x: Array, *parameters: Array) -> Array:
        """δ ⊙ m."""
        return δ * kept[0]
