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


# -- All -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plot.history(run(), ax),
        lambda ax: plot.confusion_matrix([[1, 2], [3, 4]], ax=ax),
        lambda ax: plot.heat_map([[1, 2], [3, 4]], [1, 2], [1, 2], ax),
        lambda ax: plot.surface(bowl, (0, 1), (0, 1), [(0, 0), (1, 1)], ax, points=5),
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
