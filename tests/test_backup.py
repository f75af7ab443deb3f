"""A run that was killed and goes on from its file ends with the bits of one that never was."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import xnn
from xnn import checkpoint

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(50, 4)), RNG.integers(0, 3, 50)
XV, YV = RNG.normal(size=(20, 4)), RNG.integers(0, 3, 20)


class Killed(Exception):
    """Stands for the end of a process: nothing of it is used afterwards, but the file."""


class Kill(xnn.Callback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, run):
        if run.step == self.step:
            raise Killed


def network(backend="numpy", **settings):
    layers = [xnn.Standardize(), xnn.Dense(6), xnn.BatchNorm(), xnn.ReLU(), xnn.Dropout(0.3), xnn.Dense(3)]
    return xnn.Network(layers, inputs=4, backend=backend, **{"seed": 1, **settings})


def train(path=None, kill=None, *, backend="numpy", save_freq=6, made=None, callbacks=(), **settings):
    """One process: a new network, all that ``fit`` offers, and perhaps a file and an end in the middle."""
    made = made or network(backend)
    watching = [xnn.EarlyStopping(patience=5), xnn.ReduceLROnPlateau(patience=1, factor=0.5), *callbacks]
    if path:
        watching.insert(0, xnn.BackupAndRestore(path, save_freq=save_freq))
    if kill:
        watching.append(Kill(kill))
    settings = {
        "loss": xnn.CrossEntropy(), "optimizer": xnn.Adam(lr=xnn.schedules.Cosine(0.05, 60)), "epochs": 6,
        "batch_size": 8, "validation_data": (XV, YV), "metrics": ["accuracy"], "tol": 1e-9,
    } | settings  # fmt: skip
    history = made.fit(X, Y, callbacks=watching, **settings)
    return made, history


def same(one, other):
    (network1, history1), (network2, history2) = one, other
    assert history1.to_dict() == history2.to_dict()
    assert history1.stop_reason == history2.stop_reason
    assert (network1.step, network1.epoch) == (network2.step, network2.epoch)
    for mine, theirs in ((network1.parameters, network2.parameters), (network1.buffers, network2.buffers)):
        assert mine.keys() == theirs.keys()
        for name in mine:
            np.testing.assert_array_equal(xnn.to_numpy(mine[name]), xnn.to_numpy(theirs[name]), strict=True)


@pytest.mark.parametrize("save_freq", ["epoch", 4])
def test_killed_and_gone_on_with(backend, tmp_path, save_freq):
    path = tmp_path / "run"
    whole = train(backend=backend)
    for step in (2, 7, 8, 17, 31):  # a run that is killed again and again; an epoch has 7 steps
        with pytest.raises(Killed):
            train(path, step, backend=backend, save_freq=save_freq)
    same(train(path, backend=backend, save_freq=save_freq), whole)
    assert os.listdir(tmp_path) == ["run"]


def test_a_network_goes_on_with_its_run_on_another_backend(backend, tmp_path):
    with pytest.raises(Killed):
        train(tmp_path / "run", 17)
    _, history = train(tmp_path / "run", backend=backend)
    np.testing.assert_allclose(history["loss"], train()[1]["loss"], rtol=1e-3)


OPTIMIZERS = [
    kind(lr=1e-2)
    for kind in vars(xnn.optimizers).values()
    if isinstance(kind, type) and issubclass(kind, xnn.Optimizer) and kind is not xnn.Optimizer
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
def test_every_optimizer(optimizer, tmp_path):
    whole = train(optimizer=optimizer)
    with pytest.raises(Killed):
        train(tmp_path / "run", 18, optimizer=optimizer)
    same(train(tmp_path / "run", optimizer=optimizer), whole)


SETTINGS = {
    "a metric of all outputs": {"metrics": ["accuracy", lambda a, y: 1.0 * a[0, 0]]},
    "gradient descent": {"batch_size": None},
    "in order": {"shuffle": False},
    "penalty and clipping": {"penalty": xnn.L2(1e-3), "clip_norm": 1.0, "clip_value": 0.1},
    "change of the cost": {"stop_on": "cost", "tol": 0.02},
    "weights": {"sample_weight": RNG.uniform(size=50), "class_weight": {0: 2.0}},
    "early stopping": {"epochs": 60},
    "L-BFGS": {"optimizer": xnn.LBFGS(max_iter=3, history_size=4), "epochs": 2},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings(name, tmp_path):
    settings = SETTINGS[name]
    whole = train(**settings)
    with pytest.raises(Killed):
        train(tmp_path / "run", 5, save_freq=4, **settings)
    same(train(tmp_path / "run", save_freq=9, **settings), whole)


def test_batches_from_an_iterable(tmp_path):
    batches = [(X[i : i + 10], Y[i : i + 10]) for i in range(0, 50, 10)]

    def run(kill=None):
        made = network()
        watching = [xnn.BackupAndRestore(tmp_path / "run", save_freq=3), *([Kill(kill)] if kill else [])]
        return made, made.fit(batches, loss=xnn.CrossEntropy(), epochs=3, callbacks=watching)

    whole = run()
    os.unlink(tmp_path / "run")
    for step in (3, 12):
        with pytest.raises(Killed):
            run(step)
    same(run(), whole)


def test_other_callbacks_go_on_too(tmp_path):
    """The CSV file and the names of saved networks are those of one run."""

    def callbacks(folder):
        folder.mkdir(exist_ok=True)
        return [
            xnn.CSVLogger(folder / "log.csv"),
            xnn.Checkpoint(folder / "best-{epoch}", monitor="val_loss"),
            xnn.Record(lambda network: network.parameters),
        ]

    recorded = callbacks(tmp_path / "a")
    train(callbacks=recorded)
    for step in (5, 16, 24):
        with pytest.raises(Killed):
            train(tmp_path / "run", step, save_freq="epoch", callbacks=callbacks(tmp_path / "b"))
    train(tmp_path / "run", save_freq="epoch", callbacks=(again := callbacks(tmp_path / "b")))
    assert recorded[2].epochs == again[2].epochs
    assert all((a["1.weight"] == b["1.weight"]).all() for a, b in zip(recorded[2].values, again[2].values, strict=True))
    assert sorted(os.listdir(tmp_path / "a")) == sorted(os.listdir(tmp_path / "b"))
    assert (tmp_path / "a" / "log.csv").read_text() == (tmp_path / "b" / "log.csv").read_text()


def test_ctrl_c_loses_nothing(tmp_path):
    import signal

    class Press(xnn.Callback):
        def on_step_end(self, run):
            if run.step == 10:
                signal.raise_signal(signal.SIGINT)

    whole = train()
    _, history = train(tmp_path / "run", save_freq="epoch", callbacks=[Press()])
    assert history.stop_reason.startswith("interrupted in epoch 2")
    assert checkpoint.read(tmp_path / "run")[0]["step"] == 11  # the press is noticed after the step that follows
    same(train(tmp_path / "run"), whole)


def test_more_epochs_prolong_the_run(tmp_path):
    whole = train(epochs=5)
    train(tmp_path / "run", epochs=2, save_freq=1000)
    same(train(tmp_path / "run", epochs=5), whole)


def test_a_run_that_is_over_is_not_repeated(tmp_path):
    first = train(tmp_path / "run", epochs=60)
    assert "early stopping" in first[1].stop_reason
    same(train(tmp_path / "run", epochs=60), first)  # the same script again
    made, history = train(tmp_path / "over", epochs=2)
    with pytest.raises(ValueError, match=r"over holds a run that is over, and this network has been through it"):
        train(tmp_path / "over", made=made, epochs=2)
    assert (made.step, len(history)) == (14, 2)


def test_a_network_without_a_seed_takes_that_of_the_file(tmp_path):
    with pytest.raises(Killed):
        train(tmp_path / "run", kill=5, save_freq=2, made=network(seed=None))
    seed = xnn.load(tmp_path / "run").seed
    with pytest.raises(Killed):
        train(tmp_path / "run", kill=9, save_freq=2, made=network(seed=None))
    made, history = train(tmp_path / "run", save_freq=2, made=network(seed=None))
    assert made.seed == seed
    same((made, history), train(made=network(seed=seed)))


def test_the_network_is_loaded_from_the_file(tmp_path):
    made = network()
    made.fit(X, Y, loss=xnn.CrossEntropy(), epochs=2, batch_size=8, callbacks=xnn.BackupAndRestore(tmp_path / "run"))
    loaded = xnn.load(tmp_path / "run")
    np.testing.assert_array_equal(loaded.predict(X), made.predict(X))
    assert (loaded.step, loaded.epoch) == (14, 2)


OTHERS = {
    "batch_size": ({"batch_size": 16}, "batch_size: then 8, now 16"),
    "shuffle": ({"shuffle": False}, "shuffle: then True, now False"),
    "optimizer": ({"optimizer": xnn.SGD()}, r"optimizer: then Adam\(lr=Cosine.*, now SGD"),
    "loss": ({"loss": xnn.CrossEntropy(label_smoothing=0.1)}, "loss: then CrossEntropy.*label_smoothing=0.1"),
    "penalty": ({"penalty": xnn.L1(0.1)}, "penalty: then None, now L1"),
    "metrics": ({"metrics": []}, "metrics: then .*accuracy.*, now "),
    "validation": ({"validation_data": (XV[:10], YV[:10])}, "examples for validation: then 20, now 10"),
    "layer": ({"made": xnn.Network([xnn.Dense(3)], inputs=4, seed=1)}, r"layer 0: .*, now Dense\(units=3"),
    "seed": ({"made": network(seed=2)}, "seed: then 1, now 2"),
    "dtype": ({"made": network(dtype="float64")}, "dtype: then 'float32', now 'float64'"),
    "callbacks": ({"callbacks": [xnn.EarlyStopping("loss")]}, r"callbacks: then EarlyStopping\(monitor='val_loss'"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_another_run(name, tmp_path):
    settings, words = OTHERS[name]
    train(tmp_path / "run", epochs=2)
    data = (tmp_path / "run").read_bytes()
    before = network().parameters
    with pytest.raises(ValueError, match=f"run holds another run than this one; .*{words}.* to begin anew"):
        train(tmp_path / "run", **settings)
    assert (tmp_path / "run").read_bytes() == data
    if "made" in settings:
        assert settings["made"].step == 0
    assert before.keys() == network().parameters.keys()


@pytest.mark.parametrize("rows", [slice(0, 40), slice(None, None, -1)])
def test_other_examples(rows, tmp_path):
    def run(x, y):
        made = network()
        return made, made.fit(x, y, loss=xnn.CrossEntropy(), callbacks=xnn.BackupAndRestore(tmp_path / "run"))

    run(X, Y)
    words = "number of examples: then 50, now 40" if rows.stop else "checksum of the examples: then"
    with pytest.raises(ValueError, match=words):
        run(X[rows], Y[rows])


def test_files_of_another_kind(tmp_path):
    network().save(tmp_path / "net")
    (tmp_path / "text").write_text("text")
    with pytest.raises(xnn.FileError, match="net holds a network, but no training run"):
        train(tmp_path / "net")
    with pytest.raises(xnn.FileError, match="text cannot be read"):
        train(tmp_path / "text")
    with pytest.raises(FileNotFoundError, match="does not exist; create it first"):
        train(tmp_path / "missing" / "run")
    with pytest.raises(ValueError, match="expected 'epoch' or steps; got 'step'"):
        xnn.BackupAndRestore("run", save_freq="step")
    with pytest.raises(ValueError, match="save_freq must be at least 1"):
        xnn.BackupAndRestore("run", save_freq=0)


LIES = {
    "no state": lambda run, _: run.pop("state"),
    "no settings": lambda run, _: run.update(settings=3),
    "state of another kind": lambda run, _: run.update(state=[1]),
    "an array is missing": lambda _, arrays: arrays.pop("run.optimizer.m"),
    "a parameter is missing": lambda _, arrays: arrays.pop("1.weight"),
    "shape of the optimizer": lambda _, arrays: arrays.update({"run.optimizer.m": np.ones(3, "float32")}),
    "type of the optimizer": lambda _, arrays: arrays.update({"run.optimizer.m": np.ones(57)}),
    "shape of a parameter": lambda _, arrays: arrays.update({"1.weight": np.ones((4, 6))}),
    "unknown buffer": lambda _, arrays: arrays.update({"9.mean": np.ones(3)}),
}


@pytest.mark.parametrize("name", LIES)
def test_a_file_with_a_right_checksum_that_makes_no_run(name, tmp_path):
    with pytest.raises(Killed):
        train(tmp_path / "run", 8)
    described, arrays = checkpoint.read(tmp_path / "run")
    LIES[name](described["run"], arrays)
    checkpoint.write(tmp_path / "run", described, arrays)
    made = network()
    before = made.parameters
    with pytest.raises(xnn.FileError, match="what it holds makes no training run"):
        train(tmp_path / "run", made=made)
    assert (made.step, made.epoch) == (0, 0)
    assert all((made.parameters[key] == before[key]).all() for key in before)


def killed_at_random(folder, kills):
    if not hasattr(os, "fork"):
        pytest.skip("this system cannot fork")
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("kill_at_random.py"), folder, str(kills)],
        capture_output=True, text=True, timeout=580, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{kills} kills" in done.stdout
    assert sorted(os.listdir(folder)) == ["log.csv", "run"], "leftovers are swept"


def test_killed_at_five_random_moments(tmp_path):
    killed_at_random(tmp_path, 5)


@pytest.mark.slow
def test_killed_at_two_hundred_random_moments(tmp_path):
    killed_at_random(tmp_path, 200)
