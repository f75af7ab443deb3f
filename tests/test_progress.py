"""What a person sees while a network trains: in a terminal (a pseudo-terminal here) and elsewhere."""

import io
import os
import re
import struct
import sys
import threading
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from test_callbacks import Run, train

from xnn import progress
from xnn.callbacks import Callback, as_callback
from xnn.progress import Progress


class Clock(Callback):
    """A clock on which every epoch takes so many seconds."""

    def __init__(self, monkeypatch, seconds):
        self.now, self.seconds = 100.0, seconds
        monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: self.now))

    def on_epoch_end(self, run, logs):
        self.now += self.seconds


def values(n):
    return [
        {"loss": 2 * 0.5**e, "accuracy": 1 - 0.5**e, "val_loss": 3 * 0.5**e, "val_accuracy": 1 - 0.6**e}
        for e in range(n)
    ]


# -- Where there is no terminal ------------------------------------------------------------------------------------


def test_few_epochs_get_a_line_each(capsys, monkeypatch):
    train([Clock(monkeypatch, 0.01), Progress()], values(3))
    assert capsys.readouterr().out.splitlines() == [
        "epoch 1/3  cost 2.000  accuracy 0.00  val_loss 3.00  val_accuracy 0.00  1 s left",
        "epoch 2/3  cost 1.000  accuracy 0.500  val_loss 1.50  val_accuracy 0.400  1 s left",
        "epoch 3/3  cost 0.5000  accuracy 0.750  val_loss 0.750  val_accuracy 0.640  0.0 s in all",
        "stop reason: epoch limit: 3 epochs",
    ]


@pytest.mark.parametrize(("seconds", "shown"), [(0.001, [1, 100]), (0.125, [1, *range(9, 100, 8), 100]), (2, None)])
def test_many_epochs_get_a_line_a_second(capsys, monkeypatch, seconds, shown):
    train([Clock(monkeypatch, seconds), Progress()], values(100))
    *lines, reason = capsys.readouterr().out.splitlines()
    assert [int(re.match(r"epoch +(\d+)/100  ", line)[1]) for line in lines] == (shown or list(range(1, 101)))
    assert lines[0].startswith("epoch   1/100  cost 2.000  ")
    assert reason == "stop reason: epoch limit: 100 epochs"


def test_time_left(capsys, monkeypatch):
    clock = Clock(monkeypatch, 100.0)  # the first epoch waits for a compiler, say
    train([clock, as_callback(lambda epoch, logs: setattr(clock, "seconds", 1.0)), Progress()], values(5))
    lines = capsys.readouterr().out.splitlines()
    left = [re.search(r"  ([^ ].*) (left|in all)$", line)[1].split("  ")[-1] for line in lines[:-1]]
    assert left == ["6 min 40 s", "3 s", "2 s", "1 s", "1 min 44 s"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59, "59 s"), (60, "1 min 00 s"), (3599, "59 min 59 s")],
)
def test_durations(seconds, words):
    assert progress._duration(seconds) == words
    assert progress._duration(3 * 3600 + 123.0) == "3 h 02 min"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.12341, "0.1234"),
        (0.9621, "0.9621"),
        (123.44, "123.4"),
        (1234.4, "1234"),
        (9999.7, "1.000e+04"),
        (0.0, "0.000"),
        (-0.5, "-0.5000"),
        (9.9e-4, "9.900e-04"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
    ],
)
def test_numbers(value, words):
    assert progress._number(value, 4) == words


def test_early_stop_shows_the_last_epoch_once(capsys, monkeypatch):
    train([Clock(monkeypatch, 0.01), Progress(), as_callback(lambda epoch, logs: epoch == 6)], values(100))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("/")[0] for line in lines[:-1]] == ["epoch   1", "epoch   7"]
    assert lines[-1] == "stop reason: callback: <lambda> returned True after epoch 7"
    train([Clock(monkeypatch, 5.0), Progress(), as_callback(lambda epoch, logs: epoch == 1)], values(100))
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_an_error_ends_it_quietly(capsys, monkeypatch):
    def fails(epoch, logs):
        if epoch == 30:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train([Clock(monkeypatch, 0.001), Progress(), as_callback(fails)], values(100))
    assert [line.split("  cost")[0] for line in capsys.readouterr().out.splitlines()] == [
        "epoch   1/100",
        "epoch  31/100",
    ]


def test_an_end_without_epochs_and_without_a_beginning(capsys):
    run = Run()
    run.history.stop_reason = "interrupted in epoch 1"
    callback = Progress()
    callback.on_train_end(run)
    callback.on_train_begin(run)
    callback.on_train_end(run)
    assert capsys.readouterr().out == 2 * "stop reason: interrupted in epoch 1\n"


def test_an_output_of_few_letters_or_none(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    train([Progress()], [{"loss": 1.0, "ρ": 0.5}])
    assert b"\\u03c1 0.500" in sys.stdout.buffer.getvalue()
    monkeypatch.setattr(sys, "stdout", None)
    train([Progress()], values(3))


# -- In a terminal -------------------------------------------------------------------------------------------------


@contextmanager
def terminal(monkeypatch, columns, encoding="utf-8"):
    """A pseudo-terminal as sys.stdout; what was written to it is in the list that it yields, at the end."""
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
    monkeypatch.setenv("TERM", "xterm")
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    written, result = [], []

    def read():
        while True:
            try:
                part = os.read(reader, 4096)
            except OSError:  # closed at the other end
                return
            if not part:
                return
            written.append(part)

    thread = threading.Thread(target=read)
    thread.start()
    with open(writer, "w", encoding=encoding) as out, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        try:
            yield result
        finally:
            assert sys.stdout is out, "the live line has not given sys.stdout back"
            out.flush()
    thread.join()
    os.close(reader)
    result.append(b"".join(written).decode(encoding))


def pictures(text):
    """What stood in the line, one after the other, and what was left in the end."""
    shown = [re.sub(r"\x1b\[[?\d]*[A-Za-z]", "", part) for part in re.split(r"\r(?:\x1b\[1A)?\x1b\[2K", text)]
    return [line.rstrip("\r\n") for line in shown[:-1]], shown[-1].replace("\r", "").splitlines()


def test_the_live_line(monkeypatch):
    with terminal(monkeypatch, 120) as result:
        train([Clock(monkeypatch, 0.5), Progress()], values(7))
    live, left = pictures(result[0])
    assert live[0] == "epoch 1/7  under way"
    assert live[2] == "epoch 2/7  cost 1.000  accuracy 0.500  val_loss 1.50  val_accuracy 0.400  3 s left"
    assert left == [
        "epoch 7/7  cost 0.03125  accuracy 0.984  val_loss 0.0469  val_accuracy 0.953  3.5 s in all",
        "stop reason: epoch limit: 7 epochs",
    ]
    assert result[0].rfind("\x1b[?25h") > result[0].rfind("\x1b[?25l")  # the cursor is there


@pytest.mark.parametrize("columns", [8, 20, 40, 60])
def test_a_narrow_terminal(monkeypatch, columns):
    with terminal(monkeypatch, columns) as result:
        train([Clock(monkeypatch, 0.5), Progress()], values(12))
    live, left = pictures(result[0])
    assert max(len(line) for line in live) <= columns - 2
    assert not any("\n" in line for line in live)
    assert max(len(line) for line in left) <= columns or columns == 8
    words = "epoch 12/12 cost 9.766e-04 accuracy 1.00 val_loss 0.00146 val_accuracy 0.996 6.0 s in all"
    if columns > 8:
        assert " ".join(left).split() == f"{words} stop reason: epoch limit: 12 epochs".split()
    if columns == 40:
        assert live[3] == "epoch  3/12  cost 0.5000  5 s left"


def test_columns_that_are_wrong(monkeypatch):
    with terminal(monkeypatch, 40) as result:
        monkeypatch.setenv("COLUMNS", "200")
        train([Clock(monkeypatch, 0.5), Progress()], values(12))
    live, left = pictures(result[0])
    assert max(len(line) for line in live + left) <= 40


def test_at_most_ten_pictures_a_second(monkeypatch):
    with terminal(monkeypatch, 80) as result:
        train([Clock(monkeypatch, 0.001), Progress()], values(1000))
    live, _ = pictures(result[0])
    assert 8 <= len(live) <= 14


def test_what_others_print_stands_above(monkeypatch):
    with terminal(monkeypatch, 80) as result:
        talks = as_callback(lambda epoch, logs: print("[bold]hello[/] from", epoch))
        train([Clock(monkeypatch, 0.5), talks, Progress()], values(4))
    text = result[0]
    for epoch in range(4):
        assert f"\r\x1b[2K[bold]hello[/] from {epoch}\r\n" in text


def test_an_error_closes_the_line(monkeypatch):
    def fails(epoch, logs):
        raise ZeroDivisionError

    with terminal(monkeypatch, 100) as result, pytest.raises(ZeroDivisionError):
        train([Clock(monkeypatch, 0.5), Progress(), as_callback(fails)], values(4))
    _, left = pictures(result[0])
    assert [line.split("  ")[0] for line in left] == ["epoch 1/4"]


def test_greek_in_an_ascii_terminal(monkeypatch):
    with terminal(monkeypatch, 80, encoding="ascii") as result:
        train([Clock(monkeypatch, 0.5), Progress()], [{"loss": 1.0, "ρ": 0.5}] * 3)
    assert "\\u03c1 0.500" in result[0]


def test_a_dumb_terminal_gets_lines(monkeypatch):
    with terminal(monkeypatch, 80) as result:
        monkeypatch.setenv("TERM", "dumb")
        train([Clock(monkeypatch, 0.5), Progress()], values(2))
    assert "\x1b" not in result[0]
    assert result[0].count("\n") == 3


def test_inside_another_live_display(monkeypatch):
    from rich.console import Console
    from rich.live import Live

    with terminal(monkeypatch, 80) as result, Live("outer", console=Console(), auto_refresh=False):
        train([Clock(monkeypatch, 0.5), Progress()], values(2))
    assert "stop reason: epoch limit: 2 epochs" in result[0]
    assert result[0].count("epoch 1/2") == 1
