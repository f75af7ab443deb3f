"""Logistic regression is a network without hidden layers: the Wisconsin breast-cancer data.

A cell sample is described by 30 numbers x. The network has one output z = wx + b, and p = σ(z) is the
probability that the tumor is benign. With m examples it minimizes the cross-entropy and a penalty,

    J = 1/m Σ −[y log p + (1 − y) log(1 − p)] + λ Σ w²

scikit-learn's LogisticRegression minimizes ½ Σ w² + C Σ (…), which is the same for λ = 1/(2Cm).
"""

import numpy as np
from _common import BLUE, RED, arguments, save_picture
from matplotlib import pyplot
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import xnn


def main() -> None:
    options = arguments(__doc__)
    data = load_breast_cancer()
    x, x_test, y, y_test = train_test_split(data.data, data.target, test_size=0.25, random_state=0)

    network = xnn.Network([xnn.Standardize(), xnn.Dense(1)], inputs=30, dtype="float64", seed=0)
    loss = xnn.BinaryCrossEntropy()  # takes the logit z: σ is part of the loss
    history = network.fit(
        x,
        y,
        loss=loss,
        penalty=xnn.L2(1 / (2 * len(x))),  # λ, for C = 1
        optimizer=xnn.SGD(lr=1.0, momentum=0.9, nesterov=True),
        batch_size=None,
        epochs=300 if options.quick else 3000,
        tol=1e-10,  # "iterate until ∇J = 0"
    )
    result = network.evaluate(x_test, y_test, loss=loss, metrics=["accuracy"])
    w = xnn.to_numpy(network.parameters["1.weight"])  # (1, 30); layer 0 is Standardize

    scaler = StandardScaler().fit(x)
    model = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-10).fit(scaler.transform(x), y)
    print(f"training stopped by {history.stop_reason}")
    print("test accuracy")
    print(f"  xnn           {result['accuracy']:.4f}")
    print(f"  scikit-learn  {model.score(scaler.transform(x_test), y_test):.4f}")
    print(f"largest difference of the 30 weights: {np.max(np.abs(w - model.coef_)):.1g}", end="")
    print(f" (the largest weight is {np.max(np.abs(w)):.2f})\n")

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 5), layout="constrained", width_ratios=[1.5, 1])
    order = np.argsort(w[0])
    left.barh(range(30), w[0, order], color=BLUE, label="xnn")
    left.plot(model.coef_[0, order], range(30), "o", color=RED, markersize=4, label="scikit-learn")
    left.set(yticks=range(30), xlabel="weight (positive: benign)", title="weights of the standardized features")
    left.set_yticklabels(data.feature_names[order], fontsize=7)
    left.axvline(0, color="black", linewidth=0.8)
    left.legend(loc="lower right")
    matrix = xnn.metrics.confusion_matrix(network.predict(x_test), y_test, threshold=loss.threshold)
    xnn.plot.confusion_matrix(matrix, labels=data.target_names, ax=right)
    right.set_title(f"the {len(y_test)} test examples")
    save_picture(figure, options.output, "logistic_regression.png")


if __name__ == "__main__":
    main()
