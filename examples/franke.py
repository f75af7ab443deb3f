"""Regression of the Franke function: a network against least squares and ridge.

The Franke function (Franke, 1979), four Gaussians on the unit square, is a standard test of fits in two
variables. Its values are known at random places, with noise. Polynomials have a closed solution: with the
products of powers of x₁ and x₂ as the columns of X, and n examples,

    β = (XᵀX + nλ1)⁻¹ Xᵀy    minimizes    1/n Σ (Xβ − y)² + λ Σ β²

which is ridge regression, and for λ = 0 ordinary least squares. A network minimizes the same cost with its
weights for β, but by descent; the heat map shows what its step size and λ do to the test error.
"""

import numpy as np
from _common import arguments, save_picture
from matplotlib import pyplot

import xnn

NOISE = 0.1


def main() -> None:
    options = arguments(__doc__)
    random = np.random.default_rng(0)
    x = random.uniform(size=(400, 2))
    y = franke(x) + NOISE * random.normal(size=400)
    grid = np.linspace(0, 1, 41)
    x_test = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    y_test = franke(x_test)  # without noise

    penalties = [1e-6, 1e-5, 1e-4, 1e-3]
    polynomials = {
        (degree, λ): mse(powers(x_test, degree) @ ridge(powers(x, degree), y, λ), y_test)
        for degree in range(1, 15)
        for λ in [0.0, *penalties]
    }
    networks = {}
    for step in [0.03, 0.1] if options.quick else [0.01, 0.03, 0.1, 0.2]:
        for λ in penalties:
            network = fit(x, y, step, λ, epochs=30 if options.quick else 300)
            networks[λ, step] = mse(network.predict(x_test)[:, 0], y_test), network

    print(f"mean squared error on {len(y_test)} test points, for the best settings there")
    best = min((error, degree) for (degree, λ), error in polynomials.items() if not λ)
    print(f"  least squares  {best[0]:.5f}   degree {best[1]}")
    error, (degree, λ) = min((error, settings) for settings, error in polynomials.items())
    print(f"  ridge          {error:.5f}   degree {degree}, λ = {λ:g}")
    λ, step = min(networks, key=lambda settings: networks[settings][0])
    error, network = networks[λ, step]
    print(f"  network        {error:.5f}   step size {step:g}, λ = {λ:g}\n")

    figure, axes = pyplot.subplots(1, 3, figsize=(12, 3.8), layout="constrained", width_ratios=[1.2, 1, 1])
    steps = sorted({step for _, step in networks})
    table = [[networks[λ, step][0] for step in steps] for λ in penalties]
    labels = "step size", "penalty λ", "test error"
    xnn.plot.heat_map(table, steps, penalties, ax=axes[0], labels=labels, best="min")
    axes[0].set_title("test error of the network")
    for panel, values, title in (axes[1], y_test, "Franke function"), (axes[2], network.predict(x_test), "network"):
        image = panel.contourf(grid, grid, values.reshape(41, 41), np.arange(-0.2, 1.5, 0.1), cmap="viridis")
        panel.set(xlabel="$x_1$", ylabel="$x_2$", title=title, aspect="equal")
    figure.colorbar(image, ax=axes[1:], shrink=0.8)
    save_picture(figure, options.output, "franke.png")


def franke(x: np.ndarray) -> np.ndarray:
    a, b = 9 * x[:, 0], 9 * x[:, 1]
    return (
        0.75 * np.exp(-((a - 2) ** 2) / 4 - (b - 2) ** 2 / 4)
        + 0.75 * np.exp(-((a + 1) ** 2) / 49 - (b + 1) / 10)
        + 0.5 * np.exp(-((a - 7) ** 2) / 4 - (b - 3) ** 2 / 4)
        - 0.2 * np.exp(-((a - 4) ** 2) - (b - 7) ** 2)
    )


def powers(x: np.ndarray, degree: int) -> np.ndarray:
    """X: the products uⁱvʲ with i + j ≤ degree of u = 2x₁ − 1 and v = 2x₂ − 1."""
    u, v = 2 * x.T - 1
    return np.stack([u**i * v**j for i in range(degree + 1) for j in range(degree + 1 - i)], axis=1)


def ridge(X: np.ndarray, y: np.ndarray, λ: float) -> np.ndarray:
    return np.linalg.solve(X.T @ X + len(y) * λ * np.eye(X.shape[1]), X.T @ y)


def mse(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.mean((found - expected) ** 2))


def fit(x: np.ndarray, y: np.ndarray, step: float, λ: float, epochs: int) -> xnn.Network:
    hidden = [xnn.Dense(50), xnn.Tanh(), xnn.Dense(50), xnn.Tanh()]
    network = xnn.Network([xnn.Standardize(), *hidden, xnn.Dense(1)], inputs=2, seed=0)
    lr = xnn.schedules.Cosine(step, 4 * epochs)  # falls to 0; an epoch is four batches of 100
    loss, optimizer = xnn.MeanSquaredError(), xnn.Adam(lr=lr)
    network.fit(x, y, loss=loss, optimizer=optimizer, epochs=epochs, batch_size=100, penalty=xnn.L2(λ))
    return network


if __name__ == "__main__":
    main()
