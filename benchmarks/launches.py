"""What a training step on CuPy launches: eight networks, each beside the same network in plain functions.

    python benchmarks/launches.py [--output docs/launches.md]

Prints a Markdown table, and puts it into the file, in the place of the table there. It counts on the emulated
device (tests/cudacpu/README.md), so it needs no GPU: tests/cudacpu/on-cupy .venv/bin/python benchmarks/launches.py
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import cudacpu
import numpy as np
from xnn.backends.cupy_backend import CupyBackend

import xnn
from xnn.contract import Backend

EXAMPLES, INPUTS = 64, 64


class PlainCupy(CupyBackend):
    """CuPy, each function of the standard when it is called."""

    recorder, defer, compute, update = Backend.recorder, Backend.defer, Backend.compute, Backend.update


Network = tuple[list[xnn.Layer], xnn.Loss, xnn.Optimizer]
NETWORKS: dict[str, Network] = {
    "Dense–ReLU–Dense–ReLU–Dense, softmax cross-entropy, Adam": (
        [xnn.Dense(128), xnn.ReLU(), xnn.Dense(128), xnn.ReLU(), xnn.Dense(10)],
        *(xnn.CrossEntropy(), xnn.Adam()),
    ),
    "Dense–BatchNorm–ReLU–Dropout–Dense, softmax cross-entropy, AdamW": (
        [xnn.Dense(128), xnn.BatchNorm(), xnn.ReLU(), xnn.Dropout(0.5), xnn.Dense(10)],
        *(xnn.CrossEntropy(), xnn.AdamW()),
    ),
    "Dense–Sigmoid–Dense–Tanh–Dense, softmax cross-entropy, SGD with momentum": (
        [xnn.Dense(128), xnn.Sigmoid(), xnn.Dense(128), xnn.Tanh(), xnn.Dense(10)],
        *(xnn.CrossEntropy(), xnn.SGD(lr=0.1, momentum=0.9)),
    ),
    "twenty Dense layers with ReLU between them, softmax cross-entropy, Adam": (
        [*(layer for _ in range(19) for layer in (xnn.Dense(32), xnn.ReLU())), xnn.Dense(10)],
        *(xnn.CrossEntropy(), xnn.Adam()),
    ),
    "two of Dense–LayerNorm–GELU, then Dense, softmax cross-entropy, Adam": (
        [*(layer for _ in range(2) for layer in (xnn.Dense(128), xnn.LayerNorm(), xnn.GELU())), xnn.Dense(10)],
        *(xnn.CrossEntropy(), xnn.Adam()),
    ),
    "Dense–SiLU–Dense with one output, sigmoid cross-entropy, RMSprop": (
        [xnn.Dense(128), xnn.SiLU(), xnn.Dense(1)],
        *(xnn.BinaryCrossEntropy(), xnn.RMSprop()),
    ),
    "autoencoder 64–32–8–32–64 with Tanh, mean squared error, Adam": (
        [*(layer for units in (32, 8, 32) for layer in (xnn.Dense(units), xnn.Tanh())), xnn.Dense(64)],
        *(xnn.MeanSquaredError(), xnn.Adam()),
    ),
    "Standardize–Dense–PReLU–Dropout–Dense–Softplus–Dense, Huber, NAdam": (
        [
            *(xnn.Standardize(0.0, 1.0), xnn.Dense(64), xnn.PReLU(), xnn.Dropout(0.2)),
            *(xnn.Dense(64), xnn.Softplus(), xnn.Dense(3)),
        ],
        *(xnn.Huber(), xnn.NAdam()),
    ),
}


def count(backend: Backend, network: Network) -> Any:
    """What the third step costs."""
    layers, loss, optimizer = network
    trained = xnn.Network(layers, inputs=INPUTS, backend=backend, seed=0)
    rng = np.random.default_rng(0)
    outputs = trained.shapes[-1][-1]
    y = rng.integers(0, outputs, EXAMPLES) if isinstance(loss, xnn.CrossEntropy) else rng.random((EXAMPLES, outputs))
    x, y, weights = trained.prepare(rng.normal(size=(EXAMPLES, INPUTS)), y, loss, check_values=True)
    state = optimizer.begin(backend, trained.flat)
    for _ in range(3):
        with cudacpu.count() as counted:
            _, g, _ = trained.differentiate(x, y, weights, loss, packed=True)
            θ, state = optimizer.step(backend, trained.flat, g, state)
            trained.update(θ)
    return counted


def table() -> str:
    """The table in Markdown."""
    lines = [
        "| Network, cost, optimizer | kernels | in plain functions | matrix products | waits | copies | allocations |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, network in NETWORKS.items():
        c, plain = (count(backend, network) for backend in (xnn.get_backend("cupy"), PlainCupy()))
        lines.append(
            f"| {name} | {c.launch} | {plain.launch} | {c.gemm} | {c.sync} | {c.d2h + c.h2d + c.d2d} | {c.malloc} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Count, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="a Markdown file whose table is replaced")
    output = parser.parse_args().output
    text = table()
    print(text)
    if output is not None:
        before = output.read_text(encoding="utf-8")
        output.write_text(re.sub(r"(?:^\|.*\n)+", f"{text}\n", before, count=1, flags=re.MULTILINE), encoding="utf-8")


if __name__ == "__main__":
    main()
