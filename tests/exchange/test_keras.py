"""Keras runs, on PyTorch or JAX, and says the same: models, files, weights alone, both ways."""

import os

import numpy as np
import pytest

import xnn
from xnn.exchange import from_keras, to_keras
from xnn.layers import LAYERS

pytest.importorskip("h5py")
if "KERAS_BACKEND" not in os.environ:
    pytest.importorskip("torch")
    os.environ["KERAS_BACKEND"] = "torch"
keras = pytest.importorskip("keras")
pytestmark = pytest.mark.filterwarnings("ignore")  # of Keras and its backend about themselves
JAX = keras.backend.backend() == "jax"
if JAX:
    pytest.importorskip("jax").config.update("jax_enable_x64", True)
k = keras.layers
# On PyTorch and JAX the type promotion of Keras makes float32 of two float64 (with TensorFlow it does not). What goes
# through it, matrix products and normalizations, is computed in single precision, though the result says float64.
DOUBLE = keras.backend.result_type("float64", "float64") == "float64"
TOLERANCE = {"float32": 2e-6, "float64": 1e-12 if DOUBLE else 2e-6}


def same(model, network, tolerance=None):
    x = 3 * np.random.default_rng(1).normal(size=(5, *network.inputs)).astype(network.dtype)
    theirs = keras.ops.convert_to_numpy(model(x, training=False))
    mine = xnn.to_numpy(network.predict(x))
    assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)
    tolerance = tolerance or TOLERANCE[network.dtype]
    np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance)


def randomized(model):
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.3, 1.5, w.shape) for w in model.get_weights()])
    return model


ACTIVATIONS = [
    "elu", "gelu", "hard_tanh", "leaky_relu", "linear", "log_softmax", "relu", "relu6", "selu", "sigmoid", "silu",
    "softmax", "softplus", "swish", "tanh",
]  # fmt: skip


@pytest.mark.parametrize("inputs", [(6,), (2, 6)], ids=str)
def test_every_layer_that_both_have(inputs):
    made = [
        *(k.Activation(name) for name in ACTIVATIONS),
        *(k.Dense(3, activation=name) for name in (None, "relu", "softmax")),
        k.Dense(3, use_bias=False), k.Dense(3, activation=k.LeakyReLU(0.4)), k.Dropout(0.3), k.Flatten(),
        k.Reshape((3, -1)),
        k.LayerNormalization(), k.LayerNormalization(scale=False), k.ReLU(), k.ReLU(max_value=3.0),
        k.ReLU(negative_slope=0.1), k.LeakyReLU(), k.ELU(0.5), k.Softmax(),
        k.PReLU(shared_axes=list(range(1, len(inputs) + 1))),
        k.Normalization(mean=np.arange(6.0), variance=np.arange(1.0, 7.0)), k.Identity(),
    ]  # fmt: skip
    if len(inputs) == 1:
        made += [k.BatchNormalization(), k.BatchNormalization(center=False, epsilon=0.1)]
    for layer in made:
        model = keras.Sequential([keras.Input(inputs), layer])
        if not isinstance(layer, k.Normalization):
            randomized(model)
        network = from_keras(model)
        same(model, network)
        same(to_keras(network), network)


def test_layers_without_type_promotion_agree_in_double_precision():
    made = [
        # On JAX, tanh of Keras makes float32 of float64, too.
        *(k.Activation(name, dtype="float64") for name in ACTIVATIONS if not (JAX and name == "tanh")),
        k.ReLU(max_value=3.0, dtype="float64"), k.ReLU(negative_slope=0.1, dtype="float64"),
        k.LeakyReLU(dtype="float64"), k.ELU(0.5, dtype="float64"), k.Softmax(dtype="float64"),
        k.PReLU(shared_axes=[1], dtype="float64"), k.Dropout(0.3, dtype="float64"), k.Reshape((3, 2), dtype="float64"),
    ]  # fmt: skip
    for layer in made:
        model = randomized(keras.Sequential([keras.Input((6,), dtype="float64"), layer]))
        network = from_keras(model)
        assert network.dtype == "float64"
        same(model, network, 1e-12)
        same(to_keras(network), network, 1e-12)


def test_every_layer_of_xnn_goes_and_comes_back():
    rng = np.random.default_rng(0)
    for name, kind in LAYERS.items():
        layer = kind(4) if name == "Dense" else kind((3, 2)) if name == "Reshape" else kind()
        made = xnn.Network([layer], inputs=6, seed=0)
        if name == "Standardize":
            made.set_buffers({"0.mean": rng.normal(size=6), "0.scale": rng.uniform(1, 2, 6)})
        model = to_keras(made)
        same(model, made)
        same(model, from_keras(model))


def sequential(dtype="float32"):
    keras.utils.set_random_seed(0)
    made = [
        keras.Input((8,), dtype=dtype), k.Dense(6, activation="relu", dtype=dtype), k.BatchNormalization(dtype=dtype),
        k.Dropout(0.4, dtype=dtype), k.Reshape((2, 3), dtype=dtype), k.LayerNormalization(dtype=dtype),
        k.Flatten(dtype=dtype), k.Dense(5, activation="gelu", use_bias=False, dtype=dtype),
        k.Dense(3, activation="softmax", dtype=dtype),
    ]  # fmt: skip
    return randomized(keras.Sequential(made))


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_whole_model(backend, dtype):
    model = sequential(dtype)
    network = from_keras(model, backend=backend)
    assert (network.inputs, network.dtype, network.backend) == ((8,), dtype, backend)
    assert [type(layer).__name__ for layer in network.layers] == [
        "Dense", "ReLU", "BatchNorm", "Dropout", "Reshape", "LayerNorm", "Flatten", "Dense", "GELU", "Dense", "Softmax",
    ]  # fmt: skip
    assert network.layers[2] == xnn.BatchNorm(eps=1e-3, momentum=1 - 0.99)
    same(model, network)
    again = to_keras(network)
    same(again, network)
    for mine, theirs in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs, strict=True)  # to the last bit


def test_files(tmp_path):
    model = sequential()
    model.save(tmp_path / "a.keras")
    model.save_weights(tmp_path / "a.weights.h5")
    network = from_keras(tmp_path / "a.keras")
    same(model, network)
    fresh = xnn.Network(network.layers, inputs=8, seed=1)
    assert from_keras(str(tmp_path / "a.weights.h5"), into=fresh) is fresh
    same(model, fresh)
    to_keras(network).save(tmp_path / "b.keras")
    same(keras.saving.load_model(tmp_path / "b.keras"), network)
    model.set_weights([0 * w for w in model.get_weights()])
    model.set_weights(to_keras(network).get_weights())  # as the docstring says
    same(model, network)


def test_a_model_within_a_model():
    inner = keras.Sequential([k.Dense(4, activation="tanh"), k.BatchNormalization()])
    model = keras.Sequential([keras.Input((3,)), inner, k.Dense(2)])
    network = from_keras(model)
    assert [type(layer).__name__ for layer in network.layers] == ["Dense", "Tanh", "BatchNorm", "Dense"]
    x = np.ones((2, 3), dtype="float32")
    np.testing.assert_allclose(network.predict(x), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)


WRONG = {
    "unknown": (lambda: [keras.Input((4, 1)), k.Conv1D(2, 1)], r"layer 'conv1d\w*' \(Conv1D\): xnn has no such layer"),
    "activation": (lambda: [keras.Input((4,)), k.Dense(2, activation="mish")], "xnn has no activation 'mish'"),
    "axis": (lambda: [keras.Input((4, 3)), k.BatchNormalization(axis=1)], "xnn works along the last axis; got axis=1"),
    "relu": (lambda: [keras.Input((4,)), k.ReLU(threshold=1.0)], "xnn has no ReLU with .*threshold=1.0"),
    "not built": (lambda: [k.Dense(2)], "the model is not built"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit(name):
    make, words = WRONG[name]
    with pytest.raises(ValueError, match=words):
        from_keras(keras.Sequential(make()))


class Doubling(keras.Sequential):
    """More than its layers say."""

    def call(self, inputs, training=None, mask=None):
        return 2 * super().call(inputs, training=training, mask=mask)


def test_a_sequential_with_a_call_of_its_own_is_refused():
    with pytest.raises(ValueError, match="got Doubling, which has a call of its own"):
        from_keras(Doubling([keras.Input((4,)), k.Dense(2)]))


def test_other_errors(tmp_path):
    network = xnn.Network([xnn.Dense(3), xnn.Dense(2)], inputs=4)
    before = network.parameters
    with pytest.raises(ValueError, match=r"expected a keras\.Sequential"):
        from_keras(3)
    with pytest.raises(xnn.FileError, match="does not exist"):
        from_keras(tmp_path / "missing.keras")
    for name in ("a.keras", "a.weights.h5"):
        (tmp_path / name).write_bytes(b"no model")
        with pytest.raises(xnn.FileError, match=f"{name} cannot be read"):
            from_keras(tmp_path / name, into=network)
    sequential().save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(xnn.FileError, match="cannot be read as weights of these layers"):
        from_keras(tmp_path / "other.weights.h5", into=network)
    with pytest.raises(ValueError, match="give into=network"):
        from_keras(tmp_path / "other.weights.h5")
    for units, activation, words in (2, "relu", "the layers differ: the model has"), (5, None, "has shape"):
        model = keras.Sequential([keras.Input((4,)), k.Dense(3, activation=activation), k.Dense(units)])
        with pytest.raises(ValueError, match=words):
            from_keras(model, into=network)
    assert all((network.parameters[key] == before[key]).all() for key in before)
    with pytest.raises(TypeError, match=r"expected an xnn\.Network; got list"):
        to_keras([xnn.Dense(2)])
    for layer in (xnn.GELU("tanh"), xnn.Softplus(2.0), xnn.HardTanh(-2, 1)):
        with pytest.raises(ValueError, match=r"layer 1: Keras has no (GELU|Softplus|HardTanh)\("):
            to_keras(xnn.Network([xnn.Dense(2), layer], inputs=2))
