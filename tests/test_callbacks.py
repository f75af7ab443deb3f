"""The callbacks, on a run made by hand: a script of values, one an epoch."""

import math
import subprocess
import sys
from dataclasses import dataclass, field

import numpy as np
import pytest

from xnn.arrays import get_backend
from xnn.callbacks import Callback, Checkpoint, CSVLogger, EarlyStopping, ReduceLROnPlateau, as_callback
from xnn.contract import Backend
from xnn.history import History

NAN = float("nan")


@dataclass
class Network:
    """What it has learned is one number: the updates so far."""

    θ: int = 0
    files: list = field(default_factory=list)
    backend: Backend = field(default_factory=lambda: get_backend("numpy"))

    def snapshot(self):
        return [self.θ]

    def restore(self, state):
        self.θ = state[0]

    def save(self, path):
        self.files.append((path, self.θ))


@dataclass
class Optimizer:
    lr: object = 0.1


@dataclass
class Run:
    network: Network = field(default_factory=Network)
    optimizer: Optimizer = field(default_factory=Optimizer)
    names: list = field(default_factory=list)
    history: History = field(default_factory=History)
    epochs: int = 0
    epoch: int = 0
    step: int = 0
    samples: int = 100
    lr_scale: float = 1.0
    reason: str = ""

    def stop(self, reason):
        self.reason = self.reason or reason


def train(callbacks, script, run=None, broken_off=False):
    """The loop of ``fit``, with values from a script: a list of dictionaries, or of costs."""
    run = run or Run()
    script = [logs if isinstance(logs, dict) else {"loss": 0.0, "val_loss": logs} for logs in script]
    run.epochs, run.names = len(script), list(script[0])
    try:
        for callback in callbacks:
            callback.on_train_begin(run)
        for epoch, logs in enumerate(script):
            run.epoch = epoch
            run.step += 1
            run.network.θ += 1
            run.history.append(logs)
            for callback in callbacks:
                callback.on_epoch_end(run, logs)
            if run.reason:
                break
        else:
            if broken_off:  # in the middle of one more epoch
                run.epoch += 1
                run.step += 1
                run.network.θ += 1
                run.stop(f"interrupted in epoch {run.epoch + 1}")
            run.stop(f"epoch limit: {run.epochs} epochs")
    finally:
        run.history.stop_reason = run.reason
        for callback in callbacks:
            callback.on_train_end(run)
    return run


# -- Functions -----------------------------------------------------------------------------------------------------


def test_a_function_sees_every_epoch():
    seen = []
    run = train([as_callback(lambda epoch, logs: seen.append((epoch, logs["val_loss"])))], [3.0, 2.0])
    assert seen == [(0, 3.0), (1, 2.0)]
    assert run.reason == "epoch limit: 2 epochs"


@pytest.mark.parametrize("true", [True, np.True_])
def test_a_function_that_returns_true_stops(true):
    def low(epoch, logs):
        return true if logs["val_loss"] < 2 else None

    run = train([as_callback(low)], [3, 2, 1, 0])
    assert len(run.history) == 3
    assert run.reason == "callback: low returned True after epoch 3"


@pytest.mark.parametrize("result", [1, "text", [0], False, np.False_, 0.5])
def test_other_results_do_not_stop(result):
    assert len(train([as_callback(lambda epoch, logs: result)], [3, 2, 1]).history) == 3


def test_as_callback_keeps_callbacks():
    callback = EarlyStopping()
    assert as_callback(callback) is callback


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (EarlyStopping, r"got the class EarlyStopping: write EarlyStopping\(\)"),
        ("early", "expected a callback or a function.*'early'"),
        (None, "expected a callback or a function.*None"),
        (lambda epoch: None, r"called as f\(epoch, logs\).*too many positional"),
    ],
)
def test_what_is_no_callback(wrong, message):
    with pytest.raises(TypeError, match=message):
        as_callback(wrong)


def test_the_base_does_nothing():
    assert train([Callback()], [1.0]).reason == "epoch limit: 1 epochs"


# -- EarlyStopping -------------------------------------------------------------------------------------------------


def test_stops_and_restores_the_best():
    stopper = EarlyStopping(patience=3)
    run = train([stopper], [5, 4, 1, 2, 3, 4, 0])
    assert len(run.history) == 6
    assert (stopper.best, stopper.best_epoch) == (1.0, 3)
    assert run.network.θ == 3
    assert run.history.stop_reason == (
        "early stopping: val_loss has not improved for 3 epochs; best 1 in epoch 3 (weights restored)"
    )


def test_without_restoring():
    run = train([EarlyStopping(patience=2, restore_best=False)], [1, 2, 3, 4])
    assert run.network.θ == 3
    assert run.reason == "early stopping: val_loss has not improved for 2 epochs; best 1 in epoch 1"


@pytest.mark.parametrize(("patience", "epochs"), [(0, 3), (1, 3), (2, 4), (3, 5)])
def test_patience_counts_epochs_without_improvement(patience, epochs):
    assert len(train([EarlyStopping(patience=patience)], [2, 1] + [1] * 8).history) == epochs


@pytest.mark.parametrize(("min_delta", "epochs"), [(0.0, 6), (0.05, 6), (0.25, 3)])
def test_an_improvement_is_more_than_min_delta(min_delta, epochs):
    script = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5]
    assert len(train([EarlyStopping(min_delta=min_delta, patience=2)], script).history) == epochs


def test_exactly_min_delta_is_no_improvement():
    assert len(train([EarlyStopping(min_delta=0.25, patience=1)], [1.0, 0.75, 0.5]).history) == 2


@pytest.mark.parametrize(
    ("monitor", "mode", "grows"),
    [
        ("val_accuracy", "auto", True),
        ("val_acc", "auto", True),
        ("r2", "auto", True),
        ("val_AUC", "auto", True),
        ("val_f1", "auto", True),
        ("val_loss", "auto", False),
        ("mae", "auto", False),
        ("val_accuracy", "min", False),
        ("mine", "max", True),
    ],
)
def test_which_way_is_better(monitor, mode, grows):
    stopper = EarlyStopping(monitor, mode=mode, patience=10)
    train([stopper], [{monitor: 0.1 if grows else 0.9}, {monitor: 0.5}, {monitor: 0.9 if grows else 0.1}])
    assert stopper.best_epoch == 3


def test_nan_is_never_an_improvement():
    stopper = EarlyStopping(patience=2)
    run = train([stopper], [NAN, 1, NAN, NAN, 0])
    assert (stopper.best_epoch, len(run.history), run.network.θ) == (2, 4, 2)
    run = train([stopper], [NAN, NAN, NAN, NAN])
    assert (len(run.history), run.network.θ) == (2, 2)
    assert run.reason == "early stopping: val_loss has not improved for 2 epochs; it was never a finite number"
    assert math.isnan(stopper.best)


def test_baseline():
    # Better than the best so far, yet not than the baseline: the count goes on (as in Keras).
    stopper = EarlyStopping(patience=3, baseline=0.5)
    run = train([stopper], [0.9, 0.8, 0.7, 0.71, 0.1])
    assert len(run.history) == 4
    assert run.reason == (
        "early stopping: val_loss has not beaten the baseline 0.5 for 4 epochs; best 0.7 in epoch 3 (weights restored)"
    )
    assert len(train([stopper], [0.9, 0.8, 0.4, 0.41, 0.41, 0.1]).history) == 6


def test_restores_however_the_run_ends():
    run = train([EarlyStopping(patience=9)], [2, 1, 3])
    assert run.network.θ == 2
    assert run.history.stop_reason == ("epoch limit: 3 epochs; val_loss was best in epoch 2: 1 (weights restored)")
    run = train([EarlyStopping(patience=9)], [3, 2, 1], broken_off=True)
    assert run.network.θ == 3
    assert run.history.stop_reason == ("interrupted in epoch 4; val_loss was best in epoch 3: 1 (weights restored)")

    def fails(epoch, logs):
        if epoch == 2:
            raise ZeroDivisionError

    run = Run()
    with pytest.raises(ZeroDivisionError):
        train([EarlyStopping(patience=9), as_callback(fails)], [2, 1, 3], run)
    assert run.network.θ == 2
    assert run.history.stop_reason == "val_loss was best in epoch 2: 1 (weights restored)"


def test_says_nothing_when_the_last_epoch_was_the_best():
    run = train([EarlyStopping(patience=9)], [3, 2, 1])
    assert run.history.stop_reason == "epoch limit: 3 epochs"


def test_the_first_reason_wins_and_the_weights_are_told_of():
    run = train([as_callback(lambda epoch, logs: epoch == 2), EarlyStopping(patience=2)], [1, 2, 3])
    assert run.reason == "callback: <lambda> returned True after epoch 3"
    assert run.history.stop_reason == f"{run.reason}; val_loss was best in epoch 1: 1 (weights restored)"


def test_unknown_monitor():
    with pytest.raises(ValueError, match=r"watches 'val_loss', which no epoch will report; there will be: loss; what"):
        train([EarlyStopping()], [{"loss": 1.0}])
    with pytest.raises(ValueError, match=r"watches 'acuracy', .*there will be: loss, accuracy$"):
        train([ReduceLROnPlateau("acuracy")], [{"loss": 1.0, "accuracy": 0.5}])


def test_a_second_run_starts_anew():
    stopper = EarlyStopping(patience=2)
    train([stopper], [0.1, 0.2, 0.3])
    run = train([stopper], [5, 4, 3])
    assert (len(run.history), stopper.best, stopper.best_epoch) == (3, 3.0, 3)


def test_the_end_without_a_beginning():
    """What an error in another callback's beginning leads to."""
    EarlyStopping().on_train_end(Run())


def test_wrong_mode():
    with pytest.raises(ValueError, match="EarlyStopping: expected mode 'auto', 'min' or 'max'; got 'maximum'"):
        EarlyStopping(mode="maximum")


def test_the_first_epochs_may_be_passed_over():
    stopper = EarlyStopping(patience=2, start_from_epoch=3)
    run = train([stopper], [0, 0, 0, 5, 4, 6, 7, 1])
    assert (len(run.history), stopper.best, stopper.best_epoch, run.network.θ) == (7, 4, 5, 5)
    run = train([stopper], [0, 1, 2])
    assert (stopper.best_epoch, run.network.θ, run.history.stop_reason) == (0, 3, "epoch limit: 3 epochs")


# -- ReduceLROnPlateau ---------------------------------------------------------------------------------------------


def rates(callback, script, lr=0.1):
    seen = []
    run = Run(optimizer=Optimizer(lr))
    train([callback, as_callback(lambda epoch, logs: seen.append(run.lr_scale))], script, run)
    return seen


def test_plateau():
    callback = ReduceLROnPlateau(patience=2, factor=0.5)
    assert rates(callback, [1, 1, 1, 1, 1, 0.5, 0.5]) == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.25]
    assert callback.reductions == [(3, 0.05), (5, 0.025)]


def test_plateau_cools_down():
    callback = ReduceLROnPlateau(patience=1, factor=0.5, cooldown=2)
    assert rates(callback, [1, 1, 1, 1, 1, 1]) == [1, 0.5, 0.5, 0.25, 0.25, 0.125]


def test_plateau_min_delta_and_nan():
    callback = ReduceLROnPlateau(patience=1, factor=0.5)
    assert rates(callback, [1, 1 - 0.5e-4, 0.9]) == [1, 0.5, 0.5]
    assert rates(callback, [1, NAN, 0.9]) == [1, 0.5, 0.5]
    assert rates(ReduceLROnPlateau("accuracy", patience=1), [{"accuracy": a} for a in (0.1, 0.2, 0.3)]) == [1, 1, 1]


def test_plateau_stops_at_min_lr():
    assert rates(ReduceLROnPlateau(patience=1, min_lr=0.03), [1] * 4, lr=0.1) == pytest.approx([1, 0.3, 0.3, 0.3])


def test_plateau_under_a_schedule():
    callback = ReduceLROnPlateau(patience=1, factor=0.5)
    assert rates(callback, [1, 1, 1], lr=lambda step: 1 / step) == [1, 0.5, 0.25]
    assert callback.reductions == [(2, 0.25), (3, pytest.approx(1 / 12))]
    assert rates(callback, [1, 1, 1], lr=lambda step: 0.0) == [1, 1, 1]


@pytest.mark.parametrize("factor", [0, 1, 2.0, NAN])
def test_plateau_factor(factor):
    with pytest.raises(ValueError, match=r"factor must lie in \(0, 1\)"):
        ReduceLROnPlateau(factor=factor)


# -- Checkpoint ----------------------------------------------------------------------------------------------------


def test_checkpoint_each_n_epochs(tmp_path):
    callback = Checkpoint(tmp_path / "{epoch:02}-{val_loss:.1f}.safetensors", every=2)
    run = train([callback], [5, 4, 3, 2, 1])
    assert run.network.files == [(f"{tmp_path}/02-4.0.safetensors", 2), (f"{tmp_path}/04-2.0.safetensors", 4)]
    assert callback.saved == f"{tmp_path}/04-2.0.safetensors"


def test_checkpoint_of_the_best(tmp_path):
    run = train([Checkpoint(tmp_path / "best.safetensors", monitor="val_loss")], [5, NAN, 6, 4, 4, 3])
    assert [θ for _, θ in run.network.files] == [1, 4, 6]
    script = [{"accuracy": a} for a in (0.1, 0.3, 0.2, 0.4)]
    run = train([Checkpoint(tmp_path / "best.safetensors", monitor="accuracy")], script)
    assert [θ for _, θ in run.network.files] == [1, 2, 4]


def test_settings_of_callbacks_are_checked():
    for make, error in (
        (lambda: EarlyStopping(patience=-1), ValueError),
        (lambda: EarlyStopping(patience=1.5), TypeError),
        (lambda: EarlyStopping(start_from_epoch=-1), ValueError),
        (lambda: EarlyStopping(min_delta="x"), TypeError),
        (lambda: EarlyStopping(baseline="x"), TypeError),
        (lambda: EarlyStopping(None), TypeError),
        (lambda: ReduceLROnPlateau(factor="x"), TypeError),
        (lambda: ReduceLROnPlateau(patience="x"), TypeError),
        (lambda: ReduceLROnPlateau(min_lr=-1.0), ValueError),
        (lambda: Checkpoint("x", every=2.5), TypeError),
    ):
        with pytest.raises(error, match=r"EarlyStopping|ReduceLROnPlateau|Checkpoint"):
            make()


def test_checkpoint_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the folder .*missing does not exist; create it first"):
        train([Checkpoint(tmp_path / "missing" / "x.safetensors")], [1])
    run = Run()
    with pytest.raises(IsADirectoryError, match="is a folder; give the name"):
        train([Checkpoint(tmp_path)], [1], run)
    assert len(run.history) == 0
    with pytest.raises(ValueError, match=r"'val_acc'.*it may name: epoch, loss, val_loss"):
        train([Checkpoint(tmp_path / "{val_acc}.safetensors")], [1])
    with pytest.raises(ValueError, match="cannot make a file name"):
        train([Checkpoint(tmp_path / "{}.safetensors")], [1])
    with pytest.raises(ValueError, match="watches 'acc'"):
        train([Checkpoint(tmp_path / "x", monitor="acc")], [1])
    with pytest.raises(ValueError, match="Unknown format code 'd'"):
        train([Checkpoint(tmp_path / "{val_loss:d}.safetensors")], [1])
    with pytest.raises(ValueError, match="every must be at least 1, got 0"):
        Checkpoint("x", every=0)


# -- CSVLogger -----------------------------------------------------------------------------------------------------


def test_csv_after_a_line_that_was_cut_short(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss,val_loss\n1,0.5,0.")
    train([CSVLogger(path, append=True)], [2, 3])
    assert path.read_text() == "epoch,loss,val_loss\n1,0.5,0.\n1,0.0,2\n2,0.0,3\n"
    path.write_bytes(b"\xffepoch")
    with pytest.raises(ValueError, match=r"CSVLogger cannot continue .*: its columns are"):
        train([CSVLogger(path, append=True)], [1])


def test_csv(tmp_path):
    path = tmp_path / "log.csv"
    train([CSVLogger(path)], [0.1, NAN, 1 / 3])
    assert path.read_text() == f"epoch,loss,val_loss\n1,0.0,0.1\n2,0.0,nan\n3,0.0,{1 / 3!r}\n"
    train([CSVLogger(path)], [7])
    assert path.read_text() == "epoch,loss,val_loss\n1,0.0,7\n"


def test_csv_append(tmp_path):
    path = tmp_path / "log.csv"
    train([CSVLogger(path, append=True)], [1])
    train([CSVLogger(path, append=True)], [2])
    assert path.read_text() == "epoch,loss,val_loss\n1,0.0,1\n1,0.0,2\n"
    with pytest.raises(ValueError, match=r"its columns are epoch, loss, val_loss; this run reports epoch, r2"):
        train([CSVLogger(path, append=True)], [{"r2": 0.5}], run := Run())
    assert run.step == 0
    assert path.read_text() == "epoch,loss,val_loss\n1,0.0,1\n1,0.0,2\n"


def test_csv_columns_are_those_of_the_first_epoch(tmp_path):
    path = tmp_path / "log.csv"
    train([CSVLogger(path)], [{"loss": 1, "r2": 0}, {"loss": 2}, {"r2": 1, "loss": 3, "late": 4}])
    assert path.read_text() == "epoch,loss,r2\n1,1,0\n2,2,\n3,3,1\n"


def test_csv_is_complete_at_every_moment(tmp_path):
    path, seen = tmp_path / "log.csv", []
    train([CSVLogger(path), as_callback(lambda epoch, logs: seen.append(path.read_text().count("\n")))], [1, 2, 3])
    assert seen == [2, 3, 4]


def test_csv_that_cannot_be_written(tmp_path):
    with pytest.raises(OSError, match="missing"):
        train([CSVLogger(tmp_path / "missing" / "log.csv")], [1])


def test_nothing_heavy_is_imported():
    heavy = (
        "import sys, xnn.callbacks, xnn.history, xnn.progress, xnn.plot, xnn.cli\n"
        "print({'rich', 'matplotlib', 'torch', 'jax'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
