"""Penalties: their equations, their slopes, and PyTorch's derivative."""

import numpy as np
import pytest
from references import central_differences, scaled_error

from xnn.penalties import L1, L2, ElasticNet, Penalty

EQUATIONS = [
    (L1(0.3), lambda w: 0.3 * np.sum(np.abs(w))),
    (L2(0.3), lambda w: 0.3 * np.sum(w**2)),
    (L2(0.3, half=True), lambda w: 0.5 * 0.3 * np.sum(w**2)),
    (ElasticNet(0.3, 0.2), lambda w: 0.3 * np.sum(np.abs(w)) + 0.2 * np.sum(w**2)),
]
penalties = pytest.mark.parametrize(("penalty", "equation"), EQUATIONS, ids=[repr(p) for p, _ in EQUATIONS])


@penalties
@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 4), (2, 0, 3)])
def test_cost_and_slope(backend, penalty, equation, shape, rng):
    w = rng.normal(size=shape)
    given = backend.asarray(w, "float64")
    cost, slope = penalty(given), penalty.gradient(given)
    assert cost.shape == ()
    assert scaled_error(backend.to_numpy(cost), equation(w)) < 1e-14
    assert scaled_error(backend.to_numpy(slope), central_differences(equation, w)) < 1e-7
    assert scaled_error(backend.to_numpy(given), w) == 0.0


@penalties
def test_the_slope_at_zero_is_zero_as_in_torch(backend, penalty, equation):
    torch = pytest.importorskip("torch")
    w = np.array([0.0, -0.0, 1.5, -2.0])
    t = torch.tensor(w, requires_grad=True)
    l1, l2 = {
        "L1": lambda p: (p.strength, 0.0),
        "L2": lambda p: (0.0, p.strength * (0.5 if p.half else 1.0)),
        "ElasticNet": lambda p: (p.l1, p.l2),
    }[type(penalty).__name__](penalty)
    (l1 * t.abs().sum() + l2 * (t * t).sum()).backward()
    slope = backend.to_numpy(penalty.gradient(backend.asarray(w, "float64")))
    assert slope == pytest.approx(t.grad.numpy(), rel=1e-15)
    assert slope[:2].tolist() == [0.0, 0.0]


@penalties
def test_float32_stays_float32(backend, penalty, equation):
    w = backend.asarray([1.0, -2.0, 0.5], "float32")
    assert penalty(w).dtype == penalty.gradient(w).dtype == w.dtype


def test_numbers_and_dictionaries():
    assert float(L2(0.5)([1, 2])) == 2.5
    assert L2(0.5).gradient([1, 2]).tolist() == [1.0, 2.0]
    assert float(L1(0.5)(-3)) == 1.5
    w = {"a": np.ones(2), "b": np.full((2, 2), -2.0)}
    assert float(L1(0.5)(w)) == 5.0
    slope = L1(0.5).gradient(w)
    assert slope["a"].tolist() == [0.5, 0.5]
    assert slope["b"].tolist() == [[-0.5, -0.5]] * 2


def test_a_penalty_of_ones_own():
    class Quartic(Penalty):
        def cost(self, xp, w):
            return xp.sum(w**4)

        def slope(self, xp, w):
            return 4 * w**3

    assert float(Quartic()([2.0, 1.0])) == 17.0
    assert Quartic().gradient([2.0, 1.0]).tolist() == [32.0, 4.0]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: L1(-0.1), ValueError, r"L1: strength must lie in \[0, inf\), got -0.1"),
        (lambda: L2(float("nan")), ValueError, "L2: strength"),
        (lambda: L2("strong"), TypeError, "L2: strength must be a number"),
        (lambda: ElasticNet(0.1, -1), ValueError, "ElasticNet: l2"),
        (lambda: L2(0.1)(["a"]), TypeError, "w: expected an array, or real numbers"),
    ],
)
def test_wrong_settings_raise(make, error, message):
    with pytest.raises(error, match=message):
        make()
