"""Real digits: a network learns to read 1,797 handwritten digits of 8×8 pixels.

The way of every training: data, network, fit, evaluate, save. ``make demo`` runs this script.

    python examples/digits.py --backend cupy
"""

import matplotlib.pyplot as plt
from _common import arguments, save_picture
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import xnn


def main() -> None:
    options = arguments(__doc__)
    backend = xnn.get_backend(options.backend)
    print(f"backend: {backend.name} {backend.info()['version']} on {backend.info()['device']}\n")

    # 8×8 images as rows of 64 numbers in 0 … 16, and the digits 0 … 9. A fifth is kept for the test.
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=0, stratify=y)

    # Dropout of pixels and of hidden units keeps so small a data set from being learned by heart.
    network = xnn.Network(
        [xnn.Standardize(), xnn.Dropout(0.2), xnn.Dense(256), xnn.ReLU(), xnn.Dropout(0.5), xnn.Dense(10)],
        inputs=64,
        backend=backend,
        seed=0,
    )
    print(network.summary(), "\n")

    history = network.fit(
        x_train,
        y_train,
        loss=xnn.CrossEntropy(),
        optimizer=xnn.Adam(lr=2e-3),
        epochs=5 if options.quick else 40,
        batch_size=64,
        validation_split=0.1,
        metrics=["accuracy"],
        verbose=True,
    )

    result = network.evaluate(x_test, y_test, loss=xnn.CrossEntropy(), metrics=["accuracy"])
    matrix = xnn.metrics.confusion_matrix(network.predict(x_test), y_test)
    print("\nconfusion matrix (rows: the digit, columns: what the network read)")
    print("     " + " ".join(f"{digit:3d}" for digit in range(10)))
    for digit, row in enumerate(matrix):
        print(f"{digit:3d}  " + " ".join(f"{count:3d}" if count else "  ·" for count in row))

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    history.plot(left)
    xnn.plot.confusion_matrix(matrix, ax=right)
    print()
    save_picture(figure, options.output, "digits.png")
    network.save(options.output / "digits.safetensors")
    print(f"saved the network as {options.output / 'digits.safetensors'}")
    print(f"test accuracy {result['accuracy']:.4f}")


if __name__ == "__main__":
    main()
