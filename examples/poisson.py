"""A network solves Poisson's equation: −g″ = (3x + x²)eˣ on (0, 1), with g = 0 at both ends.

The trial solution g(x) = x(1 − x) N(x) is 0 at both ends, whatever the network N says. Training makes the
residual g″ + (3x + x²)eˣ small at the points, which takes second derivatives by the input in a cost that is
differentiated by the parameters. The solution is g(x) = x(1 − x)eˣ. Beside it: what finite differences with
as many points reach. The problem is that of Hjorth-Jensen, "Applied Data Analysis and Machine Learning".
"""

from typing import Any

import numpy as np
from _common import BLUE, GREEN, adam_then_lbfgs, arguments, save_picture
from matplotlib import pyplot

import xnn

POINTS = 20


def main() -> None:
    options = arguments(__doc__)
    backend = xnn.get_backend()
    network = xnn.Network([xnn.Dense(20), xnn.Tanh(), xnn.Dense(1)], inputs=1, dtype="float64", seed=0)
    grid = np.linspace(0, 1, POINTS + 2)
    x = backend.asarray(grid[:, None], "float64")
    right_side = backend.asarray(((3 * grid + grid**2) * np.exp(grid))[:, None], "float64")

    def solution(parameters: Any, x: Any) -> Any:
        return x * (1 - x) * network.apply(parameters, x)

    def cost(parameters: Any) -> Any:
        """The mean of the squared residuals: g″ in forward mode, as a Taylor series of two orders."""
        _, _, curvature = xnn.derivatives(solution, 2, argnum=1)(parameters, x)
        residual = (curvature + right_side)[:, 0]
        return residual @ residual / residual.shape[0]

    theta, costs = adam_then_lbfgs(cost, network.parameters, *((100, 60) if options.quick else (500, 1000)))
    dense = np.linspace(0, 1, 201)
    g = backend.to_numpy(solution(theta, backend.asarray(dense[:, None], "float64")))[:, 0]
    error = np.abs(g - exact(dense))
    differences = finite_differences(grid)
    print(f"the largest error of the network is {error.max():.2g}, of finite differences with as many points ", end="")
    print(f"{np.max(np.abs(differences - exact(grid))):.2g}\n")
    save_picture(picture(dense, g, grid, differences, costs), options.output, "poisson.png")


def exact(x: np.ndarray) -> np.ndarray:
    return x * (1 - x) * np.exp(x)


def finite_differences(x: np.ndarray) -> np.ndarray:
    """−(gᵢ₊₁ − 2gᵢ + gᵢ₋₁)/h² = f(xᵢ), solved for all g."""
    n, h = len(x) - 2, x[1] - x[0]
    A = 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    f = ((3 * x + x**2) * np.exp(x))[1:-1]
    return np.concatenate([[0], np.linalg.solve(A, h * h * f), [0]])


def picture(
    x: np.ndarray, g: np.ndarray, grid: np.ndarray, differences: np.ndarray, costs: list[float]
) -> pyplot.Figure:
    """The solution, its error beside that of finite differences, and the cost."""
    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    left.plot(x, exact(x), color="0.75", linewidth=6, label="exact: $x(1-x)\\,e^x$")
    left.plot(x, g, color=BLUE, label="network")
    left.set(xlabel="x", ylabel="g(x)", title="−g″ = (3x + x²)eˣ, g = 0 at both ends")
    middle.semilogy(x[1:-1], np.abs(g - exact(x))[1:-1], color=BLUE, label="network")
    middle.semilogy(grid[1:-1], np.abs(differences - exact(grid))[1:-1], "o", color=GREEN, label="finite differences")
    middle.set(xlabel="x", ylabel="error", title="|g(x) − exact|")
    right.semilogy(costs, color=BLUE)
    right.set(xlabel="iteration", ylabel="cost", title="Adam, then L-BFGS")
    for panel in (left, middle):
        panel.legend(frameon=False)
    return figure


if __name__ == "__main__":
    main()
