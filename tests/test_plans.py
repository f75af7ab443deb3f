"""What is done again and again is done by a plan on NumPy: the same bits, arrays that stay the caller's."""

from __future__ import annotations

import copy
import threading
from dataclasses import dataclass

import numpy as np
import pytest
from xnn.backends.numpy_notes import Unplanned
from xnn.backends.numpy_plan import write

import xnn
from xnn.plans import Task

LAYERS = [
    *(xnn.Dense(3), xnn.Dense(1, bias=False), xnn.Identity(), xnn.Sigmoid(), xnn.Tanh(), xnn.ReLU(), xnn.LeakyReLU()),
    *(xnn.LeakyReLU(1.5), xnn.PReLU(), xnn.ELU(), xnn.SELU(), xnn.GELU(), xnn.GELU(approximate="tanh"), xnn.SiLU()),
    *(xnn.Softplus(), xnn.HardTanh(), xnn.Softmax(), xnn.LogSoftmax(), xnn.BatchNorm(), xnn.LayerNorm()),
    *(xnn.Flatten(), xnn.Reshape((2, 2)), xnn.Standardize(0.5, 2.0), xnn.Dropout(0.0), xnn.Dropout(0.4)),
]
LOSSES = [
    *(xnn.SquaredError(), xnn.SquaredError(half=True), xnn.MeanSquaredError(), xnn.MeanAbsoluteError(), xnn.Huber()),
    *(xnn.LogCosh(), xnn.CrossEntropy(), xnn.CrossEntropy(label_smoothing=0.1, class_weights=(1.0, 2.0, 0.5))),
    *(xnn.CrossEntropy(ignore_index=1), xnn.BinaryCrossEntropy(), xnn.BinaryCrossEntropy(3.0), xnn.PoissonNLL()),
    xnn.Hinge(),
]


def targets(loss, rng, n=8, outputs=3):
    if isinstance(loss, xnn.CrossEntropy):
        return rng.integers(0, outputs, n)
    return rng.integers(0, 2, (n, outputs)).astype("float32")


def same(a, b):
    """Equal to the bit, in type, too."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def planned(network):
    """How many plans the network has at hand."""
    return sum(task.planned for task in network._tasks.values())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 8])
@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_a_plan_gives_the_bits_of_a_plain_step(layer, n, dtype, rng):
    layers = [xnn.Dense(4), layer, xnn.Flatten(), xnn.Dense(3)]
    network = xnn.Network(layers, inputs=4, seed=1, backend="numpy", dtype=dtype)
    x, y, loss = rng.normal(size=(n, 4)), rng.integers(0, 3, n), xnn.CrossEntropy()
    seen = [(network.predict(x), network.gradients(x, y, loss, training=False)) for _ in range(3)]
    assert same(seen[0], seen[1])
    assert same(seen[1], seen[2])
    assert planned(network) == 2


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_every_loss_is_planned(loss, weighted, rng):
    network = xnn.Network([xnn.Dense(5), xnn.Tanh(), xnn.Dense(3)], inputs=4, seed=1, backend="numpy")
    x, y, w = rng.normal(size=(8, 4)), targets(loss, rng), rng.random(8) if weighted else None
    options = {"sample_weight": w, "penalty": xnn.ElasticNet(1e-2, 1e-2), "training": False}
    seen = [network.gradients(x, y, loss, **options) for _ in range(3)]
    assert same(seen[0], seen[2])
    assert planned(network) == 1
    assert same(*(network.deltas(x, y, loss) for _ in range(2)))
    assert same(*(network.gradients(x, y, loss, per_example=True) for _ in range(2)))


@pytest.mark.parametrize("seed", range(60))
def test_a_plan_of_a_random_network_gives_the_bits_of_a_plain_step(seed):
    """Deep enough that memory is used again and again, by arrays of other shapes."""
    rng = np.random.default_rng(seed)
    layers = []
    for _ in range(rng.integers(1, 9)):
        layers += [[xnn.Dense(int(rng.integers(1, 9))), LAYERS[rng.integers(2, 20)]][rng.integers(2)]]
    network = xnn.Network([*layers, xnn.Dense(3)], inputs=int(rng.integers(1, 9)), seed=seed, backend="numpy")
    loss, n, training = LOSSES[rng.integers(len(LOSSES))], int(rng.integers(1, 12)), bool(rng.integers(2))
    x, y, _ = network.prepare(rng.normal(size=(n, *network.inputs)), targets(loss, rng, n), loss)

    def results(packed, training):
        before = network.buffers
        cost, g, outputs = network.differentiate(x, y, None, loss, training=training, packed=packed)
        network.set_buffers(before)
        return copy.deepcopy((cost, g, outputs))

    for packed in (False, True):
        plain, *others = (results(packed, training) for _ in range(3))
        assert all(same(other, plain) for other in others)
    assert planned(network) == 2


@pytest.mark.parametrize("p", [0.3, 0.5, 1.0])
def test_masks_of_a_plan_are_those_of_plain_steps(p, rng, monkeypatch):
    x, y, loss = rng.normal(size=(20, 4)), rng.integers(0, 3, 20), xnn.CrossEntropy()

    def trained(plans):
        layers = [xnn.Dropout(p), xnn.Dense(6), xnn.BatchNorm(), xnn.ReLU(), xnn.Dropout(p), xnn.Dense(3)]
        network = xnn.Network(layers, inputs=4, seed=1, backend="numpy")
        outputs = []
        for _ in range(5):
            network.fit(x, y, loss=loss, epochs=2, batch_size=5)
            outputs += [network.forward(x, training=True), network.gradients(x, y, loss, training=False)[0]]
            network.step += 1
            outputs += [network.forward(x, training=True)]
        assert (planned(network) > 0) is plans
        return [network.flat, network.buffers, *outputs]

    by_plans = trained(True)
    if p < 1.0:
        assert not np.array_equal(by_plans[2], by_plans[4])  # another step, another mask
    monkeypatch.setattr(xnn.get_backend("numpy"), "plan", lambda *args, **options: None)
    assert same(by_plans, trained(False))


@pytest.mark.parametrize("shapes", [(5, 7, 3), (1, 7, 3), (5, 1, 3), (5, 7, 1), (1, 1, 1), (64, 784, 100), (33, 2, 65)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_by_the_shorter_way_are_the_same(shapes, dtype, rng):
    n, inputs, units = shapes
    x, W = rng.normal(size=(n, inputs)).astype(dtype), rng.normal(size=(units, inputs)).astype(dtype)
    δ = rng.normal(size=(n, units)).astype(dtype)

    def products(x, W, δ):
        return [x @ W.T, δ.T @ x, δ @ W, np.ones(n, dtype) @ δ, np.ones(n, dtype) @ x]

    assert same(write(lambda given, *_: (products(*given), ()), [x, W, δ])(x, W, δ), products(x, W, δ))


def turned_and_flat(x, y):
    a = (x.T * 2.0).reshape((-1,))  # a copy, since the product lies as x.T does
    b = y + 1.0  # must not stand in its place
    return [a + (b * 3.0).reshape((-1,))]


@pytest.mark.parametrize(
    "step",
    [
        turned_and_flat,
        lambda x, y: [np.sum(x.T * 2.0, axis=0) * 2.0, np.sum(x.T * 2.0, axis=1) * 2.0, np.sum(x.T * 2.0) * 2.0],
        lambda x, y: [((x.T * 2.0) @ y) * 2.0, (y @ (x.T * 2.0)) * 2.0],
        lambda x, y: [np.sum((x.T * 2.0).copy(), axis=0) * 2.0, np.sum((x.T * 2.0).astype("d"), axis=0) * 2.0],
    ],
)
def test_results_lie_as_those_of_a_plain_step_do(step, rng):
    x, y = (rng.normal(size=(200, 37)).astype("f") for _ in range(2))
    assert same(write(lambda given, *_: (step(*given), ()), [x, y])(x, y), step(x, y))


def test_what_a_plan_returns_is_never_changed_later(rng):
    network = xnn.Network([xnn.Dense(5), xnn.BatchNorm(), xnn.Dense(3)], inputs=4, seed=1, backend="numpy")
    x, y, loss = rng.normal(size=(8, 4)).astype("f"), rng.integers(0, 3, 8), xnn.CrossEntropy()
    for _ in range(3):
        held = (network.gradients(x, y, loss), network.predict(x), network.buffers)
        kept = copy.deepcopy(held)
        network.fit(x, y, loss=loss, batch_size=8)
        network.gradients(2.0 * x, y, loss)
        network.predict(-x)
        assert same(list(held[0]), list(kept[0]))
        assert same(held[1:], kept[1:])


def test_a_plan_follows_the_parameters(rng):
    network = xnn.Network([xnn.Dense(3)], inputs=4, seed=1, backend="numpy")
    x = rng.normal(size=(2, 4)).astype("f")
    for scale in (1.0, 2.0, 3.0, 4.0):
        W = scale * np.ones((3, 4), "f")
        network.set_parameters({"0.weight": W})
        for _ in range(2):
            assert same(network.predict(x), x @ W.T + network.parameters["0.bias"])
        network.fit(x, x[:, :3], loss=xnn.SquaredError(), optimizer=xnn.SGD(lr=0.1))
        assert not np.array_equal(network.parameters["0.weight"], W)
        for _ in range(2):
            assert same(network.predict(x), x @ network.parameters["0.weight"].T + network.parameters["0.bias"])


def test_a_copy_has_plans_of_its_own(rng):
    network = xnn.Network([xnn.Dense(3)], inputs=4, seed=1, backend="numpy")
    x = rng.normal(size=(2, 4)).astype("f")
    before, *_ = [network.predict(x) for _ in range(3)]
    other = copy.deepcopy(network)
    other.set_parameters({"0.weight": np.zeros((3, 4))})
    assert same(network.predict(x), before)
    assert not other.predict(x).any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shapes", [(1, 33, 16), (5, 33, 1), (32, 1, 16)])
def test_a_plan_gives_the_bits_of_a_plain_step_wherever_the_data_lie(shapes, dtype, rng):
    n, inputs, units = shapes
    rows, y, loss = rng.normal(size=(2 * n, 2 * inputs)).astype(dtype), rng.normal(size=(2, n)).T, xnn.Huber()
    whole = rows[:n, :inputs].copy()
    layouts = [
        np.asfortranarray(whole),
        rows[::2, ::2],
        whole[::-1],
        whole[:, ::-1],
        np.broadcast_to(whole[:1], whole.shape),
    ]
    for x in layouts:
        seen = []
        for before in (0, 2):
            network = xnn.Network([xnn.Dense(units), xnn.Dense(2)], inputs=inputs, seed=1, backend="numpy", dtype=dtype)
            for _ in range(before):
                assert network.gradients(whole, y, loss)[0] > 0
                assert network.predict(whole).shape == y.shape
            seen.append((network.predict(x), network.gradients(x, y, loss)))
        assert same(*seen)


def test_on_pytorch_a_step_takes_the_memory_of_its_gradient_once(rng):
    pytest.importorskip("torch", reason="for PyTorch")
    network = xnn.Network([xnn.Dense(5), xnn.Tanh(), xnn.Dense(3)], inputs=4, seed=1, backend="torch", dtype="float64")
    x, y, loss = rng.normal(size=(8, 4)), rng.normal(size=(8, 3)), xnn.SquaredError()
    places = []
    for k in range(4):
        named = network.gradients((k + 1) * x, y, loss)[1]
        g = network.differentiate(*network.prepare((k + 1) * x, y, loss), loss, packed=True)[1]
        assert g.tolist() == network.layout.pack(network.backend.xp, list(named.values())).tolist()
        places.append(g.data_ptr())
    assert places[1] == places[2] == places[3]


def test_threads_may_share_a_network(rng):
    network = xnn.Network([xnn.Dense(256), xnn.Tanh(), xnn.Dense(3)], inputs=4, seed=1, backend="numpy")
    batches = [rng.normal(size=(64, 4)).astype("f") for _ in range(4)]
    expected = [network.predict(x) for x in batches]
    wrong = []

    def work(k):
        for _ in range(200):
            if not same(network.predict(batches[k]), expected[k]):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@dataclass(frozen=True)
class Noise(xnn.Layer):
    """What must not be repeated: it draws in every step."""

    def forward(self, xp, x):
        return x + np.random.default_rng().normal(size=x.shape).astype("f"), ()

    def delta(self, xp, δ, y, kept, x):
        return δ


def test_layers_of_the_users_own_run_as_they_are(rng):
    network = xnn.Network([xnn.Dense(3), Noise()], inputs=4, seed=1, backend="numpy")
    x = rng.normal(size=(2, 4)).astype("f")
    assert len({network.predict(x).tobytes() for _ in range(5)}) == 5
    assert planned(network) == 0


def langevin(xp, θ, g, *, η):
    θ -= η * g
    θ += np.random.default_rng().normal(size=θ.shape)
    return (θ,)


def test_equations_of_the_users_own_run_as_they_are():
    seen = set()
    for _ in range(4):
        θ = np.zeros(3)
        xnn.get_backend("numpy").update(langevin, [θ], np.zeros(3), {"η": 0.1})
        seen.add(θ.tobytes())
    assert len(seen) == 4


@pytest.mark.parametrize(
    "step",
    [
        lambda x: x * float(x[0, 0]),
        lambda x: x if x[0, 0] > 0 else -x,
        lambda x: np.asarray(x),
        lambda x: next(iter(x)),
        lambda x: x.__setitem__(0, 1.0),
        lambda x: np.add.accumulate(x),
        lambda x: np.add(x, 1.0, out=np.empty((2, 2))),
        lambda x: (x.__iadd__(1.0), x)[1],
    ],
)  # fmt: skip
def test_what_cannot_be_written_down_is_refused(step):
    with pytest.raises(Unplanned):
        write(lambda given, *_: ([step(given[0])], ()), [np.ones((2, 2))])


def test_large_predictions_keep_no_memory(rng):
    network = xnn.Network([xnn.Dense(2000), xnn.ReLU(), xnn.Dense(3)], inputs=4, seed=1, backend="numpy")
    x = rng.normal(size=(4000, 4)).astype("f")
    assert same(*(network.predict(x) for _ in range(2)))
    assert planned(network) == 0


def test_not_more_than_some_plans_are_kept():
    backend, task = xnn.get_backend("numpy"), Task(lambda xp, standing, given, check=None: ([given[0] + 1.0], []), True)
    for n in range(1, 200):
        for _ in range(2):
            task.run(backend, [], [np.ones(n)])
    assert 1 <= task.planned <= 32
