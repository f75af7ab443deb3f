"""A data set from a CSV, npz or Parquet file of one's own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from xnn.datasets.dataset import Dataset
from xnn.datasets.files import read_table
from xnn.datasets.learn import learn

__all__ = ["load_csv"]


def load_csv(
    path: str | os.PathLike[str],
    target: str,
    *,
    task: str | None = None,
    ignore: str | Sequence[str] = (),
    text: str | Sequence[str] = (),
    missing: str = "error",
    max_categories: int = 100,
    delimiter: str | None = None,
    header: bool | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
) -> Dataset:
    """The data set in a CSV file: the column ``target`` is y, the others are x.

    Numbers are taken as they are; a column of texts becomes one input for each category, 0 or 1, with a name such as
    ``city=Oslo``. A target of texts, or of few whole numbers, becomes classes 0 … k−1, in the order of their names.
    Files with the endings .npz and .parquet are read, too.

    Args:
        path: the file; it may be compressed by gzip.
        target: the name of the column to predict; column1, column2, … where the file has no names.
        task: ``"classification"`` or ``"regression"``; by default the target decides.
        ignore: the names of columns to leave out, or one name.
        text: the names of columns, or one name, whose numbers are names, such as postal codes.
        missing: ``"error"`` (the default) for an empty cell, NA, NaN, null or ?; ``"drop"`` leaves such rows out,
            ``"mean"`` puts the mean of the column in its place (and 0 in each category of a text).
        max_categories: a text column with more different texts is an error.
        delimiter: between the cells; found out among , ; | and the tab.
        header: whether the first row holds the names; unless said, it does if none of its cells is a number.
        decimal: ``","`` for numbers such as 3,14.
        encoding: of the text; UTF-8, or what its first bytes say.

    Raises:
        FileError: for a file that cannot be read, and for a cell that is not what its column is, with its line.
        ValueError: for unknown columns and options.
        ImportError: for Parquet without polars and pandas.
    """
    table = read_table(path, delimiter=delimiter, header=header, decimal=decimal, encoding=encoding)
    found, _ = learn(table, target, task=task, ignore=ignore, text=text, missing=missing, max_categories=max_categories)
    data = found.dataset(found.complete(table), Path(path).stem)
    return replace(data, x=found.with_means(data.x).fill(data.x)) if missing == "mean" else data
