"""``xnn evaluate``: how right a saved network is on the rows of a file."""

from __future__ import annotations

import argparse

from xnn.arrays import to_numpy
from xnn.cli.model import REMEDY, load_model
from xnn.cli.options import Parser, backend_of, common_options, table_of, table_options
from xnn.cli.places import place
from xnn.cli.report import check_picture, figures, picture
from xnn.cli.words import number_of

__all__ = ["ABOUT", "EXAMPLES", "USAGE", "arguments", "run"]

USAGE = "model data [options]"
ABOUT = """\
how right a saved network is on rows whose target is known

The file needs the columns of the training data, the target among them, in any order.
"""
EXAMPLES = """\
  xnn evaluate model.safetensors more.csv
  xnn evaluate model.safetensors more.csv --picture more.png
"""


def arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument("model", help="the file that xnn train saved")
    parser.add_argument("data", help="the file of rows: CSV, npz or Parquet; - is a pipe")
    parser.add_argument("--picture", metavar="FILE", help="the confusion matrix, or predicted against true values")
    common_options(parser)
    table_options(parser)


def run(options: argparse.Namespace) -> int:
    """Print the figures."""
    image = check_picture(place(options.picture, options.data, options.model)) if options.picture else None
    network, encoding = load_model(options.model, backend_of(options))
    table = table_of(options)
    complete = encoding.complete(table, REMEDY)
    data = encoding.dataset(complete)
    outputs = to_numpy(network.predict(data.x))
    left_out = f" ({len(table) - len(complete)} more lack a value)" if len(complete) < len(table) else ""
    print(f"{options.model} on the {number_of(len(complete), 'row')} of {options.data}{left_out}:")
    print(figures(data, data.y, outputs))
    if image is not None:
        print(picture(image, data, data.y, outputs, None))
    return 0
