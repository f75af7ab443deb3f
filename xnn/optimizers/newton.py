"""Newton's method without a matrix: the Hessian is only multiplied by vectors."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar

from xnn.arrays import to_numpy
from xnn.contract import Array
from xnn.optimizers.base import State
from xnn.optimizers.solver import Point, Problem, Solver, search
from xnn.schedules import Schedule
from xnn.settings import whole

__all__ = ["NewtonCG"]


@dataclass(frozen=True)
class NewtonCG(Solver):
    """The truncated Newton method: θ ← θ + t d, where d solves ∇²C d = −∇C roughly, by conjugate gradients.

    The residual of that solution shrinks to min(½, √‖∇C‖) ‖∇C‖, so that little is spent far from the minimum, and
    the convergence close to it is faster than linear. Where a direction of negative curvature is met, the
    solution so far is taken, or −∇C where there is none yet: d is always one of descent. t meets the strong Wolfe
    conditions, ``lr`` is tried first.

    For ``minimize`` (and ``update``), which find ∇²C v by automatic differentiation: forward mode through the
    gradient, recorded once an iteration. The host reads one small array for each evaluation of the cost and for
    each product.

    Settings:
        lr: the first step length tried, or a schedule.
        max_cg: products with the Hessian an iteration, at most; ``None`` is as many as θ has entries.

    Source: Nocedal & Wright, Numerical Optimization, 2006, algorithm 7.1.
    """

    needs: ClassVar[str] = "curvature"

    lr: float | Schedule = 1.0
    max_cg: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_cg is not None:
            object.__setattr__(self, "max_cg", whole("NewtonCG: max_cg", self.max_cg, 1))

    def iterate(
        self, problem: Problem, here: Point, state: State, η: float, evaluations: int = 25
    ) -> tuple[Point, State]:
        """A direction by conjugate gradients, and a step along it by the line search."""
        d = self._direction(problem, here)
        found = search(problem, here, d, η, limit=evaluations)
        counts = {"iterations": state["iterations"] + 1, "evaluations": state["evaluations"] + found.evaluations}
        return found.point, {**state, **counts, "t": found.t}

    def _direction(self, problem: Problem, here: Point) -> Array:
        assert problem.curvature is not None
        xp, g = problem.xp, here.gradient
        product = problem.curvature(here.theta)
        enough = min(0.5, sqrt(here.norm)) * here.norm
        z: Any = None  # the solution so far
        r, p = g, -g  # the residual ∇²C z + ∇C, and the direction of the next improvement
        rr = xp.vecdot(r, r)
        for _ in range(self.max_cg or g.shape[0]):
            Hp = product(p)
            pHp = xp.vecdot(p, Hp)
            α = rr / xp.where(pHp > 0.0, pHp, 1.0)  # its sign is not known here: one transfer does for both numbers
            further = r + α * Hp
            squared = xp.vecdot(further, further)
            curvature, left = (float(x) for x in to_numpy(xp.stack([pHp, squared])))
            if not curvature > 0:
                break
            z = α * p if z is None else z + α * p
            if sqrt(left) < enough:
                break
            p = (squared / rr) * p - further
            r, rr = further, squared
        return -g if z is None else z
