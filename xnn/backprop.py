"""Feed-forward and backprop: two loops over the layers, without a tape.

With a⁰ = x and aˡ = fˡ(aˡ⁻¹; θˡ), the error of a layer is δˡ = ∂C/∂aˡ, and from the last layer down

    ∂C/∂θˡ = δˡ ∂aˡ/∂θˡ          the gradients of layer l
    δˡ⁻¹   = δˡ ∂aˡ/∂aˡ⁻¹         the error of the layer below

For a Dense layer these are ∂C/∂W = δᵀa, ∂C/∂b = Σδ and δW; for an activation, δ ⊙ σ′(z). Since
activations are layers of their own, the δ at the output of a Dense layer is the textbooks' ∂C/∂z.
(Texts 001, 002 and 004: all δ come from the weights before the update.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from xnn.contract import Array, typed
from xnn.layers.base import Operation

__all__ = ["Check", "Record", "backprop", "feed_forward"]

Check: TypeAlias = Callable[[Any, int, str, Sequence[Array]], None]  # (xp, layer, what, arrays)


class Record(NamedTuple):
    """What the way back needs of one layer's feed-forward."""

    operation: Operation
    x: Array
    y: Array
    kept: tuple[Array, ...]
    parameters: tuple[Array, ...]


def feed_forward(
    xp: Any,
    operations: Sequence[Operation],
    parameters: Sequence[tuple[Array, ...]],
    x: Array,
    check: Check | None = None,
) -> tuple[Array, list[Record]]:
    """The output of the last layer, and a record of each one."""
    records: list[Record] = []
    if check is not None:
        check(xp, -1, "the inputs x", (x,))
    for operation, θ in zip(operations, parameters, strict=True):
        if check is not None:
            check(xp, len(records), "parameters", θ)
        try:
            y, kept = operation.forward(xp, x, *θ)
            y = typed(xp, y, x)
        except Exception as error:
            error.add_note(_where(len(records), operation, "feed-forward", x))
            raise
        if check is not None:
            check(xp, len(records), "feed-forward", (y,))
        records.append(Record(operation, x, y, kept, θ))
        x = y
    return x, records


def backprop(
    xp: Any,
    records: Sequence[Record],
    δ: Array,
    check: Check | None = None,
    *,
    per_example: bool = False,
    deltas: list[Array] | None = None,
) -> list[Array]:
    """The gradients of all parameters, in their order; δ = ∂C/∂y is the error of the last layer.

    With ``per_example`` each gradient has a new first axis, the examples. A list given as ``deltas``
    receives the δ of every layer, the first layer's first.
    """
    gradients: list[list[Array]] = []
    learning = [depth for depth, record in enumerate(records) if record.parameters]
    lowest = 0 if deltas is not None else min(learning, default=len(records))  # nobody below needs a δ
    for depth in range(len(records) - 1, lowest - 1, -1):
        operation, x, y, kept, θ = records[depth]
        if deltas is not None:
            deltas.insert(0, δ)
        try:
            if θ:
                equation = operation.per_example if per_example else operation.gradients
                gradients.append([typed(xp, g, x) for g in equation(xp, δ, y, kept, x, *θ)])
                _check_shapes(gradients[-1], θ, (x.shape[0],) if per_example else ())
                if check is not None:
                    check(xp, depth, "gradients", gradients[-1])
            if depth > lowest:
                δ = typed(xp, operation.delta(xp, δ, y, kept, x, *θ), x)
                if check is not None:
                    check(xp, depth, "δ of the layer below", (δ,))
        except Exception as error:
            error.add_note(_where(depth, operation, "backprop", x))
            raise
    return [gradient for own in reversed(gradients) for gradient in own]


def _check_shapes(gradients: Sequence[Array], θ: Sequence[Array], examples: tuple[int, ...]) -> None:
    """A gradient of another shape would become part of the wrong parameter."""
    found, expected = [tuple(g.shape) for g in gradients], [(*examples, *w.shape) for w in θ]
    if found != expected:
        raise ValueError(f"the gradients must have the shapes of the parameters, {expected}; got {found}")


def _where(depth: int, operation: Operation, way: str, x: Array) -> str:
    return f"in layer {depth} ({type(operation).__name__}), {way}, with x of shape {tuple(x.shape)}"
