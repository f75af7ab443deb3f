"""The solvers "adam" and "sgd": epochs of mini-batches, with scikit-learn's order and reasons to stop.

With the n examples of a batch, their weights w, and the weights W of the network, a step descends on

    C = Σᵢ wᵢ Lᵢ / Σᵢ wᵢ + ½ α ‖W‖² / Σᵢ wᵢ          w = 1 unless given: Σᵢ wᵢ = n
"""

from __future__ import annotations

import warnings
from typing import Any

from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from xnn.arrays import to_numpy
from xnn.host import numpy
from xnn.losses import Loss
from xnn.meter import Meter
from xnn.penalties import L2
from xnn.run import Run
from xnn.sklearn.data import Examples, data_of, outputs
from xnn.sklearn.listeners import begin, listening, step_ended
from xnn.sklearn.optimizers import updates_of

__all__ = ["fit_stochastic"]


def fit_stochastic(est: Any, loss: Loss, examples: Examples, incremental: bool) -> None:
    """Train ``est.network_`` and leave behind what scikit-learn's solvers do; one epoch where ``incremental``."""
    network = est.network_
    if not incremental or not hasattr(est, "_optimizer"):
        est._optimizer = updates_of(est, network)
    if est.early_stopping and incremental:
        raise ValueError("partial_fit does not support early_stopping=True")
    held_out = None
    if est.early_stopping:
        examples, held_out = _split(est, examples)
    n = len(examples)
    if est.batch_size == "auto":
        size = min(200, n)
    else:
        if est.batch_size > n:
            warnings.warn(
                f"Got `batch_size` less than 1 or larger than sample size. It is going to be clipped to {n}",
                stacklevel=5,
            )
        size = min(int(est.batch_size), n)

    names = ["loss", *(["val_loss", _score_name(est)] if held_out is not None else [])]
    run = begin(est, loss, est._optimizer.optimizer, n, names)
    data = data_of(network, loss, examples.x, examples.targets, examples.weights)
    order = numpy.arange(n)
    best = network.snapshot() if held_out is not None else None
    with listening(est, run) as epoch_ended:
        try:
            est.n_iter_ = 0
            for run.epoch in range(est.max_iter):
                if est.shuffle:
                    order = order[est._random_state.permutation(n)]
                est.loss_ = _epoch(est, run, data, examples.weights, size, order)
                est.n_iter_ += 1
                est.t_ += n
                est.loss_curve_.append(est.loss_)
                logs = {"loss": est.loss_}
                if held_out is None:
                    _compare_loss(est)
                else:
                    logs |= _validate(est, loss, held_out)
                    if _compare_score(est):
                        best = network.snapshot()
                est._optimizer.epoch_ends(est.t_)
                run.optimizer = est._optimizer.optimizer
                epoch_ended(logs)
                if _gives_up(est) or run.reason or incremental:
                    break
                if est.n_iter_ == est.max_iter:
                    run.stop(f"iteration limit: {est.max_iter} epochs")
                    warnings.warn(
                        f"Stochastic Optimizer: Maximum iterations ({est.max_iter}) reached and the optimization "
                        "hasn't converged yet.",
                        ConvergenceWarning,
                        stacklevel=5,
                    )
        except KeyboardInterrupt:
            run.stop("interrupted")
            warnings.warn("Training interrupted by user.", stacklevel=5)
        if best is not None:
            network.restore(best)


def _epoch(est: Any, run: Run, data: Any, weights: Any, size: int, order: Any) -> float:
    """One pass over the batches, a step each; the mean of their costs."""
    network, loss, alpha = run.network, run.loss, float(est.alpha)
    meter = Meter(network.backend.xp, [])
    starts = range(0, data.samples, size)
    for start, (x, y, w) in zip(starts, data.batches(size, order if est.shuffle else None), strict=True):
        total = float(x.shape[0] if weights is None else weights[order[start : start + size]].sum())
        penalty = L2(alpha / total, half=True) if alpha and total else None
        cost, g, _ = network.differentiate(x, y, w, loss, penalty, packed=True)
        est._optimizer.step(network, g, run.lr_scale)
        step_ended(run)
        meter.add(cost, x.shape[0], None, None)
    return meter.mean_cost()


def _split(est: Any, examples: Examples) -> tuple[Examples, Examples]:
    """The examples to train on, and those to validate with: stratified where the target is one column of classes."""
    train, test = train_test_split(
        numpy.arange(len(examples)),
        random_state=est._random_state,
        test_size=est.validation_fraction,
        stratify=examples.y if is_classifier(est) and examples.y.shape[1] == 1 else None,
    )
    if len(test) < 2:
        raise ValueError("The validation set is too small. Increase 'validation_fraction' or the size of your dataset.")
    return examples.take(train), examples.take(test)


def _validate(est: Any, loss: Loss, held_out: Examples) -> dict[str, float]:
    """The cost (without the penalty) and the score of the examples that are held out, noted in the curves."""
    a = to_numpy(outputs(est.network_, held_out.x))
    cost = float(loss(a, held_out.targets, held_out.weights))
    score = est._score(a, held_out.y, held_out.weights) if numpy.isfinite(a).all() else numpy.nan
    est.validation_loss_curve_.append(cost)
    est.validation_scores_.append(score)
    return {"val_loss": cost, _score_name(est): score}


def _score_name(est: Any) -> str:
    return "val_accuracy" if is_classifier(est) else "val_r2"


def _compare_loss(est: Any) -> None:
    """Count the epochs in which the loss has not become smaller by ``tol``."""
    est._no_improvement_count = est._no_improvement_count + 1 if est.loss_ > est.best_loss_ - est.tol else 0
    est.best_loss_ = min(est.best_loss_, est.loss_)


def _compare_score(est: Any) -> bool:
    """Count the epochs in which the score has not grown by ``tol``; whether it is the best so far."""
    score = est.validation_scores_[-1]
    est._no_improvement_count = est._no_improvement_count + 1 if score < est.best_validation_score_ + est.tol else 0
    if score > est.best_validation_score_:
        est.best_validation_score_ = score
        return True
    return False


def _gives_up(est: Any) -> bool:
    """Whether nothing has improved for more than ``n_iter_no_change`` epochs, and the step size stays."""
    if est._no_improvement_count <= est.n_iter_no_change:
        return False
    what = "Validation score" if est.early_stopping else "Training loss"
    message = f"{what} did not improve more than tol={est.tol:f} for {est.n_iter_no_change} consecutive epochs."
    if est._optimizer.gives_up(message, est.verbose):
        return True
    est._no_improvement_count = 0
    return False
