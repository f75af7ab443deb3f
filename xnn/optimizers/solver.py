"""What a solver is: an optimizer that asks for the cost itself, as often as it needs, to find its next step.

``Optimizer`` is told one gradient and answers with one update. A line search must try several places, so a solver
is handed the function: a ``Problem``, the cost C and its gradient over one flat vector θ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod, sqrt
from typing import Any, NamedTuple

import array_api_compat

from xnn.arrays import Array, Backend, to_numpy
from xnn.optimizers.base import Descent, State
from xnn.trees import arrays, matching, rebuild

__all__ = ["Point", "Problem", "Solver", "flatten"]


class Point(NamedTuple):
    """A place θ with what was computed there: arrays on the device, numbers on the host."""

    theta: Array
    gradient: Array
    cost: float
    slope: float  # g·d, the slope in the direction d that led here; 0 where none did
    largest: float  # max |g|
    norm: float  # ‖g‖


@dataclass(frozen=True)
class Problem:
    """A cost over one flat vector θ.

    Attributes:
        xp: the namespace of θ.
        evaluate: θ -> (C, ∇C), a 0-d array and one like θ, neither of which is changed later.
    """

    xp: Any
    evaluate: Callable[[Array], tuple[Array, Array]]

    def at(self, θ: Array, d: Array | None = None, *more: Array) -> tuple[Point, list[float]]:
        """The cost at θ, which is reached in the direction d, and the numbers in the 0-d arrays ``more``."""
        return self.read(θ, *self.evaluate(θ), d, *more)

    def read(self, θ: Array, cost: Array, g: Array, d: Array | None, *more: Array) -> tuple[Point, list[float]]:
        """The same for a known cost and gradient: the one place where a solver waits for the device."""
        xp = self.xp
        square = xp.vecdot(g, g)
        found = [cost, square if d is None else xp.vecdot(g, d), xp.max(xp.abs(g)), square, *more]
        # One transfer for all of them. A cost of a higher precision than θ is read in that of θ.
        numbers = xp.stack([a if a.dtype == g.dtype else xp.astype(a, g.dtype) for a in found])
        C, slope, largest, squared, *others = (float(x) for x in to_numpy(numbers))
        return Point(θ, g, C, 0.0 if d is None else slope, largest, sqrt(squared)), others


@dataclass(frozen=True)
class Solver(Descent):
    """How parameters θ follow from the function that gives their cost; a frozen dataclass of settings.

    Write your own by deriving from this class: ``iterate`` is one iteration, from a point to the next one.
    A step, of which ``fit`` takes one a batch, is one iteration unless ``step`` says otherwise;
    ``minimize`` goes iteration by iteration.

    The state is a dictionary of numbers and of arrays like the flat θ, which may be saved.
    """

    def numbers(self) -> dict[str, Any]:
        """The state before the first step; arrays join it later."""
        return {"step": 0, "iterations": 0, "evaluations": 0, "t": 0.0}

    def iterate(
        self, problem: Problem, here: Point, state: State, η: float, evaluations: int = 25
    ) -> tuple[Point, State]:
        """One iteration from ``here``, with at most so many evaluations: the next point, and the new state.

        ``state["t"]`` is 0 where no better point was found, and counts ``iterations`` and ``evaluations``.
        No argument is changed.
        """
        raise NotImplementedError

    def begin(self, backend: Backend, theta: Array) -> State:
        """The state before the first ``step`` of the flat vector ``theta`` of this backend."""
        return self.numbers()

    def step(
        self, problem: Problem, θ: Array, cost: Array, gradient: Array, state: State, lr_scale: float = 1.0
    ) -> tuple[Array, State]:
        """One step from θ, whose cost and gradient are known: the new θ and the new state; no argument is changed."""
        here, _ = problem.read(θ, cost, gradient, state.get("d"))
        here, state = self.iterate(problem, here, state, self.rate(state["step"]) * lr_scale)
        return here.theta, {**state, "step": state["step"] + 1}

    def init(self, theta: Any) -> State:
        """The state before the first update of ``theta``."""
        arrays(theta)  # raises where they are none
        return self.numbers()

    def update(
        self, theta: Any, function: Callable[[Any], tuple[Any, Any]], state: State, lr_scale: float = 1.0
    ) -> tuple[Any, State]:
        """One step: the new θ and the new state; no argument is changed.

        Args:
            theta: an array of any library and shape, numbers in lists, or a list or dictionary of arrays.
            function: θ -> (C, ∂C/∂θ), such as ``xnn.value_and_grad(cost)``.
            state: from ``init``, or from the update before.
            lr_scale: multiplies the step size.
        """
        xp, θ, structure, evaluate = flatten(theta, function)
        θ, state = self.step(Problem(xp, evaluate), θ, *evaluate(θ), state, lr_scale)
        return structure(θ), state


def flatten(
    theta: Any, function: Callable[[Any], tuple[Any, Any]]
) -> tuple[Any, Array, Callable[[Array], Any], Callable[[Array], tuple[Array, Array]]]:
    """The same problem over one flat vector: the namespace, θ, the way back to its structure, and the function.

    What the function is given are copies, which it may keep.
    """
    xp, θs = arrays(theta)
    shapes, dtypes = [tuple(a.shape) for a in θs], [a.dtype for a in θs]
    whole, device = xp.result_type(*dtypes), array_api_compat.device(θs[0])
    zero = xp.zeros((), dtype=whole, device=device)

    def join(parts: list[Array]) -> Array:
        return xp.concat([xp.reshape(a if a.dtype == whole else xp.astype(a, whole), (-1,)) for a in parts])

    def structure(θ: Array) -> Any:
        parts, start = [], 0
        for shape, dtype in zip(shapes, dtypes, strict=True):
            part = xp.reshape(θ[start : start + prod(shape)], shape)
            parts.append(xp.astype(part, dtype, copy=True))
            start += prod(shape)
        return rebuild(theta, parts)

    def evaluate(θ: Array) -> tuple[Array, Array]:
        cost, gradient = function(structure(θ))
        (C,) = matching(cost, xp, zero, [zero], "cost", "one number")
        return C, join(matching(gradient, xp, theta, θs, "gradient"))

    return xp, join(θs), structure, evaluate
