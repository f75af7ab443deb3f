"""Real data: loaders that all return a ``Dataset``, with what is to be learned (x, y) and its names.

>>> data = xnn.datasets.load_iris().split(test=0.2, seed=0)
>>> network.fit(data.x, data.y, ...); network.evaluate(data.x_test, data.y_test, ...)
"""

from xnn.datasets.dataset import Dataset
from xnn.datasets.fashion_mnist import load_fashion_mnist
from xnn.datasets.idx import read_idx
from xnn.datasets.load_csv import load_csv
from xnn.datasets.sklearn_sets import (
    load_breast_cancer,
    load_california_housing,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
)

__all__ = [
    "Dataset",
    "load_breast_cancer",
    "load_california_housing",
    "load_csv",
    "load_diabetes",
    "load_digits",
    "load_fashion_mnist",
    "load_iris",
    "load_wine",
    "read_idx",
]
