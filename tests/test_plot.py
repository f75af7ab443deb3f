"""The pictures: what is in them, and that nothing makes them fail."""

import sys

import numpy as np
import pytest

import xnn
from xnn.history import History

pytest.importorskip("matplotlib")
from matplotlib import pyplot
from matplotlib.colors import LogNorm

from xnn import plot

NAN = float("nan")


@pytest.fixture(autouse=True)
def figures():
    xnn.get_backend("numpy")
    yield
    for number in pyplot.get_fignums():
        pyplot.figure(number).canvas.draw()  # an error, or a warning, while it is drawn
    pyplot.close("all")


def run(n=30):
    e = np.arange(n)
    return History({"loss": 2 * 0.8**e, "accuracy": 1 - 0.8**e, "val_loss": 3 * 0.8**e, "val_accuracy": 1 - 0.9**e})


def words(legend):
    return [text.get_text() for text in legend.get_texts()]


# -- Learning curves -----------------------------------------------------------------------------------------------


def test_history():
    history = run()
    ax = history.plot()
    right = next(other for other in ax.figure.axes if other is not ax)
    assert (ax.get_xlabel(), ax.get_ylabel(), right.get_ylabel()) == ("epoch", "cost", "accuracy")
    assert ax.get_yscale() == "log"
    assert ax.get_xlim() == (1, 30)
    for axes, names in ((ax, ["loss", "val_loss"]), (right, ["accuracy", "val_accuracy"])):
        assert [line.get_label() for line in axes.lines] == names
        assert [line.get_linestyle() for line in axes.lines] == ["-", "--"]
        for line, name in zip(axes.lines, names, strict=True):
            np.testing.assert_array_equal(line.get_xdata(), range(1, 31))
            np.testing.assert_array_equal(line.get_ydata(), history[name])
    assert words(ax.get_legend()) == ["loss", "val_loss", "accuracy", "val_accuracy"]
    assert right.get_ylim()[1] <= 1.03


def test_the_legend_covers_nothing():
    ax = run().plot()
    ax.figure.canvas.draw()
    legend, frame = ax.get_legend().get_window_extent(), ax.get_window_extent()
    assert legend.y0 >= frame.y1
    assert legend.y1 <= ax.figure.bbox.y1


def test_a_slice_says_which_epochs():
    np.testing.assert_array_equal(run()[10:20].plot().lines[0].get_xdata(), range(11, 21))


def test_linear_axis_for_a_cost_that_hardly_changes_or_is_not_positive():
    assert History({"loss": [2, 1, 0.5]}).plot().get_yscale() == "linear"
    assert History({"loss": [100, 1, 0]}).plot().get_yscale() == "linear"
    assert History({"loss": [NAN, 100, 0.5]}).plot().get_yscale() == "log"


def test_a_bad_start_of_r2_flattens_nothing():
    ax = History({"loss": [3, 2, 1], "r2": [-1000, 0.1, 0.7], "mae": [1, 0.9, 0.8]}).plot()
    right = ax.figure.axes[1]
    assert right.get_ylim()[0] == -1
    assert right.get_ylabel() == "metrics"


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"loss": [1.0]},
        {"loss": [1.0], "val_loss": [2.0], "accuracy": [0.5]},
        {"loss": [NAN, NAN], "accuracy": [NAN, float("inf")]},
        {"accuracy": [0.1, 0.2]},
        {name: [1.0, 2.0] for name in ["loss", *"abcdefgh"]},
    ],
)
def test_histories_of_all_kinds(values):
    plot.history(History(values))


# -- Tables --------------------------------------------------------------------------------------------------------


def cells(ax):
    return [text.get_text() for text in ax.texts]


def test_confusion_matrix():
    ax = plot.confusion_matrix([[8, 2], [0, 5]], ["cat", "dog"])
    assert cells(ax) == ["8", "2", "", "5"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    assert [t.get_text() for t in ax.get_yticklabels()] == ["cat", "dog"]
    np.testing.assert_allclose(ax.images[0].get_array(), [[0.8, 0.2], [0, 1]])
    colors = [text.get_color() for text in ax.texts]
    assert (colors[0], colors[1]) == ("white", "black")


def test_confusion_matrix_of_a_backend(backend):
    ax = plot.confusion_matrix(backend.asarray([[3, 0], [1, 2]], "int64"))
    assert cells(ax) == ["3", "", "1", "2"]


@pytest.mark.parametrize("matrix", [[[0, 0], [0, 0]], [[7]], np.eye(40, dtype=int)])
def test_confusion_matrices_of_all_kinds(matrix):
    plot.confusion_matrix(matrix)


def test_confusion_matrix_errors():
    with pytest.raises(ValueError, match=r"a square matrix .*got shape \(2, 3\)"):
        plot.confusion_matrix(np.ones((2, 3)))
    with pytest.raises(ValueError, match="expected 2 labels, one a class; got 3"):
        plot.confusion_matrix(np.ones((2, 2)), "abc")


def test_heat_map():
    values = [[0.5, 0.9, NAN], [0.25, 0.75, 0.125]]
    ax = plot.heat_map(values, [1e-3, 1e-2, 0.1], ["none", "L2"], labels=("step", "penalty", "accuracy"), best="max")
    assert cells(ax) == ["0.500", "0.900", "–", "0.250", "0.750", "0.125"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0.001", "0.01", "0.1"]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.figure.axes[1].get_ylabel()) == ("step", "penalty", "accuracy")
    assert ax.patches[0].get_xy() == (0.5, -0.5)
    assert ax.get_ylim() == (-0.5, 1.5)  # the first y below
    assert plot.heat_map(values, range(3), range(2), best="min").patches[0].get_xy() == (1.5, 0.5)
    assert not plot.heat_map(values, range(3), range(2)).patches


def test_heat_map_colors():
    assert isinstance(plot.heat_map([[1.0, 1000.0]], [0, 1], [0]).images[0].norm, LogNorm)
    assert isinstance(plot.heat_map([[0.0, 1.0, 1000.0]], [0, 1, 2], [0]).images[0].norm, LogNorm)
    assert not isinstance(plot.heat_map([[-1.0, 1000.0]], [0, 1], [0]).images[0].norm, LogNorm)
    assert not isinstance(plot.heat_map([[0.5, 0.9]], [0, 1], [0]).images[0].norm, LogNorm)


@pytest.mark.parametrize("values", [[[0.0]], [[NAN, NAN]], [[1e300, 1e-300]], np.ones((30, 30))])
def test_heat_maps_of_all_kinds(values):
    rows, columns = np.shape(values)
    plot.heat_map(values, range(columns), range(rows), best="max")


def test_heat_map_errors():
    with pytest.raises(ValueError, match=r"shape \(len\(y\), len\(x\)\) = \(2, 3\); got \(3, 2\)"):
        plot.heat_map(np.ones((3, 2)), range(3), range(2))
    with pytest.raises(ValueError, match="'max', 'min' or None; got 'best'"):
        plot.heat_map(np.ones((2, 3)), range(3), range(2), best="best")


# -- The cost surface ----------------------------------------------------------------------------------------------


def bowl(w, b):
    return (w - 2) ** 2 + (b - 1) ** 2


def test_surface():
    path = [(0.0, 0.0), (1.0, 0.5), (1.9, 0.9)]
    ax = plot.surface(bowl, (-1, 5), (-2, 4), path, labels=("w", "b", "J"), points=21)
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.figure.axes[1].get_ylabel()) == ("w", "b", "J")
    assert (ax.get_xlim(), ax.get_ylim()) == ((-1, 5), (-2, 4))
    descent, start, end = ax.lines
    np.testing.assert_array_equal(descent.get_xydata(), path)
    np.testing.assert_array_equal(start.get_xydata(), path[:1])
    np.testing.assert_array_equal(end.get_xydata(), path[-1:])
    assert (start.get_marker(), end.get_marker()) == ("o", "*")
    assert words(ax.get_legend()) == ["start", "end, after 2 steps"]


def test_surface_levels_are_logarithmic():
    levels = plot.surface(bowl, (-1, 5), (-2, 4), points=21).collections[0].levels
    ratios = np.diff(np.log(levels))
    assert len(levels) > 15
    np.testing.assert_allclose(ratios, ratios[0])
    assert np.isclose(levels, 1.0).any()
    levels = plot.surface(lambda x, y: x + y, (-1, 1), (-1, 1), points=21).collections[0].levels
    np.testing.assert_allclose(np.diff(levels), levels[1] - levels[0])


def test_surface_values_are_where_they_belong():
    """x runs to the right and y upwards: the darkest place is the minimum."""
    called = []
    plot.surface(lambda x, y: called.append((x, y)) or bowl(x, y), (-1, 5), (-2, 4), points=3)
    assert called[:4] == [(-1, -2), (2, -2), (5, -2), (-1, 1)]
    assert {type(v) for pair in called for v in pair} == {float}
    contours = plot.surface(bowl, (-1, 5), (-2, 4), points=61).collections[0]
    lowest = next(p for p in contours.get_paths() if len(p.vertices))
    np.testing.assert_allclose(lowest.vertices.mean(axis=0), (2, 1), atol=0.1)


def test_surface_of_a_cost_on_a_backend(backend):
    x, y = (backend.asarray(v, "float64") for v in ([0.0, 1.0], [1.0, 3.0]))
    xp = backend.xp
    plot.surface(lambda w, b: xp.mean((w * x + b - y) ** 2), (0, 4), (-1, 3), points=4)


def test_a_path_that_leaves_the_picture():
    ax = plot.surface(bowl, (-1, 5), (-2, 4), [(0, 0), (9, 9)], points=11)
    assert words(ax.get_legend()) == ["start", "end, after 1 step, outside the picture"]
    assert ax.get_xlim() == (-1, 5)


@pytest.mark.parametrize(
    "cost",
    [
        lambda x, y: 1.0,
        lambda x, y: 0.0,
        lambda x, y: NAN,
        lambda x, y: x if x > 0 else NAN,
        lambda x, y: 1e-30 * (x * x + y * y),
        lambda x, y: 1e300 * (x * x + y * y),
        lambda x, y: 5 + x * x,
    ],
)
def test_surfaces_of_all_kinds(cost):
    plot.surface(cost, (-1, 1), (-1, 1), points=11)


@pytest.mark.parametrize("path", [[], [1, 2, 3], [(1, 2, 3)]])
def test_a_path_of_another_shape(path):
    with pytest.raises(ValueError, match=r"pairs \(x, y\), shape \(steps, 2\); got shape"):
        plot.surface(bowl, (0, 1), (0, 1), path, points=3)


# -- The surface around a network ------------------------------------------------------------------------------------

LOSS = xnn.CrossEntropy()


def small(backend="numpy", seed=0):
    return xnn.Network(
        [xnn.Standardize(), xnn.Dense(6), xnn.ReLU(), xnn.Dropout(0.5), xnn.Dense(3)],
        inputs=4,
        backend=backend,
        seed=seed,
    )


@pytest.fixture
def data(rng):
    return rng.normal(size=(20, 4)), rng.integers(0, 3, size=20)


def test_landscape_shows_the_costs_of_the_path(data):
    network, path = small(), xnn.Record(lambda network: network.parameters)
    history = network.fit(*data, loss=LOSS, epochs=4, callbacks=[path])
    before = network.parameters
    ax = plot.landscape(network, *data, LOSS, path.values, points=5)
    steps = ax.lines[0].get_xydata()
    assert len(steps) == 5 == len(history) + 1
    np.testing.assert_allclose(steps[-1], 0, atol=1e-12)
    # The coordinates are those of the points in the plane: distances in it are not longer than in all dimensions.
    flat = np.stack([np.concatenate([w.ravel() for w in point.values()]) for point in path.values])
    away = np.linalg.norm(flat - flat[-1], axis=1)
    assert (np.linalg.norm(steps, axis=1) <= away * (1 + 1e-6)).all()
    share = np.sum(steps[:, 0] ** 2) / np.sum(away**2)
    assert ax.get_xlabel() == f"first principal direction ({share:.0%} of the variance)"
    for name, w in network.parameters.items():
        np.testing.assert_array_equal(w, before[name])


def test_landscape_in_random_directions(backend, data):
    network = small(backend)
    network.fit(*data, loss=LOSS)
    costs = network.evaluate(*data, loss=LOSS)["loss"]
    contours = plot.landscape(network, *data, LOSS, points=3).collections[0]
    assert contours.levels[0] <= costs <= contours.levels[-1]


def test_landscape_errors(data):
    network = small()
    network.fit(*data, loss=LOSS)
    with pytest.raises(ValueError, match="at least three points; got 2"):
        plot.landscape(network, *data, LOSS, [network.parameters] * 2)
    with pytest.raises(ValueError, match=r"expected the parameters \['1.weight', .* got \['w'\]"):
        plot.landscape(network, *data, LOSS, [{"w": np.ones(3)}] * 3)


# -- Decision regions ------------------------------------------------------------------------------------------------

PLANE, CORNERS = np.asarray([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.asarray([0, 0, 1, 2])


@pytest.mark.parametrize(
    ("predict", "at_left", "at_right"),
    [
        (lambda x: np.stack([-x[:, 0], x[:, 0] - 1], axis=1), 0, 1),
        (lambda x: x[:, :1], 0, 1),
        (lambda x: (x[:, 0] > 0.5) * 2, 0, 2),
    ],
)
def test_regions(predict, at_left, at_right):
    ax = plot.regions(predict, PLANE, CORNERS, labels="abc", points=20)
    field = ax.images[0].get_array()
    assert set(field[:, 0].tolist()) == {at_left}
    assert set(field[:, -1].tolist()) == {at_right}
    assert words(ax.get_legend()) == ["a", "b", "c"]
    np.testing.assert_array_equal(np.concatenate([line.get_xydata() for line in ax.lines[-3:]]), PLANE)


def test_regions_of_a_network(backend):
    network = xnn.Network([xnn.Dense(3)], inputs=2, backend=backend, seed=0)
    plot.regions(network.predict, PLANE, CORNERS, points=5)
    plot.regions(network, PLANE, CORNERS, points=5)


def test_regions_of_what_predicts_texts():
    class Estimator:
        def predict(self, x):
            return np.where(x[:, 0] > 0.5, "dog", "cat")

    y = np.asarray(["cat", "dog", "cat", "dog"], dtype=object)[: len(CORNERS)]
    ax = plot.regions(Estimator(), PLANE, y, points=20)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["cat", "dog"]
    image = ax.images[0].get_array()
    assert (image[:, 0] == 0).all()
    assert (image[:, -1] == 1).all()


def test_regions_of_a_class_without_examples():
    ax = plot.regions(lambda x: np.where(x[:, 0] > 0.5, "ape", "cat"), PLANE, ["cat", "dog", "cat", "dog"], points=20)
    image = ax.images[0].get_array()
    assert (image[:, 0] == 1).all()
    assert (image[:, -1] == 0).all()
    assert words(ax.get_legend()) == ["cat", "dog"]


def test_regions_take_no_other_classes():
    for y in ([-1, 1, -1, 1], np.asarray([0.0, 0.5, 1.0, 1.0]), [0.0, 1.0, np.nan, 0.0]):
        with pytest.raises(ValueError, match=r"expected the classes y as 0, 1, … or as texts, .*; got \["):
            plot.regions(lambda x: x, PLANE, y)
    with pytest.raises(ValueError, match=r"or as texts, as they are predicted; got \[0, 1, 2\]"):
        plot.regions(lambda x: np.where(x[:, 0] > 0.5, "ape", "cat"), PLANE, CORNERS)


def test_regions_errors():
    with pytest.raises(ValueError, match=r"shape \(n, 2\) and n classes; got shapes \(4, 3\) and \(4,\)"):
        plot.regions(lambda x: x, np.ones((4, 3)), CORNERS)
    with pytest.raises(ValueError, match=r"scores of shape \(25, classes\) for 25 points; got \(3, 2\)"):
        plot.regions(lambda x: np.ones((3, 2)), PLANE, CORNERS, points=5)
    with pytest.raises(ValueError, match="expected 3 labels, one a class; got 2"):
        plot.regions(lambda x: x[:, 0], PLANE, CORNERS, labels="ab")


# -- Inside a network ------------------------------------------------------------------------------------------------


def test_activations_counts_dead_units(data):
    network = small()
    network.fit(*data, loss=LOSS)
    network.set_parameters({"1.bias": [-100.0, -100.0, 0, 0, 0, 0]})
    ax = plot.activations(network, data[0])
    assert [t.get_text() for t in ax.get_yticklabels()][:3] == ["0 Standardize", "1 Dense", "2 ReLU"]
    zeros = np.mean(network.activations(data[0])[2] == 0)
    assert cells(ax)[2] == f"{zeros:.0%} zeros\n2 of 6 units dead"
    assert cells(ax)[1] == ""


def test_gradients_of_a_backend(backend, data):
    network = small(backend)
    network.fit(*data, loss=LOSS)
    step = network.step
    ax = plot.gradients(network, *data, LOSS)
    assert [t.get_text() for t in ax.get_yticklabels()] == list(network.parameters)
    assert network.step == step
    low, high = ax.get_xlim()
    sizes = np.abs(backend.to_numpy(network.gradients(*data, LOSS, training=False)[1]["4.weight"]))
    assert low <= np.log10(np.median(sizes)) <= high


def test_deltas(data):
    network, record = small(), xnn.Record(lambda network: network.deltas(*data, LOSS))
    network.fit(*data, loss=LOSS, epochs=3, callbacks=[record])
    ax = plot.deltas(record.values)
    assert ax.get_yscale() == "log"
    assert [len(line.get_ydata()) for line in ax.lines] == [4] * 5
    np.testing.assert_allclose(ax.lines[4].get_ydata()[3], np.sqrt(np.mean(record.values[3][4] ** 2)))
    plot.deltas([[0.0, 1.0]], names=["first", "second"])
    with pytest.raises(ValueError, match="one value for every layer in every epoch"):
        plot.deltas([])


def test_weights():
    network = xnn.Network([xnn.Dense(7), xnn.Tanh(), xnn.Dense(1)], inputs=9, seed=0)
    ax = plot.weights(network, columns=3)
    sheet = np.asarray(ax.images[0].get_array().filled(np.nan))
    assert sheet.shape == (11, 11)
    np.testing.assert_allclose(sheet[4:7, 4:7], network.parameters["0.weight"][4].reshape(3, 3))
    assert np.isnan(sheet[8:, 4:]).all()
    assert plot.weights(network, units=2, shape=(1, 9)).get_xlabel() == "2 of 7 units"
    with pytest.raises(ValueError, match=r"9 inputs, which are no image of shape \(2, 3\)"):
        plot.weights(network, shape=(2, 3))
    with pytest.raises(ValueError, match="no layer with a weight"):
        plot.weights(xnn.Network([xnn.ReLU()], inputs=3))


def test_nothing_in_them_needs_a_light_background(data):
    network, record = small(), xnn.Record(lambda network: network.deltas(*data, LOSS), every=2)
    with pyplot.style.context("dark_background"):
        network.fit(*data, loss=LOSS, epochs=5, callbacks=[record]).plot()
        assert record.epochs == [0, 2, 4]
        plot.deltas(record.values)
        plot.activations(network, data[0])


# -- All -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plot.history(run(), ax),
        lambda ax: plot.confusion_matrix([[1, 2], [3, 4]], ax=ax),
        lambda ax: plot.heat_map([[1, 2], [3, 4]], [1, 2], [1, 2], ax),
        lambda ax: plot.surface(bowl, (0, 1), (0, 1), [(0, 0), (1, 1)], ax, points=5),
        lambda ax: plot.regions(lambda x: x, PLANE, CORNERS, ax, points=5),
        lambda ax: plot.weights(small(), ax),
        lambda ax: plot.deltas([[1.0, 2.0], [0.5, 0.1]], ax),
        lambda ax: plot.activations(xnn.Network([xnn.Dense(2), xnn.Tanh()], inputs=2), PLANE, ax),
        lambda ax: plot.gradients(xnn.Network([xnn.Dense(3)], inputs=2), PLANE, CORNERS, LOSS, ax),
    ],
)
def test_draws_on_the_axes_given(draw):
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 4), layout="constrained")
    assert draw(axes[1]) is axes[1]
    assert axes[1].has_data()
    assert not axes[0].has_data()
    assert pyplot.get_fignums() == [figure.number]


def test_without_matplotlib(monkeypatch):
    for name in ["matplotlib", *(name for name in sys.modules if name.startswith("matplotlib."))]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match="pictures need matplotlib; install it with: pip install matplotlib"):
        run().plot()
    for draw in (
        lambda: plot.confusion_matrix([[1]]),
        lambda: plot.heat_map([[1]], [1], [1]),
        lambda: plot.surface(bowl, (0, 1), (0, 1), points=2),
    ):
        with pytest.raises(ImportError, match="pictures need matplotlib"):
            draw()
