"""What is said where a device has no room, and how much memory is in use."""

from __future__ import annotations

import re

import numpy as np
import pytest

import xnn
from xnn.contract import Memory
from xnn.memory import memory_in_words, size_in_words

LAYERS = [xnn.Dense(48), xnn.ReLU(), xnn.Dense(48), xnn.ReLU(), xnn.Dense(10)]


@pytest.fixture
def little(request):
    """Where there is CuPy: sets a limit to the memory that it takes from now on."""
    chosen = request.config.getoption("--backend")
    if (chosen and "cupy" not in chosen) or xnn.available_backends()["cupy"]:
        pytest.skip("for CuPy")
    pool = pytest.importorskip("cupy").get_default_memory_pool()

    def limit(size):
        pool.free_all_blocks()
        if pool.used_bytes() == 0:
            pytest.skip("CuPy has no pool here")
        pool.set_limit(pool.used_bytes() + size)

    yield limit
    pool.set_limit(0)


def test_the_batch_size_that_is_named_fits(little):
    backend = xnn.get_backend("cupy")
    network = xnn.Network(LAYERS, inputs=32, backend=backend, seed=0)
    x, y = backend.asarray(np.ones((4096, 32)), "float32"), backend.asarray(np.arange(4096) % 10, "int32")
    little(1 << 20)
    settings = {"loss": xnn.CrossEntropy(), "optimizer": xnn.Adam()}
    with pytest.raises(xnn.OutOfMemoryError, match="batch of 4096 examples about 7") as caught:
        network.fit(x, y, batch_size=4096, **settings)
    size = int(re.search(r"batch_size=(\d+) would fit$", str(caught.value))[1])
    assert 32 <= size < 4096
    network.fit(x, y, batch_size=size, **settings)
    with pytest.raises(xnn.OutOfMemoryError, match="would fit"):
        network.gradients(x, y, xnn.CrossEntropy())
    with pytest.raises(xnn.OutOfMemoryError, match="would fit") as caught:
        network.predict(x, batch_size=4096)
    network.predict(x[:8], batch_size=int(re.search(r"batch_size=(\d+) would fit$", str(caught.value))[1]))


def test_no_library_has_room_for_everything(backend):
    """Each says so in its own way; these arrays are larger than the addresses of a process."""
    n = 6_000_000
    layers = [xnn.Dense(n, weight_init="zeros"), xnn.Dense(1, weight_init="zeros")]
    network = xnn.Network(layers, inputs=1, backend=backend, dtype="float64")
    x = backend.asarray(np.zeros((n, 1)), "float64")
    words = (
        rf"backend '{backend.name}' is out of memory: .*; the parameters take 137.3 MiB, a batch of {n} examples about "
    )
    with pytest.raises(xnn.OutOfMemoryError, match=words):
        network.fit(x, x, loss=xnn.SquaredError(), optimizer=xnn.SGD(), batch_size=n)
    if backend.name != "jax":  # there an array fails when it is looked at
        with pytest.raises(xnn.OutOfMemoryError, match=words):
            network.predict(x, batch_size=n)


def test_other_errors_stay_what_they_are(backend):
    network = xnn.Network([xnn.Dense(1), Broken()], inputs=1, backend=backend)
    with pytest.raises(RuntimeError, match=r"^broken\n") as caught:
        network.predict([[1.0]])
    assert caught.value.__cause__ is None


class Broken(xnn.Layer):
    def forward(self, xp, x):
        raise RuntimeError("broken")


class Full(xnn.Layer):
    """Takes more memory than there is."""

    def forward(self, xp, x):
        raise MemoryError("no room for 1 GiB.")


@pytest.mark.parametrize(
    ("memory", "words"),
    [
        (None, "; a smaller batch_size needs less"),
        (Memory(0, 0, 3000, 1 << 20), "and 2.9 KiB of 1.0 MiB are free: batch_size=32 would fit"),
        (Memory(0, 0, 9, 4000), "and 9 bytes of 3.9 KiB are free: not even one example fits; make the network smaller"),
    ],
)
def test_the_words(monkeypatch, memory, words):
    network = xnn.Network([xnn.Dense(8), Full()], inputs=4)
    monkeypatch.setattr(type(network.backend), "memory", lambda self: memory)
    with pytest.raises(MemoryError) as caught:
        network.forward(np.zeros((64, 4)))
    assert type(caught.value) is xnn.OutOfMemoryError
    assert str(caught.value).startswith(
        "backend 'numpy' is out of memory: no room for 1 GiB; the parameters take 160 b"
    )
    assert words in str(caught.value)


def test_memory_is_told(little):
    backend = xnn.get_backend("cupy")
    little(8 << 20)
    memory = backend.memory()
    assert memory.used <= memory.held
    assert memory.free == 8 << 20
    assert memory_in_words(backend).endswith("of it in arrays")
    assert " GiB free" in backend.info()["device"]


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (1 << 50, "1024.0 TiB")]
)
def test_sizes(size, words):
    assert size_in_words(size) == words


def test_training_says_what_is_held(capsys, little):
    network = xnn.Network(LAYERS, inputs=32, backend="cupy", seed=0)
    network.fit(np.ones((8, 32)), np.arange(8), loss=xnn.CrossEntropy(), optimizer=xnn.Adam(), verbose=1)
    said = capsys.readouterr().out.splitlines()[-2]
    assert re.fullmatch(r"memory held: [\d.]+ [KM]iB of [\d.]+ GiB, [\d.]+ [KM]iB of it in arrays", said)
