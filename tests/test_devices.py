"""Two GPUs: a network on each, and on the second one only, while the first is the current device of CuPy.

The emulated device stands in for them: ``CUDACPU_DEVICES=2``.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager

import numpy as np
import pytest

import xnn

LAYERS = [
    # no bias before BatchNorm: its gradient is zero in theory, and Adam would scale the rounding noise
    *(xnn.Standardize(), xnn.Dense(16, bias=False), xnn.BatchNorm(), xnn.ReLU(), xnn.Dropout(0.2)),
    *(xnn.Dense(16), xnn.LayerNorm(), xnn.GELU(), xnn.Dense(3)),
]
LOSSES = {"classes": xnn.CrossEntropy(label_smoothing=0.1), "numbers": xnn.MeanSquaredError()}


@pytest.fixture
def gpus(request):
    """Both GPUs; a test that asks for this is skipped where there are no two."""
    chosen = request.config.getoption("--backend")
    if chosen and "cupy" not in chosen:
        pytest.skip("for CuPy only")
    try:
        return xnn.get_backend("cupy:0"), xnn.get_backend("cupy:1")
    except xnn.BackendError as error:
        pytest.skip(str(error))


@pytest.fixture
def data(rng):
    x = rng.normal(size=(60, 8)).astype("float32")
    return x, {"classes": np.argmax(x[:, :3], axis=1), "numbers": np.sin(x[:, :3])}


def arrays_of(network):
    return [*network.parameters.values(), *network.buffers.values(), network.flat]


@contextmanager
def only(backend):
    """Fail where an array is made on another GPU."""
    cupy = pytest.importorskip("cupy")
    other, pool = 1 - backend.device.id, cupy.get_default_memory_pool()
    gc.collect()  # what an earlier test left in a cycle must not be freed meanwhile
    with cupy.cuda.Device(other):
        before = pool.used_bytes()  # of the current device
        yield
        assert pool.used_bytes() == before, f"memory of GPU {other} was used"


def train(backend, kind, x, y, dtype="float32", **settings):
    network = xnn.Network(LAYERS, inputs=8, backend=backend, dtype=dtype, seed=5)
    history = network.fit(
        x, y, loss=LOSSES[kind], optimizer=xnn.AdamW(lr=0.01), epochs=3, batch_size=16, clip_norm=1.0,
        penalty=xnn.L2(1e-4), validation_data=(x, y), **settings,
    )  # fmt: skip
    return network, history


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("number", [0, 1])
def test_a_network_on_one_of_two(gpus, data, number, kind):
    """Whatever the current device is, everything happens on the network's own, with NumPy's numbers."""
    x, y = data[0], data[1][kind]
    with only(gpus[number]):
        network, history = train(gpus[number], kind, x, y)
        outputs = network.predict(gpus[number].asarray(x))
        cost, gradients = network.gradients(x, y, LOSSES[kind], training=False)
        assert {a.device.id for a in (*arrays_of(network), outputs, cost, *gradients.values())} == {number}
    reference, same = train("numpy", kind, x, y)
    np.testing.assert_allclose(history["loss"], same["loss"], rtol=1e-5)
    np.testing.assert_allclose(outputs.get(), reference.predict(x), rtol=1e-3, atol=1e-4)


def test_networks_that_take_turns(gpus, data):
    """Two networks, step by step in turns, with data on the second GPU: the same numbers on both."""
    x, y = (gpus[1].asarray(a) for a in (data[0], data[1]["numbers"]))
    networks = [xnn.Network(LAYERS[1:], inputs=8, backend=b, seed=5) for b in gpus]
    optimizer = xnn.Adam(lr=0.01)
    states = [optimizer.init(network.parameters) for network in networks]
    for _ in range(5):
        for i, network in enumerate(networks):
            _, gradients = network.gradients(x, y, LOSSES["numbers"])
            θ, states[i] = optimizer.update(network.parameters, gradients, states[i])
            network.set_parameters(θ)
    for i, network in enumerate(networks):
        assert {a.device.id for a in (*arrays_of(network), *states[i]["m"].values())} == {i}
    for name, a in networks[0].parameters.items():
        np.testing.assert_array_equal(a.get(), networks[1].parameters[name].get(), err_msg=name)


def test_functions_of_arrays_compute_where_these_are(gpus, data):
    x, y = (gpus[1].asarray(a) for a in (data[0], data[1]["numbers"]))
    network = xnn.Network([xnn.Dense(3)], inputs=8, backend=gpus[1], seed=5)
    loss, θ = LOSSES["numbers"], network.parameters
    outputs = network.apply(θ, x)
    cost, slopes = xnn.value_and_grad(lambda θ: loss(network.apply(θ, x), y))(θ)
    _, gradients = network.gradients(x, y, loss)
    clipped = xnn.clip_by_norm(gradients, 0.1), xnn.clip_by_value(gradients["0.bias"], 1e-3)
    results = [outputs, loss(outputs, y), loss.gradient(outputs, y), cost, *clipped[0].values(), clipped[1]]
    assert {a.device.id for a in (*results, *slopes.values())} == {1}
    for name, slope in slopes.items():
        np.testing.assert_allclose(slope.get(), gradients[name].get(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("number", [0, 1])
def test_derivatives_descent_metrics_and_penalties_compute_there(gpus, data, number):
    a, b = (gpus[number].asarray(v, "float64") for v in (data[0][:4, :3], data[1]["numbers"][:4]))

    def f(x):
        return np.tanh(x) * 2.0 + 1.0  # NumPy's functions ask the array

    def cost(x):
        return np.sum(f(x) ** 2)

    with only(gpus[number]):
        (y, pull), (z, push) = xnn.vjp(f, a), xnn.linearize(f, a)
        results = [y, z, pull(b), pull(b.get().tolist()), push(b), push(b.get().tolist()), xnn.jvp(f, a, b)[1]]
        results += [xnn.jacobian(f)(a), xnn.hessian(cost)(a), xnn.hvp(cost, a, b), xnn.derivative(f)(a)]
        for optimizer in (xnn.Adam(), xnn.LBFGS()):
            settings = {"optimizer": optimizer, "max_iterations": 3}
            results.append(xnn.minimize(lambda θ: cost(θ["a"]), {"a": a}, **settings).theta["a"])
            results.append(xnn.least_squares(lambda x: np.reshape(f(x), (-1,)), a, **settings).theta)
        results.append(xnn.LBFGS().update(a, xnn.value_and_grad(cost), xnn.LBFGS().init(a))[0])
        results += [metric(a, b) for metric in (xnn.metrics.accuracy, xnn.metrics.r2, xnn.metrics.mean_squared_error)]
        penalty = xnn.ElasticNet(0.1, 0.2)
        results += [penalty(a), penalty({"a": a}), penalty.gradient(a)]
        xnn.check_gradients(f, a)
    assert {r.device.id for r in results} == {number}
    np.testing.assert_allclose(results[2].get(), 2.0 * b.get() / np.cosh(a.get()) ** 2, rtol=1e-12)
    assert results[2].get().tobytes() == results[3].get().tobytes()


def test_what_is_given_decides_not_the_network(gpus, data):
    """``apply`` and ``predict`` of a network on one GPU, for arrays on the other."""
    network = xnn.Network([xnn.Dense(3), xnn.Tanh()], inputs=8, backend=gpus[0], seed=5)
    x = gpus[1].asarray(data[0])
    θ = {name: gpus[1].asarray(a) for name, a in network.parameters.items()}
    assert network.apply(θ, x).device.id == 1
    one = xnn.Network([xnn.Dense(3), xnn.Tanh()], inputs=8, backend=gpus[1], seed=5)
    with only(gpus[1]):
        pieces = one.predict(x, batch_size=7)
    np.testing.assert_allclose(pieces.get(), network.apply(θ, x).get(), rtol=1e-6)


class Foreign:
    """An array of another library in the memory of the GPU, of which nothing is known but DLPack."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __dlpack__(self, **options):
        with self.array.device:
            return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


@pytest.mark.parametrize("number", [0, 1])
def test_memory_of_another_library_is_shared(gpus, number):
    given = gpus[number].asarray(np.arange(6.0).reshape(2, 3))
    shared = gpus[number].asarray(Foreign(given))
    assert shared.data.ptr == given.data.ptr
    assert shared.device.id == number
    assert str(gpus[number].asarray(Foreign(given), "float32").dtype) == "float32"


def test_files_and_copies_go_from_one_to_the_other(gpus, data, tmp_path):
    x, y = data[0], data[1]["classes"]
    network, _ = train(gpus[0], "classes", x, y)
    network.save(tmp_path / "network.safetensors")
    loaded = xnn.load(tmp_path / "network.safetensors", backend=gpus[1])
    assert {a.device.id for a in arrays_of(loaded)} == {1}
    np.testing.assert_array_equal(loaded.predict(x), network.predict(x))
    loaded.set_parameters(network.parameters)
    assert {a.device.id for a in arrays_of(loaded)} == {1}


def test_one_too_many(gpus):
    cupy = pytest.importorskip("cupy")
    count = cupy.cuda.runtime.getDeviceCount()
    with pytest.raises(xnn.BackendError, match=rf"no device {count}\b.*\b{count} GPU"):
        xnn.get_backend(f"cupy:{count}")
