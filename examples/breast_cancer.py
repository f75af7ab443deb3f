"""The Wisconsin breast-cancer data: a network against logistic regression, over step sizes and penalties.

A cell sample is described by 30 numbers, and the tumor is malignant or benign. Both models give p = σ(z) and minimize
the cross-entropy with a penalty λ Σ w²; logistic regression has z = wx + b, the network a layer of hidden
units before that. Every pair of a step size η and a penalty λ is judged by 5-fold cross-validation on the training
part; only the best pair of each model sees the test part. The data are nearly separable by a plane: there is little
for hidden units to win.
"""

import numpy as np
from _common import arguments, save_picture
from matplotlib import pyplot
from sklearn.model_selection import KFold

import xnn

LOSS = xnn.BinaryCrossEntropy()


def main() -> None:
    options = arguments(__doc__)
    data = xnn.datasets.load_breast_cancer().split(0.25, seed=0)
    steps = [0.003, 0.03, 0.3] if options.quick else [0.001, 0.01, 0.03, 0.1, 0.3]
    penalties = [1e-4, 1e-2] if options.quick else [1e-4, 1e-3, 1e-2, 1e-1]
    epochs = 5 if options.quick else 25

    figure, axes = pyplot.subplots(1, 3, figsize=(15, 4), layout="constrained", width_ratios=[1, 1, 0.8])
    models = {"logistic regression": [], "network, 30 hidden units": [xnn.Dense(30), xnn.Tanh()]}
    print(f"{len(data.y)} examples to learn from, {len(data.y_test)} to test")
    for panel, (name, hidden) in zip(axes, models.items(), strict=False):
        table = np.asarray([[validate(hidden, data, η, λ, epochs) for η in steps] for λ in penalties])
        i, j = np.unravel_index(np.argmax(table), table.shape)
        network = fit(hidden, data.x, data.y, steps[j], penalties[i], epochs)
        found = network.evaluate(data.x_test, data.y_test, loss=LOSS, metrics=["accuracy"])
        print(f"  {name:<25} validation {table[i, j]:.4f}   test {found['accuracy']:.4f}", end="")
        print(f"   η = {steps[j]:g}, λ = {penalties[i]:g}")
        labels = "step size η", "penalty λ", "accuracy in cross-validation"
        xnn.plot.heat_map(table, steps, penalties, ax=panel, labels=labels, best="max")
        panel.set_title(name)
    matrix = xnn.metrics.confusion_matrix(network.predict(data.x_test), data.y_test, threshold=LOSS.threshold)
    xnn.plot.confusion_matrix(matrix, labels=data.classes, ax=axes[2])
    axes[2].set_title("the network on the test part")
    save_picture(figure, options.output, "breast_cancer.png")


def fit(hidden: list[xnn.Layer], x: np.ndarray, y: np.ndarray, η: float, λ: float, epochs: int) -> xnn.Network:
    network = xnn.Network([xnn.Standardize(), *hidden, xnn.Dense(1)], inputs=30, seed=0)
    optimizer = xnn.SGD(lr=η, momentum=0.9)
    network.fit(x, y, loss=LOSS, optimizer=optimizer, epochs=epochs, batch_size=64, penalty=xnn.L2(λ))
    return network


def validate(hidden: list[xnn.Layer], data: xnn.datasets.Dataset, η: float, λ: float, epochs: int) -> float:
    """The mean accuracy over five parts, each predicted by a network that learned from the other four."""
    accuracies = []
    for learn, check in KFold(5, shuffle=True, random_state=0).split(data.x):
        network = fit(hidden, data.x[learn], data.y[learn], η, λ, epochs)
        found = network.evaluate(data.x[check], data.y[check], loss=LOSS, metrics=["accuracy"])
        accuracies.append(found["accuracy"])
    return float(np.mean(accuracies))


if __name__ == "__main__":
    main()
