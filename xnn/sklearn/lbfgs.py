"""The solver "lbfgs": L-BFGS on all examples at once, with the reasons to stop of SciPy's L-BFGS-B."""

from __future__ import annotations

import warnings
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from xnn.host import numpy
from xnn.losses import Loss, SquaredError
from xnn.optimizers import LBFGS
from xnn.optimizers.solver import Point
from xnn.penalties import L2
from xnn.sklearn.data import Examples, data_of
from xnn.sklearn.listeners import begin, listening, step_ended
from xnn.sklearn.losses import HalfSquaredError

__all__ = ["cost_and_gradient", "fit_lbfgs"]

_NO_CHANGE = 1e7 * float(numpy.finfo(float).eps)  # the relative fall of the cost at which SciPy stops
_SEARCH = 20  # evaluations in one line search, at most
_SETTLED = 100  # steps after which a running statistic holds all but 0.9¹⁰⁰ of that of the examples


def fit_lbfgs(est: Any, loss: Loss, examples: Examples) -> None:
    """Train ``est.network_`` until max |∂C/∂θ| ≤ tol, C no longer falls, or a limit is reached.

    A limit, and a search that finds nothing better before that, are a ConvergenceWarning.
    """
    if est.dropout:
        raise ValueError("dropout needs solver='adam' or 'sgd': 'lbfgs' minimizes one function, with no masks in it")
    network, solver = est.network_, LBFGS(history_size=10)  # as many pairs as SciPy remembers
    batch, penalty = _whole(est, loss, examples)
    # The cost that is told is not the one with this slope where there are several targets (HalfSquaredError).
    exact = SquaredError(half=True) if isinstance(loss, HalfSquaredError) else loss
    problem = network.problem(*batch, exact, penalty)
    told = network.problem(*batch, loss, penalty)
    here, _ = problem.at(network.flat)
    state, evaluations, again = solver.numbers(), 1, False
    run = begin(est, loss, solver, len(examples), ["loss"])
    est.n_iter_, failure = 0, ""
    with listening(est, run) as epoch_ended:
        fall = numpy.inf  # of the cost, relative to it
        while not run.reason:
            if est.n_iter_ and (est.n_iter_ >= est.max_iter or evaluations > est.max_fun):  # first, as in SciPy
                what = "F,G EVALUATIONS EXCEEDS" if est.n_iter_ < est.max_iter else "ITERATIONS REACHED"
                failure = f"(status=1):\nSTOP: TOTAL NO. OF {what} LIMIT\n"
                break
            if here.largest <= est.tol or fall <= _NO_CHANGE:
                break
            cost, counted = here.cost, state["evaluations"]
            first = _first_step(problem.xp, here) if state["iterations"] == 0 else 1.0
            here, state = solver.iterate(problem, here, state, first, _SEARCH)
            evaluations += state["evaluations"] - counted
            if state["t"] == 0 and not again:  # once more, without what the solver remembers
                state, again = solver.numbers(), True
                continue
            if state["t"] == 0:
                failure = "(status=2):\nABNORMAL: no lower cost was found in the direction of descent\n"
                break
            again = False
            est.n_iter_, run.epoch = est.n_iter_ + 1, est.n_iter_
            network.update(here.theta)
            step_ended(run)
            epoch_ended({"loss": here.cost})
            fall = (cost - here.cost) / max(abs(cost), abs(here.cost), 1.0)
    network.update(here.theta)
    est.loss_ = float(told.evaluate(here.theta)[0])
    if est.batch_norm:
        for _ in range(_SETTLED):
            network.differentiate(*batch, loss)
    if failure:
        message = f"lbfgs failed to converge after {est.n_iter_} iteration(s) {failure}"
        if est.n_iter_ == est.max_iter:
            message += f"\nIncrease the number of iterations to improve the convergence (max_iter={est.max_iter})."
        message += "\nScaled data converge faster: sklearn.preprocessing.StandardScaler"
        warnings.warn(message, ConvergenceWarning, stacklevel=5)


def cost_and_gradient(est: Any, loss: Loss, examples: Examples, packed: Any) -> tuple[float, Any]:
    """C and ∂C/∂θ at parameters that are packed as one vector: all coefs, then all intercepts."""
    network, names = est.network_, est._names()
    arrays = [*est.coefs_, *est.intercepts_]
    ends = numpy.cumsum([a.size for a in arrays])
    parts = [part.reshape(a.shape) for part, a in zip(numpy.split(packed, ends[:-1]), arrays, strict=True)]
    network.set_parameters({name: part.T for name, part in zip(names, parts, strict=True)})
    batch, penalty = _whole(est, loss, examples)
    cost, g = network.problem(*batch, loss, penalty).evaluate(network.flat)
    unpacked = network.layout.unpack(numpy, network.backend.to_numpy(g))
    gradients = dict(zip(network.layout.names, unpacked, strict=True))
    return float(cost), numpy.concatenate([gradients[name].T.ravel() for name in names])


def _first_step(xp: Any, here: Point) -> float:
    """What makes the first step tried 1/‖∇C‖ · ∇C, as in SciPy; that of ``xnn.LBFGS`` is min(1, 1/Σ|∇C|) · ∇C."""
    total = float(xp.sum(xp.abs(here.gradient)))
    return max(1.0, total) / here.norm


def _whole(est: Any, loss: Loss, examples: Examples) -> tuple[Any, L2 | None]:
    """All examples as one batch, and the penalty on it."""
    (batch,) = data_of(est.network_, loss, examples.x, examples.targets, examples.weights).batches(len(examples))
    total = float(len(examples) if examples.weights is None else examples.weights.sum())
    return batch, L2(float(est.alpha) / total, half=True) if est.alpha and total else None
