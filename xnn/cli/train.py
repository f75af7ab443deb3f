"""``xnn train``: from a file of data to a saved network, with a report on rows that it has not seen."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from xnn import losses, optimizers
from xnn.arrays import Backend
from xnn.callbacks import EarlyStopping
from xnn.cli import options as given
from xnn.cli.model import ACTIVATIONS, precision, rescale, stack, with_table
from xnn.cli.options import choice, names, real, whole_number
from xnn.cli.report import figures, picture
from xnn.datasets.dataset import Dataset
from xnn.datasets.encoding import MISSING_VALUES, Encoding
from xnn.datasets.learn import learn
from xnn.datasets.table import Table
from xnn.history import History
from xnn.host import numpy
from xnn.network import Network
from xnn.penalties import L2

__all__ = ["ABOUT", "EXAMPLES", "USAGE", "arguments", "run"]

USAGE = "data --target NAME [options]"
ABOUT = """\
train a network on a file of data, and save it

Every column but the target is an input: numbers are standardized, texts become one input for
each category. A target of texts, or of few whole numbers, makes a classification, any other a
regression. A part of the rows is kept for the test, and of the others a part to stop early.
"""
EXAMPLES = """\
  xnn train houses.csv --target price
  xnn train iris.csv --target species --hidden 50,20 --activation tanh --output iris.safetensors
  xnn train wine.csv --target quality --task regression --delimiter ";" --decimal ,
  xnn train titanic.csv --target survived --ignore name,ticket,cabin --missing mean
  xnn train digits.npz --target y --backend torch:cuda --dtype float32 --epochs 20 --patience 0
"""
_LOSSES = {
    "cross-entropy": losses.CrossEntropy,
    "mse": losses.MeanSquaredError,
    "mae": losses.MeanAbsoluteError,
    "huber": losses.Huber,
    "log-cosh": losses.LogCosh,
}
_OPTIMIZERS = {
    name.lower(): getattr(optimizers, name)
    for name in ("Adam", "AdamW", "SGD", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "Rprop", "LBFGS")
}
_WHOLE = ("lbfgs", "rprop")  # they need all examples in a step
_FEWEST = 10  # rows, for a test part


def arguments(parser: given.Parser) -> None:
    """The options, in groups."""
    parser.add_argument("data", help="the file: CSV, npz or Parquet")
    parser.add_argument("--target", metavar="NAME", help="the column to predict")
    parser.add_argument(
        "--output", metavar="FILE", default="model.safetensors", help="the network (default: %(default)s)"
    )
    parser.add_argument("--picture", metavar="FILE", help="learning curves and test (default: as --output, with .png)")
    parser.add_argument("--no-picture", action="store_true", help="draw none")

    group = parser.add_argument_group("the columns")
    group.add_argument(
        "--task", type=choice(("classification", "regression")), metavar="WHAT", help="classification or regression"
    )
    group.add_argument("--ignore", type=names, default=[], metavar="A,B", help="columns that are no inputs")
    group.add_argument(
        "--text", type=names, default=[], metavar="A,B", help="columns whose numbers are names, as of a zip code"
    )
    group.add_argument(
        "--missing", type=choice(MISSING_VALUES), default="error", metavar="WHAT",
        help="an empty cell, NA, NaN, null, ?: error (default), drop the row, or the mean of the column",
    )  # fmt: skip
    group.add_argument(
        "--max-categories",
        type=whole_number(2),
        default=100,
        metavar="N",
        help="of a column of texts (default: %(default)s)",
    )
    given.table_options(parser)

    group = parser.add_argument_group("the network")
    group.add_argument(
        "--hidden", type=_sizes, default=[100], metavar="N,N", help="units of the hidden layers (100); none: 0"
    )
    group.add_argument(
        "--activation", type=choice(ACTIVATIONS), default="relu", metavar="NAME", help=", ".join(ACTIVATIONS)
    )
    group.add_argument("--dropout", type=real("[0, 1)"), default=0.0, metavar="P", help="after each hidden layer (0)")
    group.add_argument("--dtype", type=choice(("float32", "float64")), help="by default float32, if the data allow it")
    given.common_options(group)

    group = parser.add_argument_group("the training")
    group.add_argument(
        "--loss", type=choice(_LOSSES), metavar="NAME", help="cross-entropy; mse (default), mae, huber, log-cosh"
    )
    group.add_argument(
        "--optimizer", type=choice(_OPTIMIZERS), default="adam", metavar="NAME", help=", ".join(_OPTIMIZERS)
    )
    group.add_argument("--lr", type=real("(0, inf)"), metavar="STEP", help="the step size (default: the optimizer's)")
    group.add_argument(
        "--epochs", type=whole_number(1), default=200, metavar="N", help="at most (default: %(default)s)"
    )
    group.add_argument(
        "--batch-size", type=whole_number(1), metavar="N", help="default: 16 to 256, by the number of rows"
    )
    group.add_argument("--l2", type=real("[0, inf)"), default=0.0, metavar="λ", help="adds λ Σ w² to the cost (0)")
    group.add_argument(
        "--patience", type=whole_number(0), default=20, metavar="N",
        help="stop after so many epochs without a better validation cost, and go back to the best (20); 0: never",
    )  # fmt: skip
    group.add_argument(
        "--validation", type=real("(0, 1)"), default=0.1, metavar="SHARE", help="of the rows, for it (0.1)"
    )
    group.add_argument(
        "--test", type=real("[0, 1)"), default=0.2, metavar="SHARE", help="kept for the test (0.2); 0: none"
    )
    group.add_argument("--seed", type=whole_number(0), default=0, metavar="N", help="of split, weights and order (0)")
    group.add_argument("--quiet", action="store_true", help="show no progress")


def run(options: argparse.Namespace) -> int:
    """Train, report, draw, save; 130 where Ctrl-C has ended the training."""
    output, image = _outputs(options)
    backend = given.backend_of(options)
    table = given.table_of(options)
    if options.target is None:
        raise ValueError(f"name the column to predict, --target NAME; {options.data} has: {', '.join(table.columns)}")
    encoding, remarks = learn(
        table, options.target, task=options.task, ignore=options.ignore, text=options.text,
        missing=options.missing, max_categories=options.max_categories,
    )  # fmt: skip
    complete = encoding.complete(table)
    if len(complete) < len(table):
        remarks.append(f"{len(table) - len(complete)} of {len(table)} rows lack a value, and are left out")
    encoding, train, held, x_test, y_test = _parts(complete, encoding, options)
    print(f"{options.data}: {len(table)} rows, {train.x.shape[1]} inputs; " + "; ".join(remarks))

    try:
        network, history = _train(train, held, encoding, backend, options)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("; no network was saved") from None
    outputs = backend.to_numpy(network.predict(x_test)) if len(y_test) else None
    if outputs is not None:
        print(f"\non the {len(y_test)} rows of the test:\n{figures(train, y_test, outputs)}\n")
    with_table(network, encoding).save(output)
    print(f"saved the network as {output}", flush=True)
    if history.stop_reason.startswith("interrupted"):
        print(f"xnn: {history.stop_reason}; the network is saved as it was then", file=sys.stderr)
        return 130
    if image is not None and outputs is not None:
        print(picture(image, train, y_test, outputs, history))
    print(f"next: xnn predict {output} FILE")
    return 0


def _train(
    train: Dataset, held: Dataset | None, encoding: Encoding, backend: Backend, options: argparse.Namespace
) -> tuple[Network, History]:
    """The trained network, whose outputs are in the unit of the target, and the history."""
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
    optimizer = _OPTIMIZERS[options.optimizer](**rate)
    size = options.batch_size or (None if options.optimizer in _WHOLE else min(max(len(train.x) // 50, 16), 256))
    shape = " → ".join(str(n) for n in (train.x.shape[1], *options.hidden, classes or 1))
    print(
        f"{shape} ({options.activation}, {network.layout.size:,} parameters, {dtype}) on {backend.name}; "
        f"{len(train.x)} rows to train"
        + (f", {len(held.x)} for validation" if held is not None else "")
        + f"; {type(optimizer).__name__}, lr {optimizer.lr:g}, batches of {size or len(train.x)}\n",
        flush=True,
    )
    history = network.fit(
        train.x,
        train.y if classes else (train.y - mean) / scale,
        loss=_LOSSES[kind](),
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


def _parts(
    table: Table, encoding: Encoding, options: argparse.Namespace
) -> tuple[Encoding, Dataset, Dataset | None, Any, Any]:
    """The encoding, the rows to train with, those for validation, and x and y of the test."""
    data = encoding.dataset(table)
    if len(data.x) < 2 or (options.test and len(data.x) < _FEWEST):
        more = "; train on all of them with --test 0" if len(data.x) > 1 else ""
        raise ValueError(f"{options.data} has {len(data.x)} rows, too few to keep some for the test{more}")
    x_test, y_test = data.x[:0], data.y[:0]
    if options.test:
        parts = data.split(options.test, seed=options.seed)
        assert parts.x_test is not None
        assert parts.y_test is not None
        data, x_test, y_test = replace(parts, x_test=None, y_test=None), parts.x_test, parts.y_test
    if encoding.missing == "mean":
        encoding = encoding.with_means(data.x)
        data, x_test = replace(data, x=encoding.fill(data.x)), encoding.fill(x_test)
    if len(data.x) < 2:
        raise ValueError(f"--test {options.test:g} leaves one row to train with")
    held = None
    if options.patience and len(data.x) >= 2 * _FEWEST:
        parts = data.split(options.validation, seed=options.seed)
        assert parts.x_test is not None
        assert parts.y_test is not None
        data, held = replace(parts, x_test=None, y_test=None), Dataset(parts.x_test, parts.y_test)
    return encoding, data, held, x_test, y_test


def _outputs(options: argparse.Namespace) -> tuple[Path, Path | None]:
    """Where the network and the picture go; better an error now than after hours of training."""
    output = Path(options.output)
    image = None if options.no_picture else Path(options.picture or output.with_suffix(".png"))
    for path in filter(None, (output, image)):
        folder = path.parent
        if not folder.is_dir():
            raise FileNotFoundError(f"{path}: the folder {folder} does not exist; create it first")
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder; give the name of a file in it")
        if not os.access(path if path.exists() else folder, os.W_OK) or not os.access(folder, os.W_OK):
            raise PermissionError(f"{path} cannot be written: no permission")
        if path.exists() and path.samefile(options.data) if Path(options.data).exists() else False:
            raise ValueError(f"{path} is the file of data, and would be overwritten; give another name")
    return output, image


def _sizes(text: str) -> list[int]:
    """The units of the hidden layers: 100,50; none or 0 for no such layer."""
    if text.strip().lower() in ("none", "0"):
        return []
    return [whole_number(1)(part) for part in text.split(",")]
