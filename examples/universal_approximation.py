"""A network is a universal function approximator (text 003): three tanh units fit four functions.

The network y = W² tanh(W¹x + b¹) + b² has ten numbers to learn. It sees 50 points of each of x², sin x,
|x| and the step H(x) on (−1, 1). It is the experiment of Bishop, "Pattern Recognition and Machine
Learning" (2006), figure 5.3; see also chapter 4 of his "Neural Networks for Pattern Recognition" (1995).
"""

import numpy as np
from _common import BLUE, GREEN, ORANGE, RED, arguments, save_picture
from matplotlib import pyplot

import xnn

FUNCTIONS = {
    "x²": lambda x: x**2,
    "sin x": np.sin,
    "|x|": np.abs,
    "H(x)": lambda x: np.where(x > 0, 1.0, 0.0),
}


def main() -> None:
    options = arguments(__doc__)
    epochs = 500 if options.quick else 5000
    x = np.linspace(-1, 1, 52)[1:-1]  # 50 points, without the ends
    print(f"error of three tanh units on 50 points, after {epochs} epochs")
    print("  function    root mean square    largest")
    figure, axes = pyplot.subplots(2, 2, figsize=(9, 6), sharex=True, layout="constrained")
    for (name, function), panel in zip(FUNCTIONS.items(), axes.flat, strict=True):
        network = fit(x, function(x), epochs)
        error = network.predict(x)[:, 0] - function(x)
        rms, largest = np.sqrt(np.mean(error**2)), np.max(np.abs(error))
        print(f"  {name:<8} {rms:16.4f} {largest:14.4f}")
        draw(panel, network, x, function(x))
        panel.set_title(f"{name}: largest error {largest:.1g}")
    for panel in axes[1]:
        panel.set_xlabel("x")
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    print()
    save_picture(figure, options.output, "universal_approximation.png")


def fit(x: np.ndarray, y: np.ndarray, epochs: int) -> xnn.Network:
    """Train on all points in every step, with a step size that falls to 0 along a cosine."""
    network = xnn.Network([xnn.Dense(3), xnn.Tanh(), xnn.Dense(1)], inputs=1, dtype="float64", seed=2)
    optimizer = xnn.Adam(lr=xnn.schedules.Cosine(0.5, epochs), betas=(0.9, 0.99))
    network.fit(x, y, loss=xnn.MeanSquaredError(), optimizer=optimizer, epochs=epochs, batch_size=None)
    return network


def draw(panel: pyplot.Axes, network: xnn.Network, x: np.ndarray, y: np.ndarray) -> None:
    """The points, the network between them, and the three hidden units that it is made of."""
    dense = np.linspace(-1, 1, 401)
    W, b = (xnn.to_numpy(network.parameters[name]) for name in ("0.weight", "0.bias"))
    hidden = np.tanh(dense[:, None] @ W.T + b)  # a¹ = tanh(W¹x + b¹), a column for each unit
    for k, color in enumerate((GREEN, RED, ORANGE)):
        panel.plot(dense, hidden[:, k], "--", color=color, linewidth=1, label=f"hidden unit {k + 1}")
    panel.plot(x, y, "o", color="0.6", markersize=4, label="points")
    panel.plot(dense, network.predict(dense), color=BLUE, linewidth=1.8, label="network")
    panel.set(ylim=(-1.15, 1.15), xlim=(-1.03, 1.03))


if __name__ == "__main__":
    main()
