"""The losses against PyTorch, against central differences, and against what they promise at the edges."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from references import central_differences, scaled_error

import xnn
from xnn.losses import (
    LOSSES,
    BinaryCrossEntropy,
    CrossEntropy,
    Hinge,
    Huber,
    LogCosh,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    PoissonNLL,
    SquaredError,
)

WEIGHTS = (0.5, 2.0, 1.0, 0.25)  # of four classes


def numbers(rng, shape):
    return rng.normal(size=shape) * 2


def counts(rng, shape):
    return rng.integers(0, 6, shape).astype(float)


def binary(rng, shape):
    return rng.integers(0, 2, shape).astype(float)


def shares(rng, shape):
    return rng.random(shape)


def signs(rng, shape):
    return rng.choice([-1.0, 1.0], shape)


def labels(rng, shape):
    return rng.integers(0, shape[1], shape[0])


def labels_and_ignored(rng, shape):
    y = labels(rng, shape)
    y[::2] = -100
    y[-1] = 0
    return y


def zeros_ignored(rng, shape):
    y = labels(rng, shape)
    y[0], y[-1] = 0, shape[1] - 1
    return y


def rows(rng, shape):
    return rng.dirichlet(np.ones(shape[1]), shape[0])


# What the cost is, written for torch: tensors in, a scalar tensor out.
def T(name, **settings):
    def reference(torch, a, y):
        settings_ = {
            k: torch.tensor(v, dtype=a.dtype) if k in ("weight", "pos_weight") else v for k, v in settings.items()
        }
        return getattr(torch.nn, name)(**settings_)(a, y)

    return reference


def squared(torch, a, y):
    return ((a - y) ** 2).sum() / len(a)


def half_squared(torch, a, y):
    return 0.5 * ((a - y) ** 2).sum() / len(a)


def log_cosh(torch, a, y):
    return torch.log(torch.cosh(a - y)).mean()


def hinge(torch, a, y):
    return torch.relu(1 - y * a).mean()


#: A loss, how its targets are drawn, and the reference.
CASES = {
    "squared": (SquaredError(), numbers, squared),
    "half": (SquaredError(half=True), numbers, half_squared),
    "mse": (MeanSquaredError(), numbers, T("MSELoss")),
    "mae": (MeanAbsoluteError(), numbers, T("L1Loss")),
    "huber": (Huber(), numbers, T("HuberLoss")),
    "huber-delta": (Huber(delta=0.3), numbers, T("HuberLoss", delta=0.3)),
    "log-cosh": (LogCosh(), numbers, log_cosh),
    "poisson": (PoissonNLL(), counts, T("PoissonNLLLoss")),
    "poisson-full": (PoissonNLL(full=True), counts, T("PoissonNLLLoss", full=True)),
    "poisson-rate": (PoissonNLL(log_input=False), counts, T("PoissonNLLLoss", log_input=False)),
    "poisson-rate-full": (
        PoissonNLL(log_input=False, full=True, eps=1e-3),
        counts,
        T("PoissonNLLLoss", log_input=False, full=True, eps=1e-3),
    ),
    "bce": (BinaryCrossEntropy(), binary, T("BCEWithLogitsLoss")),
    "bce-soft": (BinaryCrossEntropy(), shares, T("BCEWithLogitsLoss")),
    "bce-weight": (BinaryCrossEntropy(positive_weight=2.5), binary, T("BCEWithLogitsLoss", pos_weight=2.5)),
    "bce-weight-soft": (BinaryCrossEntropy(positive_weight=0.3), shares, T("BCEWithLogitsLoss", pos_weight=0.3)),
    "hinge": (Hinge(), signs, hinge),
}
CASES_OF_CLASSES = {
    f"ce{name}{suffix}": (CrossEntropy(**ours), draw, T("CrossEntropyLoss", **theirs))
    for name, ours, theirs in [
        ("", {}, {}),
        ("-smooth", {"label_smoothing": 0.2}, {"label_smoothing": 0.2}),
        ("-weights", {"class_weights": WEIGHTS}, {"weight": WEIGHTS}),
        (
            "-both",
            {"class_weights": WEIGHTS, "label_smoothing": 0.1},
            {"weight": WEIGHTS, "label_smoothing": 0.1},
        ),
    ]
    for suffix, draw in [("", labels), ("-ignored", labels_and_ignored), ("-rows", rows)]
} | {"ce-ignored-0": (CrossEntropy(ignore_index=0), zeros_ignored, T("CrossEntropyLoss", ignore_index=0))}
ALL = CASES | CASES_OF_CLASSES
SHAPES = [(1, 1), (4, 1), (1, 3), (5, 3)]


def draw(name, rng, shape=None):
    """(loss, outputs, targets, reference) of a case."""
    loss, targets, reference = ALL[name]
    shape = (5, 4) if name in CASES_OF_CLASSES else shape or (5, 3)
    a = numbers(rng, shape)
    if name.startswith("poisson-rate"):
        a = np.abs(a) + 0.1
    y = targets(rng, shape)
    return loss, a, y, reference


def by_torch(reference, a, y):
    torch = pytest.importorskip("torch")
    a = torch.tensor(a, dtype=torch.float64, requires_grad=True)
    y = torch.tensor(y, dtype=torch.int64 if y.dtype.kind == "i" else torch.float64)
    cost = reference(torch, a, y)
    (δ,) = torch.autograd.grad(cost, [a])
    return cost.detach().numpy(), δ.numpy()


def inputs(backend, a, y, dtype="float64"):
    return backend.asarray(a, dtype), backend.asarray(y, "int64" if y.dtype.kind == "i" else dtype)


def test_every_loss_is_tested():
    assert {type(loss) for loss, *_ in ALL.values()} == set(LOSSES.values())
    assert all(name == loss.__name__ for name, loss in LOSSES.items())


@pytest.mark.parametrize("name", ALL)
def test_against_torch(backend, rng, name):
    for shape in [(5, 4)] if name in CASES_OF_CLASSES else SHAPES:
        loss, a, y, reference = draw(name, rng, shape)
        cost, δ = by_torch(reference, a, y)
        outputs, targets = inputs(backend, a, y)
        assert scaled_error(backend.to_numpy(loss(outputs, targets)), cost) < 1e-12
        assert scaled_error(backend.to_numpy(loss.gradient(outputs, targets)), δ) < 1e-12


@pytest.mark.parametrize("name", ALL)
def test_delta_is_the_derivative_of_the_cost(backend, rng, name):
    loss, a, y, _ = draw(name, rng, (3, 2))
    for weights in (None, rng.random(len(a)) + 0.1):
        w = None if weights is None else backend.asarray(weights)

        def cost(a, w=w):
            return backend.to_numpy(loss(*inputs(backend, a, y), w))

        δ = backend.to_numpy(loss.gradient(*inputs(backend, a, y), w))
        assert scaled_error(δ, central_differences(cost, a)) < 1e-7


@pytest.mark.parametrize("name", ALL)
def test_weights_of_examples(backend, rng, name):
    loss, a, y, _ = draw(name, rng)
    twice = np.array([0, 1, 1, 2, 3, 3, 3])  # example 4 has the weight 0
    weights = backend.asarray(np.array([1.0, 2.0, 1.0, 3.0, 0.0]))
    outputs, targets = inputs(backend, a, y)
    repeated = inputs(backend, a[twice], y[twice])
    assert scaled_error(backend.to_numpy(loss(outputs, targets, weights)), backend.to_numpy(loss(*repeated))) < 1e-14
    δ = np.zeros_like(a)
    np.add.at(δ, twice, backend.to_numpy(loss.gradient(*repeated)))
    assert scaled_error(backend.to_numpy(loss.gradient(outputs, targets, weights)), δ) < 1e-14


@pytest.mark.parametrize("name", ALL)
def test_weights_of_zero_are_no_division_by_zero(backend, rng, name):
    loss, a, y, _ = draw(name, rng)
    outputs, targets = inputs(backend, a, y)
    weights = backend.asarray(np.zeros(len(a)))
    assert float(loss(outputs, targets, weights)) == 0.0
    assert (backend.to_numpy(loss.gradient(outputs, targets, weights)) == 0).all()


@pytest.mark.parametrize("name", CASES)
def test_costs_of_the_examples(backend, rng, name):
    loss, a, y, _ = draw(name, rng, (4, 3))
    outputs, targets = inputs(backend, a, y)
    costs = backend.to_numpy(loss.per_example(outputs, targets))
    alone = [backend.to_numpy(loss(outputs[i : i + 1, ...], targets[i : i + 1, ...])) for i in range(4)]
    assert scaled_error(costs, np.array(alone)) < 1e-14
    # The base class makes the cost and δ of the examples alone; the losses do it in fewer calls.
    general = Loss.cost_and_delta(loss, backend.xp, outputs, targets, None)
    special = loss.cost_and_delta(backend.xp, outputs, targets, None)
    for one, other in zip(general, special, strict=True):
        assert scaled_error(backend.to_numpy(one), backend.to_numpy(other)) < 1e-14


@pytest.mark.parametrize("name", CASES_OF_CLASSES)
def test_costs_of_the_examples_of_classes(backend, rng, name):
    torch = pytest.importorskip("torch")
    loss, a, y, _ = draw(name, rng)
    weight = None if loss.class_weights is None else torch.tensor(loss.class_weights, dtype=torch.float64)
    function = torch.nn.CrossEntropyLoss(
        weight, ignore_index=loss.ignore_index, label_smoothing=loss.label_smoothing, reduction="none"
    )
    costs = function(torch.tensor(a), torch.tensor(y)).numpy()
    assert scaled_error(backend.to_numpy(loss.per_example(*inputs(backend, a, y))), costs) < 1e-12


def test_shapes_of_more_axes(backend, rng):
    a, y = rng.normal(size=(3, 2, 4)), rng.normal(size=(3, 2, 4))
    outputs, targets = inputs(backend, a, y)
    flat = inputs(backend, a.reshape(3, 8), y.reshape(3, 8))
    for loss in (SquaredError(), MeanSquaredError()):
        δ = backend.to_numpy(loss.gradient(outputs, targets))
        assert scaled_error(δ.reshape(3, 8), backend.to_numpy(loss.gradient(*flat))) < 1e-15
        assert loss.per_example(outputs, targets).shape == (3,)


# -- The figures of the source texts ---------------------------------------------------------------------------


def test_text_000_one_neuron(backend):
    a, y = backend.asarray(1.1, "float64"), backend.asarray(5.0, "float64")
    loss = SquaredError(half=True)
    assert float(loss(a, y)) == pytest.approx(7.605, abs=1e-14)
    assert float(loss.gradient(a, y)) == pytest.approx(-3.9, abs=1e-14)
    assert loss.gradient(a, y).shape == ()


def test_text_001_mean_of_three(backend):
    a, t = backend.asarray([1.0, 1.0, 5.0]), backend.asarray([1.0, 2.0, 3.0])
    for loss in (SquaredError(), MeanSquaredError()):
        assert float(loss(a, t)) == pytest.approx(5 / 3, abs=1e-15)
        assert scaled_error(backend.to_numpy(loss.gradient(a, t)), [0, -2 / 3, 4 / 3]) < 1e-15


def test_text_003_sum_over_outputs(backend):
    a, y = backend.asarray([[0.5, 0.25]], "float64"), backend.asarray([[1, 0]])
    assert float(SquaredError()(a, y)) == 0.25 + 0.0625
    assert float(MeanSquaredError()(a, y)) == (0.25 + 0.0625) / 2
    assert (backend.to_numpy(SquaredError().gradient(a, y)) == [[-1.0, 0.5]]).all()


# -- Numbers that are large, small, or of another type -------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "loss", [BinaryCrossEntropy(), BinaryCrossEntropy(3.0), Hinge(), Huber(), LogCosh(), MeanSquaredError()]
)
def test_large_outputs(backend, loss, dtype):
    a = np.array([[-1000.0], [1000.0], [-1000.0], [1000.0]])
    y = np.array([[0.0], [1.0], [1.0], [0.0]])
    outputs, targets = inputs(backend, a, y, dtype)
    with np.errstate(all="raise", under="ignore"):
        costs = backend.to_numpy(loss.per_example(outputs, targets))
        δ = backend.to_numpy(loss.gradient(outputs, targets))
    assert np.isfinite(costs).all()
    assert np.isfinite(δ).all()
    if isinstance(loss, BinaryCrossEntropy):
        r = loss.positive_weight
        assert costs.tolist() == [0.0, 0.0, 1000.0 * r, 1000.0]
        assert (δ * 4).ravel().tolist() == [0.0, 0.0, -r, 1.0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", [CrossEntropy(), CrossEntropy(0.1), CrossEntropy(class_weights=(1, 2, 3))])
def test_large_logits(backend, loss, dtype):
    a = np.array([[-1000.0, 0.0, 1000.0], [1000.0, 1000.0, -1000.0], [1000.0, -1000.0, 0.0]])
    outputs, targets = inputs(backend, a, np.array([2, 0, 1]), dtype)
    with np.errstate(all="raise", under="ignore"):
        costs = backend.to_numpy(loss.per_example(outputs, targets))
        δ = backend.to_numpy(loss.gradient(outputs, targets))
    if loss == CrossEntropy():
        assert costs == pytest.approx([0.0, np.log(2), 2000.0], rel=1e-6)
        assert δ * 3 == pytest.approx(np.array([[0, 0, 0], [-0.5, 0.5, 0], [1, -1, 0]]), abs=1e-6)
    assert np.isfinite(costs).all()
    assert np.isfinite(δ).all()


def test_a_class_ruled_out_by_minus_infinity(backend):
    a = np.array([[0.0, 0.0, -np.inf], [1.0, -np.inf, 1.0]])
    for loss in (CrossEntropy(), CrossEntropy(class_weights=(1.0, 1.0, 1.0))):
        for y in (np.array([0, 2]), np.eye(3)[[0, 2]]):
            outputs, targets = inputs(backend, a, y)
            assert float(loss(outputs, targets)) == pytest.approx(np.log(2))
            δ = backend.to_numpy(loss.gradient(outputs, targets))
            assert scaled_error(δ, [[-0.25, 0.25, 0.0], [0.25, 0.0, -0.25]]) < 1e-15


def test_small_errors_keep_their_digits(backend):
    e = np.array([[1e-4], [1e-6], [0.0]])
    outputs, targets = inputs(backend, e, np.zeros((3, 1)))
    costs = backend.to_numpy(LogCosh().per_example(outputs, targets))
    assert np.abs(costs - (e**2 / 2 - e**4 / 12).ravel()).max() <= 1e-16 * 1e-4
    # A logit that is right by far: log(1 + exp −30), and not what 30 + ε − 30 leaves of it.
    outputs, targets = inputs(backend, np.array([[30.0], [-30.0]]), np.array([[1.0], [0.0]]))
    for loss in (BinaryCrossEntropy(), BinaryCrossEntropy(positive_weight=1.0 + 1e-12)):
        costs = backend.to_numpy(loss.per_example(outputs, targets))
        assert costs == pytest.approx(np.log1p(np.exp(-30.0)) * np.ones(2), rel=1e-11)


@pytest.mark.parametrize("name", ALL)
def test_float32_stays_float32(backend, rng, name):
    loss, a, y, _ = draw(name, rng)
    outputs, targets = inputs(backend, a, y, "float32")
    weights = backend.asarray(np.ones(len(a)), "float64")
    for w in (None, weights):
        for result in (loss(outputs, targets, w), loss.gradient(outputs, targets, w)):
            assert result.dtype == backend.dtype("float32")
    assert loss.per_example(outputs, targets).dtype == backend.dtype("float32")
    # and is the float64 result, rounded
    exact = backend.to_numpy(loss.gradient(*inputs(backend, a, y)))
    assert scaled_error(backend.to_numpy(loss.gradient(outputs, targets)), exact) < 2e-6


def test_the_sides_of_the_kinks(backend):
    zero, one = backend.asarray(0.0, "float64"), backend.asarray(1.0, "float64")
    assert float(MeanAbsoluteError().gradient(zero, zero)) == 0.0
    assert float(Hinge().gradient(one, one)) == 0.0
    assert float(Huber(delta=1.0).gradient(one, zero)) == 1.0


# -- Targets and weights in the forms in which people have them ----------------------------------------------------


def test_lists_and_numbers():
    assert float(MeanSquaredError()([1, 1, 5], [1, 2, 3])) == pytest.approx(5 / 3)
    assert float(MeanSquaredError()(1.5, 1)) == 0.25
    assert float(CrossEntropy()([[0.0, 0.0]], [1])) == pytest.approx(np.log(2))
    assert SquaredError().gradient([1.0, 2.0], [0, 0]).tolist() == [1.0, 2.0]


def test_a_column_is_a_row(backend, rng):
    a, y = rng.normal(size=(4, 1)), rng.normal(size=(4, 1))
    expected = float(MeanSquaredError()(a, y))
    for one in (a, a[:, 0]):
        for other in (y, y[:, 0]):
            outputs, targets = inputs(backend, one, other)
            assert float(MeanSquaredError()(outputs, targets)) == pytest.approx(expected)
            assert MeanSquaredError().gradient(outputs, targets).shape == one.shape
    a = rng.normal(size=(4, 3))
    y = np.array([0, 2, 1, 1])
    flat, column = (float(CrossEntropy()(*inputs(backend, a, labels))) for labels in (y, y[:, None]))
    assert flat == column


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64", "bool"])
def test_targets_of_other_dtypes(backend, rng, dtype):
    y = rng.integers(0, 2, (4, 1))
    outputs = backend.asarray(rng.normal(size=(4, 1)), "float32")
    for loss in (MeanSquaredError(), BinaryCrossEntropy(), Hinge()):
        given = loss(outputs, backend.asarray(y, dtype))
        assert given.dtype == backend.dtype("float32")
        assert float(given) == float(loss(outputs, backend.asarray(y, "float32")))
    if dtype != "bool":
        logits = backend.asarray(rng.normal(size=(4, 2)), "float32")
        expected = float(CrossEntropy()(logits, backend.asarray(y[:, 0], "int32")))
        assert float(CrossEntropy()(logits, backend.asarray(y[:, 0], dtype))) == expected
        one_hot = backend.asarray(np.eye(2)[y[:, 0]], dtype)
        assert float(CrossEntropy()(logits, one_hot)) == pytest.approx(expected, rel=1e-6)


def test_hinge_takes_zero_and_one(backend, rng):
    a, y = rng.normal(size=(6, 1)), rng.integers(0, 2, (6, 1))
    expected = np.maximum(0, 1 - (2 * y - 1) * a)
    assert scaled_error(backend.to_numpy(Hinge().per_example(*inputs(backend, a, y))), expected[:, 0]) < 1e-15


@pytest.mark.parametrize("loss", [CrossEntropy(), CrossEntropy(0.1), CrossEntropy(class_weights=(1, 1, 1))])
def test_all_examples_ignored(backend, rng, loss):
    outputs, targets = inputs(backend, rng.normal(size=(2, 3)), np.array([-100, -100]))
    assert float(loss(outputs, targets)) == 0.0
    assert (backend.to_numpy(loss.gradient(outputs, targets)) == 0).all()


def test_arguments_are_not_changed(rng):
    for name in ALL:
        loss, a, y, _ = draw(name, rng)
        w = np.ones(len(a))
        before = a.copy(), y.copy(), w.copy()
        loss(a, y, w)
        δ = loss.gradient(a, y, w)
        assert all((x == b).all() for x, b in zip((a, y, w), before, strict=True))
        assert not any(np.shares_memory(δ, x) for x in (a, y, w))


# -- What a network asks for -----------------------------------------------------------------------------------------


def test_targets_for_a_network(backend, rng):
    y = rng.normal(size=4)
    for given in (y, y.tolist(), y[:, None], backend.asarray(y)):
        prepared = MeanSquaredError().targets(backend, given, (1,), "float32")
        assert backend.owns(prepared)
        assert prepared.shape == (4, 1)
        assert prepared.dtype == backend.dtype("float32")
        assert (backend.to_numpy(prepared)[:, 0] == y.astype("float32")).all()
    rows = CrossEntropy().targets(backend, np.eye(3, dtype=int), (3,), "float32")
    assert rows.shape == (3, 3)
    assert rows.dtype == backend.dtype("float32")
    assert (backend.to_numpy(Hinge().targets(backend, [0, 1], (1,), "float32")) == [[-1], [1]]).all()


def test_labels_for_a_network(backend):
    """Labels that are known to count are told apart by their dtype, so that a step need not look."""
    xp, shape = backend.xp, (3,)
    plain = CrossEntropy().targets(backend, [0, 2, 1], shape, "float32")
    assert plain.shape == (3,)
    assert plain.dtype == backend.dtype("int16")
    ignored = CrossEntropy().targets(backend, [0, -100, 1], shape, "float32")
    assert ignored.dtype == backend.dtype("int32")
    assert backend.to_numpy(ignored).tolist() == [0, -1, 1]
    on_device = backend.asarray([0, 2, 1], "int64")
    asked = CrossEntropy().targets(backend, on_device, shape, "float32", check_values=True)
    assert asked.dtype == backend.dtype("int16")
    in_range = CrossEntropy(ignore_index=0).targets(backend, [0, 2, 1], shape, "float32")
    assert backend.to_numpy(in_range).tolist() == [-1, 2, 1]
    # Batches of both kinds join.
    joined = xp.concat([plain, ignored])
    a = backend.asarray(np.random.default_rng(1).normal(size=(6, 3)))
    whole = CrossEntropy()(a, backend.asarray([0, 2, 1, 0, -100, 1], "int64"))
    cost, _ = CrossEntropy().cost_and_delta(xp, a, joined, None)
    assert float(cost) == pytest.approx(float(whole), rel=1e-14)
    assert backend.to_numpy(CrossEntropy().targets(backend, [40000], (50000,), "float32")).tolist() == [40000]


@pytest.mark.parametrize("name", ALL)
def test_a_step_neither_waits_nor_looks(rng, name):
    """PyTorch's meta device and jax.eval_shape have no values to look at, and say so."""
    torch, jax = pytest.importorskip("torch"), pytest.importorskip("jax")
    loss, a, y, _ = draw(name, rng)
    for device in (False, True):
        for backend in (xnn.get_backend("torch"), xnn.get_backend("jax")):
            given = backend.asarray(y) if device else y  # labels that were checked, and that were not
            targets = loss.targets(backend, given, a.shape[1:], "float64")
            outputs, weights = backend.asarray(a), backend.asarray(np.ones(len(a)))
            for w in (None, weights):
                if backend.name == "jax":
                    cost, δ = jax.eval_shape(partial(loss.cost_and_delta, jax.numpy), outputs, targets, w)
                else:
                    arguments = (None if x is None else x.to("meta") for x in (outputs, targets, w))
                    cost, δ = loss.cost_and_delta(backend.xp, *arguments)
                    assert δ.device == torch.device("meta")
                assert cost.shape == ()
                assert δ.shape == a.shape


@dataclass(frozen=True)
class Quartic(Loss):
    """L = scale Σⱼ (aⱼ − yⱼ)⁴."""

    scale: float = 1.0

    def examples(self, xp, a, y):
        e = a - y
        return self.scale * xp.sum(e**4, axis=1), 4 * self.scale * e**3


def test_a_loss_of_ones_own(backend, rng):
    loss = Quartic(scale=0.5)
    for shape in ((4, 3), (4, 1), (4,)):
        a, y = rng.normal(size=shape), rng.normal(size=shape)
        w = rng.random(4)
        outputs, targets = inputs(backend, a, y)
        assert float(loss(outputs, targets)) == pytest.approx(0.5 * ((a - y) ** 4).sum() / 4)
        for weights in (None, w):
            given = None if weights is None else backend.asarray(weights)

            def cost(a, given=given, targets=targets):
                return backend.to_numpy(loss(backend.asarray(a), targets, given))

            δ = backend.to_numpy(loss.gradient(outputs, targets, given))
            assert scaled_error(δ, central_differences(cost, a)) < 1e-7
        assert loss.per_example(outputs, targets).shape == (4,)
    with pytest.raises(ValueError, match=r"Quartic.*shape"):
        loss(outputs, backend.asarray(np.ones(3)))
    assert loss.threshold == 0.5


def test_a_mistake_in_a_loss_of_ones_own_is_told(backend):
    class Sum(Loss):
        def examples(self, xp, a, y):
            return xp.sum((a - y) ** 2), 2 * (a - y)

    a = backend.asarray(np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"Sum: examples\(\) must give .* shape \(4,\), .*got \(\) and \(4, 3\)"):
        Sum()(a, a)


def test_a_loss_without_its_equation():
    class Nothing(Loss):
        pass

    with pytest.raises(NotImplementedError, match="Nothing"):
        Nothing()([1.0], [1.0])


# -- Errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [loss for loss in LOSSES.values() if loss is not CrossEntropy])
def test_shapes_that_do_not_fit(backend, loss):
    ones = lambda *shape: backend.asarray(np.ones(shape))  # noqa: E731
    for a, y in (
        ((4, 1), (5, 1)),
        ((4,), (5,)),
        ((4, 2), (4,)),
        ((4, 2), (2, 4)),
        ((4, 1), (1, 4)),
        ((4, 1), (4, 1, 1)),
    ):
        with pytest.raises(ValueError, match=loss.__name__) as error:
            loss()(ones(*a), ones(*y))
        assert str(a) in str(error.value)
        assert str(y) in str(error.value)
    with pytest.raises(ValueError, match=r"weights must have shape \(4,\); got \(3,\)"):
        loss()(ones(4, 1), ones(4, 1), ones(3))
    with pytest.raises(ValueError, match="cost of 0 examples is undefined"):
        loss()(ones(0, 2), ones(0, 2))
    with pytest.raises(ValueError, match="cost of 0 examples is undefined"):
        loss().targets(backend, ones(0, 2), (2,), "float64")
    with pytest.raises(ValueError, match="cost of 0 outputs is undefined"):
        loss()(ones(2, 0), ones(2, 0))


def test_classes_that_do_not_fit(backend):
    a = backend.asarray(np.ones((4, 3)))
    integers = lambda *shape: backend.asarray(np.ones(shape), "int64")  # noqa: E731
    for y in ((5,), (4, 2), (3, 4), (1, 4), (4, 3, 1)):
        with pytest.raises(ValueError, match=r"the outputs have shape \(4, 3\)") as error:
            CrossEntropy()(a, integers(*y))
        assert str(y) in str(error.value)
    with pytest.raises(ValueError, match=r"\(examples, classes\); got \(4,\)"):
        CrossEntropy()(backend.asarray(np.ones(4)), integers(4))
    with pytest.raises(ValueError, match="cost of 0 examples is undefined"):
        CrossEntropy()(backend.asarray(np.ones((0, 3))), integers(0))
    with pytest.raises(ValueError, match="2 class_weights for 3 outputs"):
        CrossEntropy(class_weights=[1, 2])(a, integers(4))
    with pytest.raises(TypeError, match=r"labels must be integers; got .*float64.* of shape \(4,\)"):
        CrossEntropy()(a, backend.asarray(np.ones(4)))
    with pytest.raises(TypeError, match="labels or probabilities"):
        CrossEntropy()(a, backend.asarray(np.ones(4), "complex128"))


@pytest.mark.parametrize(("label", "words"), [(3, "label 3 of example 1"), (-1, "label -1 of example 1")])
def test_labels_out_of_range(backend, label, words):
    a = np.zeros((3, 3))
    y = np.array([0, label, -100])
    expected = rf"{words} is out of range; with 3 outputs the labels are 0 … 2, or ignore_index=-100"
    with pytest.raises(ValueError, match=expected):
        CrossEntropy()(a, y)
    with pytest.raises(ValueError, match=expected):
        CrossEntropy()(backend.asarray(a), y.tolist())
    with pytest.raises(ValueError, match=expected):
        CrossEntropy().targets(backend, y, (3,), "float32")
    with pytest.raises(ValueError, match=expected):
        CrossEntropy().targets(backend, backend.asarray(y), (3,), "float32", check_values=True)


def test_labels_that_count_from_one():
    with pytest.raises(ValueError, match="subtract 1"):
        CrossEntropy()(np.zeros((3, 3)), [1, 2, 3])
    with pytest.raises(ValueError, match="label 4294967296 of example 0"):
        CrossEntropy()(np.zeros((1, 3)), [2**32])


@pytest.mark.parametrize(
    ("loss", "y", "words"),
    [
        (BinaryCrossEntropy(), [1.0, -1.0], "lie in 0 … 1; got -1.0: for labels ±1 use Hinge"),
        (BinaryCrossEntropy(), [2, 1], "got 2"),
        (Hinge(), [1.0, 0.5], "got 0.5"),
        (PoissonNLL(), [1.0, -2.0], "counts, 0 or more; got -2.0"),
        (CrossEntropy(), [[0.5, 0.5], [1.5, -0.5]], "rows of probabilities; got -0.5"),
    ],
)
def test_targets_that_make_no_sense(backend, loss, y, words):
    shape = (2,) if isinstance(loss, CrossEntropy) else (1,)
    with pytest.raises(ValueError, match=words):
        loss(np.zeros((2, *shape)), y)
    with pytest.raises(ValueError, match=words):
        loss.targets(backend, y, shape, "float32")
    on_device = backend.asarray(y)
    with pytest.raises(ValueError, match=words):
        loss.targets(backend, on_device, shape, "float32", check_values=True)


def test_nan_only_when_asked(backend):
    """Not a number is no error of its own: whoever wants to know asks fit for check_finite."""
    outputs, targets = inputs(backend, np.array([[np.nan], [1.0]]), np.array([[1.0], [np.nan]]))
    for loss in (MeanSquaredError(), BinaryCrossEntropy(), LogCosh()):
        assert np.isnan(float(loss(outputs, targets)))
        loss.targets(backend, targets, (1,), "float32", check_values=True)


def test_arguments_of_the_wrong_kind(backend):
    a, y = backend.asarray(np.ones((2, 1))), backend.asarray(np.ones((2, 1)))
    with pytest.raises(TypeError, match=r"outputs must be real floating-point numbers; got .*complex"):
        MeanSquaredError()(backend.asarray(np.ones(2), "complex128"), y)
    with pytest.raises(TypeError, match=r"targets must be real numbers; got .*complex"):
        MeanSquaredError()(a, backend.asarray(np.ones((2, 1)), "complex128"))
    with pytest.raises(TypeError, match="expected numbers"):
        MeanSquaredError()(a, [["one"], ["two"]])
    with pytest.raises(ValueError, match=r"must not be negative or NaN; got -1.0"):
        MeanSquaredError()(a, [1.0, 2.0], [1.0, -1.0])


def test_arrays_of_two_libraries():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="outputs is an array of torch, targets is an array of numpy"):
        MeanSquaredError()(torch.ones(2), np.ones(2))


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Huber(delta=0), ValueError),
        (lambda: Huber(delta="1"), TypeError),
        (lambda: PoissonNLL(eps=-1), ValueError),
        (lambda: BinaryCrossEntropy(positive_weight=-1), ValueError),
        (lambda: CrossEntropy(label_smoothing=1.5), ValueError),
        (lambda: CrossEntropy(class_weights=[1.0, -1.0]), ValueError),
        (lambda: CrossEntropy(class_weights=2.0), TypeError),
        (lambda: CrossEntropy(ignore_index=0.5), TypeError),
        (lambda: CrossEntropy(ignore_index=2**31), ValueError),
    ],
)
def test_settings_that_make_no_sense(make, error):
    with pytest.raises(error, match=r"Huber|PoissonNLL|BinaryCrossEntropy|CrossEntropy"):
        make()


def test_settings_are_plain():
    w = CrossEntropy(class_weights=np.array([1, 2])).class_weights
    assert w == (1.0, 2.0)
    assert all(type(v) is float for v in w)
    assert hash(CrossEntropy(class_weights=[1, 2])) == hash(CrossEntropy(class_weights=(1.0, 2.0)))
    assert repr(SquaredError()) == "SquaredError(half=False)"
    with pytest.raises(AttributeError):
        SquaredError().half = True
