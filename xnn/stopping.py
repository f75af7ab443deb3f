"""The reasons to stop training that the costs themselves give: a tolerance, a divergence, the limit of epochs."""

from __future__ import annotations

import warnings
from itertools import pairwise
from math import isfinite

from xnn.errors import DivergenceWarning
from xnn.run import Run

__all__ = ["at_limit", "decide"]

_FEW = 10  # epochs that show how large the cost is (a start at almost 0 does not); more rises in a row are no chance
_FAR = 1e6  # how many times that cost is a divergence
_SMALLER = "lower the step size (lr), scale the inputs, or clip the gradient (clip_norm=1.0)"
_WHENCE = "; fit(check_finite=True) looks for NaN in the data, xnn.detect_anomaly() names the layer"


def decide(run: Run, gradient_norm: float | None) -> None:
    """Look at the end of an epoch whether to stop."""
    costs, after = run.history["loss"], f"after epoch {run.epoch + 1}"
    cost, first, change = costs[-1], costs[0], abs(costs[-1] - costs[-2]) if len(costs) > 1 else None
    risen = len(costs) > _FEW and cost > costs[-2] and cost > _FAR * max(map(abs, costs[:_FEW])) > 0
    if not isfinite(cost) or risen:
        reason = f"diverged: the cost is {cost:.4g} {after}, {first:.4g} after the first"
        _diverged(run, reason, "" if isfinite(cost) else _WHENCE)
    elif run.tol is None:
        return
    elif gradient_norm is not None and gradient_norm < run.tol:
        run.stop(f"gradient norm {gradient_norm:.3g} < tol {run.tol:g} {after}")
    elif run.stop_on == "cost" and change is not None and change < run.tol:
        run.stop(f"cost change {change:.3g} < tol {run.tol:g} {after}")


def at_limit(run: Run) -> None:
    """Say that the limit of epochs is reached, or that the cost was rising all the time before."""
    costs, epochs = run.history["loss"], f"{run.epochs} {'epoch' if run.epochs == 1 else 'epochs'}"
    rising = len(costs) > 1 and all(a < b for a, b in pairwise(costs[-_FEW - 1 :]))
    bound = costs[0] if len(costs) > _FEW else _FAR * abs(costs[0])
    if rising and costs[-1] > bound != 0:
        reason = f"diverged: the cost has risen from {costs[0]:.4g} to {costs[-1]:.4g} in {epochs}, the limit"
        _diverged(run, reason)
    run.stop(f"iteration limit: {epochs}")


def _diverged(run: Run, reason: str, hint: str = "") -> None:
    """Stop, with a warning where ``fit`` was called."""
    warnings.warn(f"{reason}; {_SMALLER}{hint}", DivergenceWarning, stacklevel=5)
    run.stop(reason)
