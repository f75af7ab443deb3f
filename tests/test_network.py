"""The network: its parameters, its modes, what it takes and what it refuses."""

import copy
from dataclasses import dataclass

import array_api_compat
import numpy as np
import pytest

import xnn


@dataclass(frozen=True)
class Scale(xnn.Layer):
    """y = s·x with one learned number s."""

    def parameters(self, inputs):
        return {"scale": xnn.Parameter((), "ones")}

    def forward(self, xp, x, s):
        return s * x, ()

    def delta(self, xp, δ, y, kept, x, s):
        return s * δ

    def gradients(self, xp, δ, y, kept, x, s):
        return (xp.sum(δ * x),)


def small(backend, dtype="float64", seed=0):
    return xnn.Network(
        [xnn.Dense(4), xnn.BatchNorm(), xnn.Tanh(), xnn.Dropout(0.5), xnn.Dense(2)],
        inputs=3,
        backend=backend,
        dtype=dtype,
        seed=seed,
    )


@pytest.fixture
def xy(rng):
    return rng.normal(size=(5, 3)), rng.normal(size=(5, 2))


def test_parameters_have_names_shapes_and_an_order(backend):
    network = small(backend)
    shapes = {name: tuple(a.shape) for name, a in network.parameters.items()}
    assert shapes == {
        "0.weight": (4, 3), "0.bias": (4,), "1.weight": (4,), "1.bias": (4,), "4.weight": (2, 4), "4.bias": (2,),
    }  # fmt: skip
    assert list(network.parameters) == list(shapes)
    assert set(network.buffers) == {"1.running_mean", "1.running_var"}


def test_what_is_returned_is_the_callers(backend, xy):
    network = small(backend)
    before = {name: backend.to_numpy(a).copy() for name, a in network.parameters.items()}
    parameters, buffers = network.parameters, network.buffers
    outputs = network.forward(backend.asarray(xy[0], "float64"))
    kept = backend.to_numpy(outputs).copy()
    network.fit(*xy, loss=xnn.MeanSquaredError(), epochs=2, batch_size=2)
    for name, a in parameters.items():
        np.testing.assert_array_equal(backend.to_numpy(a), before[name])
    np.testing.assert_array_equal(backend.to_numpy(buffers["1.running_mean"]), 0)
    np.testing.assert_array_equal(backend.to_numpy(outputs), kept)
    assert not np.array_equal(backend.to_numpy(network.parameters["0.weight"]), before["0.weight"])


def test_set_parameters_copies_some_or_all(backend):
    network = small(backend)
    mine = np.ones((2, 4))
    network.set_parameters({"4.weight": mine, "4.bias": [1, 2]})
    mine[:] = 7
    np.testing.assert_array_equal(backend.to_numpy(network.parameters["4.weight"]), 1)
    np.testing.assert_array_equal(backend.to_numpy(network.parameters["4.bias"]), [1, 2])
    strict = xnn.get_backend("array_api_strict")
    network.set_parameters({"4.bias": strict.asarray([3.0, 4.0])})  # of any library
    np.testing.assert_array_equal(backend.to_numpy(network.parameters["4.bias"]), [3, 4])


def test_set_parameters_changes_nothing_when_it_fails(backend):
    network = small(backend)
    before = backend.to_numpy(network.parameters["4.bias"])
    with pytest.raises(ValueError, match=r"'4.weight' has shape \(2, 4\); got an array of shape \(4, 2\)"):
        network.set_parameters({"4.bias": [9, 9], "4.weight": np.ones((4, 2))})
    with pytest.raises(KeyError, match=r"unknown parameters \['5.weight'\]"):
        network.set_parameters({"4.bias": [9, 9], "5.weight": np.ones(2)})
    np.testing.assert_array_equal(backend.to_numpy(network.parameters["4.bias"]), before)


def test_set_parameters_says_where_buffers_go():
    network = xnn.Network([xnn.Dense(2), xnn.BatchNorm()], inputs=3)
    state = {"0.bias": [1.0, 2.0], "1.running_mean": [0.0, 0.0]}  # as in a state_dict of PyTorch
    told = (
        r"unknown parameters \['1.running_mean'\].*and \['1.running_mean', '1.running_var'\], which set_buffers takes"
    )
    with pytest.raises(KeyError, match=told):
        network.set_parameters(state)


def test_the_same_library_comes_out_that_went_in(backend, xy):
    network = small(backend)
    inside = network.predict(backend.asarray(xy[0], "float64"))
    assert backend.owns(inside)
    assert backend.owns(network.predict(xy[0].tolist()))  # lists: the backend's
    outside = network.predict(xy[0])
    assert isinstance(outside, np.ndarray)
    np.testing.assert_array_equal(outside, backend.to_numpy(inside))
    cost, gradients = network.gradients(xy[0], xy[1], xnn.MeanSquaredError())
    assert backend.owns(cost)
    assert all(backend.owns(g) for g in gradients.values())


@dataclass(frozen=True)
class Promoting(Scale):
    """s·x in float64, as by a number of NumPy, in every equation."""

    def forward(self, xp, x, s):
        return xp.astype(s * x, xp.float64), ()

    def delta(self, xp, δ, y, kept, x, s):
        assert δ.dtype == y.dtype == x.dtype
        return xp.astype(s * δ, xp.float64)

    def gradients(self, xp, δ, y, kept, x, s):
        return (xp.astype(xp.sum(δ * x), xp.float64),)


@dataclass(frozen=True)
class Pinball(xnn.Loss):
    """L = Σⱼ max(0.9 e, −0.1 e) with e = a − y, in float64."""

    def examples(self, xp, a, y):
        slopes = xp.astype(a > y, xp.float64) - 0.1
        return xp.sum(slopes * xp.astype(a - y, xp.float64), axis=1), slopes


class Huge(xnn.losses.Elementwise):
    """ℓ = e²/2 in float64."""

    def elements(self, xp, a, y, c):
        e = xp.astype(a - y, xp.float64)
        return 0.5 * e * e, c * e


@dataclass(frozen=True)
class Step(xnn.Optimizer):
    """θ − ηg in float64."""

    def rule(self, numbers, η):
        return step_in_float64, {"η": η}


def step_in_float64(xp, θ, g, *, η):
    return (xp.astype(θ - η * g, xp.float64),)


@pytest.mark.parametrize("loss", [Pinball(), Huge()], ids=["examples", "elements"])
def test_what_equations_of_ones_own_promote_keeps_the_type_of_the_network(backend, rng, loss):
    network = xnn.Network([xnn.Dense(2), Promoting(), xnn.Dense(2)], inputs=3, backend=backend, seed=0)
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    network.fit(x, y, loss=loss, optimizer=Step(), epochs=2)
    cost, gradients = network.gradients(x, y, loss)
    single = backend.dtype("float32")
    for a in (cost, *gradients.values(), network.flat, network.forward(x[:2].tolist())):
        assert a.dtype == single
    θ, _ = Step().update(network.flat, network.flat, Step().init(network.flat))
    assert θ.dtype == single


class Complex(xnn.Layer):
    """z = x + i x²."""

    def forward(self, xp, x):
        return xp.astype(x, xp.complex128) + 1j * xp.astype(x * x, xp.complex128), ()

    def delta(self, xp, δ, y, kept, x):
        return xp.real(δ) + 2.0 * x * xp.imag(δ)


class Power(xnn.Layer):
    """y = |z|²."""

    def forward(self, xp, z):
        return xp.real(z) ** 2 + xp.imag(z) ** 2, ()

    def delta(self, xp, δ, y, kept, z):
        return 2.0 * xp.astype(δ, z.dtype) * z


class Polynomial(xnn.Layer):
    """The two together, y = x² + x⁴."""

    def forward(self, xp, x):
        return x**2 + x**4, ()

    def delta(self, xp, δ, y, kept, x):
        return δ * (2.0 * x + 4.0 * x**3)


def test_complex_numbers_may_flow_between_layers_of_ones_own(backend, rng):
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    through, real = (
        xnn.Network([xnn.Dense(4), *own, xnn.Dense(2)], inputs=3, backend=backend, dtype="float64", seed=0)
        for own in ([Complex(), Power()], [Polynomial()])
    )
    for _ in range(2):
        (cost, found), (other, expected) = (n.gradients(x, y, xnn.MeanSquaredError()) for n in (through, real))
        np.testing.assert_allclose(backend.to_numpy(cost), backend.to_numpy(other), rtol=1e-12)
        for a, b in zip(found.values(), expected.values(), strict=True):
            np.testing.assert_allclose(backend.to_numpy(a), backend.to_numpy(b), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_type_of_the_network_is_kept(backend, dtype, rng):
    network = small(backend, dtype)
    wanted = backend.dtype(dtype)
    for x in (rng.integers(0, 9, (5, 3)), rng.normal(size=(5, 3)), rng.normal(size=(5, 3)).astype("float32")):
        cost, gradients = network.gradients(x, rng.normal(size=(5, 2)), xnn.SquaredError(), penalty=xnn.L2(0.1))
        assert cost.dtype == wanted
        assert all(g.dtype == wanted for g in gradients.values())
        assert network.forward(backend.asarray(x)).dtype == wanted
    network.fit(x, np.zeros((5, 2)), loss=xnn.SquaredError(), clip_norm=1.0, epochs=2)
    assert all(a.dtype == wanted for a in [*network.parameters.values(), *network.buffers.values()])


def test_modes(backend, xy):
    network = small(backend)
    x, y = xy
    prediction = network.forward(x)
    np.testing.assert_array_equal(network.forward(x), prediction)  # nothing moved
    training = network.forward(x, training=True)
    np.testing.assert_array_equal(network.forward(x, training=True), training)  # the coming step, again
    assert not np.allclose(training, prediction)
    assert network.step == 0
    loss = xnn.MeanSquaredError()
    cost, _ = network.gradients(x, y, loss)
    np.testing.assert_allclose(backend.to_numpy(cost), loss(training, y), rtol=1e-12)  # that step it was
    assert network.step == 1
    moved = network.buffers
    assert not np.allclose(backend.to_numpy(moved["1.running_mean"]), 0)
    assert not np.allclose(network.forward(x, training=True), training)  # new masks
    network.deltas(x, y, loss)
    network.gradients(x, y, loss, training=False)
    assert network.step == 1
    np.testing.assert_array_equal(
        backend.to_numpy(network.buffers["1.running_mean"]), backend.to_numpy(moved["1.running_mean"])
    )


def test_apply_is_pure(backend, xy):
    network = small(backend)
    x = backend.asarray(xy[0], "float64")
    parameters = network.parameters
    np.testing.assert_array_equal(backend.to_numpy(network.apply(parameters, x)), backend.to_numpy(network.forward(x)))
    doubled = {name: 2 * a for name, a in parameters.items()}
    assert not np.allclose(backend.to_numpy(network.apply(doubled, x)), backend.to_numpy(network.forward(x)))
    on_host = {name: backend.to_numpy(a) for name, a in parameters.items()}  # in the library of its arguments
    assert isinstance(network.apply(on_host, xy[0]), np.ndarray)
    with pytest.raises(KeyError, match="apply takes all parameters"):
        network.apply({"0.weight": parameters["0.weight"]}, x)


def test_numbers_are_examples_of_one_input(backend):
    network = xnn.Network([xnn.Dense(1)], inputs=1, backend=backend, dtype="float64")
    network.set_parameters({"0.weight": [[2.0]], "0.bias": [1.0]})
    np.testing.assert_allclose(network.predict(np.asarray([0.0, 1.0, 2.0])), [[1], [3], [5]])


def test_pieces_of_a_prediction_make_the_whole(backend, rng):
    network = small(backend)
    x = rng.normal(size=(7, 3))
    np.testing.assert_allclose(network.predict(x, batch_size=3), network.predict(x), rtol=1e-12)
    assert network.predict(x[:0]).shape == (0, 2)


class Table:
    """As those of pandas: it has a shape and becomes an array, but takes no rows as an array does."""

    def __init__(self, values):
        self.values, self.shape = values, values.shape

    def __array__(self, dtype=None, copy=None):
        return self.values


def test_tables_and_lists_are_predicted_in_pieces(backend, rng, monkeypatch):
    network, sizes = small(backend), []
    x = rng.normal(size=(7, 3))
    whole = network.predict(x)
    forward = xnn.Network.forward
    monkeypatch.setattr(xnn.Network, "forward", lambda self, x: (sizes.append(x.shape[0]), forward(self, x))[1])
    for given in (Table(x), x.tolist()):
        found = network.predict(given, batch_size=3)
        assert backend.owns(found)
        np.testing.assert_allclose(backend.to_numpy(found), whole, rtol=1e-12)
    assert sizes == [3, 3, 1, 3, 3, 1]


def test_bfloat16_of_pytorch_on_other_libraries(backend):
    torch = pytest.importorskip("torch")
    x = torch.ones(2, 3, dtype=torch.bfloat16)
    predicted = small(backend).predict(x)
    assert predicted.dtype is torch.float64
    np.testing.assert_array_equal(predicted, small(backend).predict(x.double()))


def test_a_layer_of_ones_own(backend, xy):
    network = xnn.Network([Scale(), xnn.Dense(2), Scale()], inputs=3, backend=backend, dtype="float64", seed=1)
    assert list(network.parameters) == ["0.scale", "1.weight", "1.bias", "2.scale"]
    loss = xnn.SquaredError()
    _, gradients = network.gradients(*xy, loss)
    step = 1e-6
    for name in ("0.scale", "2.scale"):
        costs = []
        for s in (1 + step, 1 - step):
            network.set_parameters({name: s})
            costs.append(float(loss(network.predict(xy[0]), xy[1])))
        network.set_parameters({name: 1.0})
        np.testing.assert_allclose(float(gradients[name]), (costs[0] - costs[1]) / (2 * step), rtol=1e-7)


def test_per_example_gradients_of_examples_with_several_axes(backend, rng):
    layers = [xnn.Dense(4), xnn.LayerNorm(), xnn.Dense(3, bias=False), xnn.Flatten()]
    network = xnn.Network(layers, inputs=(4, 2), backend=backend, dtype="float64", seed=2)
    x, y, loss = rng.normal(size=(4, 4, 2)), rng.normal(size=(4, 12)), xnn.SquaredError()
    each = network.gradients(x, y, loss, per_example=True)[1]
    for i in range(4):
        for name, alone in network.gradients(x[i : i + 1], y[i : i + 1], loss)[1].items():
            np.testing.assert_allclose(backend.to_numpy(each[name])[i], backend.to_numpy(alone), rtol=1e-12, atol=1e-13)


@dataclass(frozen=True)
class Total(xnn.Layer):
    """Equations with mistakes: one output an example, of which ``outputs`` knows nothing; a gradient too short."""

    def parameters(self, inputs):
        return {"scale": xnn.Parameter(inputs, "ones")}

    def forward(self, xp, x, s):
        return xp.sum(s * x, axis=1, keepdims=True), ()

    def gradients(self, xp, δ, y, kept, x, s):
        return (xp.sum(δ * x),)


class TotalOfOne(Total):
    def outputs(self, inputs):
        return (1,)


class Doubled(xnn.Layer):
    def forward(self, xp, x):
        return 2 * x, ()


def test_mistakes_in_a_layer_of_ones_own_are_told(backend, xy):
    x, loss = xy[0], xnn.SquaredError()

    def gradients(*layers):
        network = xnn.Network(layers, inputs=3, backend=backend, dtype="float64", seed=1)
        with pytest.raises((ValueError, NotImplementedError, TypeError, RuntimeError)) as caught:
            network.gradients(x, np.ones((5, *network.shapes[-1])), loss)
        assert network.step == 0
        return " ".join([str(caught.value), *getattr(caught.value, "__notes__", [])])

    assert "layer 0 (Total): its outputs() says that an example has the shape (3,); forward gave (1,)" in (
        gradients(Total(), xnn.Tanh())
    )
    assert "in layer 1 (Dense), feed-forward, with x of shape (5, 1)" in gradients(Total(), xnn.Dense(2))
    words = gradients(TotalOfOne())
    assert "must have the shapes of the parameters, [(3,)]; got [()] in layer 0 (TotalOfOne), backprop" in words
    assert "Doubled has no equation for the error of the layer below, delta in layer 1" in (
        gradients(xnn.Dense(1), Doubled())
    )


def test_per_example_gradients_and_weights(backend, xy):
    network = xnn.Network(
        [xnn.Dense(3), xnn.LayerNorm(), xnn.PReLU(), xnn.Dense(2)], inputs=3, backend=backend, dtype="float64", seed=2
    )
    loss, w = xnn.SquaredError(), [1.0, 0.0, 2.0, 1.0, 0.5]
    cost, total = network.gradients(*xy, loss, sample_weight=w, penalty=xnn.L1(0.1))
    same, each = network.gradients(*xy, loss, sample_weight=w, penalty=xnn.L1(0.1), per_example=True)
    np.testing.assert_allclose(float(cost), float(same), rtol=1e-14)
    for name in total:
        assert each[name].shape == (5, *total[name].shape)
        np.testing.assert_allclose(
            backend.to_numpy(each[name]).mean(axis=0), backend.to_numpy(total[name]), rtol=1e-12, atol=1e-14
        )
    twice = [0, 2, 2, 3, 3, 4]  # a weight of 2 is the example twice (×2: 2, 0, 4, 2, 1)
    rows = np.asarray([0, 0, 2, 2, 2, 2, 3, 3, 4])
    assert len(twice) == 6
    _, repeated = network.gradients(xy[0][rows], xy[1][rows], loss, penalty=xnn.L1(0.1))
    for name in total:
        np.testing.assert_allclose(
            backend.to_numpy(repeated[name]), backend.to_numpy(total[name]), rtol=1e-12, atol=1e-14
        )


def test_penalties_leave_biases_alone(backend, xy):
    network = small(backend)
    loss = xnn.SquaredError()
    plain, g = network.gradients(*xy, loss, training=False)
    cost, h = network.gradients(*xy, loss, training=False, penalty=xnn.L2(0.3))
    weights = {name: backend.to_numpy(a) for name, a in network.parameters.items() if name in ("0.weight", "4.weight")}
    np.testing.assert_allclose(
        float(cost), float(plain) + 0.3 * sum((w**2).sum() for w in weights.values()), rtol=1e-12
    )
    for name in g:
        slope = 0.6 * weights[name] if name in weights else 0.0
        np.testing.assert_allclose(backend.to_numpy(h[name]), backend.to_numpy(g[name]) + slope, rtol=1e-12, atol=1e-15)


def test_the_seed_repeats_a_network(backend):
    a, b, c = small(backend, seed=5), small(backend, seed=5), small(backend, seed=6)
    np.testing.assert_array_equal(backend.to_numpy(a.flat), backend.to_numpy(b.flat))
    assert not np.array_equal(backend.to_numpy(a.flat), backend.to_numpy(c.flat))
    drawn = small(backend, seed=None)
    again = small(backend, seed=drawn.seed)
    np.testing.assert_array_equal(backend.to_numpy(drawn.flat), backend.to_numpy(again.flat))


def test_summary():
    text = small("numpy", "float32").summary()
    assert "Dense(4)" in text
    assert "(2,)" in text
    assert "34 parameters, float32, numpy on cpu" in text
    assert repr(small("numpy")).startswith(" ")


def test_integers_of_numpy_are_integers():
    network = xnn.Network([xnn.Dense(np.int64(2))], inputs=np.int64(3), seed=np.int64(4))
    assert network.inputs == (3,)
    assert network.seed == 4


def test_copies_are_networks_of_their_own(backend, xy):
    network = small(backend)
    for copied in (copy.copy(network), copy.deepcopy(network)):
        before = backend.to_numpy(network.flat).copy()
        copied.fit(*xy, loss=xnn.MeanSquaredError(), epochs=2)
        np.testing.assert_array_equal(backend.to_numpy(network.flat), before)
        made_anew = small(backend)
        made_anew.set_parameters(copied.parameters)
        made_anew.set_buffers(copied.buffers)
        np.testing.assert_array_equal(copied.predict(xy[0]), made_anew.predict(xy[0]))
        assert not np.array_equal(copied.predict(xy[0]), network.predict(xy[0]))


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "uint8", "bool", "float16"])
def test_arrays_of_numpy_that_are_taken_as_they_come(dtype):
    """The quick way in gives what the way of all others gives, and refuses what it refuses."""
    network = xnn.Network([xnn.Dense(3), xnn.Tanh()], inputs=4, backend="numpy", seed=1)
    x = np.arange(8).reshape(2, 4).astype(dtype)
    expected = network.predict(x.astype("float64").tolist())
    np.testing.assert_array_equal(network.predict(x), expected)
    np.testing.assert_array_equal(network.predict(np.asfortranarray(x)), expected)
    assert network.predict(x).dtype == "float32"
    with pytest.raises(ValueError, match=r"expected shape \(examples, 4\); got \(4, 2\)"):
        network.predict(x.T)
    with pytest.raises(TypeError, match="real numbers"):
        network.predict(x + 1j)


def test_activations_are_the_outputs_of_all_layers(backend, xy):
    network = small(backend)
    outputs = network.activations(xy[0])
    assert [a.shape for a in outputs] == [(5, 4), (5, 4), (5, 4), (5, 4), (5, 2)]
    np.testing.assert_array_equal(outputs[-1], network.forward(xy[0]))
    np.testing.assert_allclose(outputs[2], np.tanh(outputs[1]), rtol=1e-12)
    np.testing.assert_array_equal(network.activations(xy[0], training=True)[-1], network.forward(xy[0], training=True))
    assert network.step == 0


def test_apply_checks_its_arguments(backend, xy):
    network = small(backend, "float32")
    parameters = network.parameters
    assert network.apply(parameters, xy[0].tolist()).dtype == backend.dtype("float32")
    with pytest.raises(ValueError, match=r"'0.bias' has shape \(4,\); got an array of shape \(1,\)"):
        network.apply({**parameters, "0.bias": parameters["0.bias"][:1]}, backend.asarray(xy[0]))


@pytest.mark.parametrize("dtype", ["float64", np.float64, np.dtype("float64"), float])
def test_the_type_may_be_given_as_a_type(dtype):
    if dtype is float:
        with pytest.raises(ValueError, match="dtype"):
            xnn.Network([xnn.Dense(1)], inputs=1, dtype=dtype)
    else:
        assert xnn.Network([xnn.Dense(1)], inputs=1, dtype=dtype).predict([[1.0]]).dtype == np.float64


WRONG = {
    "no layers": (lambda: xnn.Network([], inputs=3), ValueError, "at least one layer"),
    "one layer": (lambda: xnn.Network(xnn.Dense(1), inputs=3), TypeError, "put it in a list"),
    "a class": (lambda: xnn.Network([xnn.Sigmoid], inputs=3), TypeError, r"layer 0.*write Sigmoid\("),
    "no layer": (lambda: xnn.Network([xnn.Dense(1), "relu"], inputs=3), TypeError, "layer 1.*'relu'"),
    "nothing": (lambda: xnn.Network(None, inputs=3), TypeError, "expected a list of layers"),
    "true inputs": (lambda: xnn.Network([xnn.Dense(1)], inputs=True), ValueError, "inputs"),
    "inputs": (lambda: xnn.Network([xnn.Dense(1)], inputs=0), ValueError, "inputs: expected a positive"),
    "dtype": (lambda: xnn.Network([xnn.Dense(1)], inputs=1, dtype="float16"), ValueError, "'float32' or 'float64'"),
    "seed": (lambda: xnn.Network([xnn.Dense(1)], inputs=1, seed=-1), ValueError, "seed"),
    "shapes": (
        lambda: xnn.Network([xnn.Dense(4), xnn.Reshape((3, 2))], inputs=1), ValueError, r"layer 1 \(Reshape\)",
    ),
    "backend": (lambda: xnn.Network([xnn.Dense(1)], inputs=1, backend="nunpy"), xnn.BackendError, "unknown backend"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_networks(case):
    build, error, words = WRONG[case]
    with pytest.raises(error, match=words):
        build()


def test_wrong_batches_change_nothing(backend, xy):
    network = small(backend)
    x, y = xy
    loss = xnn.MeanSquaredError()
    before = backend.to_numpy(network.flat).copy()
    for bad, error, words in [
        (
            (x[0], y[0], loss),
            ValueError,
            r"expected shape \(examples, 3\); got \(3,\); one example needs the batch axis",
        ),
        ((x.reshape(5, 3, 1), y, loss), ValueError, r"got \(5, 3, 1\); to change the shape: x.reshape\(-1, 3\)"),
        ((x[:, :2], y, loss), ValueError, r"got \(5, 2\)"),
        ((x[:4], y, loss), ValueError, "4 examples, y 5"),
        ((x[:0], y[:0], loss), ValueError, "no examples"),
        ((x * 1j, y, loss), TypeError, "expected real numbers"),
        (([[1, 2, 3], [4]], y, loss), ValueError, "rows of one length"),
        ((x, y[:, :1], loss), ValueError, r"\(5, 2\)"),
        ((x, y, xnn.MeanSquaredError), TypeError, r"write xnn.MeanSquaredError\(\)"),
        ((x, y, "mse"), TypeError, "expected one of xnn's losses"),
        ((x, [0, 1, 2, 0, 1], xnn.CrossEntropy()), ValueError, "label 2"),
        ((x, [0.0, 1, 1, 0, 1], xnn.CrossEntropy()), TypeError, "integers"),
    ]:
        with pytest.raises(error, match=words):
            network.gradients(*bad)
        with pytest.raises(error, match=words):
            network.fit(*bad[:2], loss=bad[2])
    with pytest.raises(ValueError, match="weights of the examples"):
        network.gradients(x, y, loss, sample_weight=[1.0])
    with pytest.raises(ValueError, match="0 or more"):
        network.gradients(x, y, loss, sample_weight=-np.ones(len(x)))
    if backend.name != "numpy":
        with pytest.raises(TypeError, match="arrays of different libraries"):
            network.gradients(backend.asarray(x), y, loss)
    assert network.step == 0
    np.testing.assert_array_equal(backend.to_numpy(network.flat), before)


def test_per_example_gradients_need_independent_examples(backend, xy):
    with pytest.raises(ValueError, match="training=False"):
        small(backend).gradients(*xy, xnn.MeanSquaredError(), per_example=True)
    small(backend).gradients(*xy, xnn.MeanSquaredError(), per_example=True, training=False)


def test_an_unfitted_network_says_so(backend, xy):
    network = xnn.Network([xnn.Standardize(), xnn.Dense(2)], inputs=3, backend=backend)
    for call in (network.predict, lambda x: network.gradients(x, xy[1], xnn.SquaredError()), network.forward):
        with pytest.raises(xnn.NotFittedError, match=r"layer 0 \(Standardize\).*call fit"):
            call(xy[0])


def test_the_device_of_the_network_is_where_its_arrays_are(backend, xy):
    network = small(backend)
    for a in [*network.parameters.values(), *network.buffers.values(), network.forward(backend.asarray(xy[0]))]:
        assert array_api_compat.device(a) == backend.device


def test_detect_anomaly_names_the_layer_the_operation_and_the_step(backend):
    network = xnn.Network([xnn.Dense(2), xnn.ReLU(), xnn.Dense(1)], inputs=2, backend=backend, dtype="float64", seed=0)
    network.set_parameters({"2.weight": [[1e200, 1e200]]})
    x, y = np.full((3, 2), 1e160), np.zeros((3, 1))
    with np.errstate(all="ignore"):
        network.gradients(x, y, xnn.MeanAbsoluteError())  # nobody asked: no error
        network.set_parameters({"0.weight": [[1.0, 1.0], [1.0, 1.0]]})
        with (
            xnn.detect_anomaly(),
            pytest.raises(xnn.AnomalyError, match=r"infinity in layer 2 \(Dense\), feed-forward, step 1"),
        ):
            network.gradients(x, y, xnn.MeanAbsoluteError())
        with xnn.detect_anomaly(), pytest.raises(xnn.AnomalyError, match=r"NaN in the inputs x, step 1"):
            network.predict(np.full((3, 2), np.nan))
        network.set_parameters({"2.weight": [[1.0, 1.0]]})
        with xnn.detect_anomaly(), pytest.raises(xnn.AnomalyError, match=r"the cost \(SquaredError\)"):
            network.gradients(x * 1e10, y, xnn.SquaredError())
        with xnn.detect_anomaly(), pytest.raises(xnn.AnomalyError, match=r"the update of the parameters \(SGD\)"):
            network.fit(np.ones((3, 2)), y, loss=xnn.SquaredError(), optimizer=xnn.SGD(lr=1e308))
        network.gradients(x, y, xnn.MeanAbsoluteError())  # outside again
