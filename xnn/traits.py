"""What is known of layers before they are run: which of them do the same in every step, and which draw numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from xnn.contract import comes_with_xnn
from xnn.layers.base import Key, Layer

__all__ = ["Traits"]


class Traits(NamedTuple):
    """What is known of the layers of a network."""

    fixed: list[bool]  # of each layer: it is its own operation, in every step and in a prediction
    repeating: tuple[bool, bool]  # all do the same each time, but for the numbers that they draw: predicting, training
    drawing: list[int]  # the layers that draw numbers in a training step, and do nothing else anew
    own: list[int]  # the layers of the user's own

    @classmethod
    def of(cls, layers: Sequence[Layer]) -> Traits:
        """The traits of these layers."""
        return cls(
            [type(f).training is Layer.training and type(f).prediction is Layer.prediction for f in layers],
            (not any(_changes(f, False) for f in layers), not any(_changes(f, True) for f in layers)),
            [i for i, f in enumerate(layers) if not _changes(f, True) and _differs(f, None)],
            [i for i, f in enumerate(layers) if not comes_with_xnn(type(f))],
        )

    def repeat(self, training: bool, *others: object) -> bool:
        """Whether a step of these layers, with this loss and penalty, does the same each time but for its arrays.

        That is known of what comes with xnn; a layer or a loss of the user's own may look at a clock.
        """
        return self.repeating[training] and all(other is None or comes_with_xnn(type(other)) for other in others)


def _changes(layer: Layer, training: bool) -> bool:
    """Whether a layer may do something else in every step, but for the numbers of its key."""
    if not comes_with_xnn(type(layer)):
        return True
    return training and _differs(layer, (0, 0))


def _differs(layer: Layer, halves: tuple[int, int] | None) -> bool:
    """Whether the layer does something else in another step; with these numbers of its key in both, or its own."""
    if type(layer).training is Layer.training:
        return False
    return layer.training({}, Key(0, 0, 0, halves)) != layer.training({}, Key(0, 0, 1, halves))
