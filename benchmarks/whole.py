"""What stands around the steps: an epoch of real data end to end, import, memory, and the loop of ``fit`` itself.

    python benchmarks/whole.py

Each figure comes from a process of its own that is pinned to one core; the contenders take turns.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

__all__ = ["ROUNDS", "measure"]

ROUNDS = 5

DATA = """
import time
import numpy as np
from xnn.datasets import load_fashion_mnist
d = load_fashion_mnist(download=False)
x, y = d.x.reshape(-1, 784).astype("float32") / 255, d.y.astype("int64")
xv, yv = d.x_test.reshape(-1, 784).astype("float32") / 255, d.y_test.astype("int64")
begin = time.process_time()
"""
EPOCH = "one epoch of Fashion-MNIST, 784-100-10, batch 32, with validation: shuffling, batching, steps, s"
TORCH = """
import torch
torch.set_num_threads(1)
layers = [torch.nn.Linear(784, 100), torch.nn.ReLU(), torch.nn.Linear(100, 10)]
model, loss = torch.nn.Sequential(*layers), torch.nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), fused=True)
def train(batches):
    for a, b in batches:
        optimizer.zero_grad()
        loss(model(a), b).backward()
        optimizer.step()
"""
XNN = """
import xnn
network = xnn.Network([xnn.Dense(100), xnn.ReLU(), xnn.Dense(10)], inputs=784, backend="numpy", seed=0)
options = {"loss": xnn.CrossEntropy(), "optimizer": xnn.Adam(), "batch_size": 32}
"""
RANDOM = """
import numpy as np
x, y = np.random.default_rng(0).normal(size=(20000, 784)).astype("float32"), np.arange(20000) % 10
"""
PEAK = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
MEASURES: list[tuple[str, dict[str, str]]] = [
    (
        EPOCH,
        {
            "xnn": XNN + DATA + "network.fit(x, y, validation_data=(xv, yv), metrics=['accuracy'], **options)\n"
            "print(time.process_time() - begin)",
            "PyTorch": TORCH + DATA + """
set = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
train(torch.utils.data.DataLoader(set, batch_size=32, shuffle=True))
with torch.inference_mode():
    a, b = model(torch.from_numpy(xv)), torch.from_numpy(yv)
    float(loss(a, b)), float((a.argmax(1) == b).float().mean())
print(time.process_time() - begin)""",
            "scikit-learn": "from sklearn.neural_network import MLPClassifier\n" + DATA + """
model = MLPClassifier((100,), batch_size=32, alpha=0.0)
model.partial_fit(x, y, classes=np.arange(10))
model.score(xv, yv)
print(time.process_time() - begin)""",
        },
    ),
    (
        "peak memory of training 784-100-10 on 20,000 examples, MiB",
        {
            "xnn": RANDOM + XNN + "network.fit(x, y, **options)\n" + PEAK,
            "PyTorch": RANDOM + TORCH
            + "train(zip(torch.from_numpy(x).split(32), torch.from_numpy(y).split(32)))\n" + PEAK,
            "scikit-learn": RANDOM + "from sklearn.neural_network import MLPClassifier\n"
            "MLPClassifier((100,), batch_size=32).partial_fit(x, y, classes=np.arange(10))\n" + PEAK,
        },
    ),
    (
        "import, beyond that of NumPy, s",
        {
            name: "import time, numpy\nbegin = time.process_time()\n"
            f"import {module}\nprint(time.process_time() - begin)"
            for name, module in {"xnn": "xnn", "PyTorch": "torch", "scikit-learn": "sklearn.neural_network"}.items()
        },
    ),
    (
        "fit of 2-16-16-2 (batch 32, 200 steps an epoch), over the bare steps on the same batches",
        {
            "xnn": """
import time
import numpy as np
import xnn
x, y = np.random.default_rng(0).normal(size=(6400, 2)).astype("float32"), np.arange(6400) % 2
layers = [xnn.Dense(16), xnn.ReLU(), xnn.Dense(16), xnn.ReLU(), xnn.Dense(2)]
network, loss, optimizer = xnn.Network(layers, inputs=2, backend="numpy", seed=0), xnn.CrossEntropy(), xnn.Adam()
batches = [network.prepare(x[i : i + 32], y[i : i + 32], loss) for i in range(0, 6400, 32)]
def fit():
    network.fit(x, y, loss=loss, optimizer=optimizer)
def bare():
    state = optimizer.begin(network.backend, network.flat)
    for a, b, w in batches:
        _, g, _ = network.differentiate(a, b, w, loss, packed=True)
        _, state = optimizer.step(network.backend, network.flat, g, state)
def seconds(f):
    begin = time.process_time()
    f()
    return time.process_time() - begin
fit(), bare()
print(min(seconds(fit) for _ in range(30)) / min(seconds(bare) for _ in range(30)))"""
        },
    ),
]  # fmt: skip


def measure(rounds: int = ROUNDS, words: str = "") -> Iterator[tuple[str, dict[str, list[float]]]]:
    """What is measured, and the figures of xnn, PyTorch and scikit-learn."""
    for what, programs in MEASURES:
        if not re.search(words, what):
            continue
        found: dict[str, list[float]] = {name: [] for name in programs}
        for _ in range(rounds):
            for name, program in programs.items():
                value = _run(program)
                if value is not None:
                    found[name].append(value)
        yield what, found


def _run(program: str) -> float | None:
    """What the program prints; None where it fails, such as for data that is not here."""
    core = f"import os; os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])\n{program}"
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    one["PYTHONDONTWRITEBYTECODE"] = ""  # an import is measured as users see it
    done = subprocess.run(
        [sys.executable, "-c", core], capture_output=True, text=True, check=False, env=os.environ | one
    )
    if done.returncode:
        print(done.stderr.strip().splitlines()[-1], file=sys.stderr)
        return None
    return float(done.stdout.split()[-1])


if __name__ == "__main__":
    for row in measure():
        print(*row)
