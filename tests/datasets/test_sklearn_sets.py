"""The data sets of scikit-learn, as it gives them."""

import numpy as np
import pytest

from xnn import datasets
from xnn.errors import FileError

theirs = pytest.importorskip("sklearn.datasets", reason="the data sets come with scikit-learn")


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [
        ("digits", (1797, 64), 10),
        ("breast_cancer", (569, 30), 2),
        ("wine", (178, 13), 3),
        ("iris", (150, 4), 3),
    ],
)
def test_classes(name, shape, classes):
    data, bunch = getattr(datasets, f"load_{name}")(), getattr(theirs, f"load_{name}")()
    assert (data.x.shape, len(data.classes), data.y.dtype) == (shape, classes, "int64")
    np.testing.assert_array_equal(data.x, bunch.data)
    np.testing.assert_array_equal(data.y, bunch.target)
    assert data.classes == tuple(map(str, bunch.target_names))
    assert data.feature_names == tuple(bunch.feature_names)
    assert data.name == name.replace("_", " ")
    assert type(data.classes[0]) is str


def test_diabetes_in_its_own_units():
    data = datasets.load_diabetes()
    assert (data.x.shape, data.y.dtype, data.classes) == ((442, 10), "float64", ())
    assert data.x[:, 0].min() == 19, "years"


def test_california_housing_where_it_is_not(tmp_path, monkeypatch):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    with pytest.raises(FileError, match="California housing is not in scikit-learn's folder"):
        datasets.load_california_housing(download=False)
