"""A time stepper x(t) → x(t + Δt) for the Lorenz system, learned from trajectories.

    ẋ = σ(y − x)        ẏ = x(ρ − z) − y        ż = xy − βz        σ = 10, ρ = 28, β = 8/3

The network sees pairs of states Δt = 0.02 apart and learns the step between them. Iterated from a start that
it has never seen, it follows the true trajectory for a while; then the two part, as any two trajectories of a
chaotic system do, but the network's own stays on the butterfly.
"""

import numpy as np
from _common import BLUE, RED, arguments, save_picture
from matplotlib import pyplot

import xnn

Δt = 0.02


def lorenz(u: np.ndarray) -> np.ndarray:
    x, y, z = u.T
    return np.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z], axis=-1)


def trajectories(start: np.ndarray, steps: int, fine: int = 10) -> np.ndarray:
    """The states at 0, Δt, 2Δt, … of every start, (steps + 1, starts, 3), by Runge and Kutta's fourth-order step."""
    u, h = [start], Δt / fine
    for _ in range(steps):
        now = u[-1]
        for _ in range(fine):
            k1 = lorenz(now)
            k2 = lorenz(now + h / 2 * k1)
            k3 = lorenz(now + h / 2 * k2)
            k4 = lorenz(now + h * k3)
            now = now + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        u.append(now)
    return np.stack(u)


def main() -> None:
    options = arguments(__doc__)
    random = np.random.default_rng(0)
    states = trajectories(random.uniform((-15, -15, 5), (15, 15, 40), size=(50, 3)), 300)
    x = states[:-1].reshape(-1, 3)
    change = (states[1:] - states[:-1]).reshape(-1, 3)  # what a step adds: far simpler than the state itself
    size = change.std(axis=0)

    network = xnn.Network(
        [xnn.Standardize(), xnn.Dense(64), xnn.Tanh(), xnn.Dense(64), xnn.Tanh(), xnn.Dense(3)], inputs=3, seed=0
    )
    epochs = 3 if options.quick else 80
    optimizer = xnn.Adam(lr=xnn.schedules.Cosine(5e-3, epochs * -(-len(x) // 200)))
    loss = xnn.MeanSquaredError()
    history = network.fit(x, change / size, loss=loss, optimizer=optimizer, epochs=epochs, batch_size=200)
    print(f"cost of a step, in units of its variance: {history['loss'][0]:.1e} → {history['loss'][-1]:.1e}")

    true = trajectories(np.asarray([[1.0, -2.0, 20.0]]), 1500)[:, 0]
    own = [true[0]]
    for _ in range(1500):
        own.append(own[-1] + xnn.to_numpy(network.predict(own[-1][None]))[0] * size)
    own = np.stack(own)
    time = Δt * np.arange(1501)
    apart = np.linalg.norm(own - true, axis=1)
    parted = time[np.argmax(apart > 5)] if (apart > 5).any() else time[-1]
    print(f"the network stays within 5 of the true trajectory until t = {parted:.2f}")
    print(f"its own range of z over t = 30: {own[:, 2].min():.1f} to {own[:, 2].max():.1f}", end="")
    print(f" (true: {true[:, 2].min():.1f} to {true[:, 2].max():.1f})\n")

    figure = pyplot.figure(figsize=(12, 4.6), layout="constrained")
    left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    left.plot(time, true[:, 0], color="0.5", linewidth=3, alpha=0.6, label="true")
    left.plot(time, own[:, 0], color=BLUE, linewidth=1.2, label="network")
    left.axvline(parted, color=RED, linestyle="--", label=f"apart, t = {parted:.1f}")
    left.set(xlabel="t", ylabel="x")
    left.legend(loc="upper right", ncols=3, fontsize=8)
    right.plot(true[:, 0], true[:, 2], color="0.5", linewidth=1, alpha=0.6, label="true")
    right.plot(own[:, 0], own[:, 2], color=BLUE, linewidth=0.8, label="network")
    right.set(xlabel="x", ylabel="z", title="the butterfly")
    right.legend(fontsize=8)
    save_picture(figure, options.output, "lorenz.png")


if __name__ == "__main__":
    main()
