"""Ways down: the optimizers on ordinary least squares and on ridge, without any network.

For n examples, with the powers 1, x, x², x³ as the columns of X and the targets y, the cost and its gradient are

    C(β) = 1/n Σ (Xβ − y)² + λ Σ β²,    ∇C = 2/n Xᵀ(Xβ − y) + 2λβ

The minimum is known, β* = (XᵀX + nλ1)⁻¹ Xᵀy, so that one sees how far from it each way is after so many steps.
Gradient descent is slow along the long axis of the cost; momentum, a step of its own for each coefficient, and a
guess at the curvature help. Stochastic gradient descent looks at five examples a step: it is as fast for a twentieth
of the work, until its noise keeps it away; a step that becomes smaller lets it come closer.
"""

import numpy as np
from _common import arguments, save_picture
from matplotlib import pyplot

import xnn
from xnn.schedules import InverseTime

WAYS = {
    "gradient descent": xnn.SGD(lr=0.2),
    "momentum": xnn.SGD(lr=0.2, momentum=0.9),
    "Adagrad": xnn.Adagrad(lr=1.0),
    "RMSprop": xnn.RMSprop(lr=0.01),
    "Adam": xnn.Adam(lr=0.1),
    "L-BFGS": xnn.LBFGS(),
    "SGD": xnn.SGD(lr=0.2),
    "SGD, falling step": xnn.SGD(lr=InverseTime(60.0, 300.0)),
}


def main() -> None:
    options = arguments(__doc__)
    steps = 200 if options.quick else 2000
    random = np.random.default_rng(0)
    x = random.uniform(-1, 1, 100)
    y = 2.0 + 3.0 * x + 4.0 * x**2 + 0.5 * random.normal(size=100)
    X = x[:, None] ** np.arange(4)
    batches = random.integers(0, 100, size=(steps, 5))

    figure, axes = pyplot.subplots(1, 2, figsize=(12, 4.6), sharey=True, layout="constrained")
    for panel, (name, λ) in zip(axes, (("ordinary least squares", 0.0), ("ridge, λ = 0.05", 0.05)), strict=True):
        exact = np.linalg.solve(X.T @ X + 100 * λ * np.eye(4), X.T @ y)
        print(f"{name}: how far β is from β* = ({', '.join(f'{b:.3f}' for b in exact)}) after {steps} steps")
        for k, (way, optimizer) in enumerate(WAYS.items()):
            path = descend(X, y, λ, optimizer, steps, batches if way.startswith("SGD") else None)
            away = np.maximum([np.linalg.norm(xnn.to_numpy(β) - exact) for β in path], 1e-9)
            print(f"  {way:<18} {away[-1]:.1e}")
            panel.loglog(range(1, len(away) + 1), away, label=way, color=f"C{k}", linewidth=1.6)
        panel.set(title=name, xlabel="step", ylim=(1e-9, 20))
        panel.grid(alpha=0.2)
    axes[0].set_ylabel("distance to the minimum, ‖β − β*‖")
    axes[1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    save_picture(figure, options.output, "least_squares.png")


def descend(
    X: np.ndarray, y: np.ndarray, λ: float, optimizer: xnn.Optimizer, steps: int, batches: np.ndarray | None
) -> list[np.ndarray]:
    """β before the first step and after every one, on the arrays of the backend; all examples a step, or batches."""
    backend = xnn.get_backend()
    X, y, β = (backend.asarray(a, "float64") for a in (X, y, np.zeros(X.shape[1])))
    path = [β]

    def gradient(β: np.ndarray, X: np.ndarray = X, y: np.ndarray = y) -> np.ndarray:
        return 2 / y.shape[0] * (X.T @ (X @ β - y)) + 2 * λ * β

    if batches is None:
        xnn.minimize(
            lambda β: backend.xp.mean((X @ β - y) ** 2) + λ * backend.xp.sum(β**2),
            β,
            gradient=gradient,
            optimizer=optimizer,
            tol=1e-9,
            max_iterations=steps,
            callback=lambda iteration, β, cost: path.append(β),
        )
        return path[1:]
    state = optimizer.init(β)
    for rows in batches:
        rows = backend.asarray(rows)
        g = gradient(β, backend.xp.take(X, rows, axis=0), backend.xp.take(y, rows))
        β, state = optimizer.update(β, g, state)
        path.append(β)
    return path


if __name__ == "__main__":
    main()
