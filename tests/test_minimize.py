"""minimize: the figures of texts 000 and 003, every way to stop, least squares and ridge, and the errors."""

import warnings

import numpy as np
import pytest
from array_api_compat import array_namespace

import xnn
from xnn.errors import DivergenceWarning
from xnn.minimize import minimize
from xnn.optimizers import SGD, Adagrad, Adam, RMSprop, Rprop
from xnn.schedules import InverseTime


class Line:
    """The cost of y = wx on (1, 2), (2, 4), (3, 6): C = 1/3 Σ(wx − y)² = 14/3 (w − 2)², counting its calls."""

    def __init__(self):
        self.costs = self.gradients = 0

    def cost(self, w):
        self.costs += 1
        return sum((w * x - y) ** 2 for x, y in ((1, 2), (2, 4), (3, 6))) / 3

    def gradient(self, w):
        self.gradients += 1
        return sum(2 * (w * x - y) * x for x, y in ((1, 2), (2, 4), (3, 6))) / 3


# -- Texts 000 and 003 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 2, 10, 100])
def test_row_2_the_path_of_a_linear_neuron(backend, n):
    """x ∈ {−1, −½, 0, ½, 1}, y = 2x + 1, C the mean of ½(a−y)², η = 0.1 from 0: wₙ = 2(1−.95ⁿ), bₙ = 1−.9ⁿ."""
    x = backend.asarray(np.array([-1.0, -0.5, 0.0, 0.5, 1.0]), "float64")
    zero = backend.asarray(np.zeros(()), "float64")
    xp = backend.xp

    def cost(θ):
        return xp.mean((θ["w"] * x + θ["b"] - 2 * x - 1) ** 2) / 2

    def gradient(θ):
        δ = θ["w"] * x + θ["b"] - 2 * x - 1
        return {"w": xp.mean(δ * x), "b": xp.mean(δ)}

    start = {"w": zero, "b": zero}
    found = minimize(cost, start, gradient=gradient, optimizer=SGD(lr=0.1), max_iterations=n)
    assert float(backend.to_numpy(found.theta["w"])) == pytest.approx(2 * (1 - 0.95**n), rel=1e-12)
    assert float(backend.to_numpy(found.theta["b"])) == pytest.approx(1 - 0.9**n, rel=1e-12)
    assert found.iterations == n
    assert len(found.costs) == n + 1
    assert found.cost == found.costs[-1] == pytest.approx((0.95**n) ** 2 + 0.5 * (0.9**n) ** 2, rel=1e-10)
    assert found.stop_reason == f"iteration limit: {n} iterations"
    assert float(backend.to_numpy(zero)) == 0.0


def test_row_16_gradients_at_zero():
    assert [2 * (0 * x - y) * x for x, y in ((1, 2), (2, 4), (3, 6))] == [-4, -16, -36]
    assert Line().gradient(0.0) == pytest.approx(-56 / 3, rel=1e-15)


def test_row_16_one_step_is_exact(backend):
    line = Line()
    zero = backend.asarray(np.zeros(()), "float64")
    found = minimize(line.cost, zero, gradient=line.gradient, optimizer=SGD(lr=3 / 28))
    assert found.iterations == 1
    assert float(backend.to_numpy(found.theta)) == pytest.approx(2.0, rel=1e-15)
    assert found.cost == pytest.approx(0.0, abs=1e-28)
    assert found.stop_reason.startswith("gradient norm ")
    assert found.stop_reason.endswith(" < tol 1e-08")


@pytest.mark.parametrize("lr", [0.215, 0.22, 0.3, 1.0, 1e3])
@pytest.mark.parametrize("stop_on", ["gradient", "cost"])
def test_row_16_divergence_is_told(lr, stop_on):
    """w − 2 is multiplied by 1 − 28α/3 in each iteration, which is below −1 for α > 3/14 = 0.2143."""
    line = Line()
    with pytest.warns(DivergenceWarning, match=r"minimize diverged: the cost has risen .* lower the lr of SGD\(lr="):
        found = minimize(line.cost, 0.0, gradient=line.gradient, optimizer=SGD(lr=lr), stop_on=stop_on)
    assert found.stop_reason.startswith("diverged: ")
    assert np.isfinite(found.theta)
    assert found.cost == line.cost(found.theta) == found.costs[-1]
    assert found.cost > 1e3 * found.costs[0]
    assert found.iterations < 1000


def test_row_16_divergence_is_told_at_the_limit():
    line = Line()
    with pytest.warns(DivergenceWarning, match="diverged: the cost has risen from 18.67 to .* in 50 iterations, the"):
        found = minimize(line.cost, 0.0, gradient=line.gradient, optimizer=SGD(lr=0.215), max_iterations=50)
    assert found.iterations == 50
    assert 1.0 < found.cost / found.costs[0] < 3.0


@pytest.mark.parametrize("lr", [0.01, 0.1, 0.2, 0.214])
def test_row_16_smaller_steps_converge(lr):
    line = Line()
    found = minimize(line.cost, 0.0, gradient=line.gradient, optimizer=SGD(lr=lr), max_iterations=30_000)
    assert found.stop_reason.startswith("gradient norm")
    assert float(found.theta) == pytest.approx(2.0, abs=1e-8)


# -- Why it stops -----------------------------------------------------------------------------------------------------


def test_stops_on_the_norm_of_the_gradient_before_an_update():
    line = Line()
    found = minimize(line.cost, 0.0, gradient=line.gradient, optimizer=SGD(lr=0.05), tol=1e-3)
    w = float(found.theta)
    assert abs(line.gradient(w)) < 1e-3
    before = 2 - (2 - w) / (1 - 0.05 * 28 / 3)
    assert abs(line.gradient(before)) >= 1e-3
    assert found.stop_reason == f"gradient norm {abs(line.gradient(w)):.3g} < tol 0.001"


def test_a_start_at_the_minimum_is_left_alone():
    line = Line()
    found = minimize(line.cost, 2.0, gradient=line.gradient)
    assert (found.iterations, found.costs, float(found.theta)) == (0, [0.0], 2.0)
    assert found.stop_reason == "gradient norm 0 < tol 1e-08"


def test_stops_on_the_change_of_the_cost():
    line = Line()
    found = minimize(line.cost, 0.0, gradient=line.gradient, optimizer=SGD(lr=0.05), tol=1e-3, stop_on="cost")
    changes = np.abs(np.diff(found.costs))
    assert changes[-1] < 1e-3
    assert (changes[:-1] >= 1e-3).all()
    assert found.stop_reason == f"cost change {changes[-1]:.3g} < tol 0.001"


def test_stops_at_the_limit_by_default_after_ten_thousand():
    found = minimize(lambda w: w * w, 1.0, gradient=lambda w: 2 * w, optimizer=SGD(lr=1e-6))
    assert found.stop_reason == "iteration limit: 10000 iterations"
    assert found.iterations == 10_000
    assert len(found.costs) == 10_001


def test_without_a_tolerance_only_the_limit_stops():
    found = minimize(lambda w: w * w, 1.0, gradient=lambda w: 2 * w, optimizer=SGD(lr=0.5), tol=0, max_iterations=7)
    assert found.stop_reason == "iteration limit: 7 iterations"
    assert float(found.theta) == 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_cost_that_is_not_finite_gives_the_last_finite_parameters(bad):
    def cost(w):
        return bad if w > 2.5 else 1.0 - w

    with pytest.warns(DivergenceWarning, match=f"the cost is {bad} after 3 iterations, 1 at the start"):
        found = minimize(cost, 0.0, gradient=lambda w: -1.0, optimizer=SGD(lr=1.0))
    assert float(found.theta) == 2.0
    assert found.cost == -1.0
    assert found.iterations == 3
    assert found.costs[:3] == [1.0, 0.0, -1.0]
    assert len(found.costs) == 4


def test_a_gradient_that_is_not_finite_is_a_divergence():
    def gradient(w):
        return np.nan if w < -1.5 else 1.0

    with pytest.warns(DivergenceWarning, match="the norm of the gradient is nan after 2 iterations"):
        found = minimize(lambda w: w, 0.0, gradient=gradient, optimizer=SGD(lr=1.0))
    assert float(found.theta) == -2.0


@pytest.mark.parametrize(
    "optimizer", [Adam(lr=0.1), SGD(lr=0.1, momentum=0.95), Rprop(lr=1.0, step_sizes=(1e-9, 50))], ids=repr
)
def test_a_start_close_to_the_minimum_is_no_divergence(optimizer):
    """Such optimizers first overshoot, to many times a first cost that is almost 0."""
    found = minimize(lambda w: w * w, 1e-6, gradient=lambda w: 2 * w, optimizer=optimizer, tol=1e-7)
    assert found.stop_reason.startswith("gradient norm")


def test_a_rise_from_a_negative_cost_is_no_divergence():
    """C = sin w with momentum runs past its minima."""
    found = minimize(np.sin, 0.1, gradient=np.cos, optimizer=SGD(lr=0.05, momentum=0.95))
    assert found.stop_reason.startswith("gradient norm")
    assert found.cost == pytest.approx(-1.0)


# -- Callbacks, calls, and ownership ----------------------------------------------------------------------------------


def test_the_callback_sees_each_iteration_with_a_copy_of_its_own(backend):
    seen = []

    def callback(iteration, theta, cost):
        seen.append((iteration, float(backend.to_numpy(theta["w"])[0]), cost))
        theta["w"] *= 0  # of no consequence

    start = {"w": backend.asarray([1.0], "float64")}
    found = minimize(
        lambda θ: backend.xp.sum(θ["w"] ** 2),
        start,
        gradient=lambda θ: {"w": 2 * θ["w"]},
        optimizer=SGD(lr=0.25),
        max_iterations=4,
        callback=callback,
    )
    assert [i for i, _, _ in seen] == [0, 1, 2, 3, 4]
    assert [w for _, w, _ in seen] == [1.0, 0.5, 0.25, 0.125, 0.0625]
    assert [c for _, _, c in seen] == found.costs
    assert float(backend.to_numpy(found.theta["w"])[0]) == 0.0625
    assert float(backend.to_numpy(start["w"])[0]) == 1.0


def test_the_callback_can_stop():
    found = minimize(
        lambda w: w * w, 1.0, gradient=lambda w: 2 * w, callback=lambda iteration, theta, cost: iteration == 3
    )
    assert found.iterations == 3
    assert found.stop_reason == "callback: it asked to stop after 3 iterations"


def test_cost_and_gradient_are_computed_once_an_iteration():
    line = Line()
    found = minimize(line.cost, 0.0, gradient=line.gradient, optimizer=SGD(lr=0.05))
    assert line.costs == line.gradients == found.iterations + 1


def test_theta_is_not_changed_and_what_is_kept_stays():
    θ, kept = np.ones(3), []
    θ.flags.writeable = False

    def cost(w):
        kept.append((w, w.copy()))
        return float(w @ w)

    found = minimize(cost, θ, gradient=lambda w: 2 * w, optimizer=Adam(lr=0.1), max_iterations=5)
    assert θ.tolist() == [1.0] * 3
    assert all(np.array_equal(a, b) for a, b in kept)
    assert not np.shares_memory(found.theta, θ)


def test_a_start_that_is_the_answer_is_still_a_copy():
    θ = np.zeros(2)
    found = minimize(lambda w: float(w @ w), θ, gradient=lambda w: 2 * w)
    found.theta[0] = 5.0
    assert θ.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_data_type_and_the_library_stay(backend, dtype):
    θ = backend.asarray(np.ones(3), dtype)
    found = minimize(
        lambda w: backend.xp.sum(w * w), θ, gradient=lambda w: 2 * w, optimizer=SGD(lr=0.4), tol=1e-5, stop_on="cost"
    )
    assert type(found.theta) is type(θ)
    assert found.theta.dtype == θ.dtype
    assert type(found.cost) is float
    assert found.stop_reason.startswith("cost change")


def test_lists_of_numbers_and_lists_of_arrays():
    found = minimize(lambda w: (w[0] - 1) ** 2 + w[1] ** 2, [0, 5], gradient=lambda w: [2 * (w[0] - 1), 2 * w[1]])
    assert found.theta == pytest.approx([1.0, 0.0], abs=1e-8)
    found = minimize(
        lambda θ: float(np.sum((θ[0] - 1) ** 2) + θ[1] ** 2),
        [np.zeros(2), np.array(5.0)],
        gradient=lambda θ: [2 * (θ[0] - 1), 2 * θ[1]],
    )
    assert found.theta[0] == pytest.approx([1.0, 1.0], abs=1e-8)
    assert float(found.theta[1]) == pytest.approx(0.0, abs=1e-8)


def test_the_result_is_short_to_read():
    found = minimize(lambda w: w * w, 1.0, gradient=lambda w: 2 * w, max_iterations=1000)
    assert len(repr(found)) < 200
    assert "stop_reason='gradient norm" in repr(found)


# -- Least squares and ridge ------------------------------------------------------------------------------------------


def straight(rng, λ):
    """C = 1/n ‖Xw − y‖² + λ‖w‖², its gradient, and where that is 0."""
    n, k = 60, 3
    x = rng.normal(size=(n, k)) * np.array([1.0, 0.5, 2.0])
    y = x @ np.array([1.0, -2.0, 0.5]) + 0.1 * rng.normal(size=n)
    exact = np.linalg.solve(x.T @ x / n + λ * np.eye(k), x.T @ y / n)

    def cost(w):
        return float(np.mean((x @ w - y) ** 2) + λ * (w @ w))

    def gradient(w):
        return 2 / n * x.T @ (x @ w - y) + 2 * λ * w

    return cost, gradient, exact


@pytest.mark.parametrize("λ", [0.0, 0.1], ids=["least squares", "ridge"])
@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(lr=0.1),
        SGD(lr=0.05, momentum=0.8),
        SGD(lr=0.05, momentum=0.8, nesterov=True),
        Adam(lr=0.05),
        RMSprop(lr=InverseTime(1.0, 100.0)),
        Adagrad(lr=0.5),
    ],
    ids=repr,
)
def test_regression_finds_the_closed_form(rng, λ, optimizer):
    cost, gradient, exact = straight(rng, λ)
    found = minimize(cost, np.zeros(3), gradient=gradient, optimizer=optimizer, tol=1e-7)
    assert found.stop_reason.startswith("gradient norm")
    assert found.theta == pytest.approx(exact, abs=1e-6)
    assert found.cost == pytest.approx(cost(exact), abs=1e-12)


def test_regression_on_every_backend(backend, rng):
    x, y = rng.normal(size=(20, 2)), rng.normal(size=20)
    exact = np.linalg.solve(x.T @ x, x.T @ y)
    a, b = backend.asarray(x, "float64"), backend.asarray(y, "float64")
    xp = backend.xp
    found = minimize(
        lambda w: xp.mean((a @ w - b) ** 2),
        backend.asarray(np.zeros(2), "float64"),
        gradient=lambda w: 2 / 20 * (a.T @ (a @ w - b)),
        optimizer=SGD(lr=0.3),
        tol=1e-9,
    )
    assert backend.to_numpy(found.theta) == pytest.approx(exact, abs=1e-8)


# -- Errors -----------------------------------------------------------------------------------------------------------


def square(w):
    return float(np.sum(np.asarray(w) ** 2))


def slope(w):
    return 2 * w


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"gradient": 2.0}, TypeError, "gradient must be a function of theta, got 2.0"),
        ({"cost": 2.0}, TypeError, "cost must be a function of theta, got 2.0"),
        ({"optimizer": SGD}, TypeError, r"optimizer must be one such as xnn.Adam\(lr=0.01\)"),
        ({"optimizer": "sgd"}, TypeError, "optimizer must be one such as .*; got 'sgd'"),
        ({"stop_on": "time"}, ValueError, "stop_on must be 'gradient' or 'cost', got 'time'"),
        ({"tol": -1.0}, ValueError, r"tol must lie in \[0, inf\)"),
        ({"tol": None}, TypeError, "tol must be a number"),
        ({"max_iterations": -1}, ValueError, "max_iterations must be at least 0"),
        ({"max_iterations": 1.5}, TypeError, "max_iterations must be a whole number"),
        ({"gradient": lambda w: np.ones(3)}, ValueError, r"gradient must have the shape of theta, \(2,\); got \(3,\)"),
        ({"gradient": lambda w: None}, TypeError, "gradient is None"),
        ({"gradient": lambda w: {"w": w}}, TypeError, "gradient: expected an array"),
        ({"gradient": lambda w: w * np.nan}, ValueError, r"the norm of gradient\(theta\) is nan at the start"),
        ({"cost": lambda w: np.nan}, ValueError, r"cost\(theta\) is nan at the start: look for NaN"),
        ({"cost": lambda w: np.inf}, ValueError, r"cost\(theta\) is inf at the start"),
        ({"cost": lambda w: w}, ValueError, r"cost must return one real number, got an array of float64, shape \(2,\)"),
        ({"cost": lambda w: None}, TypeError, "cost must return one real number, got NoneType"),
        ({"cost": lambda w: (1.0, w)}, TypeError, "cost must return one real number, got tuple"),
        ({"cost": lambda w: np.sum(w) * 1j}, ValueError, "cost must return one real number, got an array of complex"),
        ({"theta": []}, ValueError, "theta is empty"),
        ({"theta": {}}, ValueError, "theta is empty"),
        ({"theta": {"w": np.ones((0, 2))}}, ValueError, "theta is empty"),
        ({"theta": np.array([1.0, np.nan])}, ValueError, r"cost\(theta\) is nan at the start"),
        ({"theta": "abc"}, TypeError, "theta: expected an array, or real numbers"),
        ({"theta": np.ones(2, complex)}, TypeError, "theta: expected real numbers"),
    ],
)
@pytest.mark.parametrize("stop_on", ["gradient", "cost"])
def test_errors(change, error, message, stop_on):
    arguments = {"cost": square, "theta": np.ones(2), "gradient": slope, "stop_on": stop_on} | change
    with pytest.raises(error, match=message):
        minimize(arguments.pop("cost"), arguments.pop("theta"), **arguments)


def test_mixed_libraries_raise():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="theta is an array of numpy, gradient is an array of torch"):
        minimize(square, np.ones(2), gradient=lambda w: torch.ones(2))
    with pytest.raises(TypeError, match="arrays of different libraries"):
        minimize(square, [np.ones(2), torch.ones(2)], gradient=slope)


def test_a_descent_that_converges_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with xnn.use_backend("numpy"):
            minimize(square, [1.0, 2.0], gradient=slope)


def test_the_gradient_is_found_where_none_is_given(backend):
    theta = {"w": backend.asarray([0.0, 0.0], "float64"), "b": backend.asarray(0.0, "float64")}

    def cost(θ):
        xp = array_namespace(θ["w"])
        return xp.sum((θ["w"] - 3.0) ** 2) + (θ["b"] + 1.0) ** 2

    found = minimize(cost, theta, optimizer=SGD(lr=0.2))
    assert found.stop_reason.startswith("gradient norm")
    np.testing.assert_allclose(backend.to_numpy(found.theta["w"]), [3, 3], atol=1e-7)
    np.testing.assert_allclose(backend.to_numpy(found.theta["b"]), -1, atol=1e-7)
