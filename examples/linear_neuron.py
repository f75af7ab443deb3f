"""One linear neuron learns y = 2x + 1: the equations of text 000, number by number.

The neuron computes a = wx + b, and one example costs C = ½(a − y)². The chain rule gives

    δ = ∂C/∂a = a − y,    ∂C/∂w = δx,    ∂C/∂b = δ,    w ← w − η ∂C/∂w,    b ← b − η ∂C/∂b
"""

import numpy as np
from _common import BLUE, RED, arguments, save_picture
from matplotlib import pyplot

import xnn


def main() -> None:
    options = arguments(__doc__)
    neuron = xnn.Network([xnn.Dense(1)], inputs=1, dtype="float64")
    loss = xnn.SquaredError(half=True)  # ½(a − y)²
    optimizer = xnn.SGD(lr=0.1)  # η = 0.1
    one_step(neuron, loss, optimizer)

    # Gradient descent on five examples. The mean of x is 0 and that of x² is ½, so that for all of them
    # ∂C/∂w = ½(w − 2) and ∂C/∂b = b − 1: a step with η = 0.1 multiplies w − 2 by 0.95 and b − 1 by 0.9.
    x = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    y = 2 * x + 1
    neuron.set_parameters({"0.weight": [[0.0]], "0.bias": [0.0]})
    path = [weights(neuron)]
    history = neuron.fit(
        x,
        y,
        loss=loss,
        optimizer=optimizer,
        batch_size=None,  # all examples in every step
        epochs=100 if options.quick else 1000,
        tol=1e-9,  # "iterate until ∇C = 0"
        callbacks=[lambda epoch, logs: path.append(weights(neuron))],
    )
    n = np.arange(len(path))
    exact = np.stack([2 * (1 - 0.95**n), 1 - 0.9**n], axis=1)
    print("\ngradient descent on five examples, from w = 0, b = 0")
    print(f"  stopped by    {history.stop_reason}")
    print("  reached       w = {:.9f}, b = {:.9f}".format(*path[-1]))
    print(f"  the largest difference from wₙ = 2(1 − 0.95ⁿ), bₙ = 1 − 0.9ⁿ is {np.max(np.abs(path - exact)):.1g}\n")
    save_picture(picture(x, y, np.array(path), exact), options.output, "linear_neuron.png")


def one_step(neuron: xnn.Network, loss: xnn.Loss, optimizer: xnn.Optimizer) -> None:
    """The four steps of training, each by hand, for the example x = 2, y = 5."""
    x, y = [[2.0]], [[5.0]]  # a batch of one example with one input and one output
    neuron.set_parameters({"0.weight": [[0.5]], "0.bias": [0.1]})
    state = optimizer.init(neuron.parameters)
    print("one step on the example x = 2, y = 5, from w = 0.5, b = 0.1, with η = 0.1")

    a = neuron.forward(x)
    print(f"  feed-forward  a = {float(a[0, 0]):.4g}")
    print(f"  cost          C = {float(loss(a, y)):.6g}")
    (δ,) = neuron.deltas(x, y, loss)  # one array for each layer
    _, gradients = neuron.gradients(x, y, loss)
    slopes = float(gradients["0.weight"][0, 0]), float(gradients["0.bias"][0])
    print(f"  backprop      δ = {float(δ[0, 0]):.4g}, ∂C/∂w = {slopes[0]:.4g}, ∂C/∂b = {slopes[1]:.4g}")
    parameters, state = optimizer.update(neuron.parameters, gradients, state)
    neuron.set_parameters(parameters)
    print("  update        w = {:.4g}, b = {:.4g}".format(*weights(neuron)))
    print(f"  the cost now  C = {float(loss(neuron.forward(x), y)):.6g}")


def weights(neuron: xnn.Network) -> tuple[float, float]:
    """w and b."""
    return float(neuron.parameters["0.weight"][0, 0]), float(neuron.parameters["0.bias"][0])


def picture(x: np.ndarray, y: np.ndarray, path: np.ndarray, exact: np.ndarray) -> pyplot.Figure:
    """The parameters step by step, and the line that they draw."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    curves = ("w", "$2\\,(1 - 0.95^n)$", BLUE), ("b", "$1 - 0.9^n$", RED)
    for k, (name, formula, color) in enumerate(curves):
        left.plot(exact[:81, k], color=color, label=formula)
        left.plot(range(0, 81, 4), path[:81:4, k], "o", color=color, markersize=5, label=f"{name} of the network")
    left.set(xlabel="step n", ylabel="parameter", title="gradient descent, and its formula")
    left.legend(frameon=False)
    for n, shade in ((0, 0.8), (5, 0.65), (10, 0.5), (20, 0.3), (80, 0.0)):
        w, b = path[n]
        right.plot(x, w * x + b, color=str(shade), label=f"after {n} steps")
    right.plot(x, y, "o", color=BLUE, label="the examples")
    right.set(xticks=x, xlabel="x", ylabel="a = wx + b", title="the line of the neuron")
    right.legend(frameon=False)
    return figure


if __name__ == "__main__":
    main()
