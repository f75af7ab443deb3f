"""Why weights start at random: the symmetry problem of text 003, on XOR.

A network of 2 inputs, 3 hidden units and 1 output, all sigmoid, starts in three ways:

    zeros       all weights are 0
    symmetric   the rows of W¹ are equal, and so are the entries of W²
    random      no two weights are equal; the biases are 0

Hidden units with equal weights get equal gradients and so stay equal: such a network learns no more than
one with a single hidden unit can, which on XOR is no cost J = 1/m Σ (y − y_d)² below 1/6.
"""

import numpy as np
from _common import BLUE, GREEN, RED, arguments, save_picture
from matplotlib import pyplot

import xnn

x = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
y_d = [0.0, 1.0, 1.0, 0.0]

STARTS = {
    "zeros": ("zeros", "zeros"),
    "symmetric": ([[0.5, -0.3]] * 3, [[0.7, 0.7, 0.7]]),  # W¹ and W²; any initializer may be an array
    "random": ("glorot_uniform", "glorot_uniform"),
}


def main() -> None:
    options = arguments(__doc__)
    epochs = 300 if options.quick else 2000
    costs, rows = {}, {}
    for start in STARTS:
        costs[start], rows[start] = train(start, epochs)
    print("The symmetric network is one with a single hidden unit; only the random one learns XOR.\n")
    save_picture(picture(costs, rows), options.output, "symmetry.png")


def train(start: str, epochs: int) -> tuple[list[float], np.ndarray]:
    """The cost in every epoch, and W¹ after every epoch: (epochs, 3 units, 2 inputs)."""
    W1, W2 = STARTS[start]
    network = xnn.Network(
        [xnn.Dense(3, weight_init=W1), xnn.Sigmoid(), xnn.Dense(1, weight_init=W2), xnn.Sigmoid()],
        inputs=2,
        dtype="float64",
        seed=0,
    )
    seen = []
    history = network.fit(
        x,
        y_d,
        loss=xnn.SquaredError(),
        optimizer=xnn.SGD(lr=1.0, momentum=0.9),
        batch_size=None,
        epochs=epochs,
        callbacks=[lambda epoch, logs: seen.append(xnn.to_numpy(network.parameters["0.weight"]))],
    )
    rows = np.array(seen)
    outputs = xnn.to_numpy(network.predict(x))[:, 0]
    print(f"{start} weights, after {epochs} epochs")
    print(f"  J = {history['loss'][-1]:.4f}, outputs", *(f"{y:.2f}" for y in outputs), "for the targets 0 1 1 0")
    print(f"  W¹ has rank {np.linalg.matrix_rank(rows[-1], tol=1e-9)}; its rows differed by", end=" ")
    print(f"{np.max(np.ptp(rows, axis=1)):.1g} at most, in all epochs\n")
    return history["loss"], rows


def picture(costs: dict[str, list[float]], rows: dict[str, np.ndarray]) -> pyplot.Figure:
    """The costs, and how the first column of W¹ moves: one line for each hidden unit."""
    figure, (left, *panels) = pyplot.subplots(1, 4, figsize=(11, 3.2), layout="constrained")
    for (start, cost), color in zip(costs.items(), (RED, GREEN, BLUE), strict=True):
        left.plot(range(1, len(cost) + 1), cost, color=color, label=start)
    left.axhline(1 / 6, color="black", linestyle=":", label="1/6")
    left.set(xscale="log", xlabel="epoch", ylabel="J", title="cost", ylim=(0, None))
    left.legend(frameon=False)
    for (start, W), panel in zip(rows.items(), panels, strict=True):
        for unit, (color, width) in enumerate(((RED, 6), (GREEN, 3.5), (BLUE, 1.2))):
            panel.plot(range(1, len(W) + 1), W[:, unit, 0], color=color, linewidth=width, label=f"unit {unit + 1}")
        panel.set(xscale="log", xlabel="epoch", title=f"{start}: weights of x₁", ylim=(-8, 8))
    panels[0].legend(frameon=False)
    return figure


if __name__ == "__main__":
    main()
