"""L-BFGS: steps like Newton's, with a Hessian that is guessed from how the gradient has changed so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xnn.contract import Array
from xnn.optimizers.base import State
from xnn.optimizers.solver import Point, Problem, Solver, search
from xnn.schedules import Schedule
from xnn.settings import settle, whole

__all__ = ["LBFGS"]


@dataclass(frozen=True)
class LBFGS(Solver):
    """Limited-memory BFGS: θ ← θ + t d with d = −H ∇C.

    H, which stands for the inverse Hessian, is never formed. Each iteration gives a pair s = θ′ − θ,
    y = ∇C(θ′) − ∇C(θ), and with ρ = 1/(s·y) the pairs change H, the oldest one first, into

        H ← (I − ρ s yᵀ) H (I − ρ y sᵀ) + ρ s sᵀ,    beginning with H = (s·y)/(y·y) I of the newest pair.

    The step t meets the strong Wolfe conditions (``xnn.optimizers.line_search``), which keep s·y > 0; the first
    one tried is ``lr``, in the very first iteration min(1, 1/Σ|g|)·lr.

    It is for costs without noise: all examples at once (``batch_size=None``), or large batches. Everything is
    computed on the device of θ. The host reads one small array, of up to six numbers, for each evaluation of the
    cost, and one number more at the very start.

    The numbers are PyTorch's, whose default is ``line_search_fn=None``. ``max_iter``, ``max_eval`` and the
    tolerances end a step, of which ``fit`` takes one for each batch; ``minimize`` goes iteration by iteration, and
    has settings of its own for where to stop.

    Settings:
        lr: the first step length tried, or a schedule; without a line search the step length.
        max_iter: iterations a step.
        max_eval: evaluations of the cost a step; ``None`` is 5/4 max_iter.
        tolerance_grad: a step ends where max|∇C| is no larger.
        tolerance_change: it also ends where no entry of θ, or the cost, changes by more.
        history_size: how many pairs are remembered; each takes twice the memory of θ.
        line_search: ``"strong_wolfe"``, or ``None`` for steps of t = lr.

    Source: Liu & Nocedal, 1989; Nocedal & Wright, Numerical Optimization, 2006, algorithms 7.4 and 7.5.
    """

    lr: float | Schedule = 1.0
    max_iter: int = 20
    max_eval: int | None = None
    tolerance_grad: float = 1e-7
    tolerance_change: float = 1e-9
    history_size: int = 100
    line_search: str | None = "strong_wolfe"

    def __post_init__(self) -> None:
        super().__post_init__()
        settle(self, tolerance_grad="[0, inf)", tolerance_change="[0, inf)")
        for name in ("max_iter", "max_eval", "history_size"):
            if name != "max_eval" or self.max_eval is not None:
                object.__setattr__(self, name, whole(f"LBFGS: {name}", getattr(self, name), 1))
        if self.line_search not in ("strong_wolfe", None):
            raise ValueError(f"LBFGS: line_search must be 'strong_wolfe' or None, got {self.line_search!r}")

    def numbers(self) -> dict[str, Any]:
        """Counts, the last step length t, and how many pairs there have been; "s.0", "y.0", … join them."""
        return {**super().numbers(), "pairs": 0}

    def step(
        self, problem: Problem, θ: Array, cost: Array, gradient: Array, state: State, lr_scale: float = 1.0
    ) -> tuple[Array, State]:
        """Up to ``max_iter`` iterations from θ, whose cost and gradient are known."""
        here, _ = problem.read(θ, cost, gradient, state.get("d"))
        most = self.max_iter * 5 // 4 if self.max_eval is None else self.max_eval
        η = self.rate(state["step"]) * lr_scale
        state = {**state, "step": state["step"] + 1, "evaluations": state["evaluations"] + 1}
        start = state["evaluations"] - 1
        for _ in range(self.max_iter):
            left = most - (state["evaluations"] - start)
            if here.largest <= self.tolerance_grad or left < 1:
                break
            before = here.cost
            here, state = self.iterate(problem, here, state, η, left)
            if state["moved"] <= self.tolerance_change or abs(here.cost - before) < self.tolerance_change:
                break
        return here.theta, state

    def iterate(
        self, problem: Problem, here: Point, state: State, η: float, evaluations: int = 25
    ) -> tuple[Point, State]:
        """One step length, found by the line search, along −H g."""
        xp, g = problem.xp, here.gradient
        state = dict(state)
        if "d" in state:
            self._remember(xp, here, state)
            t = η
        else:
            t = min(1.0, 1.0 / max(float(xp.sum(xp.abs(g))), 1e-300)) * η
        d = _direction(xp, g, state, self.history_size)
        found = search(
            problem, here, d, t, limit=evaluations, change=self.tolerance_change, wolfe=self.line_search is not None
        )
        state["iterations"] += 1
        state["evaluations"] += found.evaluations
        state |= {"t": found.t, "moved": found.t * found.largest}
        if not found.slope < 0:  # the guess of the Hessian is of no use here: begin anew
            state.pop("d", None)
            return here, {**state, "pairs": 0}
        return found.point, {**state, "d": d, "slope": found.slope, "gradient": g}

    def _remember(self, xp: Any, here: Point, state: State) -> None:
        """Add the pair of the last iteration to the state, where its curvature s·y is above 0."""
        t, slope = state["t"], state["slope"]
        # s·y = t (g′·d − g·d): the numbers are on the host already, whatever batch g′ comes from.
        if not t * (here.slope - slope) > 1e-10 * abs(t * slope):
            return
        s, y = t * state["d"], here.gradient - state["gradient"]
        k, sy = state["pairs"] % self.history_size, xp.vecdot(s, y)
        state |= {f"s.{k}": s, f"y.{k}": y, f"rho.{k}": 1.0 / sy, "gamma": sy / xp.vecdot(y, y)}
        state["pairs"] += 1


def _direction(xp: Any, g: Array, state: State, m: int) -> Array:
    """−H g by the two loops of algorithm 7.4: through the pairs from the newest to the oldest, and back."""
    last = state["pairs"]
    kept = [k % m for k in range(last - min(last, m), last)]
    q, α = -g, {}
    for k in reversed(kept):
        α[k] = state[f"rho.{k}"] * xp.vecdot(state[f"s.{k}"], q)
        q -= α[k] * state[f"y.{k}"]
    if kept:
        q *= state["gamma"]
    for k in kept:
        β = state[f"rho.{k}"] * xp.vecdot(state[f"y.{k}"], q)
        q += (α[k] - β) * state[f"s.{k}"]
    return q
