"""Which activation, how deep, how wide? A sweep over all three on handwritten digits.

Every network is trained in the same way, by plain stochastic gradient descent, so that the differences are those of
the architecture. Deep networks of sigmoids hardly learn: σ′ ≤ ¼ makes δ smaller from layer to layer. The
picture on the right shows it, the size of δ in every layer before the first step: with the sigmoid it falls
by a factor of four to six a layer, with the others by one to two.
"""

import numpy as np
from _common import arguments, save_picture
from matplotlib import pyplot

import xnn

ACTIVATIONS = {"sigmoid": xnn.Sigmoid, "tanh": xnn.Tanh, "ReLU": xnn.ReLU, "ELU": xnn.ELU}


def main() -> None:
    options = arguments(__doc__)
    data = xnn.datasets.load_digits().split(0.2, seed=0)
    depths, widths = ([1, 4], [8, 32]) if options.quick else ([1, 2, 4, 6], [8, 16, 32])
    epochs = 5 if options.quick else 30

    loss, tables = xnn.CrossEntropy(), {}
    for name, activation in ACTIVATIONS.items():
        tables[name] = np.zeros((len(depths), len(widths)))
        for i, depth in enumerate(depths):
            for j, width in enumerate(widths):
                network = build(activation, depth, width)
                network.fit(data.x, data.y, loss=loss, optimizer=xnn.SGD(lr=0.1), epochs=epochs, batch_size=64)
                found = network.evaluate(data.x_test, data.y_test, loss=loss, metrics=["accuracy"])
                tables[name][i, j] = found["accuracy"]
    print(f"test accuracy after {epochs} epochs of gradient descent, by depth and width")
    print(f"  {'':<8} depth", "".join(f"{f'width {width}':>10}" for width in widths))
    for name, table in tables.items():
        for depth, row in zip(depths, table, strict=True):
            print(f"  {name:<8} {depth:>5}", "".join(f"{accuracy:>10.3f}" for accuracy in row))

    figure, axes = pyplot.subplots(1, 5, figsize=(17, 3.6), layout="constrained", width_ratios=[1] * 4 + [1.3])
    for panel, (name, table) in zip(axes, tables.items(), strict=False):
        labels = "units in a layer", "hidden layers", "test accuracy"
        xnn.plot.heat_map(table, widths, depths, ax=panel, labels=labels, best="max")
        panel.set_title(name)
    for name, activation in ACTIVATIONS.items():
        network = build(activation, 6, 32)
        network.fit(data.x, data.y, loss=loss, optimizer=xnn.SGD(lr=1e-9))  # Standardize learns
        δ = network.deltas(data.x[:200], data.y[:200], loss)
        sizes = [float(np.sqrt(np.mean(xnn.to_numpy(d) ** 2))) for d in δ[1::2]]  # at the Dense layers
        axes[-1].semilogy(range(1, len(sizes) + 1), sizes, "o-", label=name)
    axes[-1].set(xlabel="layer", ylabel="size of δ", title="before training, six hidden layers")
    axes[-1].legend(fontsize=8)
    save_picture(figure, options.output, "sweep.png")


def build(activation: type[xnn.Layer], depth: int, width: int) -> xnn.Network:
    hidden = [layer for _ in range(depth) for layer in (xnn.Dense(width), activation())]
    return xnn.Network([xnn.Standardize(), *hidden, xnn.Dense(10)], inputs=64, seed=0)


if __name__ == "__main__":
    main()
