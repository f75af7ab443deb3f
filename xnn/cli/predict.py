"""``xnn predict``: what a saved network says about the rows of a file."""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import sys
from dataclasses import replace

from xnn.arrays import to_numpy
from xnn.atomic import replacing
from xnn.cli.model import REMEDY, load_model, probabilities
from xnn.cli.options import Parser, backend_of, choice, common_options, names, table_of, table_options
from xnn.cli.places import place
from xnn.cli.words import number_of
from xnn.datasets.encoding import Encoding
from xnn.datasets.table import known
from xnn.host import ndarray

__all__ = ["ABOUT", "EXAMPLES", "USAGE", "arguments", "run"]

USAGE = "model data [options]"
ABOUT = """\
what a saved network says about the rows of a file

The file needs the columns that were inputs in training, in any order; others do not matter. Out
comes CSV, a line for each row, under the name of the target; where that column is kept, too, as
"predicted" and its name.
"""
EXAMPLES = """\
  xnn predict model.safetensors new.csv
  xnn predict model.safetensors new.csv --keep id,name --output predictions.csv
  xnn predict model.safetensors new.csv --probabilities | head
"""


def arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument("model", help="the file that xnn train saved")
    parser.add_argument("data", help="the file of rows: CSV, npz or Parquet; - is a pipe")
    parser.add_argument("--output", metavar="FILE", help="a CSV file, or .csv.gz (default: they are printed)")
    parser.add_argument("--probabilities", action="store_true", help="of each class, in columns target=class")
    parser.add_argument("--keep", type=names, default=[], metavar="A,B", help="columns of the data to put before them")
    parser.add_argument(
        "--unseen", type=choice(("error", "zeros")), default="error", metavar="WHAT",
        help="a category that was not in the training data: error (default), or zeros: in none of those known",
    )  # fmt: skip
    common_options(parser)
    table_options(parser)


def run(options: argparse.Namespace) -> int:
    """Write the predictions."""
    if options.output is not None:
        end = place(options.output, options.data, options.model).suffix.lower()
        if end in (".npz", ".parquet"):
            raise ValueError(f"{options.output}: predictions are CSV; give a name that ends with .csv or .csv.gz")
    network, encoding = load_model(options.model, backend_of(options))
    if options.probabilities and not encoding.classes:
        raise ValueError(f"{options.model} predicts the number {encoding.target!r}; a number has no --probabilities")
    table = table_of(options)
    keep = list(dict.fromkeys(options.keep))
    for name in keep:
        known(name, list(table.columns), f"{options.data} has no column")
    # Every row needs its prediction, so none is dropped; and what the target says does not matter.
    columns = {name: column for name, column in table.columns.items() if name != encoding.target}
    needed = replace(encoding, missing="mean" if encoding.missing == "mean" else "error")
    rows = replace(table, columns=columns)
    x = needed.inputs(needed.complete(rows, REMEDY), unseen=options.unseen)
    outputs = to_numpy(network.predict(x))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    said = encoding.target
    while said in keep:
        said = f"predicted {said}"
    writer.writerow([*keep, said, *_shares(encoding, options.probabilities)])
    kept = [table.texts(name).tolist() for name in keep]
    writer.writerows(zip(*kept, *_columns(encoding, outputs, options.probabilities), strict=True))
    if options.output is None:
        sys.stdout.write(text.getvalue())
    else:
        with replacing(options.output) as file:
            content = text.getvalue().encode()
            file.write(gzip.compress(content, mtime=0) if end == ".gz" else content)
        print(f"saved {number_of(len(x), 'prediction')} as {options.output}")
    return 0


def _shares(encoding: Encoding, asked: bool) -> list[str]:
    return [f"{encoding.target}={name}" for name in encoding.classes if asked]


def _columns(encoding: Encoding, outputs: ndarray, shares: bool) -> list[list[str]]:
    """The predictions, and the probabilities of the classes where they are asked for."""
    if not encoding.classes:
        digits = 7 if outputs.dtype == "float32" else 15
        return [[f"{value:.{digits}g}" for value in outputs[:, 0].tolist()]]
    columns = [[encoding.classes[i] for i in outputs.argmax(axis=1).tolist()]]
    if shares:
        columns += [[f"{p:.6g}" for p in column] for column in probabilities(outputs).T.tolist()]
    return columns
