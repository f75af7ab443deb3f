"""BatchNorm and LayerNorm: both directions on every backend, both modes, and the degenerate cases."""

from __future__ import annotations

import numpy as np
import pytest
from references import differences, run, scaled_error, torch_derivative

from xnn.layers.base import Key, Operation
from xnn.layers.normalization import BatchNorm, LayerNorm

KEY = Key(0, 0, 0)


def make(rng, shape):
    """(x, δ, γ, β) for BatchNorm and LayerNorm."""
    x, δ = rng.normal(1, 2, shape), rng.normal(size=shape)
    return x, δ, rng.normal(1, 0.5, shape[-1]), rng.normal(size=shape[-1])


def operation(kind, backend, features, rng=None):
    """The operation of BatchNorm in training or prediction, or LayerNorm."""
    if kind == "layer":
        return LayerNorm()
    if kind == "training":
        return BatchNorm().training({}, KEY)
    rng = np.random.default_rng(1)
    statistics = {"running_mean": rng.normal(size=features), "running_var": rng.uniform(0.5, 2, features)}
    return BatchNorm().prediction({k: backend.asarray(v, "float64") for k, v in statistics.items()})


kinds = pytest.mark.parametrize(
    ("kind", "shape"),
    [
        *[(kind, shape) for kind in ("training", "prediction", "layer") for shape in [(6, 3), (3, 3), (4, 1), (1, 3)]],
        ("layer", (2, 3, 4)),
        ("layer", (1, 1, 1)),
    ],
)


@kinds
def test_gradients_equal_central_differences(backend, rng, kind, shape):
    arrays, layer = make(rng, shape), operation(kind, backend, shape[-1])
    _, *found = run(backend, layer, *arrays)
    expected = differences(backend, layer, *arrays)
    for a, b in zip([found[0], *found[1]], expected, strict=True):
        # where x̂ = 0 whatever x is, both are rounding noise beside δ
        assert np.max(np.abs(a - b)) <= 1e-7 * max(np.max(np.abs(b)), 0.1)


@pytest.mark.parametrize("shape", [(6, 3), (40, 20), (2, 1)])
def test_batch_norm_equals_pytorch(backend, rng, shape):
    batch_norm = pytest.importorskip("torch").nn.functional.batch_norm
    arrays = make(rng, shape)
    y, below, gradients = run(backend, BatchNorm().training({}, KEY), *arrays)
    expected = torch_derivative(lambda x, γ, β: batch_norm(x, None, None, γ, β, training=True), *arrays)
    for a, b in zip([y, *gradients], [expected[0], *expected[2]], strict=True):
        assert scaled_error(a, b) <= 1e-12
    assert np.max(np.abs(below - expected[1])) <= 1e-12 * max(np.max(np.abs(expected[1])), 0.1)


@pytest.mark.parametrize("shape", [(6, 3), (40, 20), (2, 1), (1, 3), (0, 3)])
def test_batch_norm_in_prediction_equals_pytorch(backend, rng, shape):
    torch = pytest.importorskip("torch")
    arrays, layer = make(rng, shape), operation("prediction", backend, shape[-1])
    mean, variance = (torch.tensor(backend.to_numpy(a)) for a in (layer.mean, layer.variance))
    y, below, gradients = run(backend, layer, *arrays)
    expected = torch_derivative(lambda x, γ, β: torch.nn.functional.batch_norm(x, mean, variance, γ, β), *arrays)
    for a, b in zip([y, below, *gradients], [*expected[:2], *expected[2]], strict=True):
        assert scaled_error(a, b) <= 1e-12


@pytest.mark.parametrize("shape", [(6, 3), (40, 20), (2, 3, 4), (0, 3), (5, 0, 3)])
def test_layer_norm_equals_pytorch(backend, rng, shape):
    layer_norm = pytest.importorskip("torch").nn.functional.layer_norm
    arrays = make(rng, shape)
    y, below, gradients = run(backend, LayerNorm(), *arrays)
    expected = torch_derivative(lambda x, γ, β: layer_norm(x, x.shape[-1:], γ, β), *arrays)
    for a, b in zip([y, below, *gradients], [*expected[:2], *expected[2]], strict=True):
        assert scaled_error(a, b) <= 1e-12


def test_running_statistics_equal_pytorch(backend, rng):
    torch = pytest.importorskip("torch")
    reference = torch.nn.BatchNorm1d(3, momentum=0.3, dtype=torch.float64)
    layer, γ, β = BatchNorm(momentum=0.3), backend.asarray(np.ones(3)), backend.asarray(np.zeros(3))
    buffers = {k: backend.asarray(np.full(b.shape, b.value)) for k, b in layer.buffers((3,)).items()}
    with backend.scope():
        for n in (5, 2, 30):
            batch = rng.normal(2, 3, (n, 3))
            x = backend.asarray(batch)
            _, kept = layer.training(buffers, KEY).forward(backend.xp, x, γ, β)
            before = {k: backend.to_numpy(b).copy() for k, b in buffers.items()}
            learned = layer.learned(backend.xp, buffers, x, kept)
            assert all((backend.to_numpy(b) == before[k]).all() for k, b in buffers.items())  # new arrays
            buffers = learned
            reference(torch.tensor(batch))
            for name, found in buffers.items():
                assert scaled_error(backend.to_numpy(found), getattr(reference, name).numpy()) <= 1e-14
        x = rng.normal(size=(4, 3))
        y, _ = layer.prediction(buffers).forward(backend.xp, backend.asarray(x), γ, β)
    assert scaled_error(backend.to_numpy(y), reference.eval()(torch.tensor(x)).detach().numpy()) <= 1e-13


@pytest.mark.parametrize("n", [0, 1])
def test_batch_norm_of_a_batch_that_has_no_variance(backend, n):
    layer, x = BatchNorm(), np.full((n, 2), 3.0)
    γ, β = np.array([2.0, 3.0]), np.array([5.0, 7.0])
    y, below, gradients = run(backend, layer.training({}, KEY), x, np.ones((n, 2)), γ, β)
    assert (y == np.broadcast_to(β, (n, 2))).all()
    assert (below == np.zeros((n, 2))).all()
    assert (gradients[0] == 0).all()
    assert (gradients[1] == n).all()
    buffers = {k: backend.asarray(np.full(2, v)) for k, v in {"running_mean": 0.0, "running_var": 1.0}.items()}
    with backend.scope():
        array = backend.asarray(x)
        _, kept = layer.training(buffers, KEY).forward(backend.xp, array, backend.asarray(γ), backend.asarray(β))
        learned = layer.learned(backend.xp, buffers, array, kept)
    learned = {k: backend.to_numpy(v) for k, v in learned.items()}
    if n == 0:
        assert learned == {}
    else:
        assert scaled_error(learned["running_mean"], [0.3, 0.3]) <= 1e-15
        assert scaled_error(learned["running_var"], [0.9, 0.9]) <= 1e-15


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["training", "layer"])
def test_equal_numbers_give_the_bias(backend, kind, dtype):
    shape = (5, 1) if kind == "training" else (1, 5)
    for value in (0.0, -3.5, 1e4, 0.1):
        x, γ, β = np.full(shape, value), np.full(shape[-1], 2.0), np.full(shape[-1], 7.0)
        y, below, gradients = run(backend, operation(kind, backend, 1), x, np.ones(shape), γ, β, dtype=dtype)
        noise = 1e-13 if dtype == "float64" else 1e-4  # of the mean, times 1/√ε
        assert np.max(np.abs(y - 7)) <= noise * max(1, value) / 1e-3
        assert all(np.isfinite(a).all() for a in (below, *gradients))
        assert np.max(np.abs(below)) <= 1e-2


def test_layer_norm_of_one_feature(backend, rng):
    arrays = make(rng, (4, 1))
    y, below, gradients = run(backend, LayerNorm(), *arrays)
    assert (y == arrays[3]).all()
    assert np.max(np.abs(below)) <= 1e-12
    assert gradients[0] == 0


@pytest.mark.parametrize("offset", [1e3, 1e6])
def test_a_large_mean_does_not_cancel(backend, rng, offset):
    x = rng.normal(size=(64, 3))
    moved = (x + offset).astype("float32").astype("float64")  # what float32 can hold of it
    for kind, turn in (("training", np.array), ("layer", np.transpose)):
        y, _, _ = run(backend, operation(kind, backend, 3), turn(moved), turn(x), *_unit(turn(x)), dtype="float32")
        c = turn(moved) - turn(moved).mean(axis=0 if kind == "training" else 1, keepdims=True)
        exact = c / np.sqrt((c * c).mean(axis=0 if kind == "training" else 1, keepdims=True) + 1e-5)
        assert np.max(np.abs(y - exact)) <= 3e-7 * offset  # a few roundings of the mean


def _unit(x):
    return np.ones(x.shape[-1]), np.zeros(x.shape[-1])


@kinds
def test_float32_stays(backend, rng, kind, shape):
    layer = operation(kind, backend, shape[-1])
    if kind == "prediction":
        layer = BatchNorm().prediction(
            {
                "running_mean": backend.asarray(np.zeros(shape[-1]), "float32"),
                "running_var": backend.asarray(np.ones(shape[-1]), "float32"),
            }
        )
    y, below, gradients = run(backend, layer, *make(rng, shape), dtype="float32")
    assert {a.dtype.name for a in (y, below, *gradients)} == {"float32"}
    assert (y.shape, below.shape, *(g.shape for g in gradients)) == (shape, shape, shape[-1:], shape[-1:])


@pytest.mark.parametrize(
    ("kind", "shape"), [("prediction", (4, 4)), ("prediction", (3, 1)), ("layer", (4, 4)), ("layer", (2, 3, 4))]
)
def test_gradients_per_example(backend, rng, kind, shape):
    x, δ, γ, β = (backend.asarray(a) for a in make(rng, shape))
    layer, xp = operation(kind, backend, shape[-1]), backend.xp
    with backend.scope():
        y, kept = layer.forward(xp, x, γ, β)
        found = layer.per_example(xp, δ, y, kept, x, γ, β)
        one_by_one = [
            layer.gradients(xp, d, y[:1, ...], layer.forward(xp, a, γ, β)[1], a, γ, β)
            for a, d in ((x[i : i + 1, ...], δ[i : i + 1, ...]) for i in range(shape[0]))
        ]
        by_default = Operation.per_example(layer, xp, δ, y, kept, x, γ, β) if kind == "layer" else found
    for k in (0, 1):
        expected = np.stack([backend.to_numpy(row[k]) for row in one_by_one])
        assert scaled_error(backend.to_numpy(found[k]), expected) <= 1e-13
        assert scaled_error(backend.to_numpy(by_default[k]), expected) <= 1e-13


def test_no_gradients_per_example_in_training(backend, rng):
    x, δ, γ, β = (backend.asarray(a) for a in make(rng, (4, 3)))
    layer = BatchNorm().training({}, KEY)
    with backend.scope():
        y, kept = layer.forward(backend.xp, x, γ, β)
        with pytest.raises(ValueError, match=r"BatchNorm.*training=False"):
            layer.per_example(backend.xp, δ, y, kept, x, γ, β)


def test_shapes_and_parameters():
    for layer in (BatchNorm(), LayerNorm()):
        weight, bias = layer.parameters((3,)).values()
        assert (weight.shape, weight.initializer, weight.penalized) == ((3,), "ones", False)
        assert (bias.shape, bias.initializer, bias.penalized) == ((3,), "zeros", False)
        assert layer.outputs((3,)) == (3,)
    assert LayerNorm().parameters((5, 3))["weight"].shape == (3,)
    assert LayerNorm().outputs((5, 3)) == (5, 3)
    assert LayerNorm().buffers((3,)) == {}
    assert [(n, b.shape, b.value) for n, b in BatchNorm().buffers((3,)).items()] == [
        ("running_mean", (3,), 0.0),
        ("running_var", (3,), 1.0),
    ]


@pytest.mark.parametrize("inputs", [(), (4, 3)])
def test_batch_norm_takes_features_only(inputs):
    for method in (BatchNorm().outputs, BatchNorm().parameters):
        with pytest.raises(ValueError, match=r"BatchNorm expects examples of shape \(features,\).*Flatten"):
            method(inputs)


def test_wrong_settings():
    with pytest.raises(ValueError, match="LayerNorm expects"):
        LayerNorm().outputs(())
    for layer in (BatchNorm, LayerNorm):
        with pytest.raises(ValueError, match=f"{layer.__name__}: eps must lie in"):
            layer(eps=0)
    with pytest.raises(ValueError, match="BatchNorm: momentum must lie in"):
        BatchNorm(momentum=1.5)
    with pytest.raises(TypeError, match="BatchNorm: momentum must be a number"):
        BatchNorm(momentum=None)
