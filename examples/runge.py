"""Runge's function 1/(1 + 25x²): a network against least squares.

Polynomials through equidistant points swing at the ends, the more the higher their degree (Runge, 1901). A sum
of tanh units does not: more of them fit better. With one and with two hidden layers, for a growing number of
units, and with polynomials of a growing degree, all fitted to the same 21 points of the function without noise; the
error is the largest one on [−1, 1].
"""

import numpy as np
from _common import BLUE, GREEN, RED, arguments, save_picture
from matplotlib import pyplot

import xnn


def runge(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + 25 * x**2)


def main() -> None:
    options = arguments(__doc__)
    x, dense = np.linspace(-1, 1, 21), np.linspace(-1, 1, 401)
    widths = [2, 4, 8] if options.quick else [2, 4, 6, 8, 12, 16]
    degrees = range(2, 21, 2)

    curves = {"polynomial, degree": {}, "one hidden layer, units": {}, "two hidden layers, units each": {}}
    for degree in degrees:
        curves["polynomial, degree"][degree] = np.polynomial.Polynomial.fit(x, runge(x), degree)(dense)
    for depth, name in enumerate(list(curves)[1:], start=1):
        for width in widths:
            curves[name][width] = fit(x, depth, width, 20 if options.quick else 200)(dense)
    errors = {name: {n: np.max(np.abs(y - runge(dense))) for n, y in found.items()} for name, found in curves.items()}
    print("the largest error on [-1, 1]")
    for name, found in errors.items():
        print(f"  {name:<30}", "  ".join(f"{n}: {error:.1e}" for n, error in found.items()))

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    left.plot(dense, runge(dense), color="0.5", linewidth=4, alpha=0.5, label="1/(1 + 25x²)")
    for (name, found), color, n in zip(curves.items(), (RED, BLUE, GREEN), (16, max(widths), max(widths)), strict=True):
        left.plot(dense, found[n], color=color, label=f"{name} {n}")
        right.semilogy(list(errors[name]), list(errors[name].values()), "o-", color=color, label=name)
    left.plot(x, runge(x), "ko", markersize=4, label="the points")
    left.set(xlabel="x", ylim=(-0.6, 1.6))
    left.legend(fontsize=8, loc="upper center", ncols=2)
    right.set(xlabel="degree, or units", ylabel="largest error")
    right.legend(fontsize=8)
    save_picture(figure, options.output, "runge.png")


def fit(x: np.ndarray, depth: int, width: int, iterations: int) -> object:
    """A network fitted by L-BFGS, as a function."""
    hidden = [layer for _ in range(depth) for layer in (xnn.Dense(width), xnn.Tanh())]
    network = xnn.Network([*hidden, xnn.Dense(1)], inputs=1, dtype="float64", seed=3)
    optimizer = xnn.LBFGS(max_iter=20)
    network.fit(x, runge(x), loss=xnn.MeanSquaredError(), optimizer=optimizer, batch_size=None, epochs=iterations)
    return lambda points: xnn.to_numpy(network.predict(points))[:, 0]


if __name__ == "__main__":
    main()
