"""The training of ``xnn train``: the network, the loss and the optimizer of the options, on rows that are numbers."""

from __future__ import annotations

import argparse

from xnn import losses, optimizers
from xnn.callbacks import EarlyStopping
from xnn.cli.model import precision, rescale, stack
from xnn.cli.rows import Rows
from xnn.cli.words import number_of
from xnn.contract import Backend
from xnn.history import History
from xnn.host import numpy
from xnn.network import Network
from xnn.penalties import L2

__all__ = ["LOSSES", "OPTIMIZERS", "learn_rows"]

LOSSES = {
    "cross-entropy": losses.CrossEntropy,
    "mse": losses.MeanSquaredError,
    "mae": losses.MeanAbsoluteError,
    "huber": losses.Huber,
    "log-cosh": losses.LogCosh,
}
OPTIMIZERS = {
    name.lower(): getattr(optimizers, name)
    for name in ("Adam", "AdamW", "SGD", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "Rprop", "LBFGS")
}
_WHOLE = ("lbfgs", "rprop")  # they need all examples in a step


def learn_rows(rows: Rows, backend: Backend, options: argparse.Namespace) -> tuple[Network, History]:
    """The trained network, whose outputs are in the unit of the target, and the history.

    Raises:
        ValueError: for a loss of the other task, and where the training has diverged.
    """
    encoding, train, held = rows.encoding, rows.train, rows.validation
    classes = len(encoding.classes)
    kind = options.loss or ("cross-entropy" if classes else "mse")
    if (kind == "cross-entropy") != bool(classes):
        raise ValueError(f"--loss {kind} is for a {'regression' if classes else 'classification'}; this is the other")
    mean, scale = (0.0, 1.0) if classes else (float(train.y.mean()), float(train.y.std()) or 1.0)
    numbers = train.x if classes else numpy.column_stack([train.x, train.y])
    dtype = options.dtype or precision(numbers, [*train.feature_names, encoding.target])
    layers = stack(options.hidden, options.activation, options.dropout, classes or 1)
    network = Network(layers, inputs=train.x.shape[1], backend=backend, dtype=dtype, seed=options.seed)
    rate = {} if options.lr is None else {"lr": options.lr}
    optimizer = OPTIMIZERS[options.optimizer](**rate)
    size = options.batch_size or (None if options.optimizer in _WHOLE else min(max(len(train.x) // 50, 16), 256))
    shape = " → ".join(str(n) for n in (train.x.shape[1], *options.hidden, classes or 1))
    print(
        f"{shape} ({options.activation}, {network.layout.size:,} parameters, {dtype}) on {backend.name}; "
        f"{number_of(len(train.x), 'row')} to train"
        + (f", {len(held.x)} for validation" if held is not None else "")
        + f"; {type(optimizer).__name__}, lr {optimizer.lr:g}, batches of {size or len(train.x)}\n",
        flush=True,
    )
    history = network.fit(
        train.x,
        train.y if classes else (train.y - mean) / scale,
        loss=LOSSES[kind](),
        optimizer=optimizer,
        epochs=options.epochs,
        batch_size=size,
        validation_data=None if held is None else (held.x, held.y if classes else (held.y - mean) / scale),
        metrics=["accuracy" if classes else "r2"],
        callbacks=[EarlyStopping(patience=options.patience)] if held is not None else [],
        penalty=L2(options.l2) if options.l2 else None,
        verbose=not options.quiet,
    )
    if not all(numpy.isfinite(backend.to_numpy(array)).all() for array in network.parameters.values()):
        raise ValueError(
            f"no network was saved, the training has {history.stop_reason}; try a smaller --lr than {optimizer.lr:g}"
        )
    if not classes:
        rescale(network, mean, scale)
    return network, history
