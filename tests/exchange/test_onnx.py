"""ONNX: onnxruntime computes what ``predict`` does, for every layer, any number of examples, and whole networks."""

from dataclasses import dataclass

import numpy as np
import pytest

import xnn
from xnn.exchange import to_onnx
from xnn.layers import LAYERS

onnx = pytest.importorskip("onnx")
pytest.importorskip("ndonnx")
onnxruntime = pytest.importorskip("onnxruntime")

TOLERANCE = {"float32": 1e-6, "float64": 1e-12}


def layers():
    made = {"Dense": [xnn.Dense(4), xnn.Dense(2, bias=False)], "Reshape": [xnn.Reshape((3, 2)), xnn.Reshape((-1,))]}
    settings = [xnn.GELU(approximate="tanh"), xnn.LeakyReLU(1.5), xnn.HardTanh(0.0, 6.0), xnn.Softplus(2.0, 1.0)]
    return [layer for name, kind in LAYERS.items() for layer in made.get(name) or [kind()]] + settings


def filled(built, inputs, dtype, backend="numpy"):
    """A network with numbers everywhere that are neither 0 nor 1."""
    rng = np.random.default_rng(0)
    made = xnn.Network(built, inputs=inputs, dtype=dtype, backend=backend, seed=0)
    made.set_parameters({name: rng.uniform(0.3, 1.5, a.shape) for name, a in made.parameters.items()})
    buffers = made.buffers or ({"0.mean": 0, "0.scale": 0} if isinstance(built[0], xnn.Standardize) else {})
    made.set_buffers({name: rng.uniform(0.3, 1.5, made.inputs[-1:]) for name in buffers if name[:2] == "0."})
    return made


def compare(made, model, counts=(1, 7, 0)):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # threads that wait in loops take the time of the others
    given = model if isinstance(model, str) else model.SerializeToString()
    session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(1)
    for n in counts:
        x = (3 * rng.normal(size=(n, *made.inputs))).astype(made.dtype)
        (y,) = session.run(None, {"x": x})
        expected = xnn.to_numpy(made.predict(x))
        assert (y.shape, y.dtype) == (expected.shape, expected.dtype)
        tolerance = TOLERANCE[made.dtype]
        np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("inputs", "dtype"),
    [  # ndonnx takes seconds for a layer
        ((6,), "float32"),
        pytest.param((6,), "float64", marks=pytest.mark.slow),
        pytest.param((2, 3), "float32", marks=pytest.mark.slow),
        pytest.param((2, 3), "float64", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("layer", layers(), ids=repr)
def test_every_layer(layer, inputs, dtype):
    if isinstance(layer, xnn.BatchNorm) and len(inputs) > 1:
        pytest.skip("BatchNorm takes examples of one axis")
    made = filled([layer], inputs, dtype)
    compare(made, to_onnx(made))


def whole(backend="numpy", dtype="float32"):
    rng = np.random.default_rng(0)
    built = [
        xnn.Reshape((2, 4)), xnn.Standardize(), xnn.LayerNorm(), xnn.GELU(), xnn.Flatten(), xnn.Dropout(0.3),
        xnn.BatchNorm(), xnn.PReLU(), xnn.Dense(3), xnn.Softmax(),  # one Dense: ndonnx takes seconds for each
    ]  # fmt: skip
    made = xnn.Network(built, inputs=8, backend=backend, dtype=dtype, seed=0)
    made.fit(rng.normal(size=(40, 8)), rng.normal(size=(40, 3)), loss=xnn.MeanSquaredError(), epochs=3)
    return made


def test_a_whole_network_in_a_file(tmp_path):
    made = whole()
    model = to_onnx(made, tmp_path / "net.onnx")
    compare(made, str(tmp_path / "net.onnx"))
    assert onnx.load(tmp_path / "net.onnx") == model
    (x,), (y,) = model.graph.input, model.graph.output
    assert (x.name, y.name) == ("x", "y")
    assert x.type.tensor_type.shape.dim[0].dim_param  # any number of examples
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]


def test_any_backend_in_float64(backend):
    made = filled([xnn.Standardize(), xnn.PReLU()], (3,), "float64", backend)
    compare(made, to_onnx(made))


@dataclass(frozen=True)
class Square(xnn.Layer):
    """A layer of one's own, in functions of the standard."""

    def forward(self, xp, x):
        return xp.square(x), ()


@dataclass(frozen=True)
class Rows(xnn.Layer):
    """A layer that needs the number of examples."""

    def forward(self, xp, x):
        return x / float(x.shape[0]), ()


def test_layers_of_ones_own():
    compare(xnn.Network([Square()], inputs=3), to_onnx(xnn.Network([Square()], inputs=3)))
    with pytest.raises(ValueError, match=r"layer 1 \(Rows\) cannot be written as ONNX"):
        to_onnx(xnn.Network([xnn.ReLU(), Rows()], inputs=3))


def test_errors_leave_no_file(tmp_path):
    with pytest.raises(xnn.NotFittedError, match=r"layer 0 \(Standardize\)"):
        to_onnx(xnn.Network([xnn.Standardize(), xnn.Dense(1)], inputs=3), tmp_path / "a")
    with pytest.raises(FileNotFoundError, match="create it first"):
        to_onnx(xnn.Network([xnn.ReLU()], inputs=3), tmp_path / "missing" / "a")
    assert list(tmp_path.iterdir()) == []
