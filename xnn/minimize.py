"""Descent of any cost, without a network: feed a cost and its gradient to an optimizer until it stops."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count, pairwise
from math import isfinite
from typing import Any

from xnn.arrays import their_device
from xnn.descents import Iterations, Updates
from xnn.errors import DivergenceWarning
from xnn.optimizers import SGD, GaussNewton, Optimizer, Solver
from xnn.settings import number, whole
from xnn.trees import arrays, leaves, rebuild

__all__ = ["Minimum", "least_squares", "minimize"]

_FIRST = 10  # iterations that show how large the cost is; a start at a cost of almost 0 does not


@dataclass(frozen=True, eq=False)
class Minimum:
    """Where a descent ended, and why.

    Attributes:
        theta: the parameters, in the form in which they were given; after a divergence the last
            ones with a finite cost.
        cost: the cost there.
        iterations: how many updates were made.
        stop_reason: begins with "gradient norm", "cost change", "iteration limit", "no progress", "diverged" or
            "callback".
        costs: the cost before the first update, and after each.
    """

    theta: Any
    cost: float
    iterations: int
    stop_reason: str
    costs: list[float] = field(repr=False)


def minimize(
    cost: Callable[[Any], Any],
    theta: Any,
    *,
    gradient: Callable[[Any], Any] | None = None,
    optimizer: Optimizer | Solver = SGD(lr=0.1),  # noqa: B008 -- frozen
    tol: float = 1e-8,
    stop_on: str = "gradient",
    max_iterations: int = 10_000,
    callback: Callable[[int, Any, float], Any] | None = None,
) -> Minimum:
    """Iterate θ ← optimizer(θ, ∇C(θ)) until ∇C = 0 within ``tol``; ``theta`` itself is not changed.

    The cost and its gradient are computed once an iteration::

        found = xnn.minimize(lambda w: (w - 2) ** 2, 0.0)

    To begin with one optimizer and end with another, call it twice::

        near = xnn.minimize(cost, theta, optimizer=xnn.Adam(lr=0.01), max_iterations=1000)
        found = xnn.minimize(cost, near.theta, optimizer=xnn.LBFGS())

    Args:
        cost: C(θ), one number; it gets arrays in the form of ``theta`` and must not change them. With ``gradient``
            given they are the library's own; else they carry derivatives.
        theta: where to start: an array of any library, numbers in lists, or a list or dictionary of arrays.
        gradient: ∇C(θ), in the form of θ; ``None`` has it found automatically (``xnn.grad``).
        optimizer: plain descent with η = 0.1 by default. With a solver, such as ``xnn.LBFGS()``, each of its
            iterations is one here, and it evaluates the cost as often as it needs; where it finds no lower one,
            as happens when rounding is all that is left, the descent stops for "no progress".
        tol: how small is zero; with 0 only the limit stops.
        stop_on: ``"gradient"`` stops where ‖∇C‖ < tol, ``"cost"`` where two costs in a row differ by less.
        max_iterations: the limit of updates.
        callback: called as ``callback(iteration, theta, cost)`` before the first update and after each,
            with a copy of θ; it stops the descent by returning True.

    Returns:
        A ``Minimum``: theta, cost, iterations, stop_reason, costs.

    Warns:
        DivergenceWarning: where the cost is not finite any more, where it rises beyond 1000 times the
            largest of the first costs, and where it was above the first one and rising at the limit.

    Raises:
        TypeError: for arrays of several libraries, and for what is no real number.
        ValueError: for an empty theta, a cost or a gradient that is not finite at the start, a cost of
            several numbers, or a gradient of another shape than theta.

    Source: text 003, "iterate until ∇J = 0".
    """
    return _run(cost, gradient, None, theta, optimizer, tol, stop_on, max_iterations, callback)


def least_squares(
    residuals: Callable[[Any], Any],
    theta: Any,
    *,
    optimizer: Optimizer | Solver = GaussNewton(),  # noqa: B008 -- frozen
    tol: float = 1e-8,
    stop_on: str = "gradient",
    max_iterations: int = 1000,
    callback: Callable[[int, Any, float], Any] | None = None,
) -> Minimum:
    """Minimize C = ½‖r(θ)‖² = ½ Σ rᵢ²; ``minimize`` for sums of squares, whose gradient is Jᵀr::

        found = xnn.least_squares(lambda w: X @ w - y, w)

    Args:
        residuals: r(θ), an array with one axis; it is differentiated automatically.
        theta: where to start, as for ``minimize``.
        optimizer: ``xnn.GaussNewton()``, which knows of the residuals, or any other.
        tol, stop_on, max_iterations, callback: as for ``minimize``.

    Returns:
        A ``Minimum``; its cost is ½‖r‖², as in SciPy's ``least_squares``.

    Raises:
        ValueError: for residuals of another number of axes than one; and as ``minimize`` does.
    """
    if not callable(residuals):
        raise TypeError(f"residuals must be a function of theta, got {residuals!r}")

    def cost(θ: Any) -> Any:
        r = residuals(θ)
        if getattr(r, "ndim", None) != 1:
            array = hasattr(r, "shape")
            got, fix = (tuple(r.shape), "reshape it to (-1,)") if array else (type(r).__name__, "take numpy.stack")
            raise ValueError(f"residuals must return an array with one axis; got {got}: {fix}")
        return 0.5 * (r @ r)

    return _run(cost, None, residuals, theta, optimizer, tol, stop_on, max_iterations, callback)


def _run(
    cost: Any,
    gradient: Any,
    residuals: Any,
    theta: Any,
    optimizer: Any,
    tol: float,
    stop_on: str,
    most: int,
    callback: Any,
) -> Minimum:
    tol, limit = _check(cost, gradient, optimizer, tol, stop_on, most)
    xp, start = arrays(theta)
    if not start or any(0 in θ.shape for θ in start):
        raise ValueError("theta is empty: there is nothing to minimize over")
    with their_device(theta):
        path: Iterations | Updates
        if isinstance(optimizer, Solver):
            path = Iterations(cost, gradient, optimizer, theta, residuals)
        else:
            path = Updates(cost, gradient, optimizer, theta)
        return _descend(path, xp, optimizer, tol, stop_on, limit, callback)


def _descend(path: Any, xp: Any, optimizer: Any, tol: float, stop_on: str, limit: int, callback: Any) -> Minimum:
    """Go down a way, iteration by iteration, until there is a reason to stop."""
    costs: list[float] = []
    before = path.theta()
    for iteration in count():
        costs.append(path.cost())
        _start(iteration, "cost(theta)", costs[0])
        if callback is not None and callback(iteration, _copy(xp, path.theta()), costs[-1]) is True:
            reason = f"callback: it asked to stop after {iteration} iterations"
            break
        if reason := _diverged(costs):
            break
        if stop_on == "cost" and iteration and abs(costs[-1] - costs[-2]) < tol:
            reason = f"cost change {abs(costs[-1] - costs[-2]):.3g} < tol {tol:g}"
            break
        path.differentiate()
        if stop_on == "gradient" or iteration == 0:
            length = path.norm()
            _start(iteration, "the norm of gradient(theta)", length)
            if not isfinite(length):
                reason = f"diverged: the norm of the gradient is {length} after {iteration} iterations"
                break
            if stop_on == "gradient" and length < tol:
                reason = f"gradient norm {length:.3g} < tol {tol:g}"
                break
        if iteration == limit:
            reason = _at_limit(costs)
            break
        before = path.theta()
        if not path.advance():
            reason = f"no progress: no lower cost was found in the direction of descent after {iteration} iterations"
            break
    if reason.startswith("diverged"):
        warnings.warn(
            f"minimize {reason}; lower the lr of {optimizer!r}, scale the data, or check the gradient",
            DivergenceWarning,
            stacklevel=4,
        )
    if not isfinite(costs[-1]):
        return Minimum(before, costs[-2], iteration, reason, costs)
    return Minimum(path.theta(), costs[-1], iteration, reason, costs)


def _check(
    cost: Any, gradient: Any, optimizer: Any, tol: float, stop_on: str, max_iterations: int
) -> tuple[float, int]:
    """The tolerance and the limit, after all arguments but theta have been checked."""
    if not callable(cost):
        raise TypeError(f"cost must be a function of theta, got {cost!r}")
    if gradient is not None and not callable(gradient):
        raise TypeError(f"gradient must be a function of theta, got {gradient!r}")
    if not isinstance(optimizer, (Optimizer, Solver)):
        raise TypeError(f"optimizer must be one such as xnn.Adam(lr=0.01), with its settings; got {optimizer!r}")
    if stop_on not in ("gradient", "cost"):
        raise ValueError(f"stop_on must be 'gradient' or 'cost', got {stop_on!r}")
    return number("tol", tol, "[0, inf)"), whole("max_iterations", max_iterations, 0)


def _start(iteration: int, name: str, value: float) -> None:
    if iteration == 0 and not isfinite(value):
        raise ValueError(f"{name} is {value} at the start: look for NaN or infinity in theta and in the data")


def _copy(xp: Any, θ: Any) -> Any:
    return rebuild(θ, [xp.asarray(a, copy=True) for a in leaves(θ)])


def _diverged(costs: list[float]) -> str:
    """Why the costs so far show a divergence; empty where they do not."""
    cost, n = costs[-1], len(costs) - 1
    if not isfinite(cost):
        return f"diverged: the cost is {cost} after {n} iterations, {costs[0]:.4g} at the start"
    if n > _FIRST and cost > costs[-2] and cost > 1e3 * max(map(abs, costs[:_FIRST])):
        return f"diverged: the cost has risen from {costs[0]:.4g} to {cost:.4g} in {n} iterations"
    return ""


def _at_limit(costs: list[float]) -> str:
    n = len(costs) - 1
    if n and costs[-1] > costs[0] and all(a < b for a, b in pairwise(costs[-_FIRST - 1 :])):
        return f"diverged: the cost has risen from {costs[0]:.4g} to {costs[-1]:.4g} in {n} iterations, the limit"
    return f"iteration limit: {n} iterations"
