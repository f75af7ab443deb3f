"""The update of a block of parameters by an optimizer, as a plan where its equation allows one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy
from xnn.backends.numpy_notes import Unplanned
from xnn.backends.numpy_plan import write

from xnn.contract import apart, comes_with_xnn

__all__ = ["Update"]


class Update:
    """The update of a block by an optimizer, whose scalars are others each time."""

    def __init__(self, function: Callable[..., Any], numbers: list[Any]) -> None:
        self.function, self.numbers = function, numbers
        self.last: list[Any] = [None] * len(numbers)

    @classmethod
    def of(cls, xp: Any, equation: Any, state: Sequence[Any], g: Any, scalars: Any) -> Callable[..., None]:
        """A function of (state, g, scalars) that changes the state.

        Equations that come with xnn do the same each time; one of the user's own may draw noise.
        """

        def step(given: Any, standing: Any, numbers: Any) -> Any:
            return (), equation(xp, given[1], given[0], *given[2:], **dict(zip(scalars, numbers, strict=True)))

        def plain(state: Sequence[Any], g: Any, scalars: Any) -> None:
            new = apart(xp, state, equation(xp, state[0], g, *state[1:], **scalars))
            for before, after in zip(state, new, strict=True):
                if after is not before:  # an equation that rebinds instead is right, too
                    before[...] = after

        numbers = [numpy.asarray(value, dtype=g.dtype) for value in scalars.values()]
        try:
            if not comes_with_xnn(equation):
                raise Unplanned("an equation of the user's own")
            if any(array.dtype != g.dtype for array in state):
                raise Unplanned("arrays of several types")
            copies = [array.copy() for array in state]  # noting it down does it once
            return cls(write(step, [g, *copies], (), numbers, lambda parts: range(1, 1 + len(parts))), numbers)
        except Unplanned:
            return plain

    def __call__(self, state: Sequence[Any], g: Any, scalars: Any) -> None:
        for k, value in enumerate(scalars.values()):
            if value != self.last[k]:
                self.numbers[k].fill(value)
                self.last[k] = value
        self.function(g, *state)
