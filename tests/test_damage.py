"""Damaged files of networks and of runs: each is refused by a FileError, or is as good as the whole one."""

import numpy as np
import pytest
from damage import damaged

import xnn

MANY = [200, pytest.param(10_000, marks=pytest.mark.slow)]
X, Y = np.random.default_rng(0).normal(size=(12, 3)), np.arange(12) % 2


def network():
    return xnn.Network([xnn.Standardize(), xnn.Dense(3), xnn.BatchNorm(), xnn.ReLU(), xnn.Dense(2)], inputs=3, seed=0)


def fit(path, made):
    watching = [xnn.EarlyStopping("loss", patience=9), xnn.BackupAndRestore(path, save_freq=1)]
    return made.fit(X, Y, loss=xnn.CrossEntropy(), epochs=2, batch_size=4, callbacks=watching)


def state(made):
    return {name: a.tobytes() for name, a in {**made.parameters, **made.buffers}.items()}, made.step, made.epoch


@pytest.mark.parametrize("count", MANY)
def test_networks(count, tmp_path):
    made = network()
    fit(tmp_path / "run", made)
    made.save(tmp_path / "net")
    refused, as_good, path = 0, 0, tmp_path / "damaged"
    for data in damaged((tmp_path / "net").read_bytes(), count):
        path.write_bytes(data)
        try:
            loaded = xnn.load(path)
        except xnn.FileError as error:
            refused += str(path) in str(error) and len(str(error)) < 1000
            continue
        as_good += 1
        assert state(loaded) == state(made), data
        assert loaded.layers == made.layers
    assert refused + as_good == count
    assert refused > 0.9 * count


@pytest.mark.parametrize("count", MANY)
def test_runs(count, tmp_path):
    class Broken(xnn.Callback):
        def on_step_end(self, run):
            if run.step == 4:
                raise KeyboardInterrupt

    made = network()
    watching = [xnn.EarlyStopping("loss", patience=9), xnn.BackupAndRestore(tmp_path / "run", save_freq=2), Broken()]
    made.fit(X, Y, loss=xnn.CrossEntropy(), epochs=2, batch_size=4, callbacks=watching)
    whole = network()
    history = fit(tmp_path / "whole", whole)
    refused, as_good, path = 0, 0, tmp_path / "damaged"
    fresh = network()
    before = state(fresh)
    for data in damaged((tmp_path / "run").read_bytes(), count, seed=1):
        path.write_bytes(data)
        try:
            found = fit(path, fresh)
        except xnn.FileError as error:
            refused += str(path) in str(error) and state(fresh) == before and path.read_bytes() == data
            continue
        as_good += 1
        assert state(fresh) == state(whole), data
        assert found.to_dict() == history.to_dict()
        fresh = network()
    assert refused + as_good == count
    assert refused > 0.9 * count
