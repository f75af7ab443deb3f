"""Networks in files: saved by one backend, loaded by another, and by PyTorch."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import xnn
from xnn import checkpoint
from xnn.layers import LAYERS


def network(backend="numpy", **settings):
    layers = [
        xnn.Standardize(),
        xnn.Dense(6, weight_init=lambda generator, shape: generator.normal(size=shape)),
        xnn.BatchNorm(momentum=0.2),
        xnn.LeakyReLU(0.1),
        xnn.Dropout(0.3),
        xnn.Reshape((2, 3)),
        xnn.LayerNorm(),
        xnn.Flatten(),
        xnn.PReLU(),
        xnn.Dense(3, bias=False),
        xnn.GELU(approximate="tanh"),
    ]
    return xnn.Network(layers, inputs=4, backend=backend, seed=3, **settings)


def trained(backend, rng, **settings):
    made = network(backend, **settings)
    made.fit(rng.normal(size=(20, 4)), rng.integers(0, 3, 20), loss=xnn.CrossEntropy(), epochs=2)
    return made


def test_round_trip(backend, tmp_path, rng):
    made = trained(backend, rng, dtype="float64")
    made.save(tmp_path / "net.safetensors")
    x = rng.normal(size=(5, 4))
    for other in ("numpy", "array_api_strict", backend):
        loaded = xnn.load(tmp_path / "net.safetensors", backend=other)
        assert (loaded.seed, loaded.step, loaded.epoch, loaded.dtype) == (made.seed, made.step, made.epoch, "float64")
        assert [type(a) for a in loaded.layers] == [type(a) for a in made.layers]
        for mine, theirs in ((made.parameters, loaded.parameters), (made.buffers, loaded.buffers)):
            assert list(mine) == list(theirs)
            for name in mine:
                np.testing.assert_array_equal(xnn.to_numpy(mine[name]), xnn.to_numpy(theirs[name]))
        np.testing.assert_allclose(loaded.predict(x), made.predict(x), rtol=1e-12)


def test_training_goes_on_as_if_never_saved(backend, tmp_path, rng):
    x, y = rng.normal(size=(20, 4)), rng.integers(0, 3, 20)
    made = trained(backend, rng)
    made.save(tmp_path / "net.safetensors")
    loaded = xnn.load(tmp_path / "net.safetensors", backend=backend)
    for one in (made, loaded):
        one.fit(x, y, loss=xnn.CrossEntropy(), optimizer=xnn.SGD(lr=0.1), epochs=2, batch_size=8)
    np.testing.assert_array_equal(backend.to_numpy(made.flat), backend.to_numpy(loaded.flat))


def test_every_layer_comes_back_with_its_settings(tmp_path):
    for name, kind in LAYERS.items():
        layer = kind(2, bias=False) if name == "Dense" else kind((2, 2)) if name == "Reshape" else kind()
        made = xnn.Network([layer], inputs=4)
        made.save(tmp_path / name)
        assert xnn.load(tmp_path / name).layers == (layer,)


def test_an_unfitted_network_stays_unfitted(tmp_path):
    network().save(tmp_path / "net")
    with pytest.raises(xnn.NotFittedError):
        xnn.load(tmp_path / "net").predict(np.ones((1, 4)))


def test_notes_stay_with_the_network(tmp_path):
    made = network()
    made.notes = {"features": ["length", "größe"], "scale": 2.5, "best": None}
    made.save(tmp_path / "net")
    loaded = xnn.load(tmp_path / "net")
    assert loaded.notes == made.notes
    loaded.save(tmp_path / "again")
    assert xnn.load(tmp_path / "again").notes == made.notes
    for wrong, words in (({"array": np.ones(2)}, "network.notes.* JSON"), (None, "network.notes: .* got None")):
        made.notes = wrong
        with pytest.raises(TypeError, match=words):
            made.save(tmp_path / "net")
    assert xnn.load(tmp_path / "net").notes == loaded.notes, "the file is as it was"


def test_a_file_without_notes_is_read(tmp_path):
    assert xnn.load(rewritten(tmp_path, lambda a, _: a.pop("notes"))).notes == {}


def test_pytorch_reads_the_file(tmp_path, rng):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    made = xnn.Network(
        [xnn.Dense(5), xnn.BatchNorm(), xnn.PReLU(), xnn.Dense(4), xnn.LayerNorm()], inputs=3, dtype="float64", seed=0
    )
    x = rng.normal(size=(6, 3))
    made.fit(x, rng.normal(size=(6, 4)), loss=xnn.MeanSquaredError(), epochs=3)
    made.save(tmp_path / "net.safetensors")
    theirs = torch.nn.Sequential(
        torch.nn.Linear(3, 5), torch.nn.BatchNorm1d(5), torch.nn.PReLU(), torch.nn.Linear(5, 4), torch.nn.LayerNorm(4)
    ).double()
    theirs.load_state_dict(load_file(tmp_path / "net.safetensors"))
    np.testing.assert_allclose(theirs.eval()(torch.tensor(x)).detach().numpy(), made.predict(x), rtol=1e-12)


def rewritten(tmp_path, change):
    """A file with a right checksum but a changed description or changed arrays."""
    network().save(tmp_path / "net")
    architecture, arrays = checkpoint.read(tmp_path / "net")
    architecture = json.loads(json.dumps(architecture))
    change(architecture, arrays)
    checkpoint.write(tmp_path / "net", architecture, arrays)
    return tmp_path / "net"


CHANGES = {
    "unknown layer": (lambda a, _: a["layers"][1].update(type="Conv9"), "unknown layer 'Conv9'"),
    "unknown setting": (lambda a, _: a["layers"][1].update(unitz=3), "unitz"),
    "wrong setting": (lambda a, _: a["layers"][1].update(units=-3), "units must be at least 1"),
    "huge layer": (lambda a, _: a["layers"][1].update(units=10**15), "shape"),
    "no layers": (lambda a, _: a.pop("layers"), "layers"),
    "no list": (lambda a, _: a.update(layers=3), "description"),
    "array missing": (lambda _, b: b.pop("1.weight"), "'1.weight' is missing"),
    "statistics missing": (lambda _, b: b.pop("2.running_mean"), "'2.running_mean' is missing"),
    "array too many": (lambda _, b: b.update({"99.weight": np.ones(2)}), "'99.weight'"),
    "wrong shape": (lambda _, b: b.update({"1.weight": np.ones((6, 5))}), r"'1.weight' has shape \(6, 5\)"),
    "dtype": (lambda a, _: a.update(dtype="float16"), "float16"),
    "seed": (lambda a, _: a.update(seed="x"), "description"),
    "notes": (lambda a, _: a.update(notes=[1]), "notes are a list"),
    "inputs": (lambda a, _: a.update(inputs=[-1]), "description"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_description_that_makes_no_network(case, tmp_path):
    change, words = CHANGES[case]
    with pytest.raises(xnn.FileError, match=words):
        xnn.load(rewritten(tmp_path, change))


@dataclass(frozen=True)
class Scaled(xnn.Identity):
    """A layer with a setting of any kind."""

    factor: object = 1.0


def test_settings_are_kept_or_refused(tmp_path):
    for given, kept in ((np.float32(2), 2.0), ([1.0, 2.0], [1.0, 2.0]), ("a", "a"), (None, None)):
        xnn.Network([Scaled(given), xnn.Dense(1)], inputs=2).save(tmp_path / "net")
        assert xnn.load(tmp_path / "net", layers=[Scaled]).layers[0].factor == kept
    with pytest.raises(TypeError, match="Scaled: the setting factor"):
        xnn.Network([Scaled(object()), xnn.Dense(1)], inputs=2).save(tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_layer_of_ones_own_is_named_to_load(tmp_path):
    class Mine(xnn.Identity):
        """A layer that xnn does not know."""

    xnn.Network([Mine(), xnn.Dense(1)], inputs=2).save(tmp_path / "net")
    with pytest.raises(xnn.FileError, match=r"layers=\[Mine\]"):
        xnn.load(tmp_path / "net")
    for given in ([Mine], Mine):
        assert isinstance(xnn.load(tmp_path / "net", layers=given).layers[0], Mine)
    for given in ([Mine()], Mine(), "Mine", [int]):
        with pytest.raises(TypeError, match=r"expected classes of layers, as in layers=\[MyLayer\]; got"):
            xnn.load(tmp_path / "net", layers=given)


def test_a_file_of_the_first_version():
    """Written before there were notes and runs in files; format version 1."""
    loaded = xnn.load(Path(__file__).parent / "data" / "version-1.safetensors")
    assert [type(layer).__name__ for layer in loaded.layers] == [
        "Standardize", "Dense", "BatchNorm", "LeakyReLU", "Dropout", "Dense",
    ]  # fmt: skip
    assert (loaded.step, loaded.epoch, loaded.seed, loaded.notes) == (4, 2, 3, {})
    x = np.arange(8.0).reshape(4, 2) ** 0.5
    predicted = [-2.2612366676330566, -0.2210867702960968, -0.017246827483177185, -0.028599470853805542]
    np.testing.assert_allclose(loaded.predict(x)[:, 0], predicted, rtol=1e-5)
