"""What a layer is: two textbook equations backward, one forward, and the shapes of what it learns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from xnn.contract import Array
from xnn.hashing import halves, key_of

__all__ = ["Buffer", "Initializer", "Key", "Layer", "Operation", "Parameter", "Shape"]

Shape: TypeAlias = tuple[int, ...]  # of one example, without the batch axis
Initializer: TypeAlias = str | Callable[..., Any]  # a name of xnn.initializers, or f(generator, shape)


@dataclass(frozen=True)
class Parameter:
    """An array that is learned: its shape, its initial values, and whether penalties apply to it."""

    shape: Shape
    initializer: Initializer = "zeros"
    penalized: bool = False  # weights are; biases and the scales of a normalization are not


@dataclass(frozen=True)
class Buffer:
    """An array that belongs to a layer but is not learned by descent, such as a running mean.

    ``value`` fills it at the start; ``None`` says that the training data must be seen first.
    """

    shape: Shape
    value: Any = 0.0


class Key(NamedTuple):
    """Where a random mask belongs: equal keys give equal masks on every backend.

    A layer that takes no more than ``halves`` of it does the same in every step, but for these numbers: a plan of
    a step has arrays in their place, which are ``given``.
    """

    seed: int
    layer: int
    step: int
    given: tuple[Any, Any] | None = None

    @property
    def halves(self) -> tuple[Any, Any]:
        """What ``xnn.hashing`` makes random numbers of."""
        return self.given or halves(key_of(self.seed, self.layer, self.step))


class Operation:
    """A function y = f(x; θ) with its backward equations, as pure functions of arrays.

    Written once, in the functions of the namespace ``xp`` that is handed in. ``x`` and ``y`` have the
    batch as their first axis, δ = ∂C/∂y has the shape of ``y``. ``kept`` is a tuple of the arrays that
    ``forward`` saves for the way back. No argument is ever changed in place.
    """

    def forward(self, xp: Any, x: Array, *parameters: Array) -> tuple[Array, tuple[Array, ...]]:
        """Feed-forward: (y, kept)."""
        raise NotImplementedError(f"{type(self).__name__} has no forward equation")

    def delta(self, xp: Any, δ: Array, y: Array, kept: tuple[Array, ...], x: Array, *parameters: Array) -> Array:
        """The error of the layer below, ∂C/∂x = Σ δ ∂y/∂x."""
        raise NotImplementedError(f"{type(self).__name__} has no equation for the error of the layer below, delta")

    def gradients(
        self, xp: Any, δ: Array, y: Array, kept: tuple[Array, ...], x: Array, *parameters: Array
    ) -> tuple[Array, ...]:
        """∂C/∂θ = Σ δ ∂y/∂θ for each parameter, in their order."""
        return ()

    def per_example(
        self, xp: Any, δ: Array, y: Array, kept: tuple[Array, ...], x: Array, *parameters: Array
    ) -> tuple[Array, ...]:
        """``gradients`` of each example alone, stacked along a new first axis.

        This default calls the equations with one row at a time; it is right for every operation that
        treats the rows of a batch independently.
        """
        rows = []
        for i in range(x.shape[0]):
            row = x[i : i + 1, ...]
            output, saved = self.forward(xp, row, *parameters)
            rows.append(self.gradients(xp, δ[i : i + 1, ...], output, saved, row, *parameters))
        return tuple(xp.stack(list(column)) for column in zip(*rows, strict=True))


class Layer(Operation):
    """An operation that knows the shapes of what it learns; derive from it to write your own.

    A layer is a frozen dataclass whose fields are its settings: it holds no arrays. A layer with
    parameters names them in ``parameters`` and receives them, in that order, in its equations::

        @dataclass(frozen=True)
        class Scale(xnn.Layer):
            '''y = s·x with one learned number s.'''
            def parameters(self, inputs):
                return {"scale": xnn.Parameter((), "ones")}
            def forward(self, xp, x, s):
                return s * x, ()
            def delta(self, xp, δ, y, kept, x, s):
                return s * δ
            def gradients(self, xp, δ, y, kept, x, s):
                return (xp.sum(δ * x),)
    """

    def outputs(self, inputs: Shape) -> Shape:
        """The shape of one example's output; raises ValueError for inputs that do not fit."""
        return inputs

    def parameters(self, inputs: Shape) -> dict[str, Parameter]:
        """What is learned, by name."""
        return {}

    def buffers(self, inputs: Shape) -> dict[str, Buffer]:
        """What is kept beside the parameters, by name."""
        return {}

    def training(self, buffers: Mapping[str, Array], key: Key) -> Operation:
        """The operation of a training step."""
        return self.prediction(buffers)

    def prediction(self, buffers: Mapping[str, Array]) -> Operation:
        """The operation of a prediction."""
        return self

    def learned(self, xp: Any, buffers: Mapping[str, Array], x: Array, kept: tuple[Array, ...]) -> dict[str, Array]:
        """The buffers after a training step that saw x and kept this; {} where nothing changes."""
        return {}

    def fitted(self, mean: Any, variance: Any) -> dict[str, Any]:
        """The buffers that follow from the mean and the variance of the training data (NumPy arrays)."""
        raise NotImplementedError
