"""Flatten and Reshape: the order of the numbers, the way back, and sizes that do not fit."""

from __future__ import annotations

import json

import numpy as np
import pytest
from references import run

from xnn.layers.reshape import Flatten, Reshape


@pytest.mark.parametrize(
    ("layer", "inputs", "outputs"),
    [
        (Flatten(), (2, 3), (6,)),
        (Flatten(), (6,), (6,)),
        (Flatten(), (), (1,)),
        (Flatten(), (2, 0, 3), (0,)),
        (Reshape((2, 3)), (6,), (2, 3)),
        (Reshape((3, -1)), (2, 6), (3, 4)),
        (Reshape((-1,)), (2, 3), (6,)),
        (Reshape(-1), (2, 3), (6,)),
        (Reshape((1, 1, 1)), (1,), (1, 1, 1)),
        (Reshape(()), (1,), ()),
        (Reshape((0, 4)), (3, 0), (0, 4)),
        (Reshape((4, -1)), (0,), (4, 0)),
    ],
)
@pytest.mark.parametrize("n", [0, 1, 5])
def test_forward_and_back(backend, layer, inputs, outputs, n):
    assert layer.outputs(inputs) == outputs
    x = np.arange(n * np.prod(inputs, dtype=int), dtype=float).reshape(n, *inputs)
    y, below, gradients = run(backend, layer, x, -x.reshape(n, *outputs), dtype="float32")
    assert y.shape == (n, *outputs)
    assert y.dtype == below.dtype == np.float32
    assert y.ravel().tolist() == x.ravel().tolist()
    assert below.shape == x.shape
    assert (below == -x).all()
    assert gradients == []
    assert layer.parameters(inputs) == {}


@pytest.mark.parametrize(
    ("shape", "inputs"),
    [((2, 3), (7,)), ((2, -1), (7,)), ((0, -1), (3,)), ((0, -1), (0,)), ((), (2,)), ((32, 6), (6,))],
)
def test_sizes_that_do_not_fit(shape, inputs):
    with pytest.raises(ValueError, match=r"Reshape cannot give examples of shape .*batch axis"):
        Reshape(shape).outputs(inputs)


@pytest.mark.parametrize("shape", [(-1, -1), (-2, 3)])
def test_impossible_shapes(shape):
    with pytest.raises(ValueError, match="at most one −1"):
        Reshape(shape)


@pytest.mark.parametrize("shape", ["ab", (2.0,), None, ((2, 3),)])
def test_shapes_that_are_no_integers(shape):
    with pytest.raises(TypeError, match=r"such as Reshape\(\(8, 8\)\)"):
        Reshape(shape)


def test_a_shape_survives_json():
    layer = Reshape((np.int64(2), -1))
    assert Reshape(json.loads(json.dumps(layer.shape))) == layer
    assert hash(Reshape([2, -1])) == hash(layer)
