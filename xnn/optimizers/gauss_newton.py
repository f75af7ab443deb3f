"""Gauss–Newton with damping, the method of Levenberg and Marquardt, for sums of squares."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar

import array_api_compat

from xnn.arrays import to_numpy
from xnn.contract import Array
from xnn.optimizers.base import State
from xnn.optimizers.solver import Point, Problem, Solver
from xnn.schedules import Schedule
from xnn.settings import settle

__all__ = ["GaussNewton"]


@dataclass(frozen=True)
class GaussNewton(Solver):
    """Least squares: C = ½‖r(θ)‖² with the Jacobian J = ∂r/∂θ, θ ← θ + d where

        (JᵀJ + λI) d = −Jᵀr,    that is, d is the least-squares solution of [J; √λ I] d = [−r; 0]

    The damping λ makes the step short where the linear model of r is wrong: with the gain ϱ, the fall of the
    cost divided by the fall that the model promised, a step with ϱ > 0 is taken, and λ ← λ max(⅓, 1 − (2ϱ−1)³);
    otherwise λ ← λν, ν ← 2ν, and the step is tried again. It begins with λ = ``damping`` · max (JᵀJ)ᵢᵢ.

    For ``xnn.least_squares``, with up to some thousand parameters: J is formed whole (by forward or reverse mode,
    whichever takes fewer passes), and the linear problem is solved by QR, which does not square its condition.
    All that runs on the device of θ; the host reads one small array for each trial.

    Settings:
        lr: multiplies the step, or a schedule; 1 is the method as published.
        damping: how careful the first step is; 10⁻⁶ for a start close to the solution, 1 for a bad one.

    Source: Levenberg, 1944; Marquardt, 1963; the rule for λ: Nielsen, 1999; Madsen, Nielsen & Tingleff,
    Methods for Non-Linear Least Squares Problems, 2004, algorithm 3.16.
    """

    needs: ClassVar[str] = "jacobian"

    lr: float | Schedule = 1.0
    damping: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, damping="(0, inf)")

    def iterate(
        self, problem: Problem, here: Point, state: State, η: float, evaluations: int = 25
    ) -> tuple[Point, State]:
        """Trials with more and more damping, until the cost falls."""
        assert problem.jacobian is not None
        xp, g = problem.xp, here.gradient
        r, J = problem.jacobian(here.theta)
        λ, ν = state.get("damping"), 2.0
        if λ is None:
            λ = self.damping * float(to_numpy(xp.max(xp.sum(J * J, axis=0))))
        state = {**state, "iterations": state["iterations"] + 1, "t": 0.0}
        for _ in range(evaluations):
            λ = max(λ, 1e-300)
            d = η * _solution(xp, J, r, sqrt(λ))
            # What the model promises: ½‖r‖² − ½‖r + Jd‖².
            Jd = xp.matmul(J, d)
            promised = -xp.vecdot(g, d) - 0.5 * xp.vecdot(Jd, Jd)
            there, (model, moved) = problem.at(here.theta + d, None, promised, xp.max(xp.abs(d)))
            state["evaluations"] += 1
            gain = (here.cost - there.cost) / model if model > 0 else 0.0
            if there.cost < here.cost and gain > 0:
                return there, {**state, "t": η, "damping": λ * max(1 / 3, 1 - (2 * gain - 1) ** 3)}
            if moved == 0:
                break
            λ, ν = λ * ν, 2 * ν
        return here, {**state, "damping": λ}


def _solution(xp: Any, J: Array, r: Array, root: float) -> Array:
    """The d that makes ‖J d + r‖² + ‖root d‖² least; through the smaller of JᵀJ's and JJᵀ's dimensions."""
    m, n = J.shape
    k = min(m, n)
    A = J if m >= n else xp.matrix_transpose(J)
    stacked = xp.concat([A, root * xp.eye(k, dtype=J.dtype, device=array_api_compat.device(J))], axis=0)
    Q, R = xp.linalg.qr(stacked)
    if m >= n:  # R d = −Qᵀ[r; 0]
        return xp.linalg.solve(R, -xp.matmul(xp.matrix_transpose(Q[:m, :]), r))
    # d = −Jᵀ(JJᵀ + λI)⁻¹ r with JJᵀ + λI = RᵀR, and Jᵀ = Q₁R: d = −Q₁ R⁻ᵀ r
    return -xp.matmul(Q[:n, :], xp.linalg.solve(xp.matrix_transpose(R), r))
