"""Which rows of a file train a network, which say when to stop, and which are kept for the test."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

from xnn.datasets.dataset import Dataset
from xnn.datasets.encoding import Encoding
from xnn.datasets.table import Table

__all__ = ["Rows", "divide"]

_FEWEST = 10  # rows, for a test part


@dataclass(frozen=True)
class Rows:
    """The parts of a table, and the encoding that made numbers of it.

    Attributes:
        train: the rows to train with.
        validation: those whose cost ends the training; ``None`` where there is no such part.
        test: those that no network has seen, possibly none.
    """

    encoding: Encoding
    train: Dataset
    validation: Dataset | None
    test: Dataset


def divide(table: Table, encoding: Encoding, options: argparse.Namespace) -> Rows:
    """The parts by the shares and the seed of the options; means for missing values are those of training.

    Raises:
        ValueError: for too few rows.
    """
    data = encoding.dataset(table)
    if len(data.x) < 2 or (options.test and len(data.x) < _FEWEST):
        more = "; train on all of them with --test 0" if len(data.x) > 1 else ""
        raise ValueError(f"{options.data} has {len(data.x)} rows, too few to keep some for the test{more}")
    test = replace(data, x=data.x[:0], y=data.y[:0])
    if options.test:
        data, test = _split(data, options.test, options.seed)
    if encoding.missing == "mean":
        encoding = encoding.with_means(data.x)
        data, test = (replace(part, x=encoding.fill(part.x)) for part in (data, test))
    if len(data.x) < 2:
        raise ValueError(f"--test {options.test:g} leaves one row to train with")
    held = None
    if options.patience and len(data.x) >= 2 * _FEWEST:
        data, held = _split(data, options.validation, options.seed)
    return Rows(encoding, data, held, test)


def _split(data: Dataset, share: float, seed: int) -> tuple[Dataset, Dataset]:
    """The rest, and a share of the rows."""
    parts = data.split(share, seed=seed)
    assert parts.x_test is not None
    assert parts.y_test is not None
    held = replace(parts, x=parts.x_test, y=parts.y_test, x_test=None, y_test=None)
    return replace(parts, x_test=None, y_test=None), held
