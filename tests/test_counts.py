"""What a training step costs on NumPy whatever the machine's mood: its calls, and the bytes that it allocates."""

from __future__ import annotations

import tracemalloc

import pytest
from xnn.backends.numpy_products import plain

import xnn


def dense(*units, kind=xnn.ReLU, between=()):
    return [layer for n in units[:-1] for layer in (xnn.Dense(n), *between, kind())] + [xnn.Dense(units[-1])]


#: Inputs, batch, layers, calls of the step and of Adam's update, bytes at most that are new while a step runs.
NETWORKS = {
    "2-16-16-2": (2, 32, dense(16, 16, 2), 41, 10, 4_000),
    "64-64-10": (64, 200, dense(64, 10), 32, 10, 40_000),
    "784-100-10": (784, 32, dense(100, 10), 32, 10, 17_000),
    "20 layers of 32": (32, 64, dense(*[32] * 20), 194, 10, 22_000),
    "64-64-10, dropout": (64, 200, dense(64, 10, between=[xnn.Dropout(0.4)]), 47, 10, 40_000),
    "64-64-10, batch norm": (64, 200, dense(64, 10, kind=xnn.Tanh, between=[xnn.BatchNorm()]), 66, 10, 60_000),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_calls_and_bytes_of_a_step(name, rng, monkeypatch):
    monkeypatch.setattr("xnn.backends.numpy_notes.quickest", lambda a, b: plain)  # another way takes a call more
    inputs, n, layers, calls, update, most = NETWORKS[name]
    network = xnn.Network(layers, inputs=inputs, seed=0, backend="numpy")
    loss, optimizer = xnn.CrossEntropy(), xnn.Adam()
    x = rng.normal(size=(n, inputs))
    x, y, _ = network.prepare(x, rng.integers(0, network.shapes[-1][0], n), loss, check_values=True)
    state = optimizer.begin(network.backend, network.flat)

    def step():
        nonlocal state
        cost, g, _ = network.differentiate(x, y, None, loss, packed=True)
        _, state = optimizer.step(network.backend, network.flat, g, state)
        return cost

    for _ in range(3):
        step()
    (task,) = network._tasks.values()
    ((plan,),) = task._plans.values()
    found = [f for f in network.backend._updates.items() if f[0][1] == network.flat.shape]
    assert calls_of(plan) <= calls
    assert calls_of(found[0][1].function) <= update
    tracemalloc.start()
    try:
        step()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        step()
        new = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert new <= most


def calls_of(plan):
    """The lines of a plan but for its first and its last one."""
    return len(plan.__doc__.splitlines()) - 2


def test_calls_of_a_prediction_for_one_example(rng):
    """NumPy adds (1, n) to (1, n) three times as fast as (n,)."""
    network = xnn.Network(dense(16, 16, 2), inputs=2, seed=0, backend="numpy")
    for _ in range(2):
        network.predict(rng.normal(size=(1, 2)))
    (task,) = network._tasks.values()
    ((plan,),) = task._plans.values()
    assert calls_of(plan) == 8
