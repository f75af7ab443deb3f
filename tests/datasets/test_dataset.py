"""A data set is split by seed, each class in its share."""

import numpy as np
import pytest

from xnn.datasets import Dataset


def dataset(counts):
    y = np.repeat(np.arange(len(counts)), counts)
    return Dataset(np.arange(len(y))[:, None], y, name="made", classes=tuple(map(str, range(len(counts)))))


@pytest.mark.parametrize("counts", [(50, 50, 50), (97, 3), (1, 1), (10, 200, 7, 1)])
@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
def test_every_class_has_its_share(counts, share):
    data = dataset(counts)
    parts = data.split(share, seed=3)
    n = sum(counts)
    assert len(parts.x_test) == min(max(round(share * n), 1), n - 1)
    together = np.concatenate([parts.x, parts.x_test])[:, 0]
    assert sorted(together) == list(range(n))
    np.testing.assert_array_equal(parts.y, data.y[parts.x[:, 0]])  # rows and targets stay together
    np.testing.assert_array_equal(parts.y_test, data.y[parts.x_test[:, 0]])
    assert np.abs(np.bincount(parts.y_test, minlength=len(counts)) - share * np.asarray(counts)).max() <= 1
    assert (parts.name, parts.classes) == (data.name, data.classes)


def test_the_seed_decides():
    data = dataset((60, 40))
    first, again, other = (data.split(0.2, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.x, again.x)
    assert not np.array_equal(first.x, other.x)
    assert not np.array_equal(first.x, np.sort(first.x, axis=0)), "the order is random"
    assert not np.array_equal(first.x_test, np.sort(first.x_test, axis=0))


def test_numbers_are_split_at_random():
    data = Dataset(np.arange(100)[:, None], np.arange(100.0))
    parts = data.split(0.3)
    assert len(parts.y_test) == 30
    assert len(set(np.diff(np.sort(parts.y_test)))) > 3, "not every third one"
    assert repr(parts) == "<Dataset : 70 examples and 30 for the test, 1 features, a number to predict>"


def test_what_cannot_be_split():
    with pytest.raises(ValueError, match="made has a test part already"):
        dataset((5, 5)).split().split()
    with pytest.raises(ValueError, match="at least 2 examples; made has 1"):
        dataset((1,)).split()
    for share in (0.0, 1.0, -0.1, float("nan")):
        with pytest.raises(ValueError, match="test"):
            dataset((5, 5)).split(share)
    with pytest.raises(ValueError, match="seed"):
        dataset((5, 5)).split(seed=-1)
