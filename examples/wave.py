"""A network solves the wave equation: u_tt = u_xx on [0, 1]², with u = 0 at both ends.

The wave begins with u = sin πx and the velocity u_t = −π sin πx. The trial solution

    u(x, t) = (1 − t² − πt) sin πx + x(1 − x) t² N(x, t)

has both right, and the ends too, whatever the network N says. Training makes the residual u_tt − u_xx small
at a grid of points. The solution is sin πx (cos πt − sin πt). The problem is that of Hjorth-Jensen, "Applied
Data Analysis and Machine Learning".
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
        return (1 - t**2 - np.pi * t) * xp.sin(np.pi * x) + x * (1 - x) * t**2 * N

    def cost(parameters: Any) -> Any:
        """The mean of (u_tt − u_xx)² over the grid, by series of two orders in t and in x."""
        _, _, u_tt = xnn.derivatives(solution, 2, argnum=2)(parameters, x, t)
        _, _, u_xx = xnn.derivatives(solution, 2, argnum=1)(parameters, x, t)
        residual = (u_tt - u_xx)[:, 0]
        return residual @ residual / residual.shape[0]

    x, t = (backend.asarray(a, "float64") for a in grid(6 if options.quick else 12))
    theta, costs = adam_then_lbfgs(cost, network.parameters, *((60, 60) if options.quick else (300, 600)))

    dense = grid(51)
    u = backend.to_numpy(solution(theta, *(backend.asarray(a, "float64") for a in dense))).reshape(51, 51)
    error = np.abs(u - exact(*dense).reshape(51, 51))
    print(f"the largest error on a grid of 51 × 51 points is {error.max():.2g}\n")
    save_picture(picture(u, error, costs), options.output, "wave.png")


def grid(n: int) -> tuple[np.ndarray, np.ndarray]:
    """n × n points (x, t) of the unit square, x and t as columns; t changes slowly."""
    t, x = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 1, n), indexing="ij")
    return x.reshape(-1, 1), t.reshape(-1, 1)


def exact(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    return np.sin(np.pi * x) * (np.cos(np.pi * t) - np.sin(np.pi * t))


def picture(u: np.ndarray, error: np.ndarray, costs: list[float]) -> pyplot.Figure:
    """Cuts at some times on the exact solution, where the error is, and the cost."""
    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    x = np.linspace(0, 1, 51)
    for k in (0, 10, 20, 30, 50):
        line = left.plot(x, exact(x, k / 50 * np.ones(51)), color="0.8", linewidth=6)
        left.plot(x, u[k], color=BLUE, label="network")
        left.annotate(f"t = {k / 50:g}", (0.5, u[k, 25] + 0.08), ha="center", va="bottom", fontsize=8)
    left.legend([line[0], left.lines[-1]], ["exact", "network"], frameon=False)
    left.set(xlabel="x", ylabel="u(x, t)", title="$u_{tt} = u_{xx}$", ylim=(-1.6, 1.6))
    image = middle.imshow(error, origin="lower", extent=(0, 1, 0, 1), cmap="cividis", aspect="auto")
    figure.colorbar(image, ax=middle)
    middle.set(xlabel="x", ylabel="t", title="|u(x, t) − exact|")
    right.semilogy(costs, color=BLUE)
    right.set(xlabel="iteration", ylabel="cost", title="Adam, then L-BFGS")
    return figure


if __name__ == "__main__":
    main()
