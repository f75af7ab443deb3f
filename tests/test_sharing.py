"""Arrays go from one library to another in the same memory, and nobody's arrays are written to."""

from __future__ import annotations

import numpy as np
import pytest

import xnn
from xnn.contract import by_dlpack


def made(library, values):
    """An array of the library, aligned as JAX wants it, and the address of its memory."""
    if library == "jax":
        array = pytest.importorskip("jax.numpy").asarray(values)
        return array, array.unsafe_buffer_pointer()
    if library == "torch":
        array = pytest.importorskip("torch").tensor(values)
        return array, array.data_ptr()
    array = np.array(values)
    return array, array.ctypes.data


def address(array):
    if hasattr(array, "data_ptr"):
        return array.data_ptr()
    return array.unsafe_buffer_pointer() if hasattr(array, "unsafe_buffer_pointer") else array.ctypes.data


@pytest.fixture
def on():
    def backend(name):
        try:
            return xnn.get_backend(name)
        except xnn.BackendError as error:
            pytest.skip(str(error))

    return backend


PAIRS = [("torch", "jax"), ("jax", "torch"), ("numpy", "torch"), ("torch", "numpy"), ("jax", "numpy")]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_no_copy_on_the_same_device(on, source, target):
    backend = on(target)
    given, where = made(source, np.linspace(0, 1, 32, dtype="float32").reshape(4, 8))
    shared = backend.asarray(given)
    assert backend.owns(shared)
    assert address(shared) == where
    assert str(backend.asarray(given, "int32").dtype).endswith("int32")


@pytest.mark.parametrize(("source", "target"), [*PAIRS, ("numpy", "jax")])
def test_what_is_given_stays_as_it_is(on, source, target):
    """Data, targets and parameters of another library: training changes the network's own arrays alone."""
    backend = on(target)
    x, _ = made(source, np.random.default_rng(0).normal(size=(20, 4)).astype("float32"))
    y, _ = made(source, np.ones((20, 2), dtype="float32"))
    network = xnn.Network([xnn.Standardize(), xnn.Dense(3), xnn.Tanh(), xnn.Dense(2)], inputs=4, backend=backend)
    given = {name: made(source, backend.to_numpy(a))[0] for name, a in network.parameters.items()}
    before = [xnn.to_numpy(a).copy() for a in (x, y, *given.values())]
    network.set_parameters(given)
    network.fit(x, y, loss=xnn.MeanSquaredError(), optimizer=xnn.SGD(lr=0.1, momentum=0.9), epochs=2, batch_size=7)
    for a, old in zip((x, y, *given.values()), before, strict=True):
        np.testing.assert_array_equal(xnn.to_numpy(a), old)
    outputs = network.predict(x)
    assert type(outputs) is type(x)
    if source == "numpy":
        outputs += 1.0  # the caller's own


def test_memory_that_cannot_be_shared_is_copied(on):
    torch, backend = pytest.importorskip("torch"), on("torch")
    backwards = np.arange(6.0)[::-1]
    assert by_dlpack(torch, backwards, torch.device("cpu")) is None
    assert backend.asarray(backwards).tolist() == [5, 4, 3, 2, 1, 0]
    fixed = np.arange(3.0)
    fixed.flags.writeable = False
    assert address(backend.asarray(fixed)) != fixed.ctypes.data
    jax, carrying = on("jax"), torch.arange(3.0, requires_grad=True)
    assert jax.asarray(carrying).tolist() == jax.asarray(torch.arange(6.0)[::2] / 2).tolist() == [0, 1, 2]
