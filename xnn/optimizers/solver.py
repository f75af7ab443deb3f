"""What a solver is: an optimizer that asks for the cost itself, as often as it needs, to find its next step.

``Optimizer`` is told one gradient and answers with one update. A line search must try several places, so a solver
is handed the function: a ``Problem``, the cost C and its gradient over one flat vector θ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod, sqrt
from typing import Any, ClassVar, NamedTuple

import array_api_compat

from xnn.arrays import on_their_device, to_numpy
from xnn.contract import Array, Backend
from xnn.optimizers.base import Descent, State
from xnn.optimizers.line_search import Trial, strong_wolfe
from xnn.trees import arrays, leaves, matching, rebuild

__all__ = ["Point", "Problem", "Search", "Solver", "flatten", "search"]


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
        curvature: θ -> (v -> ∇²C v), products with the Hessian; None where they cannot be had.
        jacobian: θ -> (r, J) of a sum of squares, C = ½‖r‖²; None for other costs.
    """

    xp: Any
    evaluate: Callable[[Array], tuple[Array, Array]]
    curvature: Callable[[Array], Callable[[Array], Array]] | None = None
    jacobian: Callable[[Array], tuple[Array, Array]] | None = None

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


class Search(NamedTuple):
    """What a search along a direction found."""

    point: Point
    t: float  # 0 where it found no better point, or the direction is none of descent
    slope: float  # at the start
    largest: float  # max |d|
    evaluations: int


def search(
    problem: Problem, here: Point, d: Array, t: float, *, limit: int = 25, change: float = 0.0, wolfe: bool = True
) -> Search:
    """The step along d from ``here`` that meets the strong Wolfe conditions, t first; or t itself, not ``wolfe``.

    ``change``: steps that differ by less in every entry of θ are as good as equal.
    """
    xp, θ = problem.xp, here.theta
    # The slope at the start is read together with the first trial: one transfer less an iteration.
    first, (slope, largest) = problem.at(θ + t * d, d, xp.vecdot(here.gradient, d), xp.max(xp.abs(d)))
    tried = 1

    def φ(t: float) -> Trial:
        nonlocal tried
        tried += 1
        place, _ = problem.at(θ + t * d, d)
        return Trial(t, place.cost, place.slope, place)

    start, found = Trial(0.0, here.cost, slope, here), Trial(t, first.cost, first.slope, first)
    if not slope < 0:
        found = start
    elif wolfe:
        found = strong_wolfe(φ, start, found, limit=limit, shortest=change / max(largest, 1e-300))
    return Search(found.place, found.t, slope, largest, tried)


@dataclass(frozen=True)
class Solver(Descent):
    """How parameters θ follow from the function that gives their cost; a frozen dataclass of settings.

    Write your own by deriving from this class: ``iterate`` is one iteration, from a point to the next one.
    A step, of which ``fit`` takes one a batch, is one iteration unless ``step`` says otherwise;
    ``minimize`` goes iteration by iteration.

    The state is a dictionary of numbers and of arrays like the flat θ, which may be saved.
    """

    #: What is needed beside the cost and its gradient, ``"curvature"`` or ``"jacobian"`` of the problem, or nothing.
    needs: ClassVar[str] = ""

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

    @on_their_device
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
        problem, θ, structure = flatten(theta, function)
        self.check(problem)
        θ, state = self.step(problem, θ, *problem.evaluate(θ), state, lr_scale)
        return structure(θ), state

    def check(self, problem: Problem) -> None:
        """Raise ValueError where the problem lacks what this solver needs."""
        if self.needs and getattr(problem, self.needs) is None:
            instead = {
                "curvature": "products with the Hessian, which xnn.minimize(cost, theta, optimizer=…) finds",
                "jacobian": "the residuals of a sum of squares: call xnn.least_squares(residuals, theta, optimizer=…)",
            }[self.needs]
            raise ValueError(f"{type(self).__name__} needs {instead}")


def flatten(
    theta: Any,
    function: Callable[[Any], tuple[Any, Any]],
    slope: Callable[[Any], Any] | None = None,
    residuals: Callable[[Any], Any] | None = None,
) -> tuple[Problem, Array, Callable[[Array], Any]]:
    """The problem over one flat vector: itself, θ, and the way back from such a vector to the structure.

    ``function`` gives (C, ∇C), ``slope`` ∇C alone where that can be had without C, and ``residuals`` r.
    What they are given are copies, which they may keep.
    """
    gradient_alone = slope or (lambda parts: function(parts)[1])
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

    def curvature(θ: Array) -> Callable[[Array], Array]:
        from xnn.autodiff import linearize

        _, push = linearize(gradient_alone, structure(θ))
        return lambda v: join(matching(push(structure(v)), xp, theta, θs, "the product with the Hessian"))

    def jacobian(θ: Array) -> tuple[Array, Array]:
        from xnn.autodiff import jacobian
        from xnn.autodiff.lifting import answering

        assert residuals is not None
        parts = structure(θ)
        r = answering(residuals)(parts)
        columns = leaves(jacobian(residuals)(parts))
        return r, xp.concat([xp.reshape(xp.astype(J, whole, copy=False), (r.shape[0], -1)) for J in columns], axis=1)

    return Problem(xp, evaluate, curvature, jacobian if residuals is not None else None), join(θs), structure
