"""Published figures, and ours beside them: how well networks read digits, and tell clothes apart.

The digits are those of the lecture notes of Hjorth-Jensen, "Applied Data Analysis and Machine Learning": 50 sigmoid
units and softmax, descent on batches of 100 for 100 epochs, the best of a grid of 7×7 step sizes η and penalties ½λΣw².
(The best one is chosen on the test, as there: it flatters.) The grid shows what the notes say: η decides, and a
large λ spoils. Fashion-MNIST is learned by networks with scikit-learn's defaults. ``--quick`` takes a part
of the grid, and digits alone. The errors published for differential equations are in ode.py and poisson.py.
"""

import warnings
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from _common import BLUE, arguments, save_picture
from sklearn.preprocessing import StandardScaler

import xnn
from xnn.sklearn import MLPClassifier


def main() -> None:
    options = arguments(__doc__)
    exponents = [-2, -1, 0] if options.quick else range(-5, 2)
    steps = penalties = [10.0**e for e in exponents]
    table = digits(steps, penalties, epochs=20 if options.quick else 100)
    figures = {"digits, 50 sigmoid units,\nbest of the grid": (0.9556, float(np.nanmax(table)))}
    try:
        data = None if options.quick else xnn.datasets.load_fashion_mnist(download=False)
    except xnn.FileError as error:
        data = None
        print(f"without Fashion-MNIST: {error}\n")
    if data is not None:
        figures["Fashion-MNIST, 100 ReLU units,\nstandardized"] = 0.8796, fashion(data, (100,))
        # How long it was trained is not published; here a tenth of the examples says when to stop.
        figures["Fashion-MNIST, 256-128-100"] = 0.8833, fashion(data, (256, 128, 100), early_stopping=True)

    print(f"{'test accuracy':<50} published    ours")
    for name, (published, ours) in figures.items():
        print(f"{' '.join(name.split()):<50}     {published:.4f}  {ours:.4f}")
    print()
    save_picture(picture(table, steps, penalties, figures), options.output, "published.png")


def digits(steps: Sequence[float], penalties: Sequence[float], epochs: int) -> np.ndarray:
    """The test accuracy for each penalty and step size; NaN where the training diverges."""
    data = xnn.datasets.load_digits().split(0.2, seed=0)
    table = np.full((len(penalties), len(steps)), np.nan)
    for (i, j), _ in np.ndenumerate(table):
        network = xnn.Network([xnn.Standardize(), xnn.Dense(50), xnn.Sigmoid(), xnn.Dense(10)], inputs=64, seed=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # that it diverges
            history = network.fit(
                data.x,
                data.y,
                loss=xnn.CrossEntropy(),  # of the softmax
                optimizer=xnn.SGD(lr=steps[j]),
                penalty=xnn.L2(penalties[i], half=True),
                epochs=epochs,
                batch_size=100,
            )
        if not history.stop_reason.startswith("diverged"):
            table[i, j] = xnn.metrics.accuracy(network.predict(data.x_test), data.y_test)
    return table


def fashion(data: xnn.datasets.Dataset, hidden: tuple[int, ...], **settings: object) -> float:
    """The test accuracy of an estimator with these hidden layers, and scikit-learn's defaults for the rest."""
    scaler = StandardScaler().fit(data.x.astype("float32"))
    network = MLPClassifier(hidden, random_state=0, **settings).fit(scaler.transform(data.x.astype("float32")), data.y)
    return float(network.score(scaler.transform(data.x_test.astype("float32")), data.y_test))


def picture(table: np.ndarray, steps: Sequence[float], penalties: Sequence[float], figures: dict) -> plt.Figure:
    """The grid, and what is published beside ours."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(12.5, 4.4), layout="constrained", width_ratios=[1.15, 1])
    labels = "step size η", "penalty λ", "test accuracy"
    xnn.plot.heat_map(table, steps, penalties, ax=left, labels=labels, best="max").set_title("digits")
    places = range(len(figures))
    published, ours = zip(*figures.values(), strict=True)
    right.hlines(places, published, ours, color="0.8", linewidth=2, zorder=1)
    right.scatter(published, places, s=70, facecolor="white", edgecolor="0.4", linewidth=1.5, label="published")
    right.scatter(ours, places, s=70, color=BLUE, label="ours")
    right.set_yticks(places, figures)
    right.set(xlabel="test accuracy", ylim=(len(figures) - 0.5, -0.5), title="published, and ours")
    right.margins(x=0.15)
    right.grid(axis="x", color="0.9")
    right.set_axisbelow(True)
    right.legend(loc="lower left", frameon=False)
    return figure


if __name__ == "__main__":
    main()
