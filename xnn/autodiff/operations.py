"""A layer as one node: its own δ equations in the place of the tape of its body.

``Operation.forward`` is written in functions of the standard, so differentiating through it needs nothing more.
But its hand-written equations are shorter: one entry on the tape for the whole layer, and on the way back

    x̄ = delta(ȳ),    θ̄ = gradients(ȳ).

What ``forward`` kept is used where it is made of plain arrays. Where another derivative is being taken outside
of this one, it is computed again from the arguments, so that the outer one sees it. Forward mode goes through
the body.
"""

from __future__ import annotations

from typing import Any

from xnn.arrays import Array
from xnn.autodiff.levels import Reverse
from xnn.autodiff.recording import recording
from xnn.autodiff.rule import Rule
from xnn.autodiff.tracing import Traced

__all__ = ["operate"]


class Node(Rule):
    """One call of an operation: y = f(x; θ), and what it kept (None: to be computed again)."""

    joint = True

    def __init__(self, operation: Any, kept: tuple[Array, ...] | None) -> None:
        super().__init__(type(operation).__name__)
        self.operation, self.kept = operation, kept

    def push(self, xp: Any, tangents: Any, y: Array, args: tuple[Any, ...], options: dict[str, Any]) -> Array:
        """J v by forward mode through the body."""
        from xnn.autodiff.modes import jvp

        own = [i for i, t in enumerate(tangents) if t is not None]

        def body(chosen: list[Array]) -> Array:
            every = list(args)
            for i, a in zip(own, chosen, strict=True):
                every[i] = a
            return operate(self.operation, xp, *every)

        return jvp(body, [args[i] for i in own], [tangents[i] for i in own])[1]

    def pulls(
        self, xp: Any, marks: tuple[Any, ...], g: Array, y: Array, args: tuple[Any, ...], options: dict[str, Any]
    ) -> list[Array | None]:
        """The two equations of the layer, as far as they are needed."""
        kept = self.kept
        if kept is None:
            _, kept = self.operation.forward(xp, *args)
        below = self.operation.delta(xp, g, y, kept, *args) if marks[0] is not None else None
        if all(m is None for m in marks[1:]):
            return [below, *marks[1:]]
        return [below, *self.operation.gradients(xp, g, y, kept, *args)]


def operate(operation: Any, xp: Any, x: Array, *parameters: Array) -> Array:
    """y = f(x; θ) of an operation, where any of the arrays may be traced; xp is the namespace for plain ones."""
    args = (x, *parameters)
    traced = [a for a in args if isinstance(a, Traced)]
    if not traced:
        return operation.forward(getattr(xp, "base_namespace", xp), *args)[0]
    level = max((a.level for a in traced), key=lambda level: level.number)
    if not isinstance(level, Reverse) or not level.open:
        return operation.forward(recording(level.xp), *args)[0]
    own = [isinstance(a, Traced) and a.level is level for a in args]
    values = tuple(a.value if mine else a for a, mine in zip(args, own, strict=True))
    marks = tuple(a.mark if mine else None for a, mine in zip(args, own, strict=True))
    kept = None
    if any(isinstance(a, Traced) for a in values):
        y = operate(operation, level.xp, *values)
    else:
        y, kept = operation.forward(level.xp, *values)
    return level.record(Node(operation, kept), y, values, marks, {})
