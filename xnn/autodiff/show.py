"""The computational graph of a function, step by step: values, tangents of forward mode, adjoints of reverse mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xnn.arrays import Array, to_numpy
from xnn.autodiff.rule import fit
from xnn.autodiff.tape import Tape, ones
from xnn.autodiff.tracing import raw
from xnn.host import numpy

__all__ = ["show"]

_SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "pow": "**", "matmul": "@"}


def show(f: Callable[..., Array], *x: Any) -> str:
    """The graph of f at x as a text: a line for each operation, in the order in which they ran.

    Each line has a name for the result, the operation, its value, the tangent (its derivative by the first
    argument along all of its entries, forward mode) and the adjoint (the derivative of the sum of the result by
    it, reverse mode). For √(x² + exp x²) at x = 1::

        step              value         tangent       adjoint
        x                 1             1             1.928284686
        a = x ** 2        1             2             0.9641423428
        ...
    """
    tape = Tape(f, x, range(len(x)), whole=True)
    if any(place is None for place in tape.places) or len(tape.places) != 1:
        raise ValueError("show takes a function that gives one array which depends on its arguments")
    level = tape.level
    count = tape.structures[0][1]
    tangents = level.push({i: ones(a) for i, a in enumerate(tape.x[:count])})
    adjoints = _adjoints(tape)
    names: list[str] = []
    rows = [("step", "value", "tangent", "adjoint")]
    for place, entry in enumerate(level.tape):
        if entry is None:
            names.append("x" if len(tape.x) == 1 else f"x{place + 1}")
            step, value = names[-1], tape.x[place]
        else:
            rule, value, args, marks, options, _ = entry
            names.append(_letter(place - len(tape.x)))
            step = f"{names[-1]} = {_written(rule.name, args, marks, names, options)}"
        rows.append((step, _number(value), _number(tangents.get(place)), _number(adjoints.get(place))))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)


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
        written = numpy.array2string(a, formatter={"float_kind": lambda v: f"{v:.10g}"}, separator=" ")
        return written.replace("\n", "")
    return f"array{tuple(a.shape)}"
