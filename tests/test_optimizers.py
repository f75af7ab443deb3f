"""Optimizers: PyTorch's numbers, the pure and the in-place way, and every kind of theta."""

import functools
import math
from contextlib import contextmanager
from dataclasses import FrozenInstanceError, dataclass

import numpy as np
import pytest
from references import scaled_error

import xnn
from xnn.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
    Rprop,
)
from xnn.penalties import L2

STEPS = 50

VARIANTS = [
    SGD(lr=0.01),
    SGD(lr=0.01, weight_decay=0.1),
    SGD(lr=0.01, momentum=0.9),
    SGD(lr=0.01, momentum=0.9, weight_decay=0.1),
    SGD(lr=0.01, momentum=0.9, dampening=0.3),
    SGD(lr=0.01, momentum=0.9, dampening=0.3, weight_decay=0.1),
    SGD(lr=0.01, momentum=0.9, nesterov=True),
    SGD(lr=0.01, momentum=0.8, nesterov=True, weight_decay=0.1),
    Adagrad(),
    Adagrad(lr=0.1, lr_decay=0.05, weight_decay=0.1, initial_accumulator_value=0.3, eps=1e-4),
    Adadelta(),
    Adadelta(lr=0.5, rho=0.7, eps=1e-3, weight_decay=0.1),
    RMSprop(),
    RMSprop(lr=0.02, alpha=0.9, eps=1e-4, weight_decay=0.1),
    RMSprop(momentum=0.9),
    RMSprop(centered=True),
    RMSprop(centered=True, momentum=0.5, weight_decay=0.1),
    Adam(),
    Adam(lr=0.1, betas=(0.5, 0.7), eps=1e-3, weight_decay=0.1),
    Adam(betas=(0.0, 0.0)),
    Adam(lr=0.1, betas=(0.5, 0.7), weight_decay=0.1, amsgrad=True),
    AdamW(),
    AdamW(lr=0.1, weight_decay=0.3),
    AdamW(weight_decay=0.0),
    AdamW(amsgrad=True),
    Adamax(),
    Adamax(lr=0.1, betas=(0.5, 0.7), eps=1e-3, weight_decay=0.1),
    NAdam(),
    NAdam(lr=0.1, betas=(0.5, 0.7), momentum_decay=0.1, weight_decay=0.1),
    NAdam(weight_decay=0.1, decoupled_weight_decay=True),
    RAdam(),
    RAdam(lr=0.1, betas=(0.5, 0.9), eps=1e-3, weight_decay=0.1),
    RAdam(weight_decay=0.1, decoupled_weight_decay=True),
    RAdam(betas=(0.9, 0.5)),  # never rectified
    Rprop(),
    Rprop(lr=0.5, etas=(0.3, 1.7), step_sizes=(1e-2, 2.0)),
]

variants = pytest.mark.parametrize("optimizer", VARIANTS, ids=repr)
one_of_each = pytest.mark.parametrize("optimizer", [kind() for kind in (
    SGD, Adagrad, Adadelta, RMSprop, Adam, AdamW, Adamax, NAdam, RAdam, Rprop
)], ids=lambda o: type(o).__name__)  # fmt: skip


@functools.cache
def problem(size=6, steps=STEPS):
    """A start and a badly scaled sequence of gradients, with zeros and turning signs in it."""
    rng = np.random.default_rng(1)
    start = rng.normal(size=size)
    gradients = rng.normal(size=(steps, size)) * np.logspace(-3, 3, size)
    gradients[rng.random(gradients.shape) < 0.1] = 0.0
    return start, gradients


@contextmanager
def torch_in_float64():
    """PyTorch's NAdam keeps the product of its μ in the default data type: float32 costs it 10⁻¹¹."""
    torch = pytest.importorskip("torch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(before)


def in_torch(optimizer, θ):
    torch = pytest.importorskip("torch")
    settings = {k: v for k, v in vars(optimizer).items() if k != "lr"}
    parameter = torch.tensor(θ, requires_grad=True)
    return parameter, getattr(torch.optim, type(optimizer).__name__)([parameter], lr=optimizer.lr, **settings)


@functools.cache
def reference(optimizer):
    """θ after each step of PyTorch's optimizer of the same name and settings."""
    start, gradients = problem()
    parameter, theirs = in_torch(optimizer, start)
    path = []
    with torch_in_float64():
        for g in gradients:
            parameter.grad = parameter.new_tensor(g)
            theirs.step()
            path.append(parameter.detach().numpy().copy())
    return np.stack(path)


# -- PyTorch's numbers ------------------------------------------------------------------------------------------------


@variants
def test_fifty_steps_equal_those_of_torch(backend, optimizer):
    expected = reference(optimizer)
    start, gradients = problem()
    θ = backend.asarray(start, "float64")
    path = []
    with backend.scope():
        state = optimizer.init(θ)
        for g in gradients:
            θ, state = optimizer.update(θ, backend.asarray(g, "float64"), state)
            path.append(θ)
    assert state["step"] == STEPS
    assert scaled_error(np.stack([backend.to_numpy(a) for a in path]), expected) < 1e-12


@variants
def test_in_place_steps_equal_those_of_torch(backend, optimizer):
    expected = reference(optimizer)
    start, gradients = problem()
    with backend.scope():
        θ = backend.xp.asarray(backend.asarray(start, "float64"), copy=True)
        state = optimizer.begin(backend, θ)
        for g in gradients:
            θ, state = optimizer.step(backend, θ, backend.asarray(g, "float64"), state)
    assert state["step"] == STEPS
    assert scaled_error(backend.to_numpy(θ), expected[-1]) < 1e-12


@pytest.mark.parametrize("optimizer", [o for o in VARIANTS if not isinstance(o, Rprop)], ids=repr)
def test_descent_of_a_badly_scaled_quadratic_equals_torch(optimizer):
    """C = ½Σ sᵢ(θᵢ − cᵢ)² with s from 10⁻² to 10: here the gradient follows the path.

    The start is far off: where a root of squares divides a gradient near 0, each step multiplies rounding.
    That is also why Rprop, which sees only signs, is held by the fixed gradients above alone.
    """
    rng = np.random.default_rng(2)
    s, c, θ = np.logspace(-2, 1, 5), rng.normal(size=5), 10.0 + rng.normal(size=5)
    parameter, theirs = in_torch(optimizer, θ)
    state = optimizer.init(θ)
    with torch_in_float64():
        for _ in range(STEPS):
            θ, state = optimizer.update(θ, s * (θ - c), state)
            parameter.grad = parameter.new_tensor(s * (parameter.detach().numpy() - c))
            theirs.step()
    assert scaled_error(θ, parameter.detach().numpy()) < 1e-12


@one_of_each
def test_defaults_are_those_of_torch(optimizer):
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.optim, type(optimizer).__name__)([torch.zeros(1, requires_grad=True)]).defaults
    assert vars(optimizer) == {k: theirs[k] for k in vars(optimizer)}


# -- The pure way -----------------------------------------------------------------------------------------------------


@variants
def test_update_is_pure_and_equals_step_bit_for_bit(optimizer):
    start, gradients = problem()
    host = xnn.get_backend("numpy")
    flat, θ = start.copy(), start.copy()
    flat_state, state = optimizer.begin(host, flat), optimizer.init(θ)
    for g in gradients[:12]:
        arrays = [θ, g, *(a for a in state.values() if isinstance(a, np.ndarray))]
        before = [a.copy() for a in arrays]
        numbers = {k: v for k, v in state.items() if not isinstance(v, np.ndarray)}
        for a in arrays:
            a.flags.writeable = False
        new, new_state = optimizer.update(θ, g, state)
        again, _ = optimizer.update(θ, g, state)
        assert np.array_equal(new, again)
        for a, b in zip(arrays, before, strict=True):
            assert np.array_equal(a, b)
        assert numbers == {k: state[k] for k in numbers}
        for a in (new, *(a for a in new_state.values() if isinstance(a, np.ndarray))):
            assert not any(np.shares_memory(a, b) for b in arrays)
        θ, state = new, new_state

        returned, flat_state = optimizer.step(host, flat, g, flat_state)
        assert returned is flat
        assert np.array_equal(flat, θ)
        assert flat_state.keys() == state.keys()
        for k in state:
            assert np.array_equal(flat_state[k], state[k])


@variants
def test_float32_stays_float32(backend, optimizer):
    start, gradients = problem()
    θ = backend.asarray(start, "float32")
    dtype = θ.dtype
    state = optimizer.init(θ)
    for g in gradients[:8]:  # RAdam changes its equation in the sixth
        θ, state = optimizer.update(θ, backend.asarray(g, "float32"), state)
        assert θ.dtype == dtype
        assert all(a.dtype == dtype for k, a in state.items() if k not in ("step", "mu_product"))
    flat = backend.xp.asarray(backend.asarray(start, "float32"), copy=True)
    state = optimizer.begin(backend, flat)
    for g in gradients[:8]:
        flat, state = optimizer.step(backend, flat, backend.asarray(g, "float32"), state)
    assert flat.dtype == dtype
    assert all(a.dtype == dtype for k, a in state.items() if k not in ("step", "mu_product"))
    assert scaled_error(backend.to_numpy(flat), backend.to_numpy(θ)) < 1e-6


def test_a_gradient_in_float64_does_not_promote_theta():
    θ = np.ones(3, np.float32)
    optimizer = Adam()
    θ, state = optimizer.update(θ, np.ones(3), optimizer.init(θ))
    assert θ.dtype == state["m"].dtype == np.float32


# -- CuPy: one kernel -------------------------------------------------------------------------------------------------


@variants
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-14)])
def test_the_backends_update_gives_what_the_plain_equation_gives(backend, optimizer, dtype, tolerance):
    start, gradients = problem()
    with backend.scope():
        θ = backend.asarray(start, dtype)
        state = optimizer.init(θ)
        for g in gradients[:7]:
            g = backend.asarray(g, dtype)
            numbers = optimizer.advance(state)
            equation, scalars = optimizer.rule(numbers, optimizer.rate(state["step"]))
            names = list(optimizer.buffers())
            old = [θ, *(state[n] for n in names)]
            plain = equation(backend.xp, *_copies(backend, old[:1]), g, *_copies(backend, old[1:]), **scalars)
            run = backend.update(equation, _copies(backend, old), g, scalars)
            for a, b in zip(run, plain, strict=True):
                assert a.dtype == b.dtype
                assert scaled_error(backend.to_numpy(a), backend.to_numpy(b)) <= tolerance
            θ, state = plain[0], {**numbers, **dict(zip(names, plain[1:], strict=True))}


@one_of_each
def test_an_update_in_blocks_is_that_of_all_at_once(backend, optimizer, monkeypatch):
    """Six entries in blocks of four are a whole one and a rest."""
    if backend.block is None:
        pytest.skip("this backend takes all entries at once")
    start, gradients = problem()
    found = []
    for block in (100, 4):
        monkeypatch.setattr(backend, "block", block)
        (θ,) = _copies(backend, [backend.asarray(start, "float64")])
        state = optimizer.begin(backend, θ)
        for g in gradients[:5]:
            after, state = optimizer.step(backend, θ, backend.asarray(g, "float64"), state)
            assert after is θ
        found.append([backend.to_numpy(a).copy() for a in (θ, *(state[name] for name in optimizer.buffers()))])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def _copies(backend, arrays):
    return [backend.xp.asarray(a, copy=True) for a in arrays]


def test_a_step_on_cupy_is_one_kernel():
    cudacpu = pytest.importorskip("cudacpu", reason="kernels are counted on the emulated device, which is not here")
    if not hasattr(cudacpu, "count"):  # only the sources of it
        pytest.skip("kernels are counted on the emulated device, which is not here")
    backend = xnn.get_backend("cupy")
    start, gradients = problem()
    for optimizer in VARIANTS:
        θ, g = backend.asarray(start, "float32"), backend.asarray(gradients[0], "float32")
        θ = backend.xp.asarray(θ, copy=True)
        state = optimizer.begin(backend, θ)
        for _ in range(7):  # every equation of the optimizer is compiled
            θ, state = optimizer.step(backend, θ, g, state)
        with cudacpu.count() as counted:
            for _ in range(3):
                θ, state = optimizer.step(backend, θ, g, state)
        assert counted.launch == 3, optimizer
        assert counted.h2d == counted.d2h == counted.sync == counted.malloc == 0, optimizer


# -- Kinds of theta ---------------------------------------------------------------------------------------------------


@one_of_each
def test_structures_are_updated_array_by_array(backend, optimizer):
    """A dictionary, a list and nested ones give what each array alone gives."""
    start, gradients = problem()

    def parts(x, dtype="float64"):
        return backend.asarray(x[:4].reshape(2, 2), dtype), backend.asarray(x[4:], dtype)

    alone, together = list(parts(start)), {}
    w, b = parts(start)
    together = {"dict": {"w": w, "b": b}, "list": [w, b], "nested": [{"layer": (w, b)}]}
    states = [optimizer.init(a) for a in alone]
    together_states = {k: optimizer.init(θ) for k, θ in together.items()}
    for g in gradients[:7]:
        gw, gb = parts(g)
        for i, gi in enumerate((gw, gb)):
            alone[i], states[i] = optimizer.update(alone[i], gi, states[i])
        given = {"dict": {"b": gb, "w": gw}, "list": [gw, gb], "nested": [{"layer": (gw, gb)}]}
        for k in together:
            together[k], together_states[k] = optimizer.update(together[k], given[k], together_states[k])
    for w, b in (together["dict"].values(), together["list"], together["nested"][0]["layer"]):
        assert np.array_equal(backend.to_numpy(w), backend.to_numpy(alone[0]))
        assert np.array_equal(backend.to_numpy(b), backend.to_numpy(alone[1]))
    assert list(together["dict"]) == ["w", "b"]
    assert type(together["nested"][0]["layer"]) is tuple
    assert together_states["dict"]["step"] == 7
    for name in optimizer.buffers():
        assert together_states["dict"][name].keys() == {"w", "b"}


@one_of_each
def test_a_number_is_an_array_without_axes(backend, optimizer):
    θ = backend.asarray(np.array(3.0), "float64")
    state = optimizer.init(θ)
    for _ in range(3):
        θ, state = optimizer.update(θ, backend.asarray(np.array(0.5), "float64"), state)
    line = np.array([3.0])
    line_state = optimizer.init(line)
    for _ in range(3):
        line, line_state = optimizer.update(line, np.array([0.5]), line_state)
    assert θ.shape == ()
    assert float(backend.to_numpy(θ)) == pytest.approx(line[0], rel=1e-14)
    assert line[0] < 3.0


@pytest.mark.parametrize("theta", [[1.0, 2.0], [1, 2], (1, 2.0), [np.float64(1), np.float32(2)], np.array([1, 2])])
def test_numbers_in_lists_are_one_array_in_float64(theta):
    optimizer = SGD(lr=0.5, momentum=0.5)
    new, state = optimizer.update(theta, [1, 2], optimizer.init(theta))
    assert isinstance(new, np.ndarray)
    assert new.dtype == np.float64
    assert new.tolist() == [0.5, 1.0]
    assert state["v"].tolist() == [1.0, 2.0]


def test_numbers_beside_arrays_take_their_data_type(backend):
    θ = {"w": backend.asarray(np.ones(2), "float32"), "b": 1, "c": [1.0, 2.0]}
    optimizer = Adam(lr=1.0)
    new, _ = optimizer.update(θ, {"w": backend.asarray(np.ones(2), "float32"), "b": 1, "c": [1, 2]}, optimizer.init(θ))
    assert new["b"].dtype == new["c"].dtype == θ["w"].dtype
    assert backend.to_numpy(new["c"]) == pytest.approx([0.0, 1.0], abs=1e-5)


def test_a_list_uses_the_current_backend():
    pytest.importorskip("torch")
    with xnn.use_backend("torch") as torch:
        new, _ = SGD(lr=1.0).update([1.0], [0.25], {"step": 0})
    assert torch.owns(new)
    assert new.tolist() == [0.75]


def test_a_recording_tensor_gives_a_plain_one():
    torch = pytest.importorskip("torch")
    θ = torch.nn.Parameter(torch.ones(2))
    optimizer = Adam()
    new, state = optimizer.update(θ, θ * 2, optimizer.init(θ))
    assert not new.requires_grad
    assert not state["m"].requires_grad


@pytest.mark.parametrize("shape", [(0,), (3, 0)])
def test_empty_arrays_stay_empty(backend, shape):
    θ = backend.asarray(np.zeros(shape), "float64")
    optimizer = Adam()
    new, state = optimizer.update(θ, θ, optimizer.init(θ))
    assert new.shape == state["m"].shape == shape


def test_an_empty_dictionary_stays_one():
    optimizer = Adam()
    new, state = optimizer.update({}, {}, optimizer.init({}))
    assert new == {}
    assert state == {"step": 1, "m": {}, "v": {}}


# -- Step sizes -------------------------------------------------------------------------------------------------------


def test_a_schedule_is_asked_for_each_step(backend):
    asked = []

    def schedule(step):
        asked.append(step)
        return 1.0 / (1 + step)

    optimizer = SGD(lr=schedule)
    one = backend.asarray(np.ones(2), "float64")
    θ, state = backend.asarray(np.zeros(2), "float64"), {"step": 0}
    for _ in range(4):
        θ, state = optimizer.update(θ, one, state)
    assert asked == [0, 1, 2, 3]
    assert backend.to_numpy(θ) == pytest.approx([-(1 + 1 / 2 + 1 / 3 + 1 / 4)] * 2, rel=1e-14)


@one_of_each
def test_lr_scale_multiplies_the_step_size(optimizer):
    start, gradients = problem()
    host = xnn.get_backend("numpy")
    state = optimizer.init(start)
    whole, _ = optimizer.update(start, gradients[0], state)
    half, _ = optimizer.update(start, gradients[0], state, lr_scale=0.5)
    flat = start.copy()
    flat, _ = optimizer.step(host, flat, gradients[0], optimizer.begin(host, flat), 0.5)
    assert np.array_equal(flat, half)
    assert np.abs(whole - start).max() > 1e-4
    assert half - start == pytest.approx(0.5 * (whole - start), rel=1e-9)


def test_an_equation_that_returns_too_little_is_named(backend):
    @dataclass(frozen=True)
    class Forgetful(Optimizer):
        def buffers(self):
            return {"v": 0.0}

        def rule(self, numbers, η):
            return lambda xp, θ, g, v: None, {}

    network = xnn.Network([xnn.Dense(1)], inputs=1, backend=backend)
    with pytest.raises((TypeError, ValueError)) as caught:
        network.fit([1.0], [1.0], loss=xnn.SquaredError(), optimizer=Forgetful())
    assert caught.value.__notes__ == ["in the update of Forgetful, whose equation returns θ and ['v']"]


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, None, "fast", np.ones(2)])
def test_a_schedule_that_gives_no_step_size_raises(value):
    optimizer = SGD(lr=lambda step: value)
    with pytest.raises(ValueError, match=r"SGD: the schedule .* gave .* after 0 updates"):
        optimizer.update([1.0], [1.0], {"step": 0})


def test_weight_decay_is_the_half_square_penalty_and_decouples_in_adamw():
    θ, g = np.array([2.0, -3.0]), np.array([0.5, 0.5])
    new, _ = SGD(lr=0.1, weight_decay=0.2).update(θ, g, {"step": 0})
    assert new == pytest.approx(θ - 0.1 * (g + L2(0.2, half=True).gradient(θ)), rel=1e-15)
    optimizer = AdamW(lr=0.1, weight_decay=0.2)
    new, _ = optimizer.update(θ, np.zeros(2), optimizer.init(θ))
    assert new == pytest.approx(0.98 * θ, rel=1e-15)


def test_centered_rmsprop_survives_a_constant_gradient():
    """v − m² is 0 but for rounding, which must not be drawn a root of when it is below 0."""
    θ, g = np.zeros(200), np.linspace(0.1, 3.0, 200)
    optimizer = RMSprop(centered=True, alpha=0.3)
    state = optimizer.init(θ)
    for _ in range(100):
        θ, state = optimizer.update(θ, g, state)
    assert np.isfinite(θ).all()
    assert (state["v"] - state["m"] ** 2 < 0.0).any()


def test_rprop_sees_signs_where_products_underflow():
    θ, g = np.zeros(1, np.float32), np.full(1, 1e-30, np.float32)
    optimizer = Rprop(lr=0.1)
    θ, state = optimizer.update(θ, g, optimizer.init(θ))
    θ, state = optimizer.update(θ, g, state)
    assert state["delta"][0] == pytest.approx(0.12)
    assert θ[0] == pytest.approx(-0.22)


# -- Settings and errors ----------------------------------------------------------------------------------------------


def test_settings_become_python_floats():
    optimizer = Adam(lr=np.float64(0.5), betas=[np.float32(0.5), 0], eps=1)
    assert vars(optimizer) == {"lr": 0.5, "betas": (0.5, 0.0), "eps": 1.0, "weight_decay": 0.0, "amsgrad": False}
    assert all(type(x) is float for x in (optimizer.lr, *optimizer.betas, optimizer.eps))
    with pytest.raises(FrozenInstanceError):
        optimizer.lr = 1.0


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (SGD, {"lr": 0}, r"SGD: lr.* must lie in \(0, inf\), got 0"),
        (SGD, {"lr": -1.0}, "SGD: lr"),
        (SGD, {"lr": math.nan}, "SGD: lr"),
        (SGD, {"lr": math.inf}, "SGD: lr"),
        (SGD, {"momentum": -0.1}, r"SGD: momentum must lie in \[0, inf\), got -0.1"),
        (SGD, {"weight_decay": -0.1}, "SGD: weight_decay"),
        (SGD, {"nesterov": True}, "nesterov=True needs momentum > 0 and dampening = 0"),
        (SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "nesterov=True needs"),
        (Adam, {"betas": (0.9, 1.0)}, r"Adam: betas\[1\] must lie in \[0, 1\), got 1.0"),
        (AdamW, {"betas": (-0.1, 0.9)}, r"AdamW: betas\[0\]"),
        (Adam, {"betas": (0.9,)}, "Adam: betas must be a pair"),
        (Adamax, {"eps": -1e-8}, "Adamax: eps"),
        (NAdam, {"momentum_decay": -1}, "NAdam: momentum_decay"),
        (RAdam, {"weight_decay": -1}, "RAdam: weight_decay"),
        (RMSprop, {"alpha": 1.5}, "RMSprop: alpha"),
        (Adagrad, {"initial_accumulator_value": -1}, "Adagrad: initial_accumulator_value"),
        (Adagrad, {"lr_decay": -1}, "Adagrad: lr_decay"),
        (Adadelta, {"rho": 1.5}, "Adadelta: rho"),
        (Rprop, {"etas": (1.2, 0.5)}, "Rprop: etas"),
        (Rprop, {"step_sizes": (2.0, 1.0)}, "Rprop: step_sizes"),
        (Adam, {"betas": 0.9}, "Adam: betas must be a pair of numbers, got 0.9"),
    ],
)
def test_settings_outside_their_interval_raise(kind, settings, message):
    with pytest.raises(ValueError, match=message):
        kind(**settings)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (SGD, {"lr": "fast"}, "SGD: lr.* must be a number"),
        (SGD, {"lr": None}, "SGD: lr"),
        (SGD, {"momentum": True}, "SGD: momentum must be a number"),
        (Adam, {"lr": Adam}, "Adam: lr is the class Adam; give one of its objects"),
        (Adam, {"betas": (0.9, "x")}, r"Adam: betas\[1\]"),
        (Rprop, {"lr": lambda step: 0.1}, "Rprop: lr must be a number"),
        (Adam, {"eps": (1e-8, 1e-8)}, "Adam: eps must be a number"),
        (Adam, {"amsgrad": "no"}, "Adam: amsgrad must be True or False, got 'no'"),
        (xnn.SquaredError, {"half": 0.5}, "SquaredError: half must be True or False, got 0.5"),
        (xnn.PoissonNLL, {"log_input": 1e-8}, "PoissonNLL: log_input must be True or False"),
    ],
)
def test_settings_that_are_no_numbers_raise(kind, settings, message):
    with pytest.raises(TypeError, match=message):
        kind(**settings)


def test_settings_of_numpy_become_those_of_python():
    optimizer = SGD(momentum=np.float32(0.5), nesterov=np.True_)
    assert (type(optimizer.momentum), optimizer.nesterov) == (float, True)
    assert repr(optimizer) == "SGD(lr=0.001, momentum=0.5, dampening=0.0, weight_decay=0.0, nesterov=True)"


@pytest.mark.parametrize(
    ("theta", "gradient", "message"),
    [
        (np.ones(2), np.ones(3), r"gradient must have the shape of theta, \(2,\); got \(3,\)"),
        (np.ones(2), np.ones((2, 1)), r"gradient must have the shape of theta, \(2,\); got \(2, 1\)"),
        (np.ones(()), np.ones(1), r"gradient must have the shape of theta, \(\); got \(1,\)"),
        ({"w": np.ones(2)}, {"w": np.ones(3)}, r"gradient\['w'\] must have the shape of theta\['w'\]|theta, \(2,\)"),
        ({"w": np.ones(2)}, {"b": np.ones(2)}, r"gradient must have the keys of theta, \['w'\]; got \['b'\]"),
        ({"w": np.ones(2)}, np.ones(2), r"gradient must be a dictionary with the keys \['w'\], like theta"),
        ([np.ones(2), np.ones(2)], [np.ones(2)], r"gradient must have the keys of theta, \[0, 1\]; got \[0\]"),
        (
            {"w": [np.ones(2), np.ones(2)]},
            {"w": [np.ones(2)]},
            r"gradient\['w'\] must have the keys of theta\['w'\], \[0, 1\]; got \[0\]",
        ),
        (
            {"w": [np.ones(2), np.ones(2)]},
            {"w": {}},
            r"gradient\['w'\] must be a list of 2, like theta\['w'\]; got dict",
        ),
        ({"w": [np.ones(2), np.ones(2)]}, {"w": [np.ones(2), np.ones(3)]}, r"gradient\['w'\]\[1\] must have the shape"),
    ],
)
def test_a_gradient_of_another_form_raises(theta, gradient, message):
    optimizer = Adam()
    with pytest.raises(ValueError, match=message):
        optimizer.update(theta, gradient, optimizer.init(theta))


@pytest.mark.parametrize(
    ("theta", "gradient", "message"),
    [
        (np.ones(2), None, "gradient is None"),
        (np.ones(2), ["a", "b"], "gradient: expected an array"),
        (np.ones(2), {"w": np.ones(2)}, "gradient: expected an array"),
        (np.ones(2), np.ones(2) * 1j, "gradient: expected real numbers"),
        (np.ones(2) * 1j, np.ones(2), "theta: expected real numbers"),
        (np.ones(2, bool), np.ones(2), "theta: expected real numbers"),
        ([1j], [1.0], "theta: expected an array, or real numbers"),
        ("abc", [1.0], "theta: expected an array"),
        ([[1.0], [1.0, 2.0]], [1.0], "theta: expected an array"),
    ],
)
def test_what_is_no_real_number_raises(theta, gradient, message):
    optimizer = SGD()
    with pytest.raises(TypeError, match=message):
        optimizer.update(theta, gradient, {"step": 0})


def test_mixed_libraries_raise():
    torch = pytest.importorskip("torch")
    optimizer = SGD()
    with pytest.raises(TypeError, match="gradient is an array of torch"):
        optimizer.update(np.ones(2), torch.ones(2), {"step": 0})
    with pytest.raises(TypeError, match=r"theta\['a'\] is an array of numpy, theta\['b'\] is an array of torch"):
        optimizer.init({"a": np.ones(2), "b": torch.ones(2)})


def test_a_state_of_another_optimizer_raises():
    with pytest.raises(ValueError, match=r"state has no 'm', which Adam\(.*optimizer.init"):
        Adam().update([1.0], [1.0], SGD().init([1.0]))


def test_an_optimizer_of_ones_own(backend):
    @dataclass(frozen=True)
    class Heavy(Optimizer):
        def buffers(self):
            return {"v": 0.0}

        def rule(self, numbers, η):
            return heavy_ball, {"η": η, "μ": 0.9}

    start, gradients = problem()
    ours, known = Heavy(lr=0.01), SGD(lr=0.01, momentum=0.9)
    θ = φ = backend.asarray(start, "float64")
    s, t = ours.init(θ), known.init(φ)
    for g in gradients[:5]:
        g = backend.asarray(g, "float64")
        θ, s = ours.update(θ, g, s)
        φ, t = known.update(φ, g, t)
    assert np.array_equal(backend.to_numpy(θ), backend.to_numpy(φ))


def heavy_ball(xp, θ, g, v, *, η, μ):
    v *= μ
    v += g
    θ -= η * v
    return θ, v


def test_what_was_before_may_be_remembered(backend, rng):
    """The old θ as a new buffer, before it is written over: what updates by hand do."""

    @dataclass(frozen=True)
    class Before(Optimizer):
        def buffers(self):
            return {"before": 0.0}

        def rule(self, numbers, η):
            return two_steps, {"η": η, "μ": 0.5}

    x, y, loss, optimizer = rng.normal(size=(20, 3)), rng.normal(size=(20, 2)), xnn.SquaredError(), Before(lr=0.01)
    fitted, by_hand = (xnn.Network([xnn.Dense(2)], inputs=3, backend=backend, dtype="float64", seed=0) for _ in "ab")
    fitted.fit(x, y, loss=loss, optimizer=optimizer, epochs=4, batch_size=20)
    state = optimizer.init(by_hand.parameters)
    for _ in range(4):
        θ, state = optimizer.update(by_hand.parameters, by_hand.gradients(x, y, loss)[1], state)
        by_hand.set_parameters(θ)
    assert scaled_error(backend.to_numpy(fitted.flat), backend.to_numpy(by_hand.flat)) < 1e-13


def two_steps(xp, θ, g, before, *, η, μ):
    return θ - η * g + μ * (θ - before), θ


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adam_as_the_paper_has_it(backend, rng, dtype):
    """Arithmetic between scalars is Python's, in double precision, on every backend."""

    @dataclass(frozen=True)
    class Textbook(Optimizer):
        def buffers(self):
            return {"m": 0.0, "v": 0.0}

        def rule(self, numbers, η):
            return textbook, {"η": η, "β1": 0.9, "β2": 0.999, "t": numbers["step"]}

    x, y, flat = rng.normal(size=(20, 3)), rng.normal(size=(20, 2)), []
    for optimizer in (Textbook(lr=0.01), Adam(lr=0.01)):
        network = xnn.Network([xnn.Dense(2)], inputs=3, backend=backend, dtype=dtype, seed=0)
        network.fit(x, y, loss=xnn.SquaredError(), optimizer=optimizer, epochs=4, batch_size=20)
        flat.append(backend.to_numpy(network.flat))
    assert flat[0].dtype == dtype
    assert scaled_error(*flat) < (1e-14 if dtype == "float64" else 1e-6)


def textbook(xp, θ, g, m, v, *, η, β1, β2, t):
    m = β1 * m + (1 - β1) * g
    v = β2 * v + (1 - β2) * xp.abs(g) ** 2
    if t > 0:
        θ -= η * (m / (1 - β1**t)) / (xp.sqrt(v / (1 - β2**t)) + 1e-8)
    return θ, m, v


def test_a_parameter_of_another_shape_is_told(backend, rng):
    @dataclass(frozen=True)
    class Mean(Optimizer):
        def rule(self, numbers, η):
            return all_alike, {"η": η}

    x, y, loss = rng.normal(size=(20, 3)), rng.normal(size=(20, 2)), xnn.SquaredError()
    network = xnn.Network([xnn.Dense(2)], inputs=3, backend=backend, seed=0)
    words = r"equation must return θ and its buffers in the shapes .* 1 times \(8,\); got \[\(\)\]"
    with pytest.raises(ValueError, match=words):
        network.fit(x, y, loss=loss, optimizer=Mean())
    θ = backend.asarray([1.0, 2.0])
    with pytest.raises(ValueError, match=r"1 times \(2,\); got \[\(\)\]"):
        Mean().update(θ, θ, Mean().init(θ))


def all_alike(xp, θ, g, *, η):
    return (xp.mean(θ - η * g),)


def a_part(xp, θ, g, *, η):
    θ[:3] -= η * g[:3]
    return (θ,)


def a_part_by_name(xp, θ, g, *, η):
    part = θ[1:]
    part *= 1 - η
    return (θ,)


def after_a_change(xp, θ, g, *, η):
    whole = θ
    θ -= η * g
    return (whole + θ,)


def reshaped(xp, θ, g, *, η):
    row = xp.reshape(θ, (1, -1))
    row -= η * g
    return (θ,)


def part_for_part(xp, θ, g, *, η):
    θ *= 1 - η
    return (xp.where(g > 0, θ - η * g, θ),)


def by_the_norm(xp, θ, g, *, η):
    return (θ - η * g / xp.sqrt(xp.sum(g * g)),)


def changes_the_gradient(xp, θ, g, *, η):
    g *= η
    θ -= g
    return (θ,)


EQUATIONS = (a_part, a_part_by_name, after_a_change, reshaped, part_for_part, by_the_norm, changes_the_gradient)


@pytest.mark.parametrize("equation", EQUATIONS, ids=lambda equation: equation.__name__)
def test_an_equation_of_ones_own_does_what_stands_there(backend, monkeypatch, equation):
    """Whole, in parts, and under other names of its arrays; on all entries at once, where others go in blocks."""
    if backend.immutable and equation in EQUATIONS[:4]:
        pytest.skip("parts of its arrays are arrays of their own")

    @dataclass(frozen=True)
    class Own(Optimizer):
        def rule(self, numbers, η):
            return equation, {"η": η}

    if backend.block is not None:
        monkeypatch.setattr(backend, "block", 4)
    start, gradient = np.linspace(-1, 1, 7), np.linspace(2, -1, 7)
    (expected,) = equation(np, start.copy(), gradient.copy(), η=0.1)
    stepped, given, g = (backend.xp.asarray(backend.asarray(a), copy=True) for a in (start, start, gradient))
    updated, _ = Own(lr=0.1).update(given, g, Own().init(given))
    assert (backend.to_numpy(given) == start).all()
    assert (backend.to_numpy(g) == gradient).all()
    stepped, _ = Own(lr=0.1).step(backend, stepped, g, Own().begin(backend, stepped))
    assert scaled_error(backend.to_numpy(updated), expected) < 1e-15
    assert scaled_error(backend.to_numpy(stepped), expected) < 1e-15


def test_an_equation_that_returns_no_tuple_is_told(backend):
    @dataclass(frozen=True)
    class NoTuple(Optimizer):
        def rule(self, numbers, η):
            return heavy_ball_without_v, {"η": η}

    network = xnn.Network([xnn.Dense(2)], inputs=3, backend=backend, seed=0)
    with pytest.raises(TypeError, match=r"in a tuple, 1 in all \(one alone is written θ,\); got "):
        network.fit(np.ones((4, 3)), np.ones((4, 2)), loss=xnn.SquaredError(), optimizer=NoTuple())


def heavy_ball_without_v(xp, θ, g, *, η):
    return θ - η * g
