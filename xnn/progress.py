"""How training goes, while it goes: one live line in a terminal or a notebook, plain lines anywhere else."""

from __future__ import annotations

import math
import os
import sys
import textwrap
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from xnn.memory import memory_in_words
from xnn.run import Callback, Run

__all__ = ["Progress"]

_REFRESH = 0.1  # seconds between two pictures of the live line, at least
_LINE = 1.0  # seconds between two plain lines, at least
_FEW = 20  # so many epochs get a plain line each


@dataclass(eq=False)
class Progress(Callback):
    """Show the epoch, the cost, the metrics, those of the validation data, and the time left.

    In a terminal and in a notebook this is one line that changes in place, at most ten times a second; it shows
    what fits. Elsewhere (a file, a pipe) lines are printed: each epoch where there are few, else at most one
    a second, always the first and the last. The end is a line with the last
    values, one with the memory that the library of the backend holds, where it tells (CuPy's pool), and one with the
    reason why training stopped. The text goes to ``sys.stdout``.
    """

    _live: Any = field(default=None, init=False, repr=False)  # the line that changes in place, where there can be one
    _encoding: str | None = field(default=None, init=False, repr=False)  # of the output
    _begin: float = field(default=0.0, init=False, repr=False)
    _first: float = field(default=0.0, init=False, repr=False)  # when the first epoch had ended
    _shown: float = field(default=0.0, init=False, repr=False)  # when something was shown
    _logs: dict[str, float] = field(default_factory=dict, init=False, repr=False)  # of the last epoch
    _pending: int = field(default=0, init=False, repr=False)  # the number of that epoch; 0 once it is printed

    def on_train_begin(self, run: Run) -> None:
        """Open the live line."""
        self._begin, self._shown, self._pending = time.monotonic(), -math.inf, 0
        self._encoding = getattr(sys.stdout, "encoding", None)
        self._live = _Terminal() if _is_terminal() else _Notebook() if _is_notebook() else None
        if self._live:
            self._live.draw([_epoch(1, run.epochs), "under way"])

    def on_epoch_end(self, run: Run, logs: dict[str, float]) -> None:
        """Show the epoch, if it is time."""
        now, done = time.monotonic(), run.epoch + 1
        if done == 1:
            self._first = now
        due = now - self._shown >= (_REFRESH if self._live else _LINE) or (not self._live and run.epochs <= _FEW)
        self._logs, self._pending = logs, done
        if not due or done == run.epochs:  # on_train_end shows the last one
            return
        # The first epoch may have waited for a compiler: it counts only where there is no other.
        each = (now - self._first) / run.epoch if run.epoch else now - self._begin
        line = [*self._values(run), f"{_duration(math.ceil(each * (run.epochs - done)))} left"]
        self._shown = now
        if self._live:
            self._live.draw(line)
        else:
            _say("  ".join(line))
            self._pending = 0

    def on_train_end(self, run: Run) -> None:
        """Close the live line; say how it ended."""
        width = self._live.close() if self._live else None
        self._live = None
        if self._pending:
            _say(_wrapped([*self._values(run), f"{_duration(time.monotonic() - self._begin)} in all"], width))
        self._pending = 0
        memory = memory_in_words(run.network.backend)
        for what, words in (("memory held", memory), ("stop reason", run.history.stop_reason)):
            if words:
                line = f"{what}: {words}"
                _say(line if width is None else textwrap.fill(line, width, subsequent_indent="  "))

    def _values(self, run: Run) -> list[str]:
        words = (_plain(_words(name, value), self._encoding) for name, value in self._logs.items())
        return [_epoch(self._pending, run.epochs), *words]


def _epoch(number: int, epochs: int) -> str:
    return f"epoch {number:{len(str(epochs))}}/{epochs}"


def _words(name: str, value: float) -> str:
    return f"cost {_number(value, 4)}" if name == "loss" else f"{name} {_number(value, 3)}"


def _number(value: float, digits: int) -> str:
    """The number with so many significant digits, zeros at the end included, so that the line stands still."""
    if not math.isfinite(value):
        return str(value)
    if value and not 1e-3 <= abs(value) < 10**digits - 0.5:
        return f"{value:.{digits - 1}e}"
    return f"{value:#.{digits}g}".rstrip(".")


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s" if isinstance(seconds, float) and seconds < 9.95 else f"{seconds:.0f} s"
    minutes = round(seconds) // 60
    if minutes < 60:
        return f"{minutes} min {round(seconds) % 60:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def _is_terminal() -> bool:
    """Whether a line can change in place: not in a file, a notebook, or inside another live display."""
    out = sys.stdout
    if out is None or not out.isatty() or type(out).__module__.startswith("rich."):
        return False
    return os.environ.get("TERM") not in ("dumb", "unknown")


def _is_notebook() -> bool:
    """Whether a kernel of Jupyter runs this, and shows what it is given to display."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return hasattr(shell, "kernel") and type(sys.stdout).__module__.startswith("ipykernel.")


class _Terminal:
    """A live line of rich, without a thread of its own: it costs nothing between two pictures."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(file=sys.stdout, highlight=False, force_jupyter=False)
        self._line = Live(console=self._console, auto_refresh=False, transient=True)
        self._line.start()
        self._console.show_cursor(True)  # a program that is killed shall not leave a terminal without a cursor

    def draw(self, pieces: list[str]) -> None:
        from rich.text import Text

        text = _fitting(pieces, self._width())
        self._line.update(Text(text, no_wrap=True, overflow="crop"), refresh=True)

    def close(self) -> int | None:
        """Take the line away; the columns that what is printed next has."""
        width = self._width()
        self._line.stop()
        return width

    def _width(self) -> int:
        """The columns that can be written to without a wrap, with room for the ^C of a user."""
        console = self._console
        with suppress(OSError, ValueError, AttributeError):
            # The window may have changed, and the variable COLUMNS, which rich trusts, may be wrong about it.
            console.width = os.get_terminal_size(sys.stdout.fileno()).columns or console.width
        return max(int(console.width) - 2, 1)


class _Notebook:
    """A line below the cell that is replaced; the browser wraps it."""

    def __init__(self) -> None:
        from IPython.display import display

        self._line = display({"text/plain": ""}, raw=True, display_id=True)

    def draw(self, pieces: list[str]) -> None:
        self._line.update({"text/plain": "  ".join(pieces)}, raw=True)

    def close(self) -> int | None:
        """Take the line away."""
        self._line.update({"text/html": "", "text/plain": ""}, raw=True)
        return None


def _fitting(pieces: list[str], width: int) -> str:
    """The pieces that fit, and the last one before those in the middle; half a number would be a wrong one."""
    *most, last = pieces
    while len(most) > 1 and len("  ".join([*most, last])) > width:
        most.pop()
    return "  ".join([*most, last])[:width]


def _wrapped(pieces: list[str], width: int | None) -> str:
    """The pieces in lines of this width, each piece in one of them; all in one line without a width."""
    lines: list[str] = []
    for piece in pieces:
        if lines and (width is None or len(lines[-1]) + 2 + len(piece) <= width):
            lines[-1] += f"  {piece}"
        else:
            lines.append(f"  {piece}" if lines else piece)
    return "\n".join(lines)


def _plain(text: str, encoding: str | None) -> str:
    """The text in what the output can encode; the names of metrics may be in Greek."""
    return text.encode(encoding or "utf-8", "backslashreplace").decode(encoding or "utf-8")


def _say(text: str) -> None:
    print(_plain(text, getattr(sys.stdout, "encoding", None)), flush=True)
