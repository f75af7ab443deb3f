"""Train, be killed by SIGKILL at a random moment, go on: ``python kill_at_random.py FOLDER KILLS``.

Each process is a fork of this one, which has not trained anything, so that what it does is that of a new one.
When a run has come to its end it is held against one that was never broken off, and the next one begins.
"""

import os
import random
import signal
import struct
import sys
import time
import traceback

import numpy as np

import xnn

folder, kills = sys.argv[1], int(sys.argv[2])
path, log = os.path.join(folder, "run"), os.path.join(folder, "log.csv")
END, OTHER = -1, -2
rng = np.random.default_rng(0)
x, y = rng.normal(size=(60, 4)), rng.integers(0, 3, 60)


class Told(xnn.BackupAndRestore):
    """Says through a pipe from which step on it trains, and which steps are safe."""

    def on_train_begin(self, run):
        super().on_train_begin(run)
        self.say(run)

    def on_step_end(self, run):
        super().on_step_end(run)
        if run.step % self.save_freq == 0:
            self.say(run)

    def say(self, run):
        os.write(self.pipe, struct.pack("q", run.step))


def train(pipe=None):
    network = xnn.Network(
        [xnn.Standardize(), xnn.Dense(8), xnn.BatchNorm(), xnn.ReLU(), xnn.Dropout(0.2), xnn.Dense(3)], inputs=4, seed=3
    )
    callbacks = [xnn.EarlyStopping(patience=5), xnn.ReduceLROnPlateau(patience=2)]
    if pipe is not None:
        backup = Told(path, save_freq=5)
        backup.pipe = pipe
        callbacks += [backup, xnn.CSVLogger(log)]
    history = network.fit(
        x, y, loss=xnn.CrossEntropy(), optimizer=xnn.NAdam(lr=xnn.schedules.InverseTime(1, 50)), epochs=8,
        batch_size=16, validation_split=0.2, metrics=["accuracy"], callbacks=callbacks,
    )  # fmt: skip
    everything = [a.tobytes() for a in (*network.parameters.values(), *network.buffers.values())]
    epochs = "\n" * len(history)
    return repr((everything, history.to_dict(), history.stop_reason, network.step, network.epoch)) + epochs


def process(whole, pipe):
    """What the fork does: it says whether it came to the end that it should."""
    try:
        found = train(pipe)
        with open(log, encoding="utf-8") as file:
            lines = len(file.readlines())
        right = found == whole and lines == 1 + whole.count("\n")
        if not right:
            print(f"{lines} lines in the log, {found}, expected {whole}", flush=True)
        os.write(pipe, struct.pack("q", END if right else OTHER))
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def uninterrupted():
    """The end of a run in a process of its own, too."""
    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        with os.fdopen(write, "w") as pipe:
            pipe.write(train())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        whole = pipe.read()
    os.waitpid(pid, 0)
    return whole


def begun(whole):
    """A new process that trains, and the end of a pipe from it."""
    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        os.close(read)
        process(whole, write)
    os.close(write)
    return pid, read


def main():
    moments = random.Random(0)
    whole = uninterrupted()
    assert "early stopping" in whole or "iteration limit" in whole, whole
    start = time.monotonic()
    pid, read = begun(whole)
    os.waitpid(pid, 0)
    os.close(read)
    os.unlink(path)
    duration = time.monotonic() - start
    done, finished, safe, ended = 0, 0, 0, False
    while done < kills or not ended:  # the last one may come to its end
        if ended:
            os.unlink(path)
        pid, read = begun(whole)
        if done < kills:
            time.sleep(moments.uniform(0.0, duration))
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        with os.fdopen(read, "rb") as pipe:
            said = [step for (step,) in struct.iter_unpack("q", pipe.read())]
        if said:
            assert said[0] >= safe, f"step {safe} was safe, and it went on from step {said[0]}"
        if os.WIFSIGNALED(status):
            done, safe, ended = done + 1, max([safe, *said]), False
            continue
        assert os.WEXITSTATUS(status) == 0, "an error in the run"
        assert said[-1] == END, "it did not end as it should"
        finished, safe, ended = finished + 1, 0, True
    print(f"{done} kills, {finished} runs came to their end")


main()
