"""Costs with derivatives by the input inside, differentiated by the parameters: differential equations by networks."""

import numpy as np
import pytest

import xnn
from xnn.autodiff import derivatives, recording


def ode(backend):
    """The mean of (g′ + 2g)² for g(x) = 10 + x N(x) at ten points, as a cost, and a network to start with."""
    network = xnn.Network([xnn.Dense(10), xnn.Sigmoid(), xnn.Dense(1)], inputs=1, dtype="float64", backend=backend)
    draw = np.random.RandomState(15)
    P, Q = draw.randn(10, 2), draw.randn(1, 11)
    network.set_parameters({"0.weight": P[:, 1:], "0.bias": P[:, 0], "2.weight": Q[:, 1:], "2.bias": Q[:, 0]})
    x = backend.asarray(np.linspace(0, 1, 10)[:, None], "float64")

    def trial(parameters, x):
        return 10 + x * network.apply(parameters, x)

    def cost(parameters):
        g, slope = derivatives(trial, 1, argnum=1)(parameters, x)
        r = (slope + 2 * g)[:, 0]
        return r @ r / 10

    def error(parameters):
        return np.abs(backend.to_numpy(trial(parameters, x))[:, 0] - 10 * np.exp(-2 * np.linspace(0, 1, 10))).max()

    return network, cost, error


def by_hand(W, b, v, c):
    """The cost of ``ode`` and its gradient, from σ′ = σ(1−σ), σ″ = σ′(1−2σ) and the chain rule on paper."""
    x = np.linspace(0, 1, 10)
    σ = 1 / (1 + np.exp(-(np.outer(x, W) + b)))
    σ1 = σ * (1 - σ)
    σ2 = σ1 * (1 - 2 * σ)
    r = (σ @ v + c) + x * (σ1 @ (v * W)) + 20 + 2 * x * (σ @ v + c)  # g′ + 2g = N + xN′ + 20 + 2xN
    a, e = r / 5 * (1 + 2 * x), r / 5 * x  # ∂C/∂N and ∂C/∂N′
    gradient = {
        "0.weight": (v * (σ1.T @ (a * x + e) + W * (σ2.T @ (e * x))))[:, None],
        "0.bias": v * (σ1.T @ a + W * (σ2.T @ e)),
        "2.weight": (σ.T @ a + W * (σ1.T @ e))[None, :],
        "2.bias": np.array([a.sum()]),
    }
    return r @ r / 10, gradient


def test_the_gradient_is_that_by_hand_on_every_backend(backend):
    network, cost, _ = ode(backend)
    start = {name: backend.to_numpy(value) for name, value in network.parameters.items()}
    C, exact = by_hand(start["0.weight"][:, 0], start["0.bias"], start["2.weight"][0], start["2.bias"][0])
    found, gradient = xnn.value_and_grad(cost)(network.parameters)
    assert float(backend.to_numpy(found)) == pytest.approx(C, rel=1e-13)
    for name, slope in exact.items():
        assert backend.to_numpy(gradient[name]) == pytest.approx(slope, rel=1e-11, abs=1e-12)


def test_a_residual_of_second_order_in_two_inputs_is_the_same_on_every_backend(backend):
    """u_t − u_xx at a grid of points through two tanh layers, against central differences of the cost on NumPy."""
    layers = [xnn.Dense(5), xnn.Tanh(), xnn.Dense(4), xnn.Tanh(), xnn.Dense(1)]

    def problem(backend):
        network = xnn.Network(layers, inputs=2, dtype="float64", seed=1, backend=backend)
        xp = recording(backend.xp)
        x, t = (backend.asarray(a.reshape(-1, 1), "float64") for a in np.meshgrid(*[np.linspace(0, 1, 4)] * 2))

        def u(parameters, x, t):
            return (1 - t) * xp.sin(np.pi * x) + x * (1 - x) * t * network.apply(parameters, xp.concat([x, t], axis=1))

        def cost(parameters):
            _, u_t = derivatives(u, 1, argnum=2)(parameters, x, t)
            _, _, u_xx = derivatives(u, 2, argnum=1)(parameters, x, t)
            r = (u_t - u_xx)[:, 0]
            return r @ r / 16

        return cost, network.parameters

    host, θ = problem(xnn.get_backend("numpy"))
    direction = {name: np.random.default_rng(2).normal(size=a.shape) for name, a in θ.items()}
    h = 1e-4
    near = [host({name: a + k * h * direction[name] for name, a in θ.items()}) for k in (-2, -1, 1, 2)]
    difference = (near[0] - 8 * near[1] + 8 * near[2] - near[3]) / (12 * h)

    cost, θ = problem(backend)
    gradient = xnn.grad(cost)(θ)
    slope = sum(np.sum(backend.to_numpy(g) * direction[name]) for name, g in gradient.items())
    assert slope == pytest.approx(difference, rel=1e-9)


def test_adam_and_then_lbfgs_gets_lower_than_adam_alone():
    network, cost, error = ode(xnn.get_backend("numpy"))
    alone = xnn.minimize(cost, network.parameters, optimizer=xnn.Adam(lr=0.05), max_iterations=240, tol=0)
    near = xnn.minimize(cost, network.parameters, optimizer=xnn.Adam(lr=0.05), max_iterations=120, tol=0)
    found = xnn.minimize(cost, near.theta, optimizer=xnn.LBFGS(), max_iterations=60, tol=1e-9)
    assert found.cost < 0.1 * alone.cost
    assert error(found.theta) < 0.5 * error(alone.theta)


@pytest.mark.slow
def test_row_ode_the_published_figure():
    """Largest error .0437499 after 10,000 steps of gradient descent with η = .001; much less by Adam and L-BFGS."""
    network, cost, error = ode(xnn.get_backend("numpy"))
    descent = xnn.minimize(cost, network.parameters, optimizer=xnn.SGD(lr=1e-3), max_iterations=10_000, tol=0)
    assert error(descent.theta) == pytest.approx(0.0437499, abs=1e-7)
    near = xnn.minimize(cost, network.parameters, optimizer=xnn.Adam(lr=0.05), max_iterations=500, tol=0)
    found = xnn.minimize(cost, near.theta, optimizer=xnn.LBFGS(), max_iterations=500, tol=1e-9)
    assert error(found.theta) < 2e-4


def test_row_poisson():
    """−g″ = (3x + x²)eˣ, g = 0 at both ends: the largest error is below 5e-4."""
    network = xnn.Network([xnn.Dense(20), xnn.Tanh(), xnn.Dense(1)], inputs=1, dtype="float64", seed=0)
    x = np.linspace(0, 1, 22)[:, None]
    f = (3 * x + x**2) * np.exp(x)

    def trial(parameters, x):
        return x * (1 - x) * network.apply(parameters, x)

    def cost(parameters):
        r = (derivatives(trial, 2, argnum=1)(parameters, x)[2] + f)[:, 0]
        return r @ r / 22

    near = xnn.minimize(cost, network.parameters, optimizer=xnn.Adam(lr=0.01), max_iterations=100, tol=0)
    found = xnn.minimize(cost, near.theta, optimizer=xnn.LBFGS(), max_iterations=60)
    dense = np.linspace(0, 1, 101)[:, None]
    assert np.abs(trial(found.theta, dense) - dense * (1 - dense) * np.exp(dense)).max() < 5e-4
