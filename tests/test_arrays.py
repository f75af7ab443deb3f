"""The backend contract and the selector."""

import copy
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest

import xnn
from xnn import arrays


def test_arrays_go_in_and_out(backend):
    a = backend.asarray(np.arange(6.0).reshape(2, 3), "float32")
    assert a.dtype == backend.dtype("float32")
    assert backend.owns(a)
    assert not backend.owns([1.0])
    np.testing.assert_array_equal(backend.to_numpy(a), [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(backend.to_numpy(backend.asarray([[1, 2], [3, 4]])), [[1, 2], [3, 4]])
    np.testing.assert_array_equal(xnn.to_numpy(a), [[0, 1, 2], [3, 4, 5]])
    assert backend.to_numpy(backend.asarray(1.5)).shape == ()


@pytest.mark.parametrize("shape", [(7,), (6, 2), (2, 3), (7, 2, 3), (3, 0)])
def test_an_array_is_cut_into_pieces(backend, shape):
    a = np.arange(math.prod(shape), dtype="float32").reshape(shape)
    pieces = [backend.to_numpy(piece) for piece in backend.pieces(backend.asarray(a), 3)]
    assert [len(piece) for piece in pieces] == [3] * (len(a) // 3) + [len(a) % 3] * (len(a) % 3 > 0)
    np.testing.assert_array_equal(np.concatenate(pieces), a)


def test_pieces_of_numpys_arrays_are_views():
    a = np.arange(24).reshape(4, 6).T  # its rows are not in one piece
    assert all(np.shares_memory(piece, a) for piece in xnn.get_backend("numpy").pieces(a, 4))


def test_an_array_of_one_library_comes_into_another(backend):
    there = backend.asarray([[1.0, 2.0]], "float32")
    for name in ("numpy", "array_api_strict"):
        other = xnn.get_backend(name)
        np.testing.assert_array_equal(other.to_numpy(other.asarray(there)), [[1, 2]])


def test_numpy_arrays_that_other_libraries_refuse_are_copied(backend):
    read_only = np.arange(4.0)
    read_only.flags.writeable = False
    np.testing.assert_array_equal(backend.to_numpy(backend.asarray(read_only)), read_only)
    np.testing.assert_array_equal(backend.to_numpy(backend.asarray(np.arange(4.0)[::-1])), [3, 2, 1, 0])


def test_every_part_of_the_contract_answers(backend):
    backend.synchronize()
    with backend.scope():
        assert set(backend.info()) >= {"version", "device"}
    assert backend.name in repr(backend)


@pytest.mark.parametrize("name", ["numpy", "array_api_strict:device1"])
def test_a_copy_of_a_network_is_on_the_same_backend(name):
    network = xnn.Network([xnn.Dense(1)], inputs=1, backend=name)
    for copied in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert copied.backend is network.backend
        assert copied.flat is not network.flat
        assert float(copied.predict([[1.0]])[0, 0]) == float(network.predict([[1.0]])[0, 0])


def test_the_current_backend():
    assert xnn.get_backend().name == "numpy"
    with xnn.use_backend("array_api_strict:device1") as chosen:
        assert xnn.get_backend() is chosen
        with xnn.use_backend("numpy"):
            assert xnn.get_backend().name == "numpy"
        assert xnn.get_backend() is chosen
    assert xnn.get_backend().name == "numpy"
    try:
        xnn.set_backend("array_api_strict")
        assert xnn.get_backend().name == "array_api_strict"
        assert xnn.get_backend(chosen) is chosen
    finally:
        xnn.set_backend("numpy")


@pytest.mark.parametrize(("setting", "name"), [("array_api_strict", "array_api_strict"), ("", "numpy")])
def test_the_environment_chooses(setting, name):
    code = "import xnn; print(xnn.get_backend().name)"
    output = subprocess.run(
        [sys.executable, "-c", code], env={"XNN_BACKEND": setting}, capture_output=True, text=True, check=True
    )
    assert output.stdout.strip() == name


def test_a_backend_made_by_hand_does_not_take_the_place_of_the_named_one():
    named = xnn.get_backend("array_api_strict")
    made = type(named)("device1")
    with xnn.use_backend(made) as chosen:
        assert chosen is made
        assert xnn.get_backend() is made
    assert xnn.get_backend("array_api_strict") is named


def test_an_error_by_the_environment_names_the_variable(monkeypatch):
    monkeypatch.setenv("XNN_BACKEND", "nunpy")
    monkeypatch.setattr(arrays, "_default", None)
    with pytest.raises(xnn.BackendError, match=r"unknown backend 'nunpy'.*XNN_BACKEND"):
        xnn.get_backend()


def test_an_unknown_backend_lists_the_known_ones():
    with pytest.raises(xnn.BackendError, match=r"unknown backend 'nunpy'.*numpy, cupy, torch, jax, array_api_strict"):
        xnn.get_backend("nunpy")
    with pytest.raises(xnn.BackendError, match="by its name"):
        xnn.get_backend(3)


@pytest.mark.parametrize("name", ["numpy:gpu", "array_api_strict:device9", "torch:abc", "torch:cuda:77", "jax:tpu"])
def test_an_unknown_device_is_an_error(name):
    library = {"torch": "torch", "jax": "jax"}.get(name.partition(":")[0])
    if library:
        pytest.importorskip(library)
    with pytest.raises(xnn.BackendError, match=name.partition(":")[0]):
        xnn.get_backend(name)


def test_a_backend_that_cannot_be_used_says_why_and_how_to_mend_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # as if it were not installed
    monkeypatch.delitem(arrays._instances, "cupy", raising=False)
    with pytest.raises(xnn.BackendError, match=r"pip install .*cupy-cuda13x\[ctk\]"):
        xnn.get_backend("cupy")
    reasons = xnn.available_backends()
    assert next(iter(reasons)) == "numpy"
    assert reasons["numpy"] == ""
    assert "install" in reasons["cupy"]


def test_another_package_adds_a_backend(monkeypatch):
    monkeypatch.setattr(arrays, "_third_party", lambda: {"mine": "xnn.backends.numpy_backend:NumpyBackend"})
    assert xnn.get_backend("mine").xp is xnn.get_backend("numpy").xp
    assert "mine" in xnn.available_backends()
    arrays._instances.pop("mine")
    arrays._classes.pop("mine")


def test_the_entry_points_are_read():
    assert isinstance(arrays._third_party(), dict)


def test_unify(backend):
    a = backend.asarray([1.0, 2.0])
    xp, b, c = arrays.unify(b=[3, 4], c=a)
    assert c is a
    assert backend.owns(b)
    np.testing.assert_array_equal(backend.to_numpy(xp.astype(b, a.dtype) + a), [4, 6])
    if backend.name != "numpy":
        with pytest.raises(TypeError, match=rf"first is an array of {backend.library}.*second is an array of numpy"):
            arrays.unify(first=a, second=np.ones(2))


def test_jax_without_64_bits_refuses_float64():
    pytest.importorskip("jax")
    code = (
        "import xnn\n"
        "try: xnn.Network([xnn.Dense(1)], inputs=1, backend='jax', dtype='float64')\n"
        "except xnn.BackendError as error: print(error)"
    )
    output = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, text=True, check=True)
    assert "jax_enable_x64" in output.stdout


def test_what_is_no_array_says_how_it_becomes_one():
    sparse = pytest.importorskip("scipy.sparse")
    for given, words in (
        (sparse.csr_array(np.eye(2)), r"x: expected numbers .*: x.toarray\(\)"),
        (["a", "b"], "x: expected numbers .* numpy.unique"),
        ([[1.0, "a"]], "x: expected numbers .* numpy.unique"),
        (np.ones((1, 2), dtype=object), r"x: expected real numbers; got .* object; .*: x.astype\('float64'\)"),
    ):
        with pytest.raises(TypeError, match=words):
            xnn.Network([xnn.Dense(1)], inputs=2).predict(given)


def test_none_is_no_array_and_is_told_by_its_name():
    network, loss, y = xnn.Network([xnn.Dense(1)], inputs=2), xnn.MeanSquaredError(), np.ones((3, 1))
    for name, call in (
        ("x", lambda: network.fit(None, y, loss=loss)),
        ("x", lambda: network.evaluate(None, y, loss=loss)),
        ("outputs", lambda: loss(None, y)),
        ("targets", lambda: loss.gradient(y, None)),
        ("targets", lambda: xnn.metrics.r2(y, None)),
    ):
        with pytest.raises(TypeError, match=f"{name}: expected numbers .* got NoneType"):
            call()


def test_words_are_no_numbers():
    with pytest.raises(TypeError, match="expected numbers"):
        xnn.to_numpy(["a", "b"])


def test_importing_xnn_imports_no_other_library():
    others = ("torch", "jax", "cupy", "matplotlib", "rich", "sklearn", "safetensors", "importlib.metadata")
    code = f"import sys, xnn; print([m for m in {others} if m in sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"


def test_the_name_of_where_an_array_is_leads_there(backend):
    x = backend.asarray([1.0])
    again = xnn.get_backend(backend.name_of(x))
    assert again.name == backend.name
    assert again.device == backend.device


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numpys_choice_between_numbers_and_zero_is_that_of_where(dtype, rng):
    xp = xnn.get_backend("numpy").xp
    x = rng.normal(size=(5, 4)).astype(dtype)
    x[0] = [np.inf, -np.inf, np.nan, -0.0]
    mask = rng.random((5, 4)) < 0.5
    mask[0] = True
    for condition, a, b in [
        (mask, x, 0.0), (~mask, x, 0.0), (mask.T, x.T, 0.0), (mask[:, ::2], x[:, ::2], 0.0), (mask[:, :1], x, 0.0),
        (mask, x, -0.0), (mask, x, 1.0), (mask, 1.0, x), (mask, x, x), (mask.astype(int) * 2, x, 0.0), (True, x, 0.0),
        (mask[0, 0], x[0, 0], 0.0), (mask, x > 0, 0.0), (mask, mask.astype(int), 0.0),
    ]:  # fmt: skip
        found, expected = xp.where(condition, a, b), np.where(condition, a, b)
        assert found.dtype == expected.dtype
        assert np.asarray(found).tobytes() == expected.tobytes()


def test_masked_values_are_told_of(backend):
    values = np.arange(6.0).reshape(3, 2)
    masked, whole = np.ma.masked_greater(values, 4.5), np.ma.masked_greater(values, 9.0)
    np.testing.assert_array_equal(backend.to_numpy(backend.asarray(whole)), values)
    network = xnn.Network([xnn.Dense(2)], inputs=2, backend=backend, seed=0)
    network.predict(whole)
    words = "1 of the values are masked, and the mask would be lost"
    with pytest.raises(ValueError, match=words):
        backend.asarray(masked)
    for x, y in ((masked, values), (values, masked)):
        with pytest.raises(ValueError, match=f"[xy]: {words}"):
            network.fit(x, y, loss=xnn.SquaredError())
    with pytest.raises(ValueError, match=f"x: {words}"):
        network.predict(masked)
