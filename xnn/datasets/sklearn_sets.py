"""The data sets that come with scikit-learn, as ``Dataset``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xnn.datasets.dataset import Dataset
from xnn.errors import FileError
from xnn.host import numpy

__all__ = [
    "load_breast_cancer",
    "load_california_housing",
    "load_diabetes",
    "load_digits",
    "load_iris",
    "load_wine",
]


def load_digits() -> Dataset:
    """1,797 handwritten digits of 8×8 pixels, 0 … 16; ten classes. ``x[0].reshape(8, 8)`` is a picture."""
    return _dataset("digits", "load_digits")


def load_breast_cancer() -> Dataset:
    """569 tumors with 30 measures of their cells (Wisconsin, 1995); classes malignant and benign."""
    return _dataset("breast cancer", "load_breast_cancer")


def load_wine() -> Dataset:
    """178 wines with 13 measures; three growers."""
    return _dataset("wine", "load_wine")


def load_iris() -> Dataset:
    """150 irises with 4 lengths in cm; three species (Fisher, 1936)."""
    return _dataset("iris", "load_iris")


def load_diabetes() -> Dataset:
    """442 patients with 10 measures, in their own units; the progression of the disease is a number."""
    return _dataset("diabetes", "load_diabetes", scaled=False)


def load_california_housing(*, download: bool = True) -> Dataset:
    """20,640 districts with 8 measures; the median value of a house, in 100,000 dollars, is a number.

    scikit-learn keeps it in its own folder (``sklearn.datasets.get_data_home()``), and downloads it there
    first if it may.

    Raises:
        FileError: where it is not there and cannot be downloaded.
    """
    try:
        return _dataset("California housing", "fetch_california_housing", download_if_missing=download)
    except OSError as error:
        raise FileError(
            "California housing is not in scikit-learn's folder, and cannot be downloaded "
            f"({error}); run sklearn.datasets.fetch_california_housing() where there is a network"
        ) from error


def _dataset(name: str, loader: str, **options: Any) -> Dataset:
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ImportError(f"the data set {name} comes with scikit-learn; pip install scikit-learn") from error
    load: Callable[..., Any] = getattr(datasets, loader)
    bunch = load(**options)
    labels = bunch.target.dtype.kind in "iu"
    return Dataset(
        bunch.data,
        bunch.target.astype("int64" if labels else "float64"),
        name=name,
        feature_names=tuple(map(str, bunch.feature_names)),
        classes=tuple(map(str, numpy.asarray(bunch.target_names).tolist())) if labels else (),
    )
