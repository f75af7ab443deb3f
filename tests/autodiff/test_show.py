"""The computational graph: its text, its table, its picture."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

import xnn


def root(x):
    """Text 001's example √(x² + exp x²)."""
    xp = xnn.arrays.namespace(x)
    a = x**2
    return xp.sqrt(a + xp.exp(a))


def two(x, y):
    a = x * y
    c = np.exp(x)
    e = np.tanh(np.sin(a) + c) * y
    return np.log(e * e + a) + np.sqrt(c)


def test_row_8_exactly(backend):
    with backend.scope():
        graph = xnn.show(root, backend.asarray(1.0, "float64"))
    assert str(graph).splitlines() == [
        "step         value        tangent      adjoint",
        "x            1            1            1.928284686",
        "a = x ** 2   1            2            0.964142343",
        "b = exp(a)   2.718281828  5.436563657  0.259297812",
        "c = a + b    3.718281828  7.436563657  0.259297812",
        "d = sqrt(c)  1.928284686  1.928284686  1",
    ]


def test_each_mode_alone():
    forward, reverse = (str(xnn.show(root, 1.0, mode=mode)).splitlines() for mode in ("forward", "reverse"))
    assert forward[2].split() == ["a", "=", "x", "**", "2", "1", "2"]
    assert reverse[3].split() == ["b", "=", "exp(a)", "2.718281828", "0.259297812"]
    with pytest.raises(ValueError, match="mode must be 'forward', 'reverse' or None; got 'up'"):
        xnn.show(root, 1.0, mode="up")


def test_arrays_are_short_and_small_numbers_keep_their_digits():
    text = str(xnn.show(lambda x: np.sum(np.ones((3, 10)) @ x) * 1e-5, np.arange(10.0)))
    assert "array(10,)" in text
    assert "0.00135" in text
    assert max(map(len, text.splitlines())) < 120


def test_a_notebook_shows_a_table():
    table = xnn.show(root, 1.0)._repr_html_()
    assert "<td" in table
    assert "0.259297812" in table
    assert "Adjoints: derivatives of the result" in table


def overlap(a, b):
    return a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1


def test_the_picture_has_a_box_a_step_and_none_lies_on_another():
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

    graph = xnn.show(two, 1.0, 0.7)
    ax = graph.plot()
    boxes = [p for p in ax.patches if isinstance(p, FancyBboxPatch)]
    arrows = [p for p in ax.patches if isinstance(p, FancyArrowPatch)]
    assert len(boxes) == len(graph.steps) == 13
    assert len(arrows) == sum(len(step.sources) for step in graph.steps)
    extents = [b.get_path().transformed(b.get_patch_transform()).get_extents() for b in boxes]
    extents = [b.get_bbox() if hasattr(b, "get_bbox") else e for b, e in zip(boxes, extents, strict=True)]
    assert not any(overlap(a, b) for i, a in enumerate(extents) for b in extents[:i])
    words = {t.get_text() for t in ax.texts}
    for step in graph.steps:
        assert {step.written, step.value, f"→ {step.tangent}", f"← {step.adjoint}"} <= words
    figure, own = plt.subplots()
    assert xnn.plot.graph(xnn.show(root, 1.0, mode="reverse"), own) is own
    assert len(own.texts) == 5 * 3
    plt.close("all")
    del figure
