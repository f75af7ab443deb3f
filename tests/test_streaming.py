"""Data that stays on the host and is sent to the device batch by batch: the numbers, and when copies are made.

On the emulated device a copy is made as late as CUDA allows, so that a training that forgets to wait for one
computes with wrong numbers. It says nothing about time: that copies run beside kernels is not measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

import xnn

LAYERS = [xnn.Standardize(), xnn.Dense(12), xnn.ReLU(), xnn.Dropout(0.2), xnn.Dense(5)]


@pytest.fixture
def data(rng):
    labels = rng.integers(0, 5, 200)
    labels[3] = -100  # one label that does not count: batches without it are of another type
    return rng.normal(size=(200, 8)), labels, rng.random(200)


def train(backend, x, y, weights, **settings):
    network = xnn.Network(LAYERS, inputs=8, backend=backend, seed=0)
    history = network.fit(
        x, y, loss=xnn.CrossEntropy(), epochs=2, batch_size=32, sample_weight=weights,
        validation_data=(x[:40, ...], y[:40]), **settings,
    )  # fmt: skip
    costs = network.evaluate(x, y, loss=xnn.CrossEntropy(), batch_size=50)
    return backend.to_numpy(network.flat).tobytes(), dict(history), costs


def test_streamed_data_gives_the_same_bits(backend, data, monkeypatch, tmp_path):
    resident = train(backend, *data)
    mapped = np.memmap(tmp_path / "x", np.float64, "w+", shape=data[0].shape)
    mapped[:] = data[0]
    assert train(backend, mapped, *data[1:]) == resident
    sizes = []
    monkeypatch.setattr(type(backend), "fits", lambda self, size: sizes.append(size))
    assert train(backend, *data) == resident
    assert max(sizes) == (200 * 8 + 200) * 4, "x and y in the type of the network"


def test_what_lies_on_the_device_stays_there(data, monkeypatch):
    backend = xnn.get_backend("array_api_strict:device1")
    monkeypatch.setattr(type(backend), "fits", lambda self, size: pytest.fail("nothing is to be sent"))
    train(backend, *(backend.asarray(a) for a in data))


def test_errors_come_before_the_first_step(backend, data, monkeypatch):
    monkeypatch.setattr(type(backend), "fits", lambda self, size: False)
    x, y, weights = data
    network = xnn.Network(LAYERS, inputs=8, backend=backend, seed=0)
    for bad, words in (((x, y[:-1]), "200 examples"), ((x[:, :3], y), "shape"), ((x, y + 7), "label")):
        with pytest.raises(ValueError, match=words):
            network.fit(*bad, loss=xnn.CrossEntropy())
    with pytest.raises(ValueError, match="weights"):
        network.fit(x, y, loss=xnn.CrossEntropy(), sample_weight=-weights)
    assert network.step == 0


# -- On CuPy ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def cupy(request):
    chosen = request.config.getoption("--backend")
    if (chosen and "cupy" not in chosen) or xnn.available_backends()["cupy"]:
        pytest.skip("for CuPy")
    return pytest.importorskip("cupy")


@pytest.fixture
def little(cupy):
    """CuPy with little memory."""
    pool = cupy.get_default_memory_pool()
    if pool.get_limit():
        pytest.skip("this CuPy has a limit already")
    pool.free_all_blocks()
    pool.set_limit(pool.used_bytes() + (1 << 18))
    yield pool
    pool.set_limit(0)


def test_free_memory_decides(little):
    backend = xnn.get_backend("cupy")
    free = backend.memory().free
    assert 0 < free <= 1 << 18
    assert backend.fits(free // 2)
    assert not backend.fits(free // 2 + 1)
    kept = backend.xp.empty(free // 2, dtype=backend.xp.uint8)
    assert backend.memory().free <= free - kept.nbytes
    assert backend.memory().used >= kept.nbytes


@dataclass(frozen=True)
class Counting(xnn.SGD):
    """Notes before each update how many copies to the device were asked for so far."""

    copies: list[int] = field(default_factory=list)

    def step(self, *args, **options):
        import cudacpu

        self.copies.append(cudacpu.counters()["h2d"])
        return super().step(*args, **options)


def test_the_next_batch_is_sent_before_the_step(little, rng):
    """1 MiB of data and a quarter of that on the device: batch k+1 is on its way when the update of batch k begins."""
    cudacpu = pytest.importorskip("cudacpu")
    if not hasattr(cudacpu, "counters"):
        pytest.skip("copies are counted on the emulated device")
    x, y = rng.normal(size=(8192, 32)).astype("float32"), rng.integers(0, 5, 8192)
    network = xnn.Network([xnn.Dense(5)], inputs=32, backend="cupy", seed=0)
    optimizer = Counting(lr=0.1)
    before = cudacpu.counters()["h2d"]
    network.fit(x, y, loss=xnn.CrossEntropy(), optimizer=optimizer, epochs=1, batch_size=256)
    sent = [(copies - before) // 2 for copies in optimizer.copies]  # x and y of a batch
    assert sent == [min(k + 2, 32) for k in range(32)]


def test_batches_of_all_sizes_and_an_early_end(cupy, rng):
    backend = xnn.get_backend("cupy")
    batches = [(rng.normal(size=(n, 3)), None, rng.integers(0, 9, n).astype("int16")) for n in (5, 1, 700, 5, 64)]
    for few in range(6):
        with backend.scope():
            stream = backend.upload(batches)
            for (x, _, y), (a, none, b) in zip(batches[:few], stream, strict=False):
                assert none is None
                np.testing.assert_array_equal(a.get(), x)
                np.testing.assert_array_equal(b.get(), y)
            stream.close()
