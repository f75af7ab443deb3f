"""XOR: what one neuron cannot do and four hidden units can, with a picture of how they do it.

The classes of XOR cannot be parted by one line. Each tanh unit of the hidden layer draws a line of its own,
wx + b = 0, and the output combines them. The network ends with the logit z; the probability of class 1
is σ(z), and the cost is the cross-entropy −y log σ(z) − (1 − y) log(1 − σ(z)).
"""

import numpy as np
from _common import RED, arguments, save_picture
from matplotlib import pyplot

import xnn

x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
y = np.array([0, 1, 1, 0])
grid = np.linspace(-0.5, 1.5, 101)


def main() -> None:
    options = arguments(__doc__)
    line = train("one neuron", [xnn.Dense(1)], options.quick)
    network = train("four hidden units", [xnn.Dense(4), xnn.Tanh(), xnn.Dense(1)], options.quick)

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
    regions(axes[0], line, "one neuron: undecided everywhere")
    image, p = regions(axes[1], network, "four hidden units, each with its line")
    axes[1].contour(grid, grid, p, [0.5], colors="black", linewidths=2)  # where the decision changes
    W, b = (xnn.to_numpy(network.parameters[name]) for name in ("0.weight", "0.bias"))
    for (w1, w2), shift in zip(W, b, strict=True):  # the line w₁x₁ + w₂x₂ + b = 0
        foot = -shift * np.array([w1, w2]) / (w1**2 + w2**2)  # its point nearest to the origin
        axes[1].axline(foot, foot + np.array([-w2, w1]), color="black", linestyle="--", linewidth=1)
    figure.colorbar(
        image, ax=axes, label="probability of class 1", spacing="proportional", ticks=[0, 0.25, 0.5, 0.75, 1]
    )
    save_picture(figure, options.output, "xor.png")


def train(name: str, layers: list[xnn.Layer], quick: bool) -> xnn.Network:
    network = xnn.Network(layers, inputs=2, seed=0)
    loss = xnn.BinaryCrossEntropy()
    optimizer = xnn.Adam(lr=0.05)
    epochs = 150 if quick else 500
    history = network.fit(x, y, loss=loss, optimizer=optimizer, epochs=epochs, batch_size=None, metrics=["accuracy"])
    print(f"{name}: cost {history['loss'][-1]:.4f}, accuracy {history['accuracy'][-1]:.2f} after {epochs} epochs")
    for example, p in zip(x, probability(network, x), strict=True):
        print(f"  {example[0]:.0f} xor {example[1]:.0f} is 1 with probability {p:.3f}")
    return network


def probability(network: xnn.Network, x: np.ndarray) -> np.ndarray:
    """σ(z) for each row of x."""
    z = network.predict(x)[:, 0]
    return 1 / (1 + np.exp(-z))


def regions(axes: pyplot.Axes, network: xnn.Network, title: str) -> tuple[object, np.ndarray]:
    """Color every place of the square by the probability of class 1 there."""
    places = np.stack(np.meshgrid(grid, grid), axis=-1)  # (101, 101, 2)
    p = probability(network, places.reshape(-1, 2)).reshape(101, 101)
    image = axes.contourf(grid, grid, p, [0, *np.arange(0.05, 1, 0.1), 1], cmap="Blues")
    for kind, marker in ((0, "o"), (1, "s")):
        axes.plot(*x[y == kind].T, marker, color=RED, markeredgecolor="black", markersize=10, label=f"class {kind}")
    axes.set(xlabel="$x_1$", ylabel="$x_2$", title=title, aspect="equal", xlim=(-0.5, 1.5), ylim=(-0.5, 1.5))
    axes.legend(loc="upper right")
    return image, p


if __name__ == "__main__":
    main()
