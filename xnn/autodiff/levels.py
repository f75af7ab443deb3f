"""The two modes: what a level does with each operation on its arrays."""

from __future__ import annotations

from collections.abc import Callable
from math import comb
from typing import Any

from xnn.autodiff.rule import Rule, Shapes, fit
from xnn.autodiff.tracing import NO_OPTIONS, Level, Traced, apply, still
from xnn.contract import Array

__all__ = ["Forward", "Reverse"]


CONSTANT = Rule("constant")


class Reverse(Level):
    """The tape of reverse mode: every operation with what its derivative reads, in the order in which they ran.

    With ``whole`` all values are kept, to be shown.
    """

    def __init__(self, x: Array, recording: Callable[[Any], Any], whole: bool = False) -> None:
        super().__init__(x, recording)
        self.whole = whole
        self.shapes = Shapes()
        self.tape: list[Any] = []  # (rule, y, args, marks, options, xp); None for an argument of the function

    def argument(self, x: Array) -> Traced:
        """x as an argument of the function."""
        self.tape.append(None)
        return self.kind(still(x), self, len(self.tape) - 1)

    def constant(self, x: Array, mark: Any) -> Traced:
        """x, from no argument."""
        return self.record(CONSTANT, x, (), (), NO_OPTIONS)

    def record(self, rule: Rule, y: Array, args: tuple[Any, ...], marks: tuple[Any, ...], options: Any) -> Traced:
        """Write it down."""
        xp = self.recording if isinstance(y, Traced) else self.xp
        keep: Any = y
        reads, tape = rule.reads, self.tape
        if reads != "xy" and not self.whole:
            shapes = self.shapes
            if "y" not in reads:
                keep = shapes[y.shape, y.dtype]
            if "x" not in reads:
                kept = list(args)
                for i, m in enumerate(marks):
                    if m is not None:
                        kept[i] = shapes[args[i].shape, args[i].dtype]
                args = tuple(kept)
        tape.append((rule, keep, args, marks, options, xp))
        return self.kind(y, self, len(tape) - 1)

    def pull(self, adjoints: dict[int, Array]) -> dict[int, Array]:
        """From ȳ at some places of the tape back to the arguments: their adjoints by place.

        x̄ = Σ Jᵀ ȳ over all operations that used x, the last one first.
        """
        tape, done = self.tape, {}
        for place in range(max(adjoints, default=-1), -1, -1):
            g = adjoints.pop(place, None)
            if g is None:
                continue
            if tape[place] is None:
                done[place] = g
                continue
            rule, y, args, marks, options, xp = tape[place]
            if isinstance(g, Traced):
                xp = self.recording
            terms = rule.pulls(xp, marks, g, y, args, options) if rule.joint else None
            for i, source in enumerate(marks):
                if source is not None:
                    term = rule.pull(xp, i, g, y, args, options) if terms is None else terms[i]
                    adjoints[source] = adjoints[source] + term if source in adjoints else term
        return done

    def push(self, tangents: dict[int, Array]) -> dict[int, Array]:
        """From ẋ of the arguments, by place, on to all that depends on them: ẏ = Σ J ẋ."""
        for place, entry in enumerate(self.tape):
            if entry is not None:
                rule, y, args, marks, options, _ = entry
                own = tuple([tangents.get(m) for m in marks])  # None for what is not marked
                if [t for t in own if t is not None]:
                    tangents[place] = fit(self.recording, rule.push(self.recording, own, y, args, options), y)
        return tangents


class Forward(Level):
    """Forward mode, to any order: with x(t) along a line or a curve, the mark of y holds (ẏ, ÿ, …), None for 0.

    First order is ẏ = Σ Jᵢ ẋᵢ. A linear function maps each order by itself; a product follows Leibniz,

        (ab)⁽ᵏ⁾ = Σⱼ (k over j) a⁽ʲ⁾ b⁽ᵏ⁻ʲ⁾;

    and for everything else, ẏ(t) = Σ Jᵢ(t) ẋᵢ(t) is evaluated as a function of t with one order less. The cost
    grows with the square of the order where nested first orders would double it each time.
    """

    def argument(self, x: Array, derivatives: tuple[Array | None, ...]) -> Traced:
        """x with its derivatives (ẋ, ẍ, …)."""
        return self.kind(still(x), self, derivatives)

    def constant(self, x: Array, mark: Any) -> Traced:
        """x with derivatives that are all zero."""
        return self.kind(x, self, (None,) * len(mark))

    def record(self, rule: Rule, y: Array, args: tuple[Any, ...], marks: tuple[Any, ...], options: Any) -> Traced:
        """The derivatives of y."""
        active = [i for i, m in enumerate(marks) if m is not None]
        order = len(marks[active[0]])
        if order == 1 or (rule.linear.issuperset(active) and not (rule.bilinear and len(active) == 2)):
            derivatives = []
            for k in range(order):
                tangents = tuple(None if m is None else m[k] for m in marks)
                derivatives.append(self._push(rule, tangents, y, args, options))
        elif rule.bilinear:
            derivatives = self._leibniz(rule, y, args, marks, options)
        else:
            lower = self.record(rule, y, args, tuple(m and m[:-1] for m in marks), options)
            series = tuple(x if m is None else self.kind(x, self, m[:-1]) for x, m in zip(args, marks, strict=True))
            slopes = tuple(
                None if m is None or all(d is None for d in m)
                else self.kind(self.recording.zeros_like(x) if m[0] is None else m[0], self, m[1:])
                for x, m in zip(args, marks, strict=True)
            )  # fmt: skip
            derivatives = [None] * order
            if any(s is not None for s in slopes):
                slope = fit(self.recording, rule.push(self.recording, slopes, lower, series, options), y)
                derivatives = [slope.value, *slope.mark] if _of(slope, self) else [slope, *derivatives[1:]]
        return self.kind(y, self, tuple(derivatives))

    def _push(self, rule: Rule, tangents: tuple[Any, ...], y: Array, args: Any, options: Any) -> Array | None:
        if all(t is None for t in tangents):
            return None
        xp = self.xp
        if isinstance(y, Traced) or any(isinstance(a, Traced) for a in (*tangents, *args)):
            xp = self.recording
        return fit(xp, rule.push(xp, tangents, y, args, options), y)

    def _leibniz(self, rule: Rule, y: Array, args: Any, marks: Any, options: Any) -> list[Array | None]:
        a, b = ((x, *m) for x, m in zip(args, marks, strict=True))
        derivatives: list[Array | None] = []
        square = args[0] is args[1] and marks[0] is marks[1] and rule.name == "multiply"
        for k in range(1, len(a)):
            total = None
            for j in range(k // 2 + 1 if square else k + 1):  # the terms of a square come in pairs
                if a[j] is not None and b[k - j] is not None:
                    c = comb(k, j) * (2 if square and 2 * j != k else 1)
                    term = apply(rule, self.xp, (a[j], b[k - j]), options)
                    term = term if c == 1 else float(c) * term
                    total = term if total is None else total + term
            derivatives.append(None if total is None else fit(self.recording, total, y))
        return derivatives


def _of(x: Any, level: Level) -> bool:
    return isinstance(x, Traced) and x.level is level
