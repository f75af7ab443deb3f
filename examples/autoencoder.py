"""An autoencoder: 64 pixels of a digit go through 8 numbers and come out again.

The network learns to give back its input, y = x, through a middle of 8 units: what it keeps of a digit must
fit into 8 numbers. The cost is the mean of (y − x)² over examples and pixels. Principal components (PCA)
are the best that a linear network of this kind can do (Baldi & Hornik, 1989), so they are the measure.
"""

import numpy as np
from _common import arguments, save_picture
from matplotlib import pyplot
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

import xnn

CODE = 8  # numbers in the middle


def main() -> None:
    options = arguments(__doc__)
    epochs = 10 if options.quick else 80
    x, labels = load_digits(return_X_y=True)
    x, x_test, _, labels_test = train_test_split(x / 16, labels, test_size=0.2, random_state=0)  # pixels 0 … 1

    encoder = [xnn.Dense(128), xnn.ReLU(), xnn.Dense(32), xnn.ReLU(), xnn.Dense(CODE)]
    decoder = [xnn.Dense(32), xnn.ReLU(), xnn.Dense(128), xnn.ReLU(), xnn.Dense(64), xnn.Sigmoid()]
    network = xnn.Network([*encoder, *decoder], inputs=64, seed=0)
    steps = epochs * -(-len(x) // 32)  # updates in all: batches of 32, the last one smaller
    network.fit(
        x,
        x,  # the targets are the inputs
        loss=xnn.MeanSquaredError(),
        optimizer=xnn.Adam(lr=xnn.schedules.Cosine(3e-3, steps)),
        epochs=epochs,
        batch_size=32,
    )
    pca = PCA(CODE).fit(x)
    decoded = {
        "test digits": x_test,
        f"network, {CODE} numbers": network.predict(x_test),
        f"PCA, {CODE} numbers": pca.inverse_transform(pca.transform(x_test)),
    }
    print("mean squared error of a pixel of the test digits")
    print(f"  {'mean of each pixel':<20} {np.mean((np.mean(x, axis=0) - x_test) ** 2):.4f}")
    for name, images in list(decoded.items())[1:]:
        print(f"  {name:<20} {np.mean((images - x_test) ** 2):.4f}")
    print()

    # The first test example of each digit.
    shown = [np.flatnonzero(labels_test == digit)[0] for digit in range(10)]
    figure, axes = pyplot.subplots(3, 10, figsize=(10, 3.4), layout="constrained")
    for row, (name, images) in zip(axes, decoded.items(), strict=True):
        for panel, k in zip(row, shown, strict=True):
            panel.imshow(images[k].reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
            panel.set(xticks=[], yticks=[])
        row[0].set_ylabel(name.replace(", ", ",\n"))
    save_picture(figure, options.output, "autoencoder.png")


if __name__ == "__main__":
    main()
