"""Newton-CG and Gauss–Newton: SciPy's minima, fast convergence, negative curvature, residuals, and the errors."""

from itertools import pairwise

import numpy as np
import pytest

import xnn
from xnn.autodiff import derivatives, recording


def rosenbrock(x):
    a, b = 1 - x[:-1], x[1:] - x[:-1] ** 2
    return a @ a + 100 * (b @ b)


@pytest.mark.parametrize("start", [[-1.2, 1.0], [1.3, 0.7, 0.8, 1.9, 1.2]], ids=len)
def test_newton_cg_finds_scipys_minimum(backend, start):
    optimize = pytest.importorskip("scipy.optimize")
    found = xnn.minimize(rosenbrock, backend.asarray(start, "float64"), optimizer=xnn.NewtonCG())
    theirs = optimize.minimize(
        optimize.rosen, start, method="Newton-CG", jac=optimize.rosen_der, hessp=optimize.rosen_hess_prod, tol=1e-10
    )
    assert found.stop_reason.startswith("gradient norm")
    assert backend.to_numpy(found.theta) == pytest.approx(theirs.x, abs=1e-6)
    assert found.iterations <= theirs.nit + 10
    assert all(b < a for a, b in pairwise(found.costs))


def test_newton_cg_converges_faster_than_linearly():
    norms = []
    slope = xnn.grad(rosenbrock)
    xnn.minimize(
        rosenbrock, np.array([0.8, 0.6]), optimizer=xnn.NewtonCG(), tol=1e-9,
        callback=lambda i, θ, cost: norms.append(np.linalg.norm(slope(θ))),
    )  # fmt: skip
    assert norms[-1] < 1e-3 * norms[-2] < 1e-3 * norms[-3]


def test_newton_cg_solves_a_quadratic_in_a_step_when_it_may(rng):
    A = rng.normal(size=(8, 8))
    A = A @ A.T + np.eye(8)
    b = rng.normal(size=8)
    found = xnn.minimize(lambda x: 0.5 * (x @ (A @ x)) - b @ x, np.zeros(8), optimizer=xnn.NewtonCG(), tol=1e-7)
    assert found.theta == pytest.approx(np.linalg.solve(A, b), abs=1e-6)
    assert found.iterations < 12


def test_newton_cg_leaves_a_saddle_by_negative_curvature():
    """x⁴ − x² + y² near its saddle at 0; the minima are at x = ±1/√2."""
    found = xnn.minimize(lambda θ: θ[0] ** 4 - θ[0] ** 2 + θ[1] ** 2, np.array([1e-3, 0.5]), optimizer=xnn.NewtonCG())
    assert found.theta == pytest.approx([0.5**0.5, 0], abs=1e-7)


def test_newton_cg_takes_a_cost_without_curvature(backend):
    """No warning of a division by 0: the direction is that of the gradient."""
    θ = backend.asarray([1.0, 0.3], "float64")
    found = xnn.minimize(lambda θ: abs(θ[0]) + abs(θ[1]), θ, optimizer=xnn.NewtonCG(), max_iterations=20)
    assert found.cost < 1e-9


def test_newton_cg_differentiates_a_given_gradient():
    found = xnn.minimize(
        lambda θ: float(np.sum((θ["a"] - 1) ** 4)), {"a": np.zeros(3)},
        gradient=lambda θ: {"a": 4 * (θ["a"] - 1) ** 3}, optimizer=xnn.NewtonCG(), tol=1e-6,
    )  # fmt: skip
    assert found.theta["a"] == pytest.approx(np.ones(3), abs=0.01)
    assert found.iterations < 25


# -- Sums of squares --------------------------------------------------------------------------------------------------


def decay(backend, rng):
    """y = a exp(−bx) + c at 30 points with noise, as residuals of (a, b, c)."""
    x = np.linspace(0, 4, 30)
    y = 2.5 * np.exp(-1.3 * x) + 0.5 + 0.02 * rng.normal(size=30)
    xp = recording(backend.xp)
    a, b = backend.asarray(x, "float64"), backend.asarray(y, "float64")
    return lambda θ: θ[0] * xp.exp(-θ[1] * a) + θ[2] - b


@pytest.mark.parametrize("method", ["lm", "trf"])
def test_gauss_newton_finds_scipys_minimum(backend, rng, method):
    optimize = pytest.importorskip("scipy.optimize")
    seed = rng.bit_generator.state
    start = [1.0, 0.1, 0.0]
    try:
        found = xnn.least_squares(decay(backend, rng), backend.asarray(start, "float64"), tol=1e-9)
    except RuntimeError as error:
        if type(error).__name__ != "CUSOLVERError":
            raise
        pytest.skip("the emulated device has no QR")
    rng.bit_generator.state = seed
    theirs = optimize.least_squares(decay(xnn.get_backend("numpy"), rng), start, method=method, xtol=1e-12, ftol=1e-12)
    assert backend.to_numpy(found.theta) == pytest.approx(theirs.x, rel=1e-6)
    assert found.cost == pytest.approx(theirs.cost, rel=1e-10)
    assert found.iterations < 30


@pytest.mark.parametrize("shape", [(20, 4), (4, 20)], ids=["overdetermined", "underdetermined"])
def test_gauss_newton_solves_what_is_linear_at_once(rng, shape):
    """With little damping a step is the pseudoinverse's: least squares, or the shortest of many solutions."""
    X, y = rng.normal(size=shape), rng.normal(size=shape[0])
    optimizer = xnn.GaussNewton(damping=1e-10)
    found = xnn.least_squares(lambda w: X @ w - y, np.zeros(shape[1]), optimizer=optimizer, max_iterations=1)
    assert found.theta == pytest.approx(np.linalg.pinv(X) @ y, abs=1e-7)


def test_rosenbrock_as_a_sum_of_squares_and_other_optimizers_for_it():
    """r = (10(y − x²), 1 − x): with the residuals known it takes a few iterations; without, L-BFGS takes more."""

    def residuals(θ):
        return θ["x"].__array_namespace__().concat([10 * (θ["y"] - θ["x"] ** 2), 1 - θ["x"]])

    start = {"x": np.array([-1.2]), "y": np.array([1.0])}
    known = xnn.least_squares(residuals, start)
    other = xnn.least_squares(residuals, start, optimizer=xnn.LBFGS())
    for found in (known, other):
        assert [found.theta["x"], found.theta["y"]] == [pytest.approx([1.0], abs=1e-6)] * 2
        assert all(b < a for a, b in pairwise(found.costs))
    assert known.costs[0] == pytest.approx(0.5 * (4.4**2 + 2.2**2))
    assert known.iterations < other.iterations


def test_gauss_newton_solves_a_differential_equation():
    """g′ = −2g, g(0) = 10 by 10 + x N(x): in 40 iterations it gets much lower than L-BFGS does."""
    layers = [xnn.Dense(10, weight_init="pytorch", bias_init="pytorch"), xnn.Tanh(), xnn.Dense(1)]
    network = xnn.Network(layers, inputs=1, dtype="float64", seed=0)
    x = np.linspace(0, 1, 10)[:, None]

    def trial(parameters, x):
        return 10 + x * network.apply(parameters, x)

    def residuals(parameters):
        g, slope = derivatives(trial, 1, argnum=1)(parameters, x)
        return (slope + 2 * g)[:, 0]

    found = xnn.least_squares(residuals, network.parameters, max_iterations=40)
    other = xnn.least_squares(residuals, network.parameters, optimizer=xnn.LBFGS(), max_iterations=40)
    assert found.cost < 1e-2 * other.cost
    assert np.abs(trial(found.theta, x) - 10 * np.exp(-2 * x)).max() < 2e-3


# -- Errors -----------------------------------------------------------------------------------------------------------


def test_what_a_solver_needs_is_told():
    with pytest.raises(ValueError, match=r"GaussNewton needs the residuals .* call xnn.least_squares\("):
        xnn.minimize(rosenbrock, np.zeros(2), optimizer=xnn.GaussNewton())
    network = xnn.Network([xnn.Dense(1)], inputs=1)
    for optimizer in (xnn.NewtonCG(), xnn.GaussNewton()):
        with pytest.raises(ValueError, match=f"{type(optimizer).__name__} needs the .* take xnn.LBFGS"):
            network.fit([[1.0]], [[1.0]], loss=xnn.SquaredError(), optimizer=optimizer)


@pytest.mark.parametrize(
    ("residuals", "error", "message"),
    [
        (3.0, TypeError, "residuals must be a function of theta"),
        (lambda θ: θ @ θ, ValueError, r"residuals must return an array with one axis; got \(\)"),
        (lambda θ: θ[:, None], ValueError, r"with one axis; got \(2, 1\): reshape it to \(-1,\)"),
        (lambda θ: [θ[0]], ValueError, r"with one axis; got list: take numpy.stack"),
    ],
)
@pytest.mark.parametrize("optimizer", [xnn.GaussNewton(), xnn.LBFGS(), xnn.SGD()], ids=lambda o: type(o).__name__)
def test_residuals_that_do_not_fit_raise(residuals, error, message, optimizer):
    with pytest.raises(error, match=message):
        xnn.least_squares(residuals, np.ones(2), optimizer=optimizer)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: xnn.NewtonCG(max_cg=0), ValueError, "NewtonCG: max_cg must be at least 1"),
        (lambda: xnn.NewtonCG(lr=0), ValueError, "NewtonCG: lr"),
        (lambda: xnn.GaussNewton(damping=0), ValueError, "GaussNewton: damping must lie in"),
    ],
)
def test_wrong_settings_raise(make, error, message):
    with pytest.raises(error, match=message):
        make()
