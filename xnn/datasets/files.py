"""Tables from files of every kind: CSV, npz by NumPy, Parquet by polars or pandas."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, is_zipfile

from xnn.datasets.csv_files import no_file, read_csv
from xnn.datasets.table import Table, as_column
from xnn.errors import FileError
from xnn.host import numpy

__all__ = ["read_table"]


def read_table(path: str | os.PathLike[str], **options: Any) -> Table:
    """The table in a CSV, npz or Parquet file, by the end of its name; the options are those of ``read_csv``.

    Raises:
        FileError: for a file that is missing, empty, damaged, or of another kind.
        ImportError: for Parquet where neither polars nor pandas (with pyarrow) is installed.
    """
    end = Path(path).suffix.lower()
    given = [name for name, value in options.items() if value is not None]
    if end not in (".npz", ".parquet"):
        return read_csv(path, **options)
    if given:
        raise ValueError(f"{given[0]} is for CSV files; {path} is a {end} file")
    if not Path(path).is_file():
        raise FileError(no_file(path))
    return _read_npz(path) if end == ".npz" else _read_parquet(path)


def _read_npz(path: str | os.PathLike[str]) -> Table:
    """Arrays of one axis are columns; others are cut into columns x_0, x_1, …"""
    columns: dict[str, Any] = {}
    if not is_zipfile(path):
        raise FileError(f"{path} is no npz file; expected what numpy.savez wrote")
    try:
        with numpy.load(path, allow_pickle=False) as arrays:
            for key in arrays.files:
                array = arrays[key]
                if array.ndim == 0:
                    continue
                flat = array.reshape(len(array), -1).T
                names = [key] if array.ndim == 1 else [f"{key}_{i}" for i in range(len(flat))]
                columns |= {name: as_column(part) for name, part in zip(names, flat, strict=True)}
    except (OSError, ValueError, BadZipFile, EOFError, AttributeError, KeyError, zlib.error) as error:
        raise FileError(f"{path} cannot be read as an npz file of numbers and texts: {error}") from error
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) != 1 or not next(iter(lengths.values())):
        found = ", ".join(f"{name} of length {length}" for name, length in list(lengths.items())[:4]) or "none"
        raise FileError(f"{path}: expected arrays with one row for each example; found {found}")
    return Table(os.fspath(path), columns, numpy.arange(1, max(lengths.values()) + 1))


def _read_parquet(path: str | os.PathLike[str]) -> Table:
    try:
        import polars as library
    except ImportError:
        try:
            import pandas as library
        except ImportError as error:
            raise ImportError(f"to read {path}, install polars (or pandas and pyarrow): pip install polars") from error
    try:
        frame = library.read_parquet(path)
        columns = {str(name): as_column(frame[name].to_numpy()) for name in frame.columns}
    except ImportError:
        raise
    except Exception as error:  # of many kinds, with each library its own
        raise FileError(f"{path} cannot be read as a Parquet file: {error}") from error
    if not len(frame):
        raise FileError(f"{path} holds no rows")
    return Table(os.fspath(path), columns, numpy.arange(1, len(frame) + 1))
