"""Dropout: the mask is a function of the key and the position, and the same on every backend."""

from __future__ import annotations

import math

import numpy as np
import pytest
from references import differences, run, scaled_error

from xnn import get_backend
from xnn.layers.base import Key
from xnn.layers.dropout import Dropout

KEY = Key(seed=5, layer=2, step=7)
# Which of four rows of eight are kept with this key and p = 0.5.
ROWS = ["11011111", "01011101", "10001000", "01010001"]


def mask(p, shape, key=KEY, backend=None, dtype="float64"):
    """The mask as a NumPy array: what ones become in training."""
    ones = np.ones(shape)
    return run(backend or get_backend("numpy"), Dropout(p).training({}, key), ones, ones, dtype=dtype)[0]


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (5, 1), (1,), (40, 33), (2, 3, 4)])
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.999, 1.0])
def test_the_same_mask_on_every_backend(backend, shape, p):
    for dtype in ("float64", "float32"):
        found = mask(p, shape, backend=backend, dtype=dtype)
        assert found.dtype.name == dtype
        assert found.shape == shape
        assert (found == mask(p, shape, dtype=dtype)).all()


def test_the_mask_never_changes():
    # What others have published must come out again.
    assert ["".join(str(int(v > 0)) for v in row) for row in mask(0.5, (4, 8))] == ROWS


def test_y_and_delta_are_masked(backend, rng):
    x, δ = rng.normal(size=(6, 5)), rng.normal(size=(6, 5))
    operation = Dropout(0.3).training({}, KEY)
    y, below, gradients = run(backend, operation, x, δ)
    m = mask(0.3, (6, 5))
    assert set(np.unique(m)) == {0.0, 1 / 0.7}
    assert (y == x * m).all()
    assert (below == δ * m).all()
    assert gradients == []
    (expected,) = differences(backend, operation, x, δ)
    assert scaled_error(below, expected) <= 1e-7


def test_limits(backend, rng):
    x, δ = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    for operation in (Dropout(0.0).training({}, KEY), Dropout(0.5).prediction({})):
        y, below, _ = run(backend, operation, x, δ)
        assert (y == x).all()
        assert (below == δ).all()
    y, below, _ = run(backend, Dropout(1.0).training({}, KEY), x, δ)
    assert (y == 0).all()
    assert (below == 0).all()


@pytest.mark.parametrize("p", [1e-4, 0.02, 0.2, 0.5, 0.9])
def test_rate_and_mean(p):
    n = 1 << 18
    keys = [Key(seed, layer, step) for seed in (0, 1) for layer in (0, 1) for step in range(5)]
    dropped = np.array([np.sum(mask(p, (n,), key) == 0) for key in keys])
    deviations = (dropped - n * p) / math.sqrt(n * p * (1 - p))  # of a binomial distribution
    assert np.abs(deviations).max() < 5
    assert abs(deviations.sum()) / math.sqrt(len(keys)) < 5
    assert abs(mask(p, (n,)).mean() - 1) < 5 * math.sqrt(p / (1 - p) / n)


def correlations(a, b):
    """Each product of a row of a and a row of b, in standard deviations of what independent rows give."""
    return a @ b.T / math.sqrt(a.shape[1])


def standardized(p, shape, key=KEY):
    return ((mask(p, shape, key) > 0) - (1 - p)) / math.sqrt(p * (1 - p))


@pytest.mark.parametrize("p", [0.5, 0.2])
def test_rows_and_columns_are_independent(p):
    z = standardized(p, (300, 400))
    for a in (z, z.T):
        found = correlations(a, a)[np.triu_indices(len(a), 1)]
        assert np.abs(found).max() < 6
        assert abs(found.var() - 1) < 0.05


@pytest.mark.parametrize("p", [0.5, 0.2])
def test_positions_at_any_distance_are_independent(p):
    n = 1 << 19
    z = standardized(p, (n,))
    spectrum = np.fft.rfft(z)
    found = np.fft.irfft(spectrum * spectrum.conj())[1 : n // 2] / math.sqrt(n)
    assert np.abs(found).max() < 6.5
    assert abs(found.var() - 1) < 0.02


@pytest.mark.parametrize("name", ["seed", "layer", "step"])
def test_neighboring_keys_are_independent(name):
    numbers = {"seed": 1, "layer": 1, "step": 1}
    z = np.stack([standardized(0.5, (2000,), Key(**{**numbers, name: i})) for i in range(200)])
    for a in (z, z[:, :200].T):  # the keys, and the first positions over all keys
        found = correlations(a, a)[np.triu_indices(len(a), 1)]
        assert np.abs(found).max() < 6
        assert abs(found.var() - 1) < 0.05
    shifted = correlations(z[:-1, :-1], z[1:, 1:])  # nor is one mask the other one moved by one
    assert np.abs(shifted).max() < 6


def test_the_parts_of_the_key_cannot_be_exchanged():
    masks = [mask(0.5, (200,), Key(*numbers)).tolist() for numbers in [(1, 2, 3), (3, 2, 1), (2, 1, 3), (1, 3, 2)]]
    assert len({tuple(m) for m in masks}) == 4


def test_the_mask_of_a_row_does_not_depend_on_the_rows_after_it():
    assert (mask(0.5, (10, 7)) == mask(0.5, (30, 7))[:10]).all()


@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan")])
def test_p_outside_its_range(p):
    with pytest.raises(ValueError, match=r"Dropout: p must lie in \[0, 1\]"):
        Dropout(p)


def test_p_that_is_no_number():
    for p in ("0.5", True, None):
        with pytest.raises(TypeError, match="Dropout: p must be a number"):
            Dropout(p)
    assert type(Dropout(np.float64(0.5)).p) is float
