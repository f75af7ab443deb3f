"""The metrics against scikit-learn."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from xnn import metrics
from xnn.losses import BinaryCrossEntropy, CrossEntropy, Hinge
from xnn.metrics import Accuracy, accuracy, confusion_matrix, mean_absolute_error, mean_squared_error, r2, resolve


def reference(name):
    return getattr(pytest.importorskip("sklearn.metrics"), name)


def test_accuracy_of_several_outputs(backend, rng):
    a, y = rng.normal(size=(50, 4)), rng.integers(0, 4, 50)
    expected = reference("accuracy_score")(y, a.argmax(axis=1))
    outputs = backend.asarray(a, "float32")
    for labels in (y, y[:, None], np.eye(4)[y], np.eye(4, dtype=bool)[y], np.eye(4, dtype="uint8")[y]):
        result = accuracy(outputs, backend.asarray(labels))
        assert result.shape == ()
        assert result.dtype == backend.dtype("float32")
        assert float(result) == pytest.approx(expected, rel=1e-6)
    for dtype in ("int8", "uint8", "int16", "int32"):
        assert float(accuracy(outputs, backend.asarray(y, dtype))) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("shape", [(40,), (40, 1)])
def test_accuracy_of_one_output(backend, rng, shape):
    a, y = rng.normal(size=shape), rng.integers(0, 2, 40)
    for threshold in (0.0, 0.5):
        expected = reference("accuracy_score")(y, a.ravel() > threshold)
        for targets in (y, y[:, None], y.astype(float), y.astype(bool), 2 * y - 1, 2.0 * y - 1):
            measured = Accuracy(threshold)(backend.asarray(a), backend.asarray(targets))
            assert float(measured) == pytest.approx(expected)
    assert float(accuracy(backend.asarray(a), backend.asarray(y))) == pytest.approx(expected)


def test_accuracy_of_classes(backend, rng):
    a, y = rng.integers(-1, 4, 40), rng.integers(-1, 4, 40)
    measured = accuracy(backend.asarray(a), backend.asarray(y))
    assert float(measured) == pytest.approx(reference("accuracy_score")(y, a))


def test_accuracy_leaves_out_what_the_loss_ignores(backend):
    a = backend.asarray(np.eye(3)[[0, 1, 2, 2]])
    assert float(accuracy(a, backend.asarray([0, -100, 1, 2]))) == pytest.approx(2 / 3)
    assert float(accuracy(a, backend.asarray([-1, -1, -1, -1]))) == 0.0
    prepared = CrossEntropy(ignore_index=2).targets(backend, [0, 0, 2, 2], (3,), "float32")
    assert float(accuracy(a, prepared)) == 0.5


def test_accuracy_of_what_a_loss_prepares(backend, rng):
    a = rng.normal(size=(30, 1))
    y = rng.integers(0, 2, 30)
    for loss in (BinaryCrossEntropy(), Hinge()):
        _, metric = resolve("accuracy", loss.threshold)
        targets = loss.targets(backend, y, (1,), "float64")
        assert float(metric(backend.asarray(a), targets)) == pytest.approx(((a[:, 0] > 0) == y).mean())


@pytest.mark.parametrize("shape", [(1, 1), (20,), (20, 1), (20, 3)])
def test_regression(backend, rng, shape):
    y = rng.normal(size=shape)
    a = y + 0.3 * rng.normal(size=shape)
    outputs, targets = backend.asarray(a), backend.asarray(y)
    assert float(mean_squared_error(outputs, targets)) == pytest.approx(
        reference("mean_squared_error")(y, a), rel=1e-13
    )
    assert float(mean_absolute_error(outputs, targets)) == pytest.approx(
        reference("mean_absolute_error")(y, a), rel=1e-13
    )
    if shape[0] > 1:
        assert float(r2(outputs, targets)) == pytest.approx(reference("r2_score")(y, a), rel=1e-13)
    assert r2(backend.asarray(a, "float32"), targets).dtype == backend.dtype("float32")


def test_r2_of_constant_targets(backend):
    a = np.array([[1.0, 1.0, 0.0], [1.0, 2.0, 1.0]])
    y = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    score = reference("r2_score")
    for columns in ([0], [1], [2], [0, 1, 2]):
        measured = r2(backend.asarray(a[:, columns]), backend.asarray(y[:, columns]))
        assert float(measured) == pytest.approx(score(y[:, columns], a[:, columns]))


def test_r2_of_integers_and_lists(backend):
    a, y = [3, 1, 2], [3, 2, 2]
    expected = reference("r2_score")(y, a)
    assert float(r2(a, y)) == pytest.approx(expected)
    assert float(r2(backend.asarray(a), backend.asarray(y))) == pytest.approx(expected, rel=1e-6)
    column = r2(backend.asarray([[3.0], [1.0], [2.0]]), backend.asarray(y))
    assert float(column) == pytest.approx(expected, rel=1e-6)


def test_confusion_matrix(backend, rng):
    matrix = reference("confusion_matrix")
    a, y = rng.normal(size=(60, 4)), rng.integers(0, 4, 60)
    expected = matrix(y, a.argmax(axis=1), labels=range(4))
    outputs, targets = backend.asarray(a), backend.asarray(y)
    for measured in (
        confusion_matrix(outputs, targets),
        confusion_matrix(outputs, backend.asarray(np.eye(4)[y])),
        confusion_matrix(backend.asarray(a.argmax(axis=1)), targets),
        confusion_matrix(a.argmax(axis=1).tolist(), y.tolist()),
    ):
        assert isinstance(measured, np.ndarray)
        assert measured.dtype.kind == "i"
        assert (measured == expected).all()
    assert confusion_matrix(outputs, targets, 6).shape == (6, 6)
    assert (confusion_matrix(outputs, targets, 6)[:4, :4] == expected).all()
    one = backend.asarray(a[:, :1])
    sides = matrix(y > 0, a[:, 0] > 0.2)
    assert (confusion_matrix(one, backend.asarray(y > 0), threshold=0.2) == sides).all()


def test_confusion_matrix_at_the_edges():
    assert confusion_matrix([[1.0, 0.0, 0.0]], [0]).tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert confusion_matrix(np.eye(3), [0, -100, 2]).trace() == 2
    assert confusion_matrix([0.9], [1]).tolist() == [[0, 0], [0, 1]]
    with pytest.raises(ValueError, match="class 3 in the targets; with 3 classes: 0 … 2"):
        confusion_matrix(np.eye(3), [0, 1, 3])
    with pytest.raises(ValueError, match="class -1 in the outputs"):
        confusion_matrix([-1, 0], [1, 0])


def test_resolve():
    assert resolve("accuracy") == ("accuracy", Accuracy(0.5))
    assert resolve("accuracy", 0.0) == ("accuracy", Accuracy(0.0))
    assert resolve(accuracy, 0.0) == ("accuracy", Accuracy(0.0))
    assert resolve("r2") == ("r2", r2)
    assert resolve("mse")[1] is mean_squared_error
    assert resolve("mae") == ("mae", mean_absolute_error)
    assert resolve(Accuracy(0.3)) == ("accuracy", Accuracy(0.3))

    def worst(outputs, targets):
        return abs(outputs - targets).max()

    assert resolve(worst) == ("worst", worst)
    partial = functools.partial(worst)
    assert resolve(partial) == ("worst", partial)
    with pytest.raises(ValueError, match=r"unknown metric 'acuracy'; known are: accuracy, r2, mse, mae"):
        resolve("acuracy")
    with pytest.raises(TypeError, match=r"write Accuracy\(\)"):
        resolve(Accuracy)
    with pytest.raises(TypeError, match="got 3"):
        resolve(3)


def test_shapes_that_do_not_fit(backend):
    def ones(*shape):
        return backend.asarray(np.ones(shape))

    for metric in (accuracy, r2, mean_squared_error, mean_absolute_error):
        for a, y in (((4, 1), (5, 1)), ((4, 3), (5, 3)), ((4, 3), (4, 2)), ((4, 2, 2), (3,))):
            with pytest.raises(ValueError, match="shape") as error:
                metric(ones(*a), ones(*y))
            assert str(a) in str(error.value)
            assert str(y) in str(error.value)
        with pytest.raises(ValueError, match="0 examples is undefined"):
            metric(ones(0, 1), ones(0, 1))
    for metric in (accuracy, r2):
        with pytest.raises(ValueError, match="single number"):
            metric(ones(), ones())
    with pytest.raises(TypeError, match="labels must be integers"):
        accuracy(ones(4, 3), ones(4))
    assert set(metrics.__all__) <= set(dir(metrics))


def test_arrays_of_two_libraries():
    torch = pytest.importorskip("torch")
    for metric in (accuracy, r2, mean_squared_error):
        with pytest.raises(TypeError, match="different libraries"):
            metric(torch.ones(2), np.ones(2))
