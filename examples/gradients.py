"""The gradient of one network in five ways: backprop by hand, automatic, PyTorch, scikit-learn, differences.

The network 64-30-10 with tanh units and softmax, and the cross-entropy of 100 handwritten digits. All ways start
from the same weights. They are compared entry by entry, relative to the largest entry of the gradient; PyTorch is left
out where it is not installed.
"""

import numpy as np
from _common import BLUE, arguments, save_picture
from matplotlib import pyplot
from sklearn.neural_network import MLPClassifier

import xnn


def main() -> None:
    options = arguments(__doc__)
    data = xnn.datasets.load_digits()
    x, y, loss = data.x[:100].astype("float64") / 16, data.y[:100], xnn.CrossEntropy()
    network = xnn.Network([xnn.Dense(30), xnn.Tanh(), xnn.Dense(10)], inputs=64, dtype="float64", seed=0)
    θ = {name: xnn.to_numpy(w) for name, w in network.parameters.items()}
    ours = {name: xnn.to_numpy(g) for name, g in network.gradients(x, y, loss)[1].items()}

    ways = {"backprop, by hand": by_hand(θ, x, y)}
    inputs, labels = network.backend.asarray(x), network.backend.asarray(y)
    found = xnn.grad(lambda θ: loss(network.apply(θ, inputs), labels))(network.parameters)
    ways["automatic differentiation"] = {name: xnn.to_numpy(g) for name, g in found.items()}
    ways["scikit-learn"] = by_scikit_learn(θ, x, y)
    try:
        ways["PyTorch"] = by_torch(θ, x, y)
    except ImportError:
        print("PyTorch is not installed")
    some = np.random.default_rng(0).choice(θ["0.weight"].size, 10 if options.quick else 200, replace=False)
    ways["central differences, some"] = {"0.weight": by_differences(network, θ, x, y, loss, some)}

    largest = max(np.max(np.abs(g)) for g in ours.values())
    errors = {}
    print("the largest difference from network.gradients, over the largest entry")
    for name, other in ways.items():
        mine = {"0.weight": ours["0.weight"].ravel()[some]} if "some" in name else ours
        errors[name] = max(float(np.max(np.abs(mine[k] - g))) for k, g in other.items()) / largest
        print(f"  {name:<26} {errors[name]:.1e}")

    figure, ax = pyplot.subplots(figsize=(8, 3), layout="constrained")
    ax.barh(list(errors), np.maximum(list(errors.values()), 1e-17), color=BLUE)
    ax.axvline(2.2e-16, color="0.5", linestyle="--", label="spacing of float64 at 1")
    ax.set(xscale="log", xlim=(1e-17, 1e-6), xlabel="largest difference, over the largest entry of the gradient")
    ax.invert_yaxis()
    ax.legend(loc="lower right", fontsize=8)
    save_picture(figure, options.output, "gradients.png")


def by_hand(θ: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """The equations as the lectures print them: δ² = (p − y)/n, δ¹ = δ²W² ⊙ (1 − a²)."""
    a = np.tanh(x @ θ["0.weight"].T + θ["0.bias"])
    z = a @ θ["2.weight"].T + θ["2.bias"]
    p = np.exp(z - z.max(axis=1, keepdims=True))
    δ2 = (p / p.sum(axis=1, keepdims=True) - np.eye(10)[y]) / len(x)
    δ1 = δ2 @ θ["2.weight"] * (1 - a**2)
    return {"0.weight": δ1.T @ x, "0.bias": δ1.sum(axis=0), "2.weight": δ2.T @ a, "2.bias": δ2.sum(axis=0)}


def by_scikit_learn(θ: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """One step of gradient descent with step size 1 and no penalty: the gradient is what the weights lost."""
    settings = {"solver": "sgd", "alpha": 0, "batch_size": 100, "learning_rate_init": 1, "momentum": 0}
    model = MLPClassifier(30, activation="tanh", **settings)
    model.partial_fit(x, y, classes=np.arange(10))
    model.coefs_ = [θ["0.weight"].T.copy(), θ["2.weight"].T.copy()]
    model.intercepts_ = [θ["0.bias"].copy(), θ["2.bias"].copy()]
    model._optimizer.params = model.coefs_ + model.intercepts_
    model.partial_fit(x, y)
    after = model.coefs_[0].T, model.intercepts_[0], model.coefs_[1].T, model.intercepts_[1]
    return {name: w - new for (name, w), new in zip(θ.items(), after, strict=True)}


def by_torch(θ: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    import torch

    w = {name: torch.tensor(a, requires_grad=True) for name, a in θ.items()}
    a = torch.tanh(torch.tensor(x) @ w["0.weight"].T + w["0.bias"])
    torch.nn.functional.cross_entropy(a @ w["2.weight"].T + w["2.bias"], torch.tensor(y)).backward()
    return {name: a.grad.numpy() for name, a in w.items()}


def by_differences(network, θ, x, y, loss, entries, h=6e-6) -> np.ndarray:
    """[C(w + h) − C(w − h)] / 2h for some entries of the first weight."""
    slopes = []
    for k in entries:
        for sign in (1, -1):
            w = θ["0.weight"].copy()
            w.flat[k] += sign * h
            network.set_parameters({"0.weight": w})
            slopes.append(sign * network.evaluate(x, y, loss=loss)["loss"] / (2 * h))
    return np.reshape(slopes, (-1, 2)).sum(axis=1)


if __name__ == "__main__":
    main()
