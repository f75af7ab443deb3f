"""L-BFGS: PyTorch's iterates, SciPy's minima, Wolfe's conditions at each step; in minimize, in fit, and by hand."""

import json
import warnings
from itertools import pairwise

import numpy as np
import pytest

import xnn
from xnn.optimizers.line_search import C1, C2, Trial, strong_wolfe

# -- Problems, written with operators for arrays of every library, PyTorch's own included ------------------------------


def rosenbrock(x):
    """Σ (1 − xᵢ)² + 100 (xᵢ₊₁ − xᵢ²)², with the minimum 0 at (1, …, 1)."""
    a, b = 1 - x[:-1], x[1:] - x[:-1] ** 2
    return a @ a + 100 * (b @ b)


def quadratic(like):
    """½xᵀAx − Σx with the eigenvalues 1 … 1000, and A⁻¹1."""
    n = 20
    A = np.diag(np.logspace(0, 3, n)) + 0.3
    a, one = like(A), like(np.ones(n))
    return (lambda x: 0.5 * (x @ (a @ x)) - one @ x), np.linalg.solve(A, np.ones(n))


def logistic(like, rng):
    """The mean of log(1 + exp(−y xᵀw)) + ½·0.01 ‖w‖², for labels of ±1."""
    x = rng.normal(size=(80, 6))
    y = np.sign(x @ np.arange(-2.5, 3.5) + 0.5 * rng.normal(size=80))
    A, n = like(-y[:, None] * x), 80

    def cost(w):
        xp = w.__array_namespace__() if hasattr(w, "__array_namespace__") else pytest.importorskip("torch")
        return xp.sum(xp.log1p(xp.exp(A @ w))) / n + 0.005 * (w @ w)

    return cost


def paths(f, g, start, steps, **settings):
    """θ after each step of PyTorch's L-BFGS on f, and of ours on g."""
    torch = pytest.importorskip("torch")
    theirs = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    options = dict(settings)
    search = options.pop("line_search", "strong_wolfe")
    optimizer = torch.optim.LBFGS([theirs], line_search_fn=search, **options)

    def closure():
        optimizer.zero_grad()
        cost = f(theirs)
        cost.backward()
        return cost

    solver = xnn.LBFGS(**settings)
    θ = np.asarray(start, float)
    state, function = solver.init(θ), xnn.value_and_grad(g)
    for _ in range(steps):
        optimizer.step(closure)
        θ, state = solver.update(θ, function, state)
        yield theirs.detach().numpy().copy(), θ
    assert state["iterations"] == optimizer.state[theirs]["n_iter"]


def tensor(x):
    return pytest.importorskip("torch").tensor(x, dtype=pytest.importorskip("torch").float64)


# -- Against PyTorch --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "steps"), [([-1.2, 1.0], 33), ([-1.2, 1.0, 0.3, 2.0, -1.0], 25)])
def test_the_iterates_on_rosenbrock_are_pytorchs(start, steps):
    """Within 10⁻¹¹ until the slope is below tolerance_change, where PyTorch goes no further; an iteration a step."""
    for theirs, ours in paths(rosenbrock, rosenbrock, start, steps, max_iter=1, max_eval=26):
        assert ours == pytest.approx(theirs, abs=1e-11)


@pytest.mark.parametrize(
    "settings",
    [{}, {"history_size": 3}, {"max_iter": 5, "lr": 0.5}, {"line_search": None, "lr": 1e-3}, {"max_eval": 7}],
    ids=str,
)
def test_the_iterates_on_a_quadratic_are_pytorchs(settings):
    """Within 10⁻⁹ of numbers of size 1 after one and two steps."""
    for theirs, ours in paths(quadratic(tensor)[0], quadratic(np.asarray)[0], np.ones(20), 2, **settings):
        assert ours == pytest.approx(theirs, abs=1e-9)


def test_the_iterates_of_a_logistic_regression_are_pytorchs():
    f, g = (logistic(like, np.random.default_rng(1)) for like in (tensor, np.asarray))
    for theirs, ours in paths(f, g, np.zeros(6), 8, max_iter=1, max_eval=26):
        assert ours == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("batch", [None, 40], ids=["all examples", "batches"])
@pytest.mark.parametrize("search", ["strong_wolfe", None])
def test_fit_takes_pytorchs_steps(backend, rng, batch, search):
    """Three epochs of a small network, within 10⁻⁸; a pair of gradients may stem from two batches, as there."""
    torch = pytest.importorskip("torch")
    x, y = rng.normal(size=(80, 3)), rng.normal(size=(80, 2))
    network = xnn.Network([xnn.Dense(5), xnn.Tanh(), xnn.Dense(2)], inputs=3, dtype="float64", seed=3, backend=backend)
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2)).double()
    theirs.load_state_dict({k: torch.tensor(xnn.to_numpy(v)) for k, v in network.parameters.items()})
    settings = {"max_iter": 4, "lr": 0.3}
    optimizer = torch.optim.LBFGS(theirs.parameters(), line_search_fn=search, **settings)
    parts = [slice(0, 80)] if batch is None else [slice(0, 40), slice(40, 80)]
    costs = []
    for _ in range(3):
        costs.append(0.0)
        for part in parts:
            a, b = torch.tensor(x[part]), torch.tensor(y[part])

            def closure(a=a, b=b):
                optimizer.zero_grad()
                cost = torch.nn.functional.mse_loss(theirs(a), b)
                cost.backward()
                return cost

            costs[-1] += float(optimizer.step(closure).detach()) / len(parts)
    history = network.fit(
        x, y, loss=xnn.MeanSquaredError(), optimizer=xnn.LBFGS(line_search=search, **settings),
        epochs=3, batch_size=batch, shuffle=False,
    )  # fmt: skip
    for name, parameter in theirs.state_dict().items():
        assert xnn.to_numpy(network.parameters[name]) == pytest.approx(parameter.numpy(), abs=1e-8)
    assert history["loss"] == pytest.approx(costs, abs=1e-9)


# -- Minima, against SciPy ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dimension", [2, 10])
def test_the_minimum_is_scipys(backend, dimension):
    optimize = pytest.importorskip("scipy.optimize")
    start = np.resize([-1.2, 1.0], dimension)
    found = xnn.minimize(rosenbrock, backend.asarray(start, "float64"), optimizer=xnn.LBFGS(), tol=1e-7)
    theirs = optimize.minimize(
        lambda x: float(rosenbrock(x)), start, method="L-BFGS-B", jac=xnn.grad(rosenbrock), tol=1e-14
    )
    assert found.stop_reason.startswith("gradient norm")
    assert backend.to_numpy(found.theta) == pytest.approx(theirs.x, abs=1e-5)
    assert backend.to_numpy(found.theta) == pytest.approx(np.ones(dimension), abs=1e-7)
    assert found.iterations < 100
    assert len(found.costs) == found.iterations + 1
    assert all(b < a for a, b in pairwise(found.costs))


def test_a_structure_descends_as_the_flat_vector_does(rng):
    cost = logistic(np.asarray, rng)
    flat = xnn.minimize(cost, np.zeros(6), optimizer=xnn.LBFGS())
    seen = []

    def of_parts(θ):
        seen.append(θ)
        return cost(θ["w"].__array_namespace__().concat([θ["w"], θ["b"][0]]))

    parts = xnn.minimize(of_parts, {"w": np.zeros(2), "b": [np.zeros(4)]}, optimizer=xnn.LBFGS())
    assert np.concatenate([parts.theta["w"], parts.theta["b"][0]]) == pytest.approx(flat.theta, abs=1e-12)
    assert parts.costs == pytest.approx(flat.costs, abs=1e-14)


def test_a_given_gradient_is_used():
    calls = []

    def gradient(x):
        calls.append(x)
        return 2 * (x - 3)

    found = xnn.minimize(lambda x: float((x - 3) @ (x - 3)), np.zeros(2), gradient=gradient, optimizer=xnn.LBFGS())
    assert found.theta == pytest.approx([3, 3])
    assert calls


def test_float32_stops_where_rounding_is_all_that_is_left():
    start = np.asarray([-1.2, 1.0], np.float32)
    found = xnn.minimize(rosenbrock, start, optimizer=xnn.LBFGS(), tol=1e-12, max_iterations=500)
    assert found.stop_reason.startswith(("no progress: no lower cost", "gradient norm"))
    assert found.iterations < 500
    assert found.theta.dtype == np.float32
    assert found.theta == pytest.approx([1, 1], abs=1e-3)


def test_a_cost_that_is_infinite_beyond_a_wall_is_no_obstacle():
    """−log x + x, whose first steps may end where there is no logarithm."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        found = xnn.minimize(lambda x: np.sum(50 * x - np.log(x)), np.array([2.0]), optimizer=xnn.LBFGS())
    assert found.theta == pytest.approx([0.02])


# -- The conditions of Wolfe ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dimension", [2, 7])
def test_each_accepted_step_meets_the_strong_wolfe_conditions(dimension):
    """Checked from outside, with the costs and gradients at the points that were accepted."""
    points = []
    xnn.minimize(
        rosenbrock,
        np.resize([-1.2, 1.0], dimension),
        optimizer=xnn.LBFGS(),
        tol=1e-5,
        callback=lambda iteration, θ, cost: points.append(θ),
    )
    assert len(points) > 20
    slope = xnn.grad(rosenbrock)
    for a, b in pairwise(points):
        step = b - a  # t d
        assert rosenbrock(b) <= rosenbrock(a) + C1 * (slope(a) @ step) * (1 - 1e-9)
        assert abs(slope(b) @ step) <= C2 * abs(slope(a) @ step) * (1 + 1e-9)


@pytest.mark.parametrize("first", [1e-4, 0.1, 1.0, 30.0, 1e4])
@pytest.mark.parametrize(
    ("φ", "slope"),
    [
        (lambda t: (t - 3) ** 2, lambda t: 2 * (t - 3)),
        (lambda t: -t / (t**2 + 2), lambda t: (t**2 - 2) / (t**2 + 2) ** 2),  # Moré & Thuente, function 1
        (lambda t: (t + 0.004) ** 5 - 2 * (t + 0.004) ** 4, lambda t: 5 * (t + 0.004) ** 4 - 8 * (t + 0.004) ** 3),
        (lambda t: np.exp(t) - 8 * t if t < 5 else np.inf, lambda t: np.exp(t) - 8 if t < 5 else np.nan),
    ],
    ids=["parabola", "Moré 1", "Moré 2", "wall"],
)
def test_the_line_search_finds_a_step_from_any_first_trial(φ, slope, first):
    """Moré & Thuente, 1994, test their search on such functions."""

    def trial(t):
        return Trial(t, φ(t), slope(t))

    found = strong_wolfe(trial, trial(0.0), trial(first), limit=40)
    assert found.t > 0
    assert found.cost <= φ(0) + C1 * found.t * slope(0)
    assert abs(found.slope) <= C2 * abs(slope(0))


def test_a_search_without_success_gives_the_best_it_saw():
    """φ falls for ever: no step is flat enough, the last one is the lowest."""
    tried = []

    def trial(t):
        tried.append(t)
        return Trial(t, -t, -1.0)

    found = strong_wolfe(trial, trial(0.0), trial(1.0), limit=6)
    assert len(tried) == 7
    assert found.t == max(tried)


# -- In a network -----------------------------------------------------------------------------------------------------


def test_masks_and_statistics_stay_within_a_step_and_move_once():
    x, y = np.random.default_rng(0).normal(size=(30, 4)), np.arange(30) % 3

    def network():
        layers = [xnn.Dense(8), xnn.BatchNorm(), xnn.ReLU(), xnn.Dropout(0.3), xnn.Dense(3)]
        return xnn.Network(layers, inputs=4, dtype="float64", seed=1)

    ours, once = network(), network()
    cost, _ = once.gradients(x, y, xnn.CrossEntropy())
    history = ours.fit(x, y, loss=xnn.CrossEntropy(), optimizer=xnn.LBFGS(), batch_size=None, shuffle=False)
    assert history["loss"] == [pytest.approx(float(cost), rel=1e-14)]
    assert ours.step == once.step == 1
    for name, value in once.buffers.items():
        assert np.array_equal(ours.buffers[name], value)
    # With the masks of that step, which stood still, the cost has fallen as far as 20 iterations take it.
    ours.step = 0
    assert ours.gradients(x, y, xnn.CrossEntropy())[0] < 0.3 * cost


def test_fit_is_what_the_steps_by_hand_are(backend, rng):
    x, y = rng.normal(size=(40, 3)), rng.normal(size=(40, 1))
    weights, penalty, loss = rng.uniform(size=40), xnn.L2(1e-2), xnn.SquaredError()
    ours, by_hand = (
        xnn.Network([xnn.Dense(6), xnn.Tanh(), xnn.Dense(1)], inputs=3, dtype="float64", seed=2, backend=backend)
        for _ in range(2)
    )
    solver = xnn.LBFGS(max_iter=5)
    ours.fit(
        x, y, loss=loss, optimizer=solver, epochs=2, batch_size=None, shuffle=False, sample_weight=weights,
        penalty=penalty,
    )  # fmt: skip
    state = solver.init(by_hand.parameters)

    def function(parameters):
        by_hand.set_parameters(parameters)
        return by_hand.gradients(x, y, loss, sample_weight=weights, penalty=penalty)

    for _ in range(2):
        parameters, state = solver.update(by_hand.parameters, function, state)
        by_hand.set_parameters(parameters)
    for name, value in ours.parameters.items():
        assert np.array_equal(backend.to_numpy(value), backend.to_numpy(by_hand.parameters[name]))


def test_fit_stops_shows_and_tells_as_with_other_optimizers(rng, capsys):
    x = rng.normal(size=(50, 2))
    y = x @ np.array([[1.0], [-2.0]]) + 0.5
    seen = []
    network = xnn.Network([xnn.Dense(1)], inputs=2, dtype="float64", seed=0)
    with xnn.detect_anomaly():
        history = network.fit(
            x, y, loss=xnn.MeanSquaredError(), optimizer=xnn.LBFGS(max_iter=3), epochs=50, batch_size=None, tol=1e-6,
            metrics=["r2"], validation_split=0.2, verbose=True, callbacks=[lambda epoch, logs: seen.append(logs)],
        )  # fmt: skip
    assert history.stop_reason.startswith("gradient norm")
    assert len(history) == len(seen) < 10
    assert history["val_r2"][-1] == pytest.approx(1)
    assert "loss" in capsys.readouterr().out


def test_the_state_is_a_dictionary_of_numbers_and_arrays(rng):
    """What is needed to go on: cut in the middle, and sent through a file of arrays, a run gives the same bits."""
    solver, function = xnn.LBFGS(max_iter=4, history_size=3), xnn.value_and_grad(rosenbrock)
    θ = np.array([-1.2, 1.0, 0.5])
    state = solver.init(θ)
    assert all(isinstance(value, (int, float)) for value in state.values())
    for _ in range(3):
        θ, state = solver.update(θ, function, state)
    assert all(isinstance(value, (int, float)) or hasattr(value, "shape") for value in state.values())
    numbers = json.loads(json.dumps({k: v for k, v in state.items() if isinstance(v, (int, float))}))
    copied = {k: np.array(v) for k, v in state.items() if k not in numbers} | numbers
    whole, _ = solver.update(θ, function, state)
    again, _ = solver.update(θ, function, copied)
    assert np.array_equal(whole, again)
    assert {"s.0", "s.1", "s.2", "y.2", "rho.2"} <= set(state)
    assert "s.3" not in state


def test_arguments_are_not_changed():
    solver, function = xnn.LBFGS(max_iter=2), xnn.value_and_grad(rosenbrock)
    θ = np.array([-1.2, 1.0])
    first = solver.init(θ)
    new, second = solver.update(θ, function, first)
    kept = dict(second)
    solver.update(new, function, second)
    assert θ.tolist() == [-1.2, 1.0]
    assert first == solver.init(θ)
    assert second == kept


# -- Errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"lr": 0}, ValueError, r"LBFGS: lr, if no schedule, must lie in \(0, inf\)"),
        ({"max_iter": 0}, ValueError, "LBFGS: max_iter must be at least 1"),
        ({"max_eval": 1.5}, TypeError, "LBFGS: max_eval must be a whole number"),
        ({"history_size": 0}, ValueError, "LBFGS: history_size must be at least 1"),
        ({"tolerance_grad": -1}, ValueError, "LBFGS: tolerance_grad must lie in"),
        ({"line_search": "armijo"}, ValueError, "line_search must be 'strong_wolfe' or None, got 'armijo'"),
    ],
)
def test_wrong_settings_raise(settings, error, message):
    with pytest.raises(error, match=message):
        xnn.LBFGS(**settings)


@pytest.mark.parametrize("setting", ["clip_norm", "clip_value"])
def test_clipping_is_refused(setting):
    network = xnn.Network([xnn.Dense(1)], inputs=1)
    with pytest.raises(ValueError, match="the steps of LBFGS follow from the gradient as it is"):
        network.fit([[1.0]], [[1.0]], loss=xnn.SquaredError(), optimizer=xnn.LBFGS(), **{setting: 1.0})


@pytest.mark.parametrize(
    ("cost", "gradient", "error", "message"),
    [
        (lambda w: w, None, ValueError, "a gradient is that of one number"),
        (lambda w: w @ w, lambda w: np.ones(3), ValueError, r"gradient must have the shape of theta, \(2,\)"),
        (lambda w: w, lambda w: w, ValueError, r"cost must have the shape of one number, \(\); got \(2,\)"),
        (lambda w: None, lambda w: w, TypeError, "cost is None"),
        (lambda w: np.nan, lambda w: w, ValueError, r"cost\(theta\) is nan at the start"),
        (lambda w: 0.0, lambda w: np.nan * w, ValueError, r"gradient\(theta\) is nan at the start"),
    ],
)
def test_a_function_that_does_not_fit_raises(cost, gradient, error, message):
    with pytest.raises(error, match=message):
        xnn.minimize(cost, np.ones(2), gradient=gradient, optimizer=xnn.LBFGS())
