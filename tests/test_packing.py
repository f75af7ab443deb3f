"""States as JSON and arrays: they come back as they were, in kind and to the last bit."""

import json
import math

import numpy as np
import pytest

from xnn.packing import pack, unpack


def there_and_back(state, backend):
    arrays = {}
    packed = json.loads(json.dumps(pack(state, "run", arrays, backend), allow_nan=False))
    return unpack(packed, {name: np.array(a) for name, a in arrays.items()}, backend)


def test_round_trip(backend):
    xp = backend.xp
    state = {
        "nothing": None,
        "numbers": [True, 1, -0.0, 0.1, 5e-324, 2**70, math.inf, -math.inf],
        "text": "σ",
        "tuple": (1, [2, (3,)], ()),
        3: {"a.b": 1, "a": {"b": backend.asarray([1.0, 2.0], "float32")}},
        "a.b": backend.asarray([[3, 4]], "int32"),
        "empty": xp.zeros((0, 2), dtype=xp.float64, device=backend.device),
    }
    found = there_and_back(state, backend)
    assert list(found) == list(state)
    for name in ("nothing", "numbers", "text", "tuple"):
        assert repr(found[name]) == repr(state[name])
    for one, other in (
        (found[3]["a"]["b"], state[3]["a"]["b"]),
        (found["a.b"], state["a.b"]),
        (found["empty"], state["empty"]),
    ):
        assert backend.owns(one)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(backend.to_numpy(one), backend.to_numpy(other), strict=True)
    assert math.isnan(there_and_back(math.nan, backend))


def test_the_arrays_can_be_changed_and_numpys_stay_numpys(backend):
    a, b = there_and_back([backend.asarray([1.0], "float32"), np.ones(2)], backend)
    if not backend.immutable:
        a += 1.0
        assert float(a[0]) == 2.0
    assert isinstance(b, np.ndarray)


def test_two_arrays_of_one_name_are_two(backend):
    state = {"a.b": backend.asarray([1.0]), "a": {"b": backend.asarray([2.0])}}
    found = there_and_back(state, backend)
    assert (float(found["a.b"][0]), float(found["a"]["b"][0])) == (1.0, 2.0)


def test_what_is_no_state(backend):
    with pytest.raises(TypeError, match=r"run\.a\.1: expected numbers, .* got \{1\}"):
        pack({"a": [0, {1}]}, "run", {}, backend)
    for packed in ({}, {"what": 1}, {"array": "missing", "foreign": False}, {"dict": [1]}):
        with pytest.raises((ValueError, KeyError, TypeError)):
            unpack(packed, {}, backend)
