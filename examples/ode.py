"""A network solves a differential equation (text 001's derivatives at work): g′ = −2g with g(0) = 10.

The trial solution g(x) = 10 + x N(x) has the right value at 0, whatever the network N says. Training makes
the residual g′ + 2g small at ten points. It needs g′ = N + x N′, the derivative by the input, inside a cost
that is differentiated by the parameters. The settings are those of Hjorth-Jensen, "Applied Data Analysis and
Machine Learning", whose largest error after 10,000 steps of gradient descent is 0.0437499.
"""

from typing import Any

import numpy as np
from _common import BLUE, RED, arguments, save_picture
from matplotlib import pyplot

import xnn


def main() -> None:
    options = arguments(__doc__)
    backend = xnn.get_backend()
    network = xnn.Network([xnn.Dense(10), xnn.Sigmoid(), xnn.Dense(1)], inputs=1, dtype="float64")
    network.set_parameters(published())
    x = backend.asarray(np.linspace(0, 1, 10)[:, None], "float64")

    def solution(parameters: Any, x: Any) -> Any:
        return 10 + x * network.apply(parameters, x)

    def cost(parameters: Any) -> Any:
        """The mean of (g′ + 2g)² over the points: g and g′ in forward mode, as series of one order."""
        g, slope = xnn.derivatives(solution, 1, argnum=1)(parameters, x)
        residual = (slope + 2 * g)[:, 0]
        return residual @ residual / 10

    start, steps = network.parameters, 300 if options.quick else 10_000
    descent = xnn.minimize(cost, start, optimizer=xnn.SGD(lr=1e-3), max_iterations=steps, tol=0)
    # Adam finds the valley, and L-BFGS its bottom.
    near = xnn.minimize(cost, start, optimizer=xnn.Adam(lr=0.05), max_iterations=steps // 20, tol=0)
    found = xnn.minimize(cost, near.theta, optimizer=xnn.LBFGS(), max_iterations=steps // 20, tol=1e-9)

    print("g′ = −2g, g(0) = 10 on [0, 1]: the largest error at the ten points, and anywhere between them")
    dense = backend.asarray(np.linspace(0, 1, 201)[:, None], "float64")
    errors, solutions = {}, {}
    for name, theta, count in (
        ("gradient descent", descent.theta, steps),
        ("Adam, L-BFGS", found.theta, near.iterations + found.iterations),
    ):
        at, between = (backend.to_numpy(solution(theta, points))[:, 0] for points in (x, dense))
        errors[name] = np.abs(between - exact(np.linspace(0, 1, 201)))
        solutions[name] = between
        largest = np.max(np.abs(at - exact(np.linspace(0, 1, 10))))
        print(f"  {name:<17} {count:6} steps {largest:14.7f} {errors[name].max():14.7f}")
    print()
    save_picture(picture(solutions, errors), options.output, "ode.png")


def exact(x: np.ndarray) -> np.ndarray:
    return 10 * np.exp(-2 * x)


def published() -> dict[str, np.ndarray]:
    """The initial weights and biases of the source, drawn by the generator of its time, biases in the first column."""
    draw = np.random.RandomState(15)
    first, second = draw.randn(10, 2), draw.randn(1, 11)
    return {"0.weight": first[:, 1:], "0.bias": first[:, 0], "2.weight": second[:, 1:], "2.bias": second[:, 0]}


def picture(solutions: dict[str, np.ndarray], errors: dict[str, np.ndarray]) -> pyplot.Figure:
    """The solutions on the exact one, and how far they are from it."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    x = np.linspace(0, 1, 201)
    left.plot(x, exact(x), color="0.75", linewidth=6, label="exact: $10\\,e^{-2x}$")
    for (name, g), color, style in zip(solutions.items(), (RED, BLUE), ("--", "-"), strict=True):
        left.plot(x, g, style, color=color, label=name)
        right.semilogy(x[1:], errors[name][1:], style, color=color, label=name)
    left.set(xlabel="x", ylabel="g(x)", title="g′ = −2g, g(0) = 10")
    right.set(xlabel="x", ylabel="error", title="|g(x) − exact|")
    for panel in (left, right):
        panel.legend(frameon=False)
    return figure


if __name__ == "__main__":
    main()
