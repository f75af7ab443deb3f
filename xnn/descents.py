"""The two ways down that ``minimize`` goes: the updates of an optimizer, and the iterations of a solver.

Each tells where it is (``theta``, ``cost`` and, after ``differentiate``, ``norm``, ‖∇C‖), and goes on by ``advance``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xnn.arrays import owner, to_numpy
from xnn.clipping import norm
from xnn.optimizers import Optimizer, Problem, Solver, flatten
from xnn.trees import arrays, leaves, matching, rebuild

__all__ = ["Iterations", "Updates"]


class Updates:
    """Of an optimizer: a gradient and an update an iteration; ``gradient`` None has it found automatically."""

    def __init__(self, cost: Any, gradient: Any, optimizer: Optimizer, theta: Any) -> None:
        self._cost, self._gradient, self._optimizer = cost, gradient, optimizer
        self._both = gradient is None
        if self._both:
            from xnn.autodiff import value_and_grad  # on use: importing it takes a while

            self._cost = value_and_grad(cost)
        self._xp, start = arrays(theta)
        self._θ = rebuild(theta, [self._xp.asarray(a, copy=True) for a in start])
        self._state = optimizer.init(self._θ)

    def theta(self) -> Any:
        """θ, in the form in which it was given."""
        return self._θ

    def cost(self) -> float:
        """C(θ), read from the device."""
        found = self._cost(self._θ)
        if self._both:  # the gradient comes with the cost
            found, self._found = found
        return _number(found)

    def differentiate(self) -> None:
        """Find ∇C(θ), where it did not come with the cost."""
        g = self._found if self._both else self._gradient(self._θ)
        here = leaves(self._θ)
        self._g = matching(g, self._xp, self._θ, here, "gradient")

    def norm(self) -> float:
        """‖∇C(θ)‖."""
        return float(to_numpy(norm(self._xp, self._g)))

    def advance(self) -> bool:
        """One update."""
        self._θ, self._state = self._optimizer.update(self._θ, rebuild(self._θ, self._g), self._state)
        return True


class Iterations:
    """Of a solver: an iteration is what takes it to its next point, cost and gradient in one."""

    def __init__(self, cost: Any, gradient: Any, solver: Solver, theta: Any, residuals: Any = None) -> None:
        problem, θ, structure = _flat(cost, gradient, theta, residuals)
        solver.check(problem)
        self._problem, self._solver, self._state = problem, solver, solver.numbers()
        self._structure = structure
        self._here, _ = problem.at(θ)
        self._iterations = 0

    def theta(self) -> Any:
        """θ, in the form in which it was given."""
        return self._structure(self._here.theta)

    def cost(self) -> float:
        """C(θ), read from the device."""
        return self._here.cost

    def differentiate(self) -> None:
        """It is done already, together with the cost."""

    def norm(self) -> float:
        """‖∇C(θ)‖."""
        return self._here.norm

    def advance(self) -> bool:
        """One iteration; False where no better point is found, not even without what the solver remembers."""
        solver, η = self._solver, self._solver.rate(self._iterations)
        first = self._state["iterations"] == 0
        self._here, self._state = solver.iterate(self._problem, self._here, self._state, η)
        if self._state["t"] == 0 and not first:
            self._here, self._state = solver.iterate(self._problem, self._here, solver.numbers(), η)
        self._iterations += 1
        return bool(self._state["t"] != 0)


def _flat(cost: Any, gradient: Any, theta: Any, residuals: Any = None) -> tuple[Problem, Any, Callable[[Any], Any]]:
    """The problem that a solver is handed, with the gradient found automatically where none is given."""
    if gradient is None:
        from xnn.autodiff import value_and_grad

        return flatten(theta, value_and_grad(cost), residuals=residuals)
    return flatten(theta, lambda θ: (cost(θ), gradient(θ)), gradient)


def _number(value: Any) -> float:
    """What a cost function returned, as a Python float; waits for the device."""
    if isinstance(value, (float, int)):
        return float(value)
    if owner(value) is None:
        raise TypeError(f"cost must return one real number, got {type(value).__name__}: {value!r:.60}")
    array = to_numpy(value)
    if array.size != 1 or array.dtype.kind not in "iuf":
        raise ValueError(f"cost must return one real number, got an array of {array.dtype}, shape {array.shape}")
    return float(array.reshape(()))
