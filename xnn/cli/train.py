"""``xnn train``: from a file of data to a saved network, with a report on rows that it has not seen."""

from __future__ import annotations

import argparse
import sys

from xnn.arrays import to_numpy
from xnn.cli import options as given
from xnn.cli.learning import LOSSES, OPTIMIZERS, learn_rows
from xnn.cli.model import ACTIVATIONS, with_table
from xnn.cli.options import choice, names, real, whole_number
from xnn.cli.places import place
from xnn.cli.report import check_picture, figures, picture
from xnn.cli.rows import divide
from xnn.cli.words import number_of
from xnn.datasets.encoding import MISSING_VALUES
from xnn.datasets.learn import learn

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


def arguments(parser: given.Parser) -> None:
    """The options, in groups."""
    parser.add_argument("data", help="the file: CSV, npz or Parquet; - is a pipe")
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
        "--loss", type=choice(LOSSES), metavar="NAME", help="cross-entropy; mse (default), mae, huber, log-cosh"
    )
    group.add_argument(
        "--optimizer", type=choice(OPTIMIZERS), default="adam", metavar="NAME", help=", ".join(OPTIMIZERS)
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
    output = place(options.output, options.data)
    if output.suffix.lower() == ".gz":
        raise ValueError(f"{output}: a network is saved as safetensors, without gzip; leave the ending .gz out")
    if options.dropout and not options.hidden:
        raise ValueError("--dropout comes after each hidden layer, and --hidden 0 leaves none; leave one of them out")
    image = None
    if not options.no_picture:
        image = check_picture(place(options.picture or output.with_suffix(".png"), options.data))
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
    rows = divide(complete, encoding, options)
    encoding, train, test = rows.encoding, rows.train, rows.test
    print(
        f"{options.data}: {number_of(len(table), 'row')}, {number_of(train.x.shape[1], 'input')}; " + "; ".join(remarks)
    )

    try:
        network, history = learn_rows(rows, backend, options)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("; no network was saved") from None
    outputs = to_numpy(network.predict(test.x)) if len(test.y) else None
    if outputs is not None:
        print(f"\non the {number_of(len(test.y), 'row')} of the test:\n{figures(test, test.y, outputs)}\n")
    with_table(network, encoding).save(output)
    print(f"saved the network as {output}", flush=True)
    if history.stop_reason.startswith("interrupted"):
        print(f"xnn: {history.stop_reason}; the network is saved as it was then", file=sys.stderr)
        return 130
    if image is not None and outputs is not None:
        print(picture(image, test, test.y, outputs, history))
    print(f"next: xnn predict {output} FILE")
    return 0


def _sizes(text: str) -> list[int]:
    """The units of the hidden layers: 100,50; none or 0 for no such layer."""
    if text.strip().lower() in ("none", "0"):
        return []
    return [whole_number(1)(part) for part in text.split(",")]
