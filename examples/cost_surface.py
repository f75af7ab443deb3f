"""The cost surface J(w, b) of one neuron, and the path of gradient descent down on it (text 003).

The neuron is y = σ(wx + b) with the logistic sigmoid σ; m examples (x, y_d) cost

    J(w, b) = 1/m Σ (y − y_d)²,    ∂J/∂w = 1/m Σ 2(y − y_d) σ′ x,    ∂J/∂b = 1/m Σ 2(y − y_d) σ′

and −∇J is the direction in which J decreases fastest: (w, b) ← (w, b) − α ∇J.
"""

import math

from _common import arguments, save_picture

import xnn

x, y_d = [0.0, 1.0, 2.0, 3.0], [0.0, 0.0, 1.0, 1.0]


def main() -> None:
    options = arguments(__doc__)
    neuron = xnn.Network([xnn.Dense(1), xnn.Sigmoid()], inputs=1, dtype="float64")
    loss = xnn.SquaredError()

    # The gradient at one place: of the example (2, 1) alone, and of the full data set.
    neuron.set_parameters({"0.weight": [[0.5]], "0.bias": [-0.5]})
    print("at w = 0.5, b = -0.5")
    for name, inputs, targets in (("the example (2, 1)", [2.0], [1.0]), ("all four examples", x, y_d)):
        cost, gradients = neuron.gradients(inputs, targets, loss)
        slopes = float(gradients["0.weight"][0, 0]), float(gradients["0.bias"][0])
        print(f"  {name:<18} J = {float(cost):.10f}   ∂J/∂w = {slopes[0]:.10f}   ∂J/∂b = {slopes[1]:.10f}")

    # Descent from a bad place, and where it passes.
    neuron.set_parameters({"0.weight": [[-1.0]], "0.bias": [4.0]})
    path = [(-1.0, 4.0)]
    history = neuron.fit(
        x,
        y_d,
        loss=loss,
        optimizer=xnn.SGD(lr=2.0),
        batch_size=None,
        epochs=200 if options.quick else 2000,
        tol=1e-3,
        callbacks=[lambda epoch, logs: path.append(position(neuron))],
    )
    print("gradient descent from w = -1, b = 4 with α = 2")
    print(f"  stopped by {history.stop_reason}")
    print("  at w = {:.3f}, b = {:.3f}".format(*path[-1]), f"with J = {J(*path[-1]):.5f}")
    print(f"  (the network says J = {neuron.evaluate(x, y_d, loss=loss)['loss']:.5f})\n")

    axes = xnn.plot.surface(J, (-3.0, 7.0), (-10.5, 5.0), path, labels=("w", "b", "J(w, b)"))
    axes.set_title("the cost of y = σ(wx + b) on four points", pad=28)
    save_picture(axes.figure, options.output, "cost_surface.png")


def J(w: float, b: float) -> float:
    """The cost, written out once more by hand."""
    return sum((1 / (1 + math.exp(-(w * x_i + b))) - y_i) ** 2 for x_i, y_i in zip(x, y_d, strict=True)) / len(x)


def position(neuron: xnn.Network) -> tuple[float, float]:
    """Where the network is on the surface: (w, b)."""
    return float(neuron.parameters["0.weight"][0, 0]), float(neuron.parameters["0.bias"][0])


if __name__ == "__main__":
    main()
