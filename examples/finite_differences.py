"""What a gradient costs by finite differences and by backprop, on a network of a million weights (text 003).

    slow    ∂J/∂wⱼ = (J(w + εeⱼ) − J(w)) / ε    one more feed-forward for each weight
    fast    backprop                            all weights at once, for the price of a few feed-forwards

The slow way is measured on a sample of weights; what all of them would take is extrapolated. It is also less
accurate: a large ε cuts the Taylor series off too early, a small one leaves little but rounding errors. The
central difference (J(w + εeⱼ) − J(w − εeⱼ)) / 2ε is more accurate, and costs twice as much.
"""

from collections.abc import Callable
from statistics import median
from time import perf_counter

import numpy as np
from _common import BLUE, RED, arguments, save_picture
from matplotlib import pyplot

import xnn


def main() -> None:
    options = arguments(__doc__)
    examples, sample = (20, 3) if options.quick else (200, 20)
    random = np.random.default_rng(0)
    layers = [xnn.Dense(1000), xnn.Tanh(), xnn.Dense(499), xnn.Tanh(), xnn.Dense(1)]
    network = xnn.Network(layers, inputs=500, dtype="float64", seed=0)
    loss, θ = xnn.SquaredError(), network.parameters
    x, y = (network.backend.asarray(random.normal(size=(examples, n))) for n in (500, 1))

    def J(parameters: dict) -> float:
        return float(loss(network.apply(parameters, x), y))  # one feed-forward; float waits for the device

    def backprop() -> dict:
        _, gradients = network.gradients(x, y, loss)
        network.backend.synchronize()
        return gradients

    def nudged(place: tuple[int, int], ε: float) -> dict:
        """w + εeⱼ: the parameters with one weight of the first layer changed."""
        W = np.array(xnn.to_numpy(θ["0.weight"]))
        W[place] += ε
        return {**θ, "0.weight": network.backend.asarray(W)}

    # Accuracy: the differences for a sample of the weights, held against backprop.
    places = [(random.integers(1000), random.integers(500)) for _ in range(sample)]
    gradient = xnn.to_numpy(backprop()["0.weight"])
    exact = np.array([gradient[place] for place in places])
    steps = 10.0 ** -np.arange(1, 13, 4 if options.quick else 1)
    one_sided = np.array([[(J(nudged(p, ε)) - J(θ)) / ε for p in places] for ε in steps])
    central = np.array([[(J(nudged(p, ε)) - J(nudged(p, -ε))) / (2 * ε) for p in places] for ε in steps])
    errors = [np.max(np.abs(found - exact), axis=1) / np.max(np.abs(exact)) for found in (one_sided, central)]

    # Time.
    n = network.layout.size
    fast = seconds(backprop)
    slow = sum(seconds(J, nudged(place, 1e-6)) for place in places) / sample  # of one weight
    print(f"the gradient of a network of {n:,} weights, for {examples} examples")
    print(f"  one feed-forward    {1e3 * slow:8.1f} ms (measured with each of {sample} weights changed)")
    print(f"  backprop            {1e3 * fast:8.1f} ms, or {fast / slow:.1f} feed-forwards")
    print(f"  finite differences  {n * slow / 60:8.1f} minutes, extrapolated: {n * slow / fast:,.0f} times as long")
    for name, error in zip(("one-sided differences", "central differences"), errors, strict=True):
        print(f"  {name} are wrong by {np.min(error):.0e} at best, with ε = {steps[np.argmin(error)]:.0e}")
    print()
    save_picture(picture(n, fast, slow, steps, errors), options.output, "finite_differences.png")


def seconds(function: Callable, *arguments: object) -> float:
    """How long the function takes: the median of five times."""
    times = []
    for _ in range(5):
        start = perf_counter()
        function(*arguments)
        times.append(perf_counter() - start)
    return median(times)


def picture(n: int, fast: float, slow: float, steps: np.ndarray, errors: list[np.ndarray]) -> pyplot.Figure:
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    bars = {"one feed-forward": slow, "backprop": fast, "finite differences\n(extrapolated)": n * slow}
    left.barh(list(bars), list(bars.values()), color=["gray", BLUE, RED])
    left.bar_label(
        left.containers[0], [f"{1e3 * slow:.1f} ms", f"{1e3 * fast:.1f} ms", f"{n * slow / 60:.0f} min"], padding=3
    )
    left.set(xscale="log", xlabel="seconds", title=f"the gradient of {n:,} weights", xlim=(1e-4, 1e6))
    left.invert_yaxis()
    for error, label, style in zip(errors, ("one-sided", "central"), ("o-", "s--"), strict=True):
        right.loglog(steps, error, style, color=RED if label == "one-sided" else BLUE, label=label)
    right.set(xlabel="ε", ylabel="error / largest derivative", title="the error of finite differences")
    right.legend(frameon=False)
    return figure


if __name__ == "__main__":
    main()
