"""A whole training run in a file, so that another process can go on with it as if nothing had happened."""

from __future__ import annotations

import os
import re
import zlib
from dataclasses import KW_ONLY, dataclass, fields, is_dataclass
from typing import Any

from xnn.architecture import describe
from xnn.arguments import as_seed
from xnn.atomic import writable
from xnn.errors import FileError
from xnn.history import History
from xnn.host import ndarray
from xnn.meter import Meter
from xnn.packing import pack, unpack
from xnn.parameters import buffers_of
from xnn.run import Callback, Run
from xnn.settings import number, whole

__all__ = ["BackupAndRestore"]


@dataclass(eq=False)
class BackupAndRestore(Callback):
    """Keep the whole run in a file, and go on from it where it is there: run the same script again after a crash.

        network.fit(x, y, loss=xnn.CrossEntropy(), epochs=100,
                    callbacks=[xnn.EarlyStopping("loss"), xnn.BackupAndRestore("run.safetensors")])

    The file holds the parameters and buffers, the state of the optimizer, the place in the order of the
    examples, the history with the costs and metrics of the epoch under way, and what the other callbacks
    remember. It is never half written, and Ctrl-C writes it, too. A run that goes on from it ends with the
    same bits as one that was never broken off. ``xnn.load`` reads the network in it.

    The file stays when the run has ended; delete it to begin anew. More ``epochs`` prolong the run. A network
    that was given no seed takes the one in the file. Batches from an iterable are passed over up to the place;
    it has to give the same ones again.

    Args:
        path: the file; its folder must be there.
        save_freq: ``"epoch"``, or after how many steps; a run is also saved when it ends.

    Raises:
        OSError: before training, where the file cannot be written (FileNotFoundError where its folder is missing).
        FileError: before training, for a file that is damaged or holds no run.
        ValueError: before training, for a run with other settings, layers or examples; it says what differs. And in an
            estimator, whose runs it does not know.

    Source: named after that of Keras, which deletes the file in the end.
    """

    path: str | os.PathLike[str]
    _: KW_ONLY
    save_freq: str | int = "epoch"

    def __post_init__(self) -> None:
        if self.save_freq != "epoch":
            if isinstance(self.save_freq, str):
                raise ValueError(f"BackupAndRestore: save_freq: expected 'epoch' or steps; got {self.save_freq!r}")
            self.save_freq = whole("BackupAndRestore: save_freq", self.save_freq, 1)

    def on_train_begin(self, run: Run) -> None:
        """Go on from the file, if it is there."""
        if run.data is None:
            raise ValueError(
                "BackupAndRestore keeps the runs of Network.fit; an estimator is kept whole by joblib.dump or pickle, "
                "and goes on with warm_start=True or partial_fit"
            )
        writable(self.path)
        self._settings = _settings(run)
        if os.path.exists(self.path):
            _restore(run, self.path, self._settings)

    def on_step_end(self, run: Run) -> None:
        """Save after so many steps, and when the user interrupts."""
        if run.interrupted or (isinstance(self.save_freq, int) and run.step % self.save_freq == 0):
            _save(run, self.path, self._settings)

    def on_epoch_end(self, run: Run, logs: dict[str, float]) -> None:
        """Save, but not an epoch that was broken off: the place in it has been saved."""
        last = run.reason or run.epoch + 1 == run.epochs
        if not run.interrupted and (self.save_freq == "epoch" or last):
            _save(run, self.path, self._settings)


def _save(run: Run, path: Any, settings: dict[str, str]) -> None:
    network = run.network
    arrays = {**network.parameters, **network.buffers}
    stored: dict[str, ndarray] = {key: network.backend.to_numpy(a) for key, a in arrays.items()}
    state = {
        "epochs": run.epoch + (run.batch == 0),  # that are over
        "batch": run.batch,
        "step": run.step,
        "lr_scale": run.lr_scale,
        "reason": run.reason,
        "history": run.history.to_dict(),
        "meter": run.meter and run.meter.state_dict(),
        "total": run.total,
        "optimizer": run.state,
        "callbacks": [callback.state_dict() for callback in _remembering(run)],
    }
    packed = pack(state, "run", stored, network.backend)
    from xnn.checkpoint import write  # on use: with json, it takes a tenth of the import of xnn

    write(path, {**describe(network), "run": {"settings": settings, "state": packed}}, stored)


def _restore(run: Run, path: Any, settings: dict[str, str]) -> None:
    """Put the run where the file left it; nothing is changed where that is not possible."""
    from xnn.checkpoint import read  # as above

    described, arrays = read(path)
    if "run" not in described:
        raise FileError(f"{path} holds a network, but no training run; give BackupAndRestore another file")
    network = run.network
    before = network.snapshot(), network.step, network.epoch, network.seed
    try:
        if not network.seeded:  # whoever chose none goes on with the one that was drawn then
            settings["seed"] = described["run"]["settings"]["seed"]
        _compare(described["run"]["settings"], settings, path)
        state = unpack(described["run"]["state"], arrays, network.backend)
        _check(state, run)
        over = state["reason"] or state["epochs"] >= run.epochs
        if over and network.step and network.step == described["step"]:
            raise _Mismatch(
                f"{path} holds a run that is over, and this network has been through it: delete the file to "
                "begin another run, or give that one another file"
            )
        meter = None
        if state["meter"] is not None:
            meter = Meter(network.backend.xp, run.measures)
            meter.load_state_dict(state["meter"])
        history = History(state["history"])
        network.set_parameters({name: arrays[name] for name in network.layout.names})
        others = {key: a for key, a in arrays.items() if key not in network.layout.names and key[:4] != "run."}
        network.set_buffers({key: others.pop(key) for key in buffers_of(network.layers, network.shapes)} | others)
        network.step, network.epoch = int(described["step"]), int(described["epoch"])
        network.seed = as_seed(described["seed"])
        for callback, own in zip(_remembering(run), state["callbacks"], strict=True):
            callback.load_state_dict(own)
    except _Mismatch:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        network.restore(before[0])
        network.step, network.epoch, network.seed = before[1:]
        raise FileError(f"{path}: what it holds makes no training run: {error!r}") from error
    run.epoch, run.batch, run.step = state["epochs"], state["batch"], state["step"]
    run.lr_scale, run.reason, run.state = state["lr_scale"], state["reason"], state["optimizer"]
    run.history, run.meter, run.total = history, meter, state["total"]


class _Mismatch(ValueError):
    """The file is right, but belongs to another run."""


def _remembering(run: Run) -> list[Callback]:
    """The callbacks that have something to remember."""
    return [callback for callback in run.callbacks if type(callback).state_dict is not Callback.state_dict]


def _check(state: Any, run: Run) -> None:
    """Look at what a file that was made by hand could have wrong."""
    for name in ("epochs", "batch", "step"):
        whole(name, state[name], 0)
    number("lr_scale", state["lr_scale"], "[0, inf)")
    if not isinstance(state["reason"], str):
        raise TypeError("the reason to stop is no text")
    found = state["optimizer"]
    if not set(run.state) <= set(found):  # L-BFGS remembers more as it goes
        raise ValueError(f"the state of the optimizer has {sorted(found)}, expected {sorted(run.state)}")
    for name, wanted in run.state.items():
        if hasattr(wanted, "shape") and (found[name].shape, found[name].dtype) != (wanted.shape, wanted.dtype):
            raise ValueError(f"{name} of the optimizer has shape {found[name].shape}, expected {wanted.shape}")


def _settings(run: Run) -> dict[str, str]:
    """What must be equal for the run to be the same one, in words."""
    network, data, validation = run.network, run.data, run.validation
    return {
        **{f"layer {i}": _text(layer) for i, layer in enumerate(network.layers)},
        **{name: _text(getattr(network, name)) for name in ("inputs", "dtype", "seed")},
        "the number of examples": _text(data.samples),
        "the checksum of the examples": data.fingerprint(),
        "the number of examples for validation": _text(validation and validation.samples),
        "the checksum of the examples for validation": validation.fingerprint() if validation else "",
        "metrics": _text([name for name, _ in run.measures]),
        "callbacks": ", ".join(_name(callback) for callback in _remembering(run)),
        **{name: _text(getattr(run, name)) for name in (
            "loss", "optimizer", "batch_size", "shuffle", "penalty", "clip_norm", "clip_value", "tol", "stop_on",
            "check_every",
        )},
    }  # fmt: skip


def _compare(before: dict[str, str], now: dict[str, str], path: Any) -> None:
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if names:
        shown = [f"{name}: then {before.get(name, 'none')}, now {now.get(name, 'none')}" for name in names[:5]]
        shown += [f"and {len(names) - 5} more"] if len(names) > 5 else []
        raise _Mismatch(
            f"{path} holds another run than this one; {'; '.join(shown)}. Take back what was changed to go on with "
            "it, or delete the file, or give another one, to begin anew"
        )


def _name(callback: Callback) -> str:
    """The callback with its settings, but not where its files are."""
    names: list[str] = (
        [f.name for f in fields(callback) if f.init and f.name != "path"] if is_dataclass(callback) else []
    )
    return f"{type(callback).__name__}({', '.join(f'{name}={_text(getattr(callback, name))}' for name in names)})"


def _text(value: Any) -> str:
    """The value in words that are the same in every process: without the addresses of functions."""
    words = re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
    return words if len(words) <= 300 else f"{words[:300]}… ({zlib.crc32(words.encode()):08x})"
