"""Callbacks do epoch for epoch what those of Keras do, on random values with NaN among them."""

import math
import os

import numpy as np
import pytest
from test_callbacks import Optimizer, Run, train

from xnn.callbacks import EarlyStopping, ReduceLROnPlateau, as_callback

if "KERAS_BACKEND" not in os.environ:
    pytest.importorskip("torch")
    os.environ["KERAS_BACKEND"] = "torch"
callbacks = pytest.importorskip("keras").callbacks
pytestmark = pytest.mark.filterwarnings("ignore")  # of Keras and its backend about themselves


class Model:
    """What the callbacks of Keras see of a model: its weights are the number of its epoch."""

    stop_training, weights = False, 0

    def __init__(self, lr=0.1):
        self.optimizer = Optimizer()
        self.optimizer.learning_rate = lr

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights


def scripts(seed):
    rng = np.random.default_rng(seed)
    for _ in range(200):
        script = np.round(rng.uniform(0, 1, 12), 1)
        script[rng.uniform(size=12) < 0.1] = math.nan
        script[0] = 0.5  # where no epoch gives a number, Keras goes back to the first one
        yield rng, script.tolist()


def by_keras(callback, script):
    """(epochs, weights at the end, learning rates)."""
    model = Model()
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for epoch, value in enumerate(script):
        model.weights = epoch + 1
        callback.on_epoch_end(epoch, {"val_loss": value})
        rates.append(float(model.optimizer.learning_rate))
        if model.stop_training:
            break
    callback.on_train_end()
    return len(rates), model.weights, rates


def test_early_stopping():
    for rng, script in scripts(3):
        settings = {
            "min_delta": float(rng.choice([0.0, 0.12])),
            "patience": int(rng.integers(0, 5)),
            "mode": str(rng.choice(["min", "max"])),
            "baseline": [None, 0.45][rng.integers(2)],
            "start_from_epoch": int(rng.integers(0, 4)),
        }
        script[settings["start_from_epoch"]] = 0.5
        run = train([EarlyStopping(**settings)], script)
        expected = by_keras(callbacks.EarlyStopping(restore_best_weights=True, **settings), script)
        assert (len(run.history), run.network.θ) == expected[:2]


def test_reduce_lr_on_plateau():
    for rng, script in scripts(4):
        settings = {
            "factor": float(rng.choice([0.5, 0.1])),
            "min_delta": float(rng.choice([0.0, 0.12])),
            "patience": int(rng.integers(0, 4)),
            "mode": str(rng.choice(["min", "max"])),
            "cooldown": int(rng.integers(0, 3)),
            "min_lr": float(rng.choice([0.0, 0.03])),
        }
        rates, run = [], Run(optimizer=Optimizer(0.1))
        seen = as_callback(lambda epoch, logs, rates=rates, run=run: rates.append(0.1 * run.lr_scale))
        train([ReduceLROnPlateau(**settings), seen], script, run)
        expected = by_keras(callbacks.ReduceLROnPlateau(**settings), script)[2]
        np.testing.assert_allclose(rates, expected, rtol=1e-12)
