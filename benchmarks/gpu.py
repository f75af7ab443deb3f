"""A training step on the GPU: xnn on CuPy beside PyTorch on the same GPU, where that is installed.

    python benchmarks/gpu.py [--rounds 7] [--seconds 0.5]

Prints a Markdown table of medians in µs a step (with half the distance of the quartiles). The contenders take
turns; data lies on the GPU before the clock starts, and the GPU has finished before it stops.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

import xnn

STEPS = 20  # batches in an epoch
WORKLOADS = {  # name: sizes of the layers, batch
    "64 → 128 → 128 → 10, batch 64": ((64, 128, 128, 10), 64),
    "784 → 512 → 512 → 10, batch 256": ((784, 512, 512, 10), 256),
    "784 → 4096 → 4096 → 10, batch 1024": ((784, 4096, 4096, 10), 1024),
}
Round = Callable[[], None]


def xnn_on(name: str, sizes: tuple[int, ...], batch: int, x: Any, y: Any) -> Round:
    """One epoch of ``fit``, as a user calls it, with Adam."""
    layers = [layer for units in sizes[1:-1] for layer in (xnn.Dense(units), xnn.ReLU())]
    network = xnn.Network([*layers, xnn.Dense(sizes[-1])], inputs=sizes[0], backend=name, seed=0)
    x, y = network.backend.asarray(x, "float32"), network.backend.asarray(y, "int32")

    def round() -> None:
        network.fit(x, y, loss=xnn.CrossEntropy(), optimizer=xnn.Adam(), epochs=1, batch_size=batch)
        network.backend.synchronize()

    return round


def pytorch(fused: bool, device: str, sizes: tuple[int, ...], batch: int, x: Any, y: Any) -> Round:
    """The same in PyTorch, eager: a shuffled epoch gathered on the device, the cost read at its end."""
    import torch

    layers: list[Any] = []
    for inputs, units in pairwise(sizes):
        layers += [torch.nn.Linear(inputs, units), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1]).to(device)
    optimizer = torch.optim.Adam(model.parameters(), fused=fused)
    loss = torch.nn.CrossEntropyLoss()
    x, y = torch.tensor(x, dtype=torch.float32, device=device), torch.tensor(y, device=device)

    def round() -> None:
        costs = []
        for rows in torch.randperm(len(x), device=device).split(batch):
            optimizer.zero_grad()
            cost = loss(model(x[rows]), y[rows])
            cost.backward()
            optimizer.step()
            costs.append(cost.detach())
        torch.stack(costs).cpu()

    return round


def contenders() -> dict[str, Callable[..., Round]]:
    """Who takes part: PyTorch where it is installed and finds the GPU."""
    found: dict[str, Callable[..., Round]] = {"xnn on CuPy": lambda *w: xnn_on("cupy", *w)}
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed here.\n")
        return found
    if not torch.cuda.is_available():
        print("The PyTorch that is installed here finds no GPU.\n")
        return found
    found["PyTorch"] = lambda *w: pytorch(False, "cuda", *w)
    found["PyTorch, fused Adam"] = lambda *w: pytorch(True, "cuda", *w)
    found["xnn on torch:cuda"] = lambda *w: xnn_on("torch:cuda", *w)
    return found


def time_step(round: Round, seconds: float) -> float:
    """µs a step, over about so many seconds."""
    start, rounds = time.perf_counter(), 0
    while rounds == 0 or time.perf_counter() - start < seconds:
        round()
        rounds += 1
    return (time.perf_counter() - start) / rounds / STEPS * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each, interleaved (7)")
    parser.add_argument("--seconds", type=float, default=0.5, help="of a measurement (0.5)")
    options = parser.parse_args()
    try:
        device = xnn.get_backend("cupy").info()["device"]
    except xnn.BackendError as error:
        sys.exit(str(error))
    emulated = "emulated" in device
    print(
        f"On {device}." + (" These times say nothing about a GPU: the smallest workload, once.\n" if emulated else "\n")
    )
    who = contenders()
    print("| µs a step | " + " | ".join(who) + " |\n|---|" + "---|" * len(who))
    for title, (sizes, batch) in list(WORKLOADS.items())[: 1 if emulated else None]:
        rng = np.random.default_rng(0)
        x = rng.normal(size=(STEPS * batch, sizes[0])).astype("float32")
        y = rng.integers(0, sizes[-1], STEPS * batch)
        rounds = [make(sizes, batch, x, y) for make in who.values()]
        for round in rounds:
            round()  # compiles, and fills the memory pools
        times: list[list[float]] = [[] for _ in rounds]
        for _ in range(1 if emulated else options.rounds):
            for column, round in zip(times, rounds, strict=True):
                column.append(time_step(round, 0.0 if emulated else options.seconds))
        print(f"| {title} | " + " | ".join(map(words, times)) + " |")


def words(times: list[float]) -> str:
    """The median, and half the distance of the quartiles."""
    if len(times) < 2:
        return f"{times[0]:.0f}"
    low, _, high = statistics.quantiles(times, n=4)
    return f"{statistics.median(times):.0f} ± {(high - low) / 2:.0f}"


if __name__ == "__main__":
    main()
