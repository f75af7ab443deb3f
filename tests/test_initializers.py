"""Initial values: their distributions, their shapes, and what is no initializer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from references import scaled_error

from xnn.host import generator
from xnn.initializers import (
    INITIALIZERS,
    Constant,
    Normal,
    Orthogonal,
    Uniform,
    VarianceScaling,
    draw,
    resolve,
)

OUT, IN = 300, 200

# The variance that each one promises for a weight of shape (OUT, IN), and its bound if it is uniform.
UNIFORM = {
    "glorot_uniform": math.sqrt(6 / (IN + OUT)),
    "he_uniform": math.sqrt(6 / IN),
    "lecun_uniform": math.sqrt(3 / IN),
    "pytorch": math.sqrt(1 / IN),
    "uniform": 0.05,
}
NORMAL = {
    "glorot_normal": math.sqrt(2 / (IN + OUT)),
    "he_normal": math.sqrt(2 / IN),
    "lecun_normal": math.sqrt(1 / IN),
    "normal": 0.05,
}


@pytest.mark.parametrize(("name", "bound"), UNIFORM.items())
def test_uniform_distributions(rng, name, bound):
    w = draw(name, rng, (OUT, IN))
    assert np.abs(w).max() <= bound
    assert np.abs(w).max() > bound * (1 - 1e-3)
    # The squares u² of U(−r, r) have the mean r²/3 and the variance 4r⁴/45.
    assert abs(np.mean(w**2) - bound**2 / 3) < 5 * bound**2 * math.sqrt(4 / 45 / w.size)
    assert abs(np.mean(w)) < 5 * bound / math.sqrt(3 * w.size)
    quarters = np.histogram(w, bins=4, range=(-bound, bound))[0] / w.size
    assert np.abs(quarters - 0.25).max() < 5 * math.sqrt(0.25 * 0.75 / w.size)


@pytest.mark.parametrize(("name", "std"), NORMAL.items())
def test_normal_distributions(rng, name, std):
    w = draw(name, rng, (OUT, IN))
    assert abs(np.mean(w**2) / std**2 - 1) < 5 * math.sqrt(2 / w.size)
    assert abs(np.mean(w)) < 5 * std / math.sqrt(w.size)
    beyond = np.mean(np.abs(w) > 2 * std)  # not cut off
    assert abs(beyond - 0.0455) < 5 * math.sqrt(0.0455 / w.size)
    assert np.abs(w).max() > 3.5 * std


def test_the_bounds_of_other_shapes(rng):
    for shape, fan in [((8, 4, 3, 3), 4 * 9), ((50,), 50), ((1, 1), 1), ((), 1)]:
        w = np.concatenate([draw("lecun_uniform", rng, shape).ravel() for _ in range(200)])
        bound = math.sqrt(3 / fan)
        assert 0.9 * bound < np.abs(w).max() <= bound
    assert draw("glorot_uniform", rng, (3, 0)).shape == (3, 0)


def test_pytorch_draws_from_the_same_distribution(rng):
    torch = pytest.importorskip("torch")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        reference = torch.nn.Linear(IN, OUT).weight.detach().numpy()
    w = draw("pytorch", rng, (OUT, IN))
    for q in (0.0, 0.1, 0.5, 0.9, 1.0):
        assert abs(np.quantile(w, q) - np.quantile(reference, q)) < 1e-3


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (1, 6), (6, 1), (1, 1), (3, 2, 2), (5, 2, 2)])
def test_orthogonal(rng, shape):
    for gain in (1.0, 2.0):
        w = draw(Orthogonal(gain), rng, shape)
        assert w.shape == shape
        flat = w.reshape(shape[0], -1) / gain
        product = flat.T @ flat if flat.shape[0] >= flat.shape[1] else flat @ flat.T
        assert scaled_error(product, np.eye(len(product))) <= 1e-14


def test_orthogonal_matrices_are_equally_likely(rng):
    # Without the correction of the signs the diagonal of Q would be negative far more often than not.
    drawn = np.stack([draw("orthogonal", rng, (3, 3)) for _ in range(2000)])
    assert np.abs(np.mean(drawn > 0, axis=0) - 0.5).max() < 5 * 0.5 / math.sqrt(2000)
    assert np.abs(np.mean(drawn**2, axis=0) - 1 / 3).max() < 0.04
    assert abs(np.mean(np.linalg.det(drawn) > 0) - 0.5) < 5 * 0.5 / math.sqrt(2000)


def test_the_symmetric_starts_of_text_003(rng):
    assert (draw("zeros", rng, (3, 2)) == 0).all()
    hidden, output = draw("symmetric", rng, (3, 2)), draw("symmetric", rng, (1, 3))
    assert len({tuple(row) for row in hidden}) == 1  # the units are the same …
    assert len({tuple(column) for column in output.T}) == 1  # … and stay so, since the layer above treats them alike
    assert hidden[0, 0] != output[0, 0]
    assert 0 < abs(hidden[0, 0]) <= math.sqrt(6 / 5)


def test_plain_ones(rng):
    assert (draw("ones", rng, (2,)) == 1).all()
    assert (draw("constant", rng, (2,)) == 0).all()
    assert (draw(Constant(0.25), rng, (2, 1)) == 0.25).all()
    assert (draw(3, rng, (2,)) == 3).all()
    w = draw(Normal(mean=5, std=0), rng, (4,))
    assert (w == 5).all()
    assert 1 <= draw(Uniform(1, 2), rng, (100,)).min() < 1.2


@pytest.mark.parametrize("name", INITIALIZERS)
@pytest.mark.parametrize("shape", [(4, 3), (1, 1)])
def test_repeats_and_is_float64(name, shape):
    a, b = (draw(name, generator(1, 2), shape) for _ in range(2))
    assert a.dtype == np.float64
    assert a.shape == shape
    assert (a == b).all()
    if resolve(name) in (INITIALIZERS["normal"], INITIALIZERS["glorot_uniform"]):
        assert (draw(name, generator(2, 2), shape) != a).any()


def test_arrays_of_any_library(backend, rng):
    found = draw(backend.asarray([[1.0, 2.0]]), rng, (1, 2))
    assert found.tolist() == [[1.0, 2.0]]
    found[:] = 0  # the caller's own
    assert draw([[1.0, 2.0]], rng, (1, 2)).tolist() == [[1.0, 2.0]]


def test_functions_of_ones_own(rng):
    assert draw(lambda generator, shape: np.full(shape, 0.5, "float32"), rng, (2,)).tolist() == [0.5, 0.5]
    assert draw(lambda generator, shape: [1, 2], rng, (2,)).tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"gave values of shape \(3,\); expected \(2,\)"):
        draw(lambda generator, shape: np.zeros(3), rng, (2,))
    with pytest.raises(ValueError, match="not finite"):
        draw(lambda generator, shape: np.full(shape, np.nan), rng, (2,))
    with pytest.raises(TypeError, match="real numbers"):
        draw(lambda generator, shape: np.zeros(shape, "complex128"), rng, (2,))


def test_wrong_initializers(rng):
    with pytest.raises(ValueError, match=r"unknown initializer 'xavier'; known are: zeros, ones, .*orthogonal"):
        resolve("xavier")
    for wrong in (None, True, {"a": 1}):
        with pytest.raises(TypeError, match="an initializer is a name"):
            resolve(wrong)
    with pytest.raises(ValueError, match=r"gave values of shape \(2,\); expected \(3,\)"):
        draw([1, 2], rng, (3,))
    with pytest.raises(ValueError, match="at least two axes"):
        draw("orthogonal", rng, (3,))
    for make in (
        lambda: Uniform(2, 1),
        lambda: Normal(std=-1),
        lambda: VarianceScaling(0),
        lambda: VarianceScaling(1, "x"),
    ):
        with pytest.raises(ValueError, match=r"needs|knows"):
            make()
