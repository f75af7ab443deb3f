"""Anomaly detection in derivatives: the first NaN or infinity names its operation."""

from __future__ import annotations

import numpy as np
import pytest

import xnn
from xnn.autodiff import derivative, grad, hvp, jvp, vjp
from xnn.autodiff.levels import Forward, Reverse
from xnn.autodiff.tape import Tape

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's own, of the overflow that is the point


def root(x):
    xp = xnn.arrays.namespace(x)
    return xp.sqrt(x**2 + xp.exp(x**2))


def test_row_10_names_exp(backend):
    x = backend.asarray(27.0, "float64")
    one = backend.asarray(1.0, "float64")
    for call in (
        grad(root), derivative(root), derivative(root, 3), grad(grad(root)), lambda x: vjp(root, x),
        lambda x: jvp(root, x, one), lambda x: hvp(root, x, one),
    ):  # fmt: skip
        with backend.scope(), xnn.detect_anomaly(), pytest.raises(
            xnn.AnomalyError, match=r"^infinity in exp, operation 3, in an array of shape \(\)"
        ):  # fmt: skip
            call(x)
        with backend.scope():
            call(x)  # nobody asked: NaN comes out as before
    with backend.scope(), xnn.detect_anomaly():
        found = [grad(root)(one), derivative(root, 2)(one), grad(grad(root))(one)]
    assert float(backend.to_numpy(found[0])) == pytest.approx(1.928284685532467, rel=1e-14)
    assert float(backend.to_numpy(found[1])) == pytest.approx(float(backend.to_numpy(found[2])), rel=1e-12)


def test_the_way_back_and_the_tangents_are_looked_at(backend):
    x = backend.asarray([4.0, 0.0], "float64")

    def f(x):
        xp = xnn.arrays.namespace(x)
        return xp.sum(xp.sqrt(2.0 * x))

    with backend.scope(), xnn.detect_anomaly():
        with pytest.raises(xnn.AnomalyError, match="infinity in the adjoint that comes back from sqrt, operation 2"):
            grad(f)(x)
        with pytest.raises(xnn.AnomalyError, match="infinity in the tangent of sqrt, operation 2"):
            jvp(f, x, x + 1.0)
        with pytest.raises(xnn.AnomalyError, match="NaN in the argument"):
            grad(f)(x * float("nan"))


def test_layers_and_losses_are_named(backend):
    network = xnn.Network([xnn.Dense(3), xnn.Tanh(), xnn.Dense(2)], inputs=2, backend=backend, dtype="float64", seed=0)
    x = backend.asarray(np.ones((4, 2)), "float64")
    parameters = network.parameters
    large = {**parameters, "2.weight": parameters["2.weight"] * 1e200}
    broken = {**parameters, "2.weight": parameters["2.weight"] * float("inf")}

    def cost(p):
        return xnn.SquaredError()(network.apply(p, x), x)

    with backend.scope(), xnn.detect_anomaly():
        grad(cost)(parameters)
        with pytest.raises(xnn.AnomalyError, match="infinity in SquaredError, operation 4"):
            grad(cost)(large)
        with pytest.raises(xnn.AnomalyError, match="in Dense, layer 2, operation 3, in an array of shape"):
            grad(lambda x: xnn.SquaredError()(network.apply(broken, x), x))(x)


def test_it_costs_nothing_outside_of_the_block():
    """The levels are the plain classes, and rules are written down as they are."""
    tape = Tape(root, (np.asarray(1.0),), (0,))
    assert type(tape.level) is Reverse
    with xnn.detect_anomaly():
        watched = Tape(root, (np.asarray(1.0),), (0,))
    assert type(watched.level) is not Reverse
    assert isinstance(watched.level, Reverse)
    assert {entry[0].name for entry in watched.level.tape if entry} == {
        entry[0].name for entry in tape.level.tape if entry
    }
    kinds = []
    jvp(lambda x: kinds.append(type(x.level)) or x * 1.0, np.asarray(1.0), np.asarray(1.0))
    assert kinds == [Forward]
