"""A network solves the heat equation: u_t = u_xx on [0, 1]², with u(x, 0) = sin πx and u = 0 at both ends.

The trial solution u(x, t) = (1 − t) sin πx + x(1 − x) t N(x, t) has the initial values and the ends right,
whatever the network N says. Training makes the residual u_t − u_xx small at a grid of points: derivatives by
two different inputs in a cost that is differentiated by the parameters. The solution is exp(−π²t) sin πx.
The problem is that of Hjorth-Jensen, "Applied Data Analysis and Machine Learning".
"""

from typing import Any

import numpy as np
from _common import BLUE, adam_then_lbfgs, arguments, save_picture
from matplotlib import pyplot

import xnn


def main() -> None:
    options = arguments(__doc__)
    backend = xnn.get_backend()
    xp = xnn.recording(backend.xp)  # its functions take arrays that carry a derivative, and plain ones
    layers = [xnn.Dense(16), xnn.Tanh(), xnn.Dense(16), xnn.Tanh(), xnn.Dense(1)]
    network = xnn.Network(layers, inputs=2, dtype="float64", seed=0)

    def solution(parameters: Any, x: Any, t: Any) -> Any:
        N = network.apply(parameters, xp.concat([x, t], axis=1))
        return (1 - t) * xp.sin(np.pi * x) + x * (1 - x) * t * N

    def cost(parameters: Any) -> Any:
        """The mean of (u_t − u_xx)² over the grid, by series of one order in t and of two in x."""
        _, u_t = xnn.derivatives(solution, 1, argnum=2)(parameters, x, t)
        _, _, u_xx = xnn.derivatives(solution, 2, argnum=1)(parameters, x, t)
        residual = (u_t - u_xx)[:, 0]
        return residual @ residual / residual.shape[0]

    x, t = (backend.asarray(a, "float64") for a in grid(6 if options.quick else 12))
    t = t**2  # more points where u changes fast
    theta, costs = adam_then_lbfgs(cost, network.parameters, *((60, 60) if options.quick else (300, 600)))

    dense = grid(51)
    u = backend.to_numpy(solution(theta, *(backend.asarray(a, "float64") for a in dense))).reshape(51, 51)
    error = np.abs(u - exact(*dense).reshape(51, 51))
    print(f"the largest error on a grid of 51 × 51 points is {error.max():.2g}\n")
    save_picture(picture(u, error, costs), options.output, "heat.png")


def grid(n: int) -> tuple[np.ndarray, np.ndarray]:
    """n × n points (x, t) of the unit square, x and t as columns; t changes slowly."""
    t, x = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 1, n), indexing="ij")
    return x.reshape(-1, 1), t.reshape(-1, 1)


def exact(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    return np.exp(-(np.pi**2) * t) * np.sin(np.pi * x)


def picture(u: np.ndarray, error: np.ndarray, costs: list[float]) -> pyplot.Figure:
    """Cuts at some times on the exact solution, where the error is, and the cost."""
    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    x = np.linspace(0, 1, 51)
    for k in (0, 2, 5, 10, 20):
        line = left.plot(x, exact(x, k / 50 * np.ones(51)), color="0.8", linewidth=6)
        left.plot(x, u[k], color=BLUE, label="network")
        left.annotate(f"t = {k / 50:g}", (0.5, u[k, 25] + 0.03), ha="center", va="bottom", fontsize=8)
    left.legend([line[0], left.lines[-1]], ["exact: $e^{-\\pi^2 t}\\,\\sin\\,\\pi x$", "network"], frameon=False)
    left.set(xlabel="x", ylabel="u(x, t)", title="$u_t = u_{xx}$", ylim=(-0.05, 1.35))
    image = middle.imshow(error, origin="lower", extent=(0, 1, 0, 1), cmap="cividis", aspect="auto")
    figure.colorbar(image, ax=middle)
    middle.set(xlabel="x", ylabel="t", title="|u(x, t) − exact|")
    right.semilogy(costs, color=BLUE)
    right.set(xlabel="iteration", ylabel="cost", title="Adam, then L-BFGS")
    return figure


if __name__ == "__main__":
    main()
