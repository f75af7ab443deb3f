"""Fashion-MNIST: a network tells ten kinds of clothes apart, on 60,000 real pictures of 28×28 pixels.

It learns with dropout and a step size that falls to zero along a cosine. What it takes for something else, it often
takes for something that looks alike: a shirt for a T-shirt, a sneaker for an ankle boot. The test accuracy is
0.9011 (NumPy, seed 0), after 80 seconds of processor time in all, with one thread. ``--quick`` learns from 3,000 of
the pictures.

The data come with the Debian package dataset-fashion-mnist, or from the network; see xnn.datasets.
"""

import sys
import time

import matplotlib.pyplot as plt
import numpy as np
from _common import RED, arguments, save_picture

import xnn

BATCH = 128


def main() -> None:
    options = arguments(__doc__)
    try:
        data = xnn.datasets.load_fashion_mnist(download=not options.quick)
    except xnn.FileError as error:
        if not options.quick:
            sys.exit(f"fashion_mnist.py: {error}")
        print(f"skipped: {error}")
        return
    rows, tests, epochs = (3000, 1000, 2) if options.quick else (60_000, 10_000, 15)
    x, y, x_test, y_test = data.x[:rows], data.y[:rows], data.x_test[:tests], data.y_test[:tests]

    network = xnn.Network(
        [xnn.Standardize(), xnn.Dense(400), xnn.ReLU(), xnn.Dropout(0.3), xnn.Dense(100), xnn.ReLU(), xnn.Dense(10)],
        inputs=784,
        seed=0,
    )
    print(f"{data}\n\n{network.summary()}\n")
    steps = epochs * -(-rows // BATCH)
    start = time.monotonic()
    network.fit(
        x,
        y,
        loss=xnn.CrossEntropy(),
        optimizer=xnn.Adam(lr=xnn.schedules.Cosine(1e-3, steps)),
        epochs=epochs,
        batch_size=BATCH,
        validation_data=(x_test, y_test),
        metrics=["accuracy"],
        verbose=True,
    )
    seconds = time.monotonic() - start

    outputs = network.predict(x_test)
    accuracy = float(xnn.metrics.accuracy(outputs, y_test))
    matrix = xnn.metrics.confusion_matrix(outputs, y_test)
    figure = plt.figure(figsize=(11, 5.2), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1.3, 1])
    xnn.plot.confusion_matrix(matrix, data.classes, left.subplots())
    mistakes(right, data, outputs)
    save_picture(figure, options.output, "fashion_mnist.png")
    network.save(options.output / "fashion_mnist.safetensors")
    print(f"saved the network as {options.output / 'fashion_mnist.safetensors'}")
    print(f"test accuracy {accuracy:.4f} after {seconds:.0f} s")


def mistakes(figure: object, data: xnn.datasets.Dataset, outputs: np.ndarray) -> None:
    """The mistakes that the network was most sure of."""
    predicted = outputs.argmax(axis=1)
    sure = outputs.max(axis=1) - outputs[np.arange(len(outputs)), data.y_test[: len(outputs)]]  # 0 where it is right
    for ax, i in zip(figure.subplots(3, 3).flat, np.argsort(-sure), strict=False):
        ax.imshow(data.x_test[i].reshape(28, 28), cmap="gray_r")
        ax.set_title(data.classes[predicted[i]], fontsize=9, color=RED, pad=3)
        ax.set_xlabel(f"is: {data.classes[data.y_test[i]]}", fontsize=9, labelpad=2)
        ax.set(xticks=[], yticks=[])
    figure.suptitle("surest mistakes: taken for …", fontsize=10)


if __name__ == "__main__":
    main()
