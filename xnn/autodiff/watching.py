"""Anomaly detection in a derivative: in ``with xnn.detect_anomaly():`` every value, tangent and adjoint is looked at.

A level is then one of the two classes below. They write down each operation with a rule that looks at what it gives
back, so the passes themselves are the usual ones; outside of the block nothing of this exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xnn.anomaly import detecting
from xnn.arrays import namespace
from xnn.autodiff.levels import Forward, Reverse
from xnn.autodiff.rule import Rule
from xnn.autodiff.tracing import Traced, raw
from xnn.contract import Array
from xnn.errors import AnomalyError

__all__ = ["forward_level", "reverse_level"]


def reverse_level() -> type[Reverse]:
    """The class of a level of reverse mode here."""
    return WatchedReverse if detecting() else Reverse


def forward_level() -> type[Forward]:
    """The class of a level of forward mode here."""
    return WatchedForward if detecting() else Forward


class Watched(Rule):
    """The ``number``-th operation of a computation, by its rule; what comes out is looked at."""

    def __init__(self, rule: Rule, number: int) -> None:
        super().__init__(rule.name)
        self.rule, self.number = rule, number
        self.joint, self.reads, self.linear, self.bilinear = rule.joint, rule.reads, rule.linear, rule.bilinear
        layer = getattr(rule, "layer", None)
        self.place = f"{rule.name}, {'' if layer is None else f'layer {layer}, '}operation {number}"

    def evaluate(self, xp: Any, *args: Any, **options: Any) -> Array:
        """f(x)."""
        return self.rule.evaluate(xp, *args, **options)

    def push(self, xp: Any, tangents: Any, y: Array, args: Any, options: Any) -> Array:
        """ẏ, if it is finite."""
        return _finite(self.rule.push(xp, tangents, y, args, options), f"the tangent of {self.place}")

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: Any, options: Any) -> Array:
        """x̄ᵢ, if it is finite."""
        return _finite(self.rule.pull(xp, i, g, y, args, options), self._back)

    def pulls(self, xp: Any, marks: Any, g: Array, y: Array, args: Any, options: Any) -> Sequence[Array | None]:
        """All x̄ᵢ, if they are finite."""
        terms = self.rule.pulls(xp, marks, g, y, args, options)
        return [t if m is None or t is None else _finite(t, self._back) for t, m in zip(terms, marks, strict=False)]

    @property
    def _back(self) -> str:
        return f"the adjoint that comes back from {self.place}"


class WatchedReverse(Reverse):
    """Reverse mode that stops at the first NaN or infinity."""

    operations = 0

    def argument(self, x: Array) -> Traced:
        """x, if it is finite."""
        return super().argument(_finite(x, "the argument"))

    def record(self, rule: Rule, y: Array, args: tuple[Any, ...], marks: tuple[Any, ...], options: Any) -> Traced:
        """Write it down, if it is finite."""
        self.operations += 1
        watched = Watched(rule, self.operations)
        return super().record(watched, _finite(y, watched.place), args, marks, options)


class WatchedForward(Forward):
    """Forward mode that stops at the first NaN or infinity."""

    operations, busy = 0, False

    def argument(self, x: Array, derivatives: tuple[Array | None, ...]) -> Traced:
        """x, if it is finite."""
        return super().argument(_finite(x, "the argument"), derivatives)

    def record(self, rule: Rule, y: Array, args: tuple[Any, ...], marks: tuple[Any, ...], options: Any) -> Traced:
        """The derivatives of y, if all are finite; what higher orders compute meanwhile is no operation of its own."""
        if self.busy:
            return super().record(rule, y, args, marks, options)
        self.operations += 1
        watched = Watched(rule, self.operations)
        _finite(y, watched.place)
        self.busy = True
        try:
            return super().record(watched, y, args, marks, options)
        finally:
            self.busy = False


def _finite(x: Array, place: str) -> Array:
    a = raw(x)
    xp = namespace(a)
    if not bool(xp.all(xp.isfinite(a))):
        kind = "NaN" if bool(xp.any(xp.isnan(a))) else "infinity"
        raise AnomalyError(f"{kind} in {place}, in an array of shape {tuple(a.shape)}; everything before it was finite")
    return x
