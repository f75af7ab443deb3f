"""The training loop: feed-forward, cost, gradients, update, batch after batch, until a reason to stop.

The loop does what the four steps do when they are called by hand, bit for bit (text 003)::

    cost, gradients = network.gradients(x, y, loss)
    parameters, state = optimizer.update(network.parameters, gradients, state)
    network.set_parameters(parameters)

It is handed a network and knows nothing else about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from math import isfinite
from typing import Any

from xnn.anomaly import watch
from xnn.arguments import check_loss
from xnn.backup import BackupAndRestore
from xnn.clipping import clip
from xnn.contract import comes_with_xnn
from xnn.data import ArrayData, Batch, IterableData, class_weights, columns, moments, source, split
from xnn.evaluation import measure
from xnn.history import History
from xnn.host import generator, numpy
from xnn.interrupts import interrupts
from xnn.losses import Loss
from xnn.memory import room
from xnn.meter import Meter, named
from xnn.optimizers import Adam, Optimizer, Solver
from xnn.penalties import Penalty, check_penalty
from xnn.run import Callback, Run, as_callbacks
from xnn.settings import number, whole
from xnn.stopping import at_limit, decide

__all__ = ["fit"]

_SHUFFLE = 1  # tells the generator of the shuffles from that of the initial weights


def fit(
    network: Any,
    x: Any,
    y: Any = None,
    *,
    loss: Loss,
    optimizer: Optimizer | Solver | None = None,
    epochs: int = 1,
    batch_size: int | None = 32,
    shuffle: bool = True,
    validation_split: float = 0.0,
    validation_data: Any = None,
    metrics: Iterable[Any] | None = (),
    callbacks: Iterable[Callback | Callable[..., Any]] | Callback | Callable[..., Any] | None = (),
    verbose: bool = False,
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | None = None,
    penalty: Penalty | None = None,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    tol: float | None = None,
    stop_on: str = "gradient",
    check_every: int | None = None,
    check_finite: bool = False,
) -> History:
    """Train the network on examples x with targets y, and return the history.

    Args:
        network: the network; called as ``network.fit(x, y, …)``.
        x: (examples, *inputs): an array of any library, nested lists, a table, or a NumPy memory map larger than
            the memory; or, without y, an iterable of batches (x, y) or (x, y, weights). Arrays on the host
            that would take more than half of a GPU's free memory (CuPy: and of the limit of its pool) stay
            there, and are sent batch by batch; so is a memory map. The numbers are the same.
        y: the targets, as the loss takes them.
        loss: what is minimized, such as ``xnn.CrossEntropy()``.
        optimizer: how; ``xnn.Adam()`` by default. It starts anew with every call. A solver, such as
            ``xnn.LBFGS()``, takes one of its steps for each batch, with the same dropout masks all through
            the step; ``batch_size=None`` suits it. It takes no clipped gradients.
        epochs: how often all examples are gone through, at most.
        batch_size: examples a step; ``None`` takes all of them (gradient descent).
        shuffle: a new order in every epoch of several batches; it follows from ``network.seed`` and
            ``network.epoch``.
        validation_split: this share of the examples, the last ones, is kept apart for validation.
        validation_data: (x, y) or (x, y, weights) for validation.
        metrics: names (``"accuracy"``, ``"r2"``, …) or functions (outputs, targets) -> number.
        callbacks: ``xnn.EarlyStopping()`` and others, or functions (epoch, logs); a function that
            returns True ends the training.
        verbose: show the progress.
        sample_weight: weights of the examples, (examples,): the cost is Σ wᵢLᵢ / Σ wᵢ.
        class_weight: {class: weight}, for integer labels.
        penalty: ``xnn.L2(1e-4)`` and others, on weights.
        clip_norm: the largest norm of the gradient of a step.
        clip_value: the largest size of an entry of the gradient.
        tol: stop when ‖∇C‖ (``stop_on="gradient"``: of the mean gradient of the epoch's steps) or the
            change of the cost from epoch to epoch (``"cost"``) is below it.
        stop_on: what ``tol`` refers to.
        check_every: look for divergence every so many steps, too, not only at the end of an epoch.
        check_finite: look for NaN and infinity in the data first.

    Returns:
        The history: ``loss`` (the mean cost of the epoch's steps, with the penalty), the metrics on the
        epoch's outputs, ``val_loss`` and so on; ``history.stop_reason`` says why training stopped:
        ``"gradient norm …"``, ``"cost change …"``, ``"iteration limit: …"``, ``"early stopping: …"``,
        ``"diverged: …"``, ``"interrupted …"`` (Ctrl-C ends the step under way and stops) or a callback's.

    Warns:
        DivergenceWarning: where the cost is not finite any more, where it rises beyond 10⁶ times the largest of the
            first ten, and at the limit where it was rising: for ten epochs, and is above the first one, or in all
            of fewer, beyond 10⁶ times the first one.

    Raises:
        ValueError, TypeError: for data and settings that do not fit; nothing is changed then.
    """
    optimizer = Adam() if optimizer is None else optimizer
    _check(network, optimizer, penalty, stop_on)
    epochs = whole("epochs", epochs, 1)
    batch_size, check_every = (
        None if value is None else whole(name, value, 1)
        for name, value in (("batch_size", batch_size), ("check_every", check_every))
    )
    clip_norm, clip_value, tol = (
        None if value is None else number(name, value, "(0, inf)")
        for name, value in (("clip_norm", clip_norm), ("clip_value", clip_value), ("tol", tol))
    )
    if isinstance(optimizer, Solver) and optimizer.needs:
        raise ValueError(
            f"{type(optimizer).__name__} needs the {optimizer.needs} of the cost, which fit does not compute: take "
            "xnn.LBFGS(), or xnn.minimize and xnn.least_squares with functions of network.apply(parameters, x)"
        )
    if isinstance(optimizer, Solver) and not (clip_norm is None and clip_value is None):
        raise ValueError(
            f"clip_norm, clip_value: the steps of {type(optimizer).__name__} follow from the gradient as it is, and "
            "its line search keeps them short; leave the clipping out, or take an optimizer such as xnn.Adam()"
        )
    validation_split = number("validation_split", validation_split, "[0, 1)")
    check_loss(loss)
    measures = named(metrics, loss.threshold)
    listeners = as_callbacks(callbacks)
    if verbose:
        from xnn.progress import Progress

        listeners.append(Progress())
    listeners.sort(key=lambda listener: isinstance(listener, BackupAndRestore))  # it keeps what the others remember
    if validation_split:
        (x, y, sample_weight), validation_data = split(x, y, sample_weight, validation_split, validation_data)
    if class_weight is not None:
        sample_weight = class_weights(y, sample_weight, class_weight)

    with network.backend.scope(), interrupts() as interrupted:
        data = source(network, loss, x, y, sample_weight, check_finite)
        validation = None
        if validation_data is not None:
            held_out = columns(validation_data)
            try:
                validation = source(network, loss, *held_out, check_finite)
            except (ValueError, TypeError) as error:
                raise type(error)(f"validation data: {error}") from error
        names = ["loss", *(name for name, _ in measures)]
        names += [f"val_{name}" for name in names] if validation is not None else []
        _check_once(data, epochs + (not network.fitted), "the batches")
        _check_once(validation, epochs, "the batches for validation")
        _check_metrics(network, data, [f for _, f in measures if comes_with_xnn(f)])
        run = Run(
            network, loss, optimizer, epochs, data.samples, measures,
            penalty, clip_norm, clip_value, tol, stop_on, check_every,
            batch_size, shuffle, data, validation, listeners, names,
        )  # fmt: skip
        with room(network, 0):
            run.state = optimizer.begin(network.backend, network.flat)
        with ExitStack() as endings:  # each listener is told of the end, even where another one failed
            for listener in reversed(listeners):
                endings.callback(listener.on_train_end, run)
            endings.callback(lambda: setattr(run.history, "stop_reason", run.reason))
            try:
                _begin(run)
                with room(network, min(n for n in (batch_size, data.samples, 2**31) if n), training=True):
                    _epochs(run, interrupted)
            except KeyboardInterrupt:  # raised by a callback, or while data was read
                run.stop(f"interrupted in epoch {run.epoch + 1}")
    return run.history


def _begin(run: Run) -> None:
    """Learn the statistics of the data and tell the listeners; where one fails, the network is as it was."""
    network = run.network
    before = network.snapshot()
    try:
        network.learn_statistics(lambda f: moments(f, run.data))  # before: listeners may use the network
        for listener in run.callbacks:
            listener.on_train_begin(run)
    except Exception:
        network.restore(before)
        raise


def _epochs(run: Run, interrupted: Callable[[], bool]) -> None:
    """Epoch after epoch, until there is a reason to stop; the first may be one that another process began."""
    network, data = run.network, run.data
    size = run.batch_size or data.samples or 1
    for epoch in range(run.epoch, run.epochs):
        if run.reason:  # before the first one: of a run that had stopped
            return
        run.epoch = epoch
        order = None
        if run.shuffle and data.samples is not None and size < data.samples:  # the gradient of all has no order
            order = generator(network.seed, _SHUFFLE, network.epoch).permutation(data.samples)
        logs, gradient_norm = _epoch(run, data.batches(size, order, run.batch), interrupted)
        network.epoch += 1
        if run.validation is not None:
            values = measure(network, run.validation.batches(), run.loss, run.measures, run.penalty)
            logs |= {f"val_{name}": value for name, value in values.items()}
        run.history.append(logs)
        decide(run, gradient_norm)
        for listener in run.callbacks:
            listener.on_epoch_end(run, logs)
        if interrupted():
            run.stop(f"interrupted in epoch {run.epoch + 1}")
        if run.reason:
            return
    at_limit(run)


def _epoch(
    run: Run, batches: Iterator[Batch], interrupted: Callable[[], bool]
) -> tuple[dict[str, float], float | None]:
    """The batches of an epoch, an update each: the values for the history, and ‖∇C‖ where it is asked for.

    Nothing is read back from the device before the end, but every ``check_every`` steps.
    """
    network, optimizer, loss, penalty = run.network, run.optimizer, run.loss, run.penalty
    backend, xp = network.backend, network.backend.xp
    meter = run.meter = run.meter or Meter(xp, run.measures)
    solving, summing = isinstance(optimizer, Solver), run.tol is not None and run.stop_on == "gradient"
    watchers = [c for c in run.callbacks if type(c).on_step_end is not Callback.on_step_end]
    for x, y, weights in batches:
        problem = network.problem(x, y, weights, loss, penalty) if solving else None
        cost, g, outputs = network.differentiate(x, y, weights, loss, penalty, packed=True)
        if summing:
            run.total = g * x.shape[0] if run.total is None else run.total + g * x.shape[0]
        g = clip(backend, g, run.clip_value, run.clip_norm)
        if problem is not None:
            g = xp.asarray(g, copy=True)  # it may be kept, and the next step of a plan changes it
            θ, run.state = optimizer.step(problem, network.flat, cost, g, run.state, run.lr_scale)
        else:
            θ, run.state = optimizer.step(backend, network.flat, g, run.state, run.lr_scale)
        network.update(θ)
        check = watch(network.layers, run.step)
        if check is not None:
            check(xp, -1, f"the update of the parameters ({type(optimizer).__name__})", (network.flat,))
        run.step += 1
        run.batch += 1
        meter.add(cost, x.shape[0], outputs, y)
        run.interrupted = interrupted()
        for watcher in watchers:
            watcher.on_step_end(run)
        if run.interrupted or (run.check_every and run.step % run.check_every == 0 and not isfinite(float(cost))):
            break
    logs = {"loss": meter.mean_cost(), **meter.metrics()}
    norm = None
    if run.total is not None:
        norm = float(xp.sqrt(xp.sum(run.total * run.total))) / float(meter.numbers("weight").sum())
    run.batch, run.meter, run.total = 0, None, None
    return logs, norm


def _check(network: Any, optimizer: Any, penalty: Any, stop_on: Any) -> None:
    if isinstance(optimizer, type) or not isinstance(optimizer, (Optimizer, Solver)):
        raise TypeError(f"optimizer: expected one such as xnn.Adam(lr=1e-3); got {optimizer!r}")
    optimizer.rate(0)  # raises for a schedule that gives no step size
    check_penalty(penalty)
    if stop_on not in ("gradient", "cost"):
        raise ValueError(f"stop_on: expected 'gradient' or 'cost'; got {stop_on!r}")
    if network.layout.size == 0:
        raise ValueError("this network has nothing to learn: none of its layers has parameters")


def _check_metrics(network: Any, data: ArrayData | IterableData, metrics: list[Callable[..., Any]]) -> None:
    """Have the metrics say before the first epoch, not after it, where the targets are none for them."""
    if metrics and isinstance(data, ArrayData):
        _, target, _ = next(data.batches(1, numpy.zeros(1, dtype="int64")))
        outputs = network.backend.asarray(numpy.zeros((1, *network.shapes[-1])), network.dtype)
        for metric in metrics:
            metric(outputs, target)


def _check_once(data: ArrayData | IterableData | None, times: int, what: str) -> None:
    """Batches that can be gone through once only are an error, before the first epoch, where they are needed again."""
    if isinstance(data, IterableData) and data.once and times > 1:
        raise ValueError(
            f"{what} come from a generator, which is used up after one time through; they are needed "
            f"{times} times: pass a list, or an object whose __iter__ starts anew"
        )
