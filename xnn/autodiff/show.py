"""The computational graph of a function, step by step: values, tangents of forward mode, adjoints of reverse mode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xnn.arrays import to_numpy
from xnn.autodiff.rule import fit
from xnn.autodiff.tape import Tape, ones
from xnn.autodiff.tracing import raw
from xnn.contract import Array
from xnn.host import numpy
from xnn.html import html_table

__all__ = ["Graph", "Step", "show"]

_SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "pow": "**", "matmul": "@"}


@dataclass(frozen=True)
class Step:
    """One node of the graph: an argument, or an operation on earlier steps (``sources``: their places)."""

    name: str
    operation: str
    value: str
    tangent: str
    adjoint: str
    sources: tuple[int, ...] = ()

    @property
    def written(self) -> str:
        """ "a = x ** 2", or the name of an argument."""
        return f"{self.name} = {self.operation}" if self.operation else self.name


@dataclass(frozen=True)
class Graph:
    """What ``show`` gives: ``print`` writes a line for each step, ``plot`` draws it, a notebook shows a table."""

    steps: tuple[Step, ...]
    mode: str | None = None

    def rows(self) -> list[tuple[str, ...]]:
        """The table with its head."""
        columns = {"forward": ("tangent",), "reverse": ("adjoint",), None: ("tangent", "adjoint")}[self.mode]
        head = ("step", "value", *columns)
        return [head, *((s.written, s.value, *(getattr(s, c) for c in columns)) for s in self.steps)]

    def __str__(self) -> str:
        rows = self.rows()
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        words = {
            "forward": "Tangents: derivatives by the first argument.",
            "reverse": "Adjoints: derivatives of the result by each step.",
            None: "Tangents: derivatives by the first argument. Adjoints: derivatives of the result by each step.",
        }
        return html_table(self.rows(), words[self.mode])

    def plot(self, ax: Any = None) -> Any:
        """The graph as a picture, from left to right; see ``xnn.plot.graph``."""
        from xnn.plot.graph import graph

        return graph(self, ax)


def show(f: Callable[..., Array], *x: Any, mode: str | None = None) -> Graph:
    """The graph of f at x: print it, ``plot`` it, or let a notebook show it.

    A step for each operation, in the order in which they ran: its name, its value, the tangent (its derivative by
    the first argument along all of its entries: ``mode="forward"``, which goes down the list) and the adjoint (the
    derivative of the sum of the result by it: ``mode="reverse"``, which goes up); by default both. For √(x² + exp x²)
    at x = 1::

        step         value        tangent      adjoint
        x            1            1            1.928284686
        a = x ** 2   1            2            0.964142343
        b = exp(a)   2.718281828  5.436563657  0.259297812
        c = a + b    3.718281828  7.436563657  0.259297812
        d = sqrt(c)  1.928284686  1.928284686  1

    Raises:
        ValueError: for a function that does not give one array that depends on x, and for another mode.
    """
    if mode not in (None, "forward", "reverse"):
        raise ValueError(f"mode must be 'forward', 'reverse' or None; got {mode!r}")
    tape = Tape(f, x, range(len(x)), whole=True)
    if any(place is None for place in tape.places) or len(tape.places) != 1:
        raise ValueError("show takes a function that gives one array which depends on its arguments")
    level = tape.level
    count = tape.structures[0][1]
    tangents = level.push({i: ones(a) for i, a in enumerate(tape.x[:count])})
    adjoints = _adjoints(tape)
    steps: list[Step] = []
    names: list[str] = []
    for place, entry in enumerate(level.tape):
        derivatives = _number(tangents.get(place)), _number(adjoints.get(place))
        if entry is None:
            names.append("x" if len(tape.x) == 1 else f"x{place + 1}")
            steps.append(Step(names[-1], "", _number(tape.x[place]), *derivatives))
        else:
            rule, value, args, marks, options, _ = entry
            operation = _written(rule.name, args, marks, names, options)
            names.append(_letter(place - len(tape.x)))
            sources = tuple(dict.fromkeys(m for m in marks if m is not None))
            steps.append(Step(names[-1], operation, _number(value), *derivatives, sources))
    return Graph(tuple(steps), mode)


def _adjoints(tape: Tape) -> dict[int, Array]:
    """The adjoint of every place of the tape, of the sum of the result."""
    last = tape.places[0]
    assert last is not None
    kept: dict[int, Array] = {last: fit(tape.level.xp, ones(tape.y[0]), tape.y[0])}
    waiting = dict(kept)
    for place in range(last, -1, -1):
        if place in waiting and tape.level.tape[place] is not None:
            kept[place] = waiting[place]
            one_step = _Step(tape.level, place, waiting.pop(place))
            for source, term in one_step:
                waiting[source] = waiting[source] + term if source in waiting else term
    return {**waiting, **kept}


def _Step(level: Any, place: int, g: Array) -> list[tuple[int, Array]]:
    rule, y, args, marks, options, _ = level.tape[place]
    terms = rule.pulls(level.recording, marks, g, y, args, options) if rule.joint else None
    return [
        (m, rule.pull(level.recording, i, g, y, args, options) if terms is None else terms[i])
        for i, m in enumerate(marks)
        if m is not None
    ]


def _letter(i: int) -> str:
    letters = "abcdeghijklmnopqrstuvw"  # f is the function, x its argument, y and z too often other things
    return letters[i % 22] + (str(i // 22) if i >= 22 else "")


def _written(name: str, args: Any, marks: Any, names: list[str], options: Any) -> str:
    words = [names[m] if m is not None else _short(a) for a, m in zip(args, marks, strict=True)]
    if name in _SIGNS and len(words) == 2:
        return f"{words[0]} {_SIGNS[name]} {words[1]}"
    if name == "getitem":
        return f"{words[0]}[{words[1]}]"
    if name == "negative":
        return f"-{words[0]}"
    words += [f"{key}={value}" for key, value in options.items() if value not in (None, False)]
    return f"{name}({', '.join(words)})"


def _short(a: Any) -> str:
    return f"array{tuple(a.shape)}" if getattr(a, "ndim", 0) else _number(a) if hasattr(a, "shape") else repr(a)


def _number(a: Any) -> str:
    if a is None:
        return "0"
    a = to_numpy(raw(a))
    if a.size <= 6:
        formatter: Any = {"float_kind": _digits}
        written = numpy.array2string(a, formatter=formatter, separator=" ")
        return written.replace("\n", "")
    return f"array{tuple(a.shape)}"


def _digits(v: float) -> str:
    """Nine decimals, as the textbook prints; ten digits for the small and the large."""
    return f"{v:.9f}".rstrip("0").rstrip(".") if 0.1 <= abs(v) < 1e6 else f"{v:.10g}"
