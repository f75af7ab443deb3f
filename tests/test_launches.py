"""What a training step on CuPy costs: kernels, matrix products, waits, copies; and that few kernels compute the same.

Launches are counted on the emulated device. The reference for the numbers is the portable path: the same
equations, every function of the standard a kernel of its own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import pytest
from references import scaled_error

import xnn
from xnn.contract import Backend

cudacpu = pytest.importorskip("cudacpu", reason="kernels are counted on the emulated device, which is not here")
if not hasattr(cudacpu, "count"):  # only the sources of it
    pytest.skip("kernels are counted on the emulated device, which is not here", allow_module_level=True)

from xnn.backends import cupy_deferred  # noqa: E402 (needs CuPy)
from xnn.backends.cupy_backend import CupyBackend  # noqa: E402


class PortableCupy(CupyBackend):
    """CuPy, one function after the other."""

    recorder, defer, compute, update = Backend.recorder, Backend.defer, Backend.compute, Backend.update


CUPY, PORTABLE = xnn.get_backend("cupy"), PortableCupy()
ROOT = np.random.default_rng(0)


def labels(n, outputs):
    return np.arange(n) % outputs


def numbers(n, outputs):
    return np.sin(np.arange(n * outputs)).reshape(n, outputs)


def bits(n, outputs):
    return np.arange(n * outputs).reshape(n, outputs) % 2


def steps(layers, loss, optimizer, targets, backend=CUPY, n=64, inputs=32, outputs=10):
    """A function that trains one step, as ``fit`` does."""
    network = xnn.Network(layers, inputs=inputs, backend=backend, seed=0)
    y = network.prepare(ROOT.normal(size=(n, inputs)), targets(n, outputs), loss, check_values=True)
    state = optimizer.begin(network.backend, network.flat)

    def step():
        nonlocal state
        with network.backend.scope():
            _, g, _ = network.differentiate(*y, loss, packed=True)
            θ, state = optimizer.step(network.backend, network.flat, g, state)
            network.update(θ)

    return step


# name: layers, loss, optimizer, targets, outputs, most launches, matrix products
NETWORKS = {
    "three layers, Adam": (
        [xnn.Dense(48), xnn.ReLU(), xnn.Dense(48), xnn.ReLU(), xnn.Dense(10)],
        *(xnn.CrossEntropy(), xnn.Adam(), labels, 10, 8, 8),
    ),
    "BatchNorm and Dropout, AdamW": (
        [xnn.Dense(48), xnn.BatchNorm(), xnn.ReLU(), xnn.Dropout(0.5), xnn.Dense(10)],
        *(xnn.CrossEntropy(), xnn.AdamW(), labels, 10, 6, 5),
    ),
    "Sigmoid and Tanh, momentum": (
        [xnn.Dense(48), xnn.Sigmoid(), xnn.Dense(48), xnn.Tanh(), xnn.Dense(10)],
        *(xnn.CrossEntropy(), xnn.SGD(lr=0.1, momentum=0.9), labels, 10, 8, 8),
    ),
    "twenty layers": (
        [layer for _ in range(19) for layer in (xnn.Dense(16), xnn.ReLU())] + [xnn.Dense(10)],
        *(xnn.CrossEntropy(), xnn.Adam(), labels, 10, 42, 59),
    ),
    "LayerNorm and GELU": (
        [xnn.Dense(48), xnn.LayerNorm(), xnn.GELU(), xnn.Dense(48), xnn.LayerNorm(), xnn.GELU(), xnn.Dense(10)],
        *(xnn.CrossEntropy(), xnn.Adam(), labels, 10, 10, 8),
    ),
    "one output, RMSprop": (
        [xnn.Dense(48), xnn.ReLU(), xnn.Dense(1)],
        *(xnn.BinaryCrossEntropy(), xnn.RMSprop(), bits, 1, 6, 5),
    ),
    "autoencoder": (
        [xnn.Dense(24), xnn.ReLU(), xnn.Dense(8), xnn.ReLU(), xnn.Dense(24), xnn.ReLU(), xnn.Dense(32)],
        *(xnn.MeanSquaredError(), xnn.Adam(), numbers, 32, 10, 11),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_takes_few_launches_and_never_waits(name):
    layers, loss, optimizer, targets, outputs, launches, products = NETWORKS[name]
    step = steps(layers, loss, optimizer, targets, outputs=outputs)
    step()
    step()
    with cudacpu.count(trace=True) as counted:
        step()
    assert counted.launch <= launches, [kernel[0] for kernel in counted.kernels]
    assert counted.gemm == products
    assert (counted.sync, counted.d2h, counted.h2d, counted.d2d) == (0, 0, 0, 0)
    assert counted.malloc == 0 or "CUDACPU_NOPOOL" in os.environ  # all memory comes from the pool


def epoch(examples, **options):
    """What ``fit`` costs for an epoch in batches of 32 examples."""
    layers, loss, optimizer, *_ = NETWORKS["three layers, Adam"]
    network = xnn.Network(layers, inputs=32, backend="cupy", seed=0)
    x, y = ROOT.normal(size=(examples, 32)), labels(examples, 10)
    with cudacpu.count() as counted:
        network.fit(x, y, **{"loss": loss, "optimizer": optimizer, "batch_size": 32} | options)
    return counted


def test_gathering_the_batch_adds_two_launches():
    epoch(64)
    two, ten = epoch(64), epoch(320)
    assert ten.launch - two.launch <= 8 * (8 + 2) + 1  # CuPy joins the costs of many steps in two kernels
    assert ten.gemm - two.gemm == 8 * 8


def test_the_cost_of_a_batch_takes_few_launches():
    layers, loss, *_ = NETWORKS["three layers, Adam"]
    network = xnn.Network(layers, inputs=32, backend="cupy", seed=0)
    x, y = ROOT.normal(size=(320, 32)), labels(320, 10)
    counted = []
    for size in (320, 160, 32):
        with cudacpu.count() as count:
            network.evaluate(x, y, loss=loss, batch_size=size)
        counted.append(count.launch)
    assert counted[2] - counted[1] <= 8 * (3 + 4)


OPTIONS = {
    "plain": {},
    "penalty": {"penalty": xnn.ElasticNet(1e-4, 1e-4)},
    "clipping": {"clip_norm": 1.0, "clip_value": 0.5},
    "schedule and stopping": {"optimizer": xnn.SGD(lr=xnn.schedules.Cosine(0.1, 100)), "tol": 1e-9},
    "class weights": {"loss": xnn.CrossEntropy(label_smoothing=0.1, class_weights=tuple(range(1, 11)))},
    "examples left out": {"loss": xnn.CrossEntropy(ignore_index=3)},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_epoch_waits_as_often_as_one_of_other_length(name):
    epoch(64, **OPTIONS[name])
    two, ten = epoch(64, **OPTIONS[name]), epoch(320, **OPTIONS[name])
    assert (ten.d2h, ten.sync) == (two.d2h, two.sync)
    assert ten.h2d <= two.h2d + 1  # to join many costs CuPy uploads their addresses


def test_clipping_adds_one_launch():
    def a_step(**options):
        epoch(64, **options)
        two, ten = epoch(64, **options), epoch(320, **options)
        return (ten.launch - two.launch) / 8

    assert a_step(clip_norm=1.0, clip_value=0.5) <= a_step() + 1


def test_a_step_with_all_settings_of_the_cost_takes_few_launches():
    layers, _, optimizer, targets, *_ = NETWORKS["three layers, Adam"]
    loss = xnn.CrossEntropy(label_smoothing=0.1, class_weights=tuple(range(1, 11)), ignore_index=3)
    step = steps(layers, loss, optimizer, targets)
    step()
    with cudacpu.count() as counted:
        step()
    assert counted.launch <= 10


# -- The same numbers ------------------------------------------------------------------------------------------------

ACTIVATIONS = [
    *(xnn.Identity(), xnn.Sigmoid(), xnn.Tanh(), xnn.ReLU(), xnn.LeakyReLU(0.1), xnn.LeakyReLU(1.5), xnn.PReLU()),
    *(xnn.ELU(), xnn.ELU(0.5), xnn.SELU(), xnn.GELU(), xnn.GELU(approximate="tanh"), xnn.SiLU()),
    *(xnn.Softplus(), xnn.Softplus(2.0, 1.0), xnn.HardTanh(), xnn.Softmax(), xnn.LogSoftmax()),
    *(xnn.BatchNorm(), xnn.LayerNorm(), xnn.Dropout(0.4), xnn.Dropout(1.0)),
]
LOSSES = [
    *((loss, numbers) for loss in (xnn.SquaredError(), xnn.SquaredError(half=True), xnn.MeanSquaredError())),
    *((loss, numbers) for loss in (xnn.MeanAbsoluteError(), xnn.Huber(0.3), xnn.LogCosh())),
    *((loss, bits) for loss in (xnn.Hinge(), xnn.BinaryCrossEntropy(), xnn.BinaryCrossEntropy(3.0))),
    *((loss, bits) for loss in (xnn.PoissonNLL(), xnn.PoissonNLL(full=True), xnn.CrossEntropy())),
    (xnn.CrossEntropy(), labels),
    (xnn.CrossEntropy(label_smoothing=0.1, class_weights=(1.0, 2.0, 0.5)), labels),
    (xnn.CrossEntropy(ignore_index=1), labels),
    (xnn.CrossEntropy(label_smoothing=0.1, class_weights=(1.0, 2.0, 0.5)), bits),
]


def compare(layers, loss, targets, n, dtype, weights=None, penalty=None, inputs=4, outputs=3):
    """Outputs, cost, gradients, errors and buffers on the two paths."""
    given = np.random.default_rng(1).normal(size=(n, inputs))
    found = []
    for backend in (CUPY, PORTABLE):
        x = backend.asarray(given, dtype)
        network = xnn.Network(layers, inputs=inputs, backend=backend, dtype=dtype, seed=5)
        y, options = targets(n, outputs).tolist(), {"sample_weight": weights}
        results = {f"δ{i}": δ for i, δ in enumerate(network.deltas(x, y, loss, **options))}
        cost, gradients = network.gradients(x, y, loss, penalty=penalty, **options)
        results |= {"cost": cost, **gradients, **network.buffers, "prediction": network.predict(x)}
        results["training"] = network.forward(x, training=True)
        assert all(backend.owns(a) and str(a.dtype) == dtype for a in results.values())
        found.append({name: backend.to_numpy(a) for name, a in results.items()})
    ours, reference = found
    tolerance = 2e-6 if dtype == "float32" else 1e-14
    largest = max(np.abs(reference[name]).max() for name in gradients)
    for name, a in reference.items():
        assert ours[name].shape == a.shape
        if name in gradients:  # that of a bias below a BatchNorm is rounding alone
            assert np.abs(ours[name] - a).max() <= tolerance * largest * 10, name
        else:
            assert scaled_error(ours[name], a) <= tolerance * 10, name


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layer", ACTIVATIONS, ids=repr)
def test_layers_compute_the_same(layer, dtype):
    for n in (1, 7, 64):
        compare([xnn.Dense(5), layer, xnn.Dense(3)], xnn.MeanSquaredError(), numbers, n, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("loss", "targets"), LOSSES, ids=lambda value: getattr(value, "__name__", repr(value)))
def test_losses_compute_the_same(loss, targets, dtype):
    for n in (1, 7, 64):
        compare([xnn.Dense(3)], loss, targets, n, dtype)
    compare([xnn.Dense(3)], loss, targets, 7, dtype, weights=[1.0, 2.0, 0.0, 0.5, 1.0, 1.0, 3.0])


@dataclass(frozen=True)
class Odd(xnn.Layer):
    """A layer of someone who knows nothing of kernels: axes of all kinds, other types, CuPy's own functions."""

    def forward(self, xp, x):
        rank = xp.astype(xp.argsort(x, axis=1), x.dtype)
        s = xp.sum(x, axis=1)  # (n,): with as many rows as columns it is added to the columns
        y = x + (s if x.shape[0] == x.shape[1] else xp.mean(x)) + xp.var(x, axis=0) * 0.1
        y += 0.01 * rank + xp.roll(x, 1, axis=0) * np.float32(0.5)
        return xp.concat([y[:, 1:], xp.cumulative_sum(y, axis=1)[:, :1]], axis=1) @ xp.ones((5, 5), dtype=x.dtype), ()

    def delta(self, xp, δ, y, kept, x):
        return (x.T * xp.max(δ, axis=1)).T + xp.min(xp.abs(δ.T), axis=0)[:, None] ** 3 + 1.0 / (2.0 + x**2)


def test_what_is_not_noted_is_done_at_once():
    for n in (1, 5, 7):
        compare([xnn.Dense(5), Odd(), xnn.Dense(3)], xnn.SquaredError(), numbers, n, "float64")


def test_a_deep_mixture_computes_the_same():
    layers = [
        *(xnn.Standardize(0.1, 2.0), xnn.LayerNorm(), xnn.Softmax(), xnn.BatchNorm(), xnn.Dropout(0.2)),
        *(xnn.Reshape((2, 2)), xnn.Dense(3, bias=False), xnn.PReLU(), xnn.LayerNorm(), xnn.GELU(), xnn.Flatten()),
        *(xnn.BatchNorm(), xnn.LayerNorm(), xnn.SiLU(), xnn.Dense(3), xnn.LogSoftmax()),
    ]
    for n in (2, 64):
        for penalty in (None, xnn.ElasticNet(0.1, 0.2)):
            compare(layers, xnn.CrossEntropy(), labels, n, "float64", penalty=penalty)


def test_the_bits_of_functions_of_entries_are_those_of_single_kernels():
    """So that an expression that is computed twice, forward and backward, is the same both times."""
    x = np.random.default_rng(3).normal(size=(200, 40)) * 3
    layers = [
        xnn.Standardize(0.3, 1.7),
        xnn.SiLU(),
        xnn.Dropout(0.3),
        xnn.GELU(),
        xnn.ELU(),
        xnn.Softplus(),
        xnn.Tanh(),
    ]
    outputs = [
        xnn.Network(layers, inputs=40, backend=backend, seed=1).forward(x, training=True)
        for backend in (CUPY, PORTABLE)
    ]
    assert outputs[0].tobytes() == outputs[1].tobytes()


# -- Deferred arrays themselves --------------------------------------------------------------------------------------


def random_expression(seed):
    """The same random computation, deferred and by NumPy: pairs of results."""
    g = np.random.default_rng(seed)
    n, m = [(3, 5), (4, 4), (1, 4), (5, 1), (40, 300), (300, 9), (2000, 3), (3, 9000)][seed % 8]
    pairs = []
    for shape in [(n, m), (n, m), (m,), (n, 1), (1, m), (n,), ()]:
        a = g.normal(size=shape)
        pairs.append((CUPY.defer(CUPY.asarray(a)), a))
    while len(pairs) < 20:
        (d, a), (e, b) = (pairs[g.integers(len(pairs))] for _ in range(2))
        if not np.ndim(a):
            continue
        along = {"axis": int(g.integers(-1, 2)), "keepdims": bool(g.integers(2))}
        new = {
            0: lambda xp, a, b: xp.subtract(a, b),
            1: lambda xp, a, b: xp.maximum(a, b) * 0.5,
            2: lambda xp, a, b: xp.tanh(a) / (1.0 + xp.abs(b)),
            3: lambda xp, a, b, along=along: xp.sum(a, **along),
            4: lambda xp, a, b, along=along: xp.max(a, **along),
            5: lambda xp, a, b: xp.sum(a),
            6: lambda xp, a, b: a.T @ b if a.ndim == b.ndim == 2 else a * b,
            7: lambda xp, a, b: xp.reshape(a, (-1, 1) if a.ndim == 1 else (1, -1)),
            8: lambda xp, a, b: xp.where(a > b, a, 0.0),
            9: lambda xp, a, b: a.T + 1.0,
        }[int(g.integers(10))]
        try:
            y = new(np, a, b)
        except ValueError:  # the shapes do not fit
            continue
        if y.size < 100_000 and np.abs(y).max() < 1e6:
            pairs.append((new(CUPY.recorder, d, e), y))
    return [pairs[-1], *(pairs[g.integers(len(pairs))] for _ in range(3))]


@pytest.mark.parametrize("seed", range(16))
def test_random_expressions(seed):
    pairs = random_expression(seed)
    results, _ = CUPY.compute([d for d, _ in pairs])
    for result, (_, y) in zip(results, pairs, strict=True):
        assert result.shape == y.shape
        assert scaled_error(result.get(), y) < 1e-12


def test_long_and_wide_expressions():
    """Kernels have a limit to their arguments, and Python one to its recursion."""
    a = np.linspace(0.5, 1.5, 12).reshape(3, 4)
    d = x = CUPY.defer(CUPY.asarray(a))
    for _ in range(700):  # Newton's for the root
        x = 0.5 * (x + d / x)
    many = [x, *(d + float(i) for i in range(300)), *(CUPY.recorder.sum(d * float(i), axis=0) for i in range(100))]
    results, _ = CUPY.compute(many)
    assert scaled_error(results[0].get(), np.sqrt(a)) < 1e-14
    assert all((results[1 + i].get() == a + float(i)).all() for i in range(300))
    assert all(scaled_error(results[301 + i].get(), (a * float(i)).sum(axis=0)) < 1e-14 for i in range(1, 100))


def test_a_deferred_array_is_an_array_for_those_who_do_not_know():
    import cupy

    xp, a = CUPY.recorder, np.arange(6.0).reshape(2, 3)
    d = CUPY.defer(CUPY.asarray(a)) * 2.0
    assert (d.shape, d.ndim, d.size, str(d.dtype), len(d)) == ((2, 3), 2, 6, "float64", 2)
    assert d.__array_namespace__() is xp
    assert float(xp.sum(d)) == 30.0
    assert int(d[0, 1]) == 2
    assert bool(xp.all(d == 2 * a.tolist()[0][0] + d))
    assert (cupy.sqrt(d).get() == np.sqrt(2 * a)).all()
    assert (np.sqrt(d).now.get() == np.sqrt(2 * a)).all()
    assert (np.fmax(1.0, d).now.get() == np.fmax(1.0, 2 * a)).all()
    assert ((np.float64(3) * d).now.get() == 6 * a).all()
    assert ((np.float64(3) > d).now.get() == (2 * a < 3)).all()
    single = xp.astype(d, np.float32)
    whole = CUPY.asarray([1, 2, 3])
    assert xp.clip(CUPY.defer(whole), 0, 2.5).dtype == CUPY.xp.clip(whole, 0, 2.5).dtype
    assert str(xp.clip(single, np.float64(1), 2.0).dtype) == str(xp.clip(single, 1.0).dtype) == "float32"
    assert np.sum(d).now.get() == 30.0
    assert (cupy.asarray(d).get() == 2 * a).all()
    assert ((CUPY.asarray(a) + d).get() == 3 * a).all()
    assert ((d + CUPY.asarray(a)).now.get() == 3 * a).all()
    assert scaled_error((3.0**d).now.get(), 3.0 ** (2 * a)) < 1e-15
    d3 = CUPY.defer(CUPY.asarray(np.arange(8.0).reshape(2, 2, 2))) * 2.0
    assert (d3.mT.now.get() == np.swapaxes(d3.now.get(), 1, 2)).all()
    with pytest.raises(TypeError, match="not changed in place"):
        d[0, 0] = 1.0
    with pytest.raises(ValueError, match=r"broadcast|operands|shape"):
        d + CUPY.asarray(np.zeros(4))
    assert xp.sum(CUPY.defer(CUPY.asarray(np.zeros((0, 3)))), axis=0).shape == (3,)


VIEWS = {
    "itself": lambda xp, d: d,
    "a part": lambda xp, d: d[0, :],
    "a part of a part": lambda xp, d: d[0, :][1:],
    "transposed": lambda xp, d: d.T,
    "reshaped": lambda xp, d: xp.reshape(d, (3, 2)),
    "by a method": lambda xp, d: d.reshape(6),
    "by another function": lambda xp, d: xp.permute_dims(d, (1, 0)),
}


@pytest.mark.parametrize("name", VIEWS)
def test_what_looks_at_an_array_that_was_changed_in_place_is_refused(name):
    """On an ordinary array the change would be seen there."""
    xp, a = CUPY.recorder, np.arange(6.0).reshape(2, 3)
    d = CUPY.defer(CUPY.asarray(a)) * 2.0
    view, later = VIEWS[name](xp, d), d + 1.0
    view += 1.0
    assert (CUPY.compute([view])[0][0].get() == VIEWS[name](np, 2 * a) + 1).all()
    assert (CUPY.compute([later])[0][0].get() == 2 * a + 1).all()  # it was noted before
    for use in (lambda: d * 3.0, lambda: d.now, lambda: xp.sum(d), lambda: d[0, 0], lambda: CUPY.compute([d])):
        with pytest.raises(TypeError, match="changed in place, as by"):
            use()
    d = CUPY.defer(CUPY.asarray(a)) * 2.0
    view = VIEWS[name](xp, d)
    d *= 2.0
    with pytest.raises(TypeError, match="changed in place, as by"):
        xp.exp(view)


class Changed(xnn.Layer):
    """y = 2x, whose first column is changed under another name."""

    def forward(self, xp, x):
        y = 2.0 * x
        column = y[:, 0]
        column += 1.0
        return y, ()


def test_a_layer_that_changes_its_output_under_another_name_is_told():
    network = xnn.Network([xnn.Dense(4), Changed(), xnn.Dense(2)], inputs=3, backend="cupy", seed=0)
    with pytest.raises(TypeError, match="changed in place, as by"):
        network.predict(np.ones((5, 3)))


def adam_as_one_writes_it(xp, θ, g, m, v, *, η, β):
    m = β * m + (1 - β) * g
    v *= 0.999
    v += 0.001 * g**2
    θ -= η * m / (xp.sqrt(v) + 1e-8)
    return θ, m, v


@dataclass(frozen=True)
class Own(xnn.Optimizer):
    def buffers(self):
        return {"m": 0.0, "v": 0.0}

    def rule(self, numbers, η):
        return adam_as_one_writes_it, {"η": η, "β": 0.9}


def test_an_equation_of_ones_own_is_one_launch():
    layers, loss, optimizer, targets, *_ = NETWORKS["three layers, Adam"]
    launched = []
    for chosen in (optimizer, Own()):
        step = steps(layers, loss, chosen, targets)
        step()
        with cudacpu.count() as counted:
            step()
        launched.append(counted.launch)
    assert launched[1] == launched[0]


def test_copies_are_not_outdated():
    xp, a = CUPY.recorder, np.arange(6.0).reshape(2, 3)
    for copy in (
        lambda d: +d,
        lambda d: xp.astype(d, d.dtype),
        lambda d: xp.asarray(d, copy=True),
        lambda d: d.copy(),
        lambda d: xp.clip(d),
        lambda d: xp.roll(d, 0),
    ):
        given, one = CUPY.defer(CUPY.asarray(a)), CUPY.defer(CUPY.asarray(np.eye(3)))
        for d in (given, given * 1.0, given @ one):
            other = copy(d)
            other += 1.0
            assert (CUPY.compute([d])[0][0].get() == a).all()
            assert (CUPY.compute([other])[0][0].get() == a + 1).all()


def test_a_change_in_place_keeps_shape_and_type():
    d = CUPY.defer(CUPY.asarray(np.ones(3, "float32")))
    d += CUPY.asarray(np.ones(3))
    assert str(d.dtype) == "float32"
    with pytest.raises(ValueError, match=r"\(3,\).*\(2, 3\)"):
        d += CUPY.asarray(np.ones((2, 3), "float32"))
    whole = CUPY.defer(CUPY.asarray(np.arange(3)))
    with pytest.raises(TypeError, match=r"int64.*float64"):
        whole += 0.5
    with pytest.raises(TypeError, match="fill"):
        d.fill(0)


def test_gradients_arise_in_the_flat_vector():
    network = xnn.Network([xnn.Dense(5), xnn.PReLU(), xnn.Dense(3)], inputs=4, backend="cupy", dtype="float64", seed=2)
    loss, x, y = xnn.CrossEntropy(), ROOT.normal(size=(7, 4)), labels(7, 3)
    _, gradients = network.gradients(x, y, loss)
    _, g, _ = network.differentiate(*network.prepare(x, y, loss), loss, packed=True)
    packed = network.layout.unpack(CUPY.xp, g)
    assert all((a == b).all() for a, b in zip(packed, gradients.values(), strict=True))
    assert type(g) is type(packed[0]) is not cupy_deferred.Deferred
