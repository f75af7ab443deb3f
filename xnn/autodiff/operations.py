"""A layer, or a loss, as one node: its own δ equations in the place of the tape of its body.

``Operation.forward`` is written in functions of the standard, so differentiating through it needs nothing more.
But its hand-written equations are shorter: one entry on the tape for the whole layer, and on the way back

    x̄ = delta(ȳ),    θ̄ = gradients(ȳ).

What ``forward`` kept is used where it is made of plain arrays. Where another derivative is being taken outside
of this one, it is computed again from the arguments, so that the outer one sees it. Forward mode goes through
the body.
"""

from __future__ import annotations

from typing import Any

from xnn.autodiff.levels import Reverse
from xnn.autodiff.rule import Rule
from xnn.autodiff.tracing import Traced, innermost, unmarked
from xnn.contract import Array

__all__ = ["cost", "operate"]


class Node(Rule):
    """One call of an operation: y = f(x; θ), and what it kept (None: to be computed again)."""

    joint = True

    def __init__(self, operation: Any, kept: tuple[Array, ...] | None, layer: int | None) -> None:
        self.operation, self.kept, self.layer = operation, kept, layer

    @property
    def name(self) -> str:  # type: ignore[override]
        """That of the operation, for messages."""
        return getattr(self.operation, "name", type(self.operation).__name__)

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


def operate(operation: Any, xp: Any, x: Array, *parameters: Array, layer: int | None = None) -> Array:
    """y = f(x; θ) of an operation, where any of the arrays may be traced; xp is the namespace for plain ones.

    ``layer`` is its place in a network, for messages.
    """
    args = (x, *parameters)
    level = innermost(args)
    if level is None:
        return operation.forward(getattr(xp, "base_namespace", xp), *args)[0]
    if not isinstance(level, Reverse) or not level.open:
        return operation.forward(level.recording, *args)[0]
    values, marks = unmarked(level, args)
    kept = None
    if innermost(values) is not None:
        y = operate(operation, level.xp, *values, layer=layer)
    else:
        y, kept = operation.forward(level.xp, *values)
    return level.record(Node(operation, kept, layer), y, values, marks, {})


class Cost:
    """A loss for given targets and weights, as an operation: C = f(a), δ = ∂C/∂a times what comes back."""

    def __init__(self, loss: Any, y: Array, weights: Array | None) -> None:
        self.loss, self.y, self.weights, self.name = loss, y, weights, type(loss).__name__

    def forward(self, xp: Any, a: Array) -> tuple[Array, tuple[Array, ...]]:
        """(C, (∂C/∂a,)); both come from the same work."""
        c, δ = self.loss.cost_and_delta(xp, a, self.y, self.weights)
        return c, (δ,)

    def delta(self, xp: Any, g: Array, c: Array, kept: tuple[Array, ...], a: Array) -> Array:
        """C̄ ∂C/∂a."""
        return g * kept[0]


def cost(loss: Any, xp: Any, a: Array, y: Array, weights: Array | None = None) -> Array:
    """C of a loss, where any of the arrays may be traced: one node by its δ where only the outputs a are.

    Where the targets or the weights carry a derivative, of which δ says nothing, it goes through the equation.
    """
    if isinstance(a, Traced) and not isinstance(y, Traced) and not isinstance(weights, Traced):
        return operate(Cost(loss, y, weights), xp, a)
    return loss.cost_and_delta(xp, a, y, weights)[0]
