"""The record of a training run."""

import json
import math

import pytest

from xnn.history import History


def run_of(n):
    history = History()
    for epoch in range(n):
        history.append({"loss": 1 / (epoch + 1), "val_loss": 2 / (epoch + 1)})
    history.stop_reason = f"epoch limit: {n} epochs"
    return history


def test_values_by_name():
    history = run_of(3)
    assert history["loss"] == [1.0, 0.5, 1 / 3]
    assert list(history) == list(history.keys()) == ["loss", "val_loss"]
    assert "val_loss" in history
    assert "accuracy" not in history
    assert len(history) == 3
    assert dict(history) == dict(history.items()) == history.to_dict()
    assert json.loads(json.dumps(history.to_dict())) == history.to_dict()


def test_one_epoch():
    history = run_of(3)
    assert history[-1] == history[2] == {"loss": 1 / 3, "val_loss": 2 / 3}
    with pytest.raises(IndexError, match="index 3: this history has 3 epochs"):
        history[3]


def test_unknown_name_lists_the_known():
    with pytest.raises(KeyError, match=r"no 'acc' in this history; it has: loss, val_loss"):
        run_of(1)["acc"]
    with pytest.raises(KeyError, match="nothing yet"):
        History()["loss"]


def test_a_slice_is_a_history_that_knows_its_epochs():
    history = run_of(30)
    part = history[10:20]
    assert isinstance(part, History)
    assert part["loss"] == history["loss"][10:20]
    assert part.epochs == range(11, 21)
    assert len(part) == 10
    assert part.stop_reason == history.stop_reason
    assert history[::3].epochs == range(1, 31, 3)
    assert len(history[50:]) == 0
    assert list(history[50:]) == ["loss", "val_loss"]


def test_a_slice_is_a_copy_and_can_be_continued():
    history = run_of(6)
    part = history[::2]
    part.append({"loss": 7.0})
    assert (part["loss"][-1], list(part.epochs)) == (7.0, [1, 3, 5, 7])
    assert len(history) == 6
    history["loss"].clear()
    history.to_dict()["loss"].clear()
    assert len(history["loss"]) == 6


def test_a_name_that_is_missing_in_some_epochs():
    history = History()
    history.append({"loss": 1.0})
    history.append({"loss": 0.5, "val_loss": 0.7})
    history.append({"loss": 0.4})
    first, middle, last = history["val_loss"]
    assert math.isnan(first)
    assert middle == 0.7
    assert math.isnan(last)


def test_made_from_values():
    history = History({"loss": [3, 2]}, stop_reason="by hand")
    assert (len(history), history["loss"], history.stop_reason) == (2, [3.0, 2.0], "by hand")
    with pytest.raises(ValueError, match=r"one value an epoch under every name, 2 of them; got .*'b': 1"):
        History({"a": [1, 2], "b": [1]})


def test_empty():
    history = History()
    assert len(history) == 0
    assert list(history) == []
    assert repr(history) == "<History of 0 epochs>"


def test_repr_is_short_and_says_how_it_went():
    assert repr(run_of(2)) == (
        "<History of 2 epochs; loss 1 → 0.5; val_loss 2 → 1; stop reason: epoch limit: 2 epochs>"
    )
    assert repr(run_of(1)).startswith("<History of 1 epoch; ")
    assert len(repr(run_of(1000))) < 150


def test_values_become_python_floats():
    import numpy

    history = History()
    history.append({"loss": numpy.float32(0.5)})
    assert type(history["loss"][0]) is float
