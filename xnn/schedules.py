"""Step sizes that change while a descent runs: functions of the number t of updates made so far.

Any function of an ``int`` that returns a ``float`` is a schedule. These here follow the schedulers of
PyTorch, with t counted in updates from 0 (not in epochs), and know their step size themselves::

    xnn.SGD(lr=xnn.schedules.Cosine(0.1, steps=1000))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi
from typing import TypeAlias

from xnn.settings import number, settle, whole

__all__ = ["Cosine", "ExponentialDecay", "InverseTime", "OneCycle", "Schedule", "StepDecay", "WarmUp"]

Schedule: TypeAlias = Callable[[int], float]  # the number of updates so far -> the step size of the next


@dataclass(frozen=True)
class StepDecay:
    """η(t) = lr · factor^⌊t / every⌋: the step size is cut by ``factor`` after each ``every`` updates.

    PyTorch's ``StepLR(step_size=every, gamma=factor)``.
    """

    lr: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        settle(self, lr="(0, inf)", factor="(0, inf)")
        whole("StepDecay: every", self.every, 1)

    def __call__(self, step: int) -> float:
        """The step size after ``step`` updates."""
        return self.lr * self.factor ** (step // self.every)


@dataclass(frozen=True)
class ExponentialDecay:
    """η(t) = lr · γᵗ with γ = ``gamma``; PyTorch's ``ExponentialLR``."""

    lr: float
    gamma: float

    def __post_init__(self) -> None:
        settle(self, lr="(0, inf)", gamma="(0, 1]")

    def __call__(self, step: int) -> float:
        """The step size after ``step`` updates."""
        return self.lr * self.gamma**step


@dataclass(frozen=True)
class Cosine:
    """η(t) = minimum + (lr − minimum)·(1 + cos(πt / steps)) / 2, and ``minimum`` after ``steps`` updates.

    PyTorch's ``CosineAnnealingLR(T_max=steps, eta_min=minimum)``, which, unlike this one, rises again
    afterwards. Source: Loshchilov & Hutter, SGDR, 2016, equation 5, without restarts.
    """

    lr: float
    steps: int
    minimum: float = 0.0

    def __post_init__(self) -> None:
        settle(self, lr="(0, inf)", minimum="[0, inf)")
        whole("Cosine: steps", self.steps, 1)

    def __call__(self, step: int) -> float:
        """The step size after ``step`` updates."""
        return _cosine(self.lr, self.minimum, min(step / self.steps, 1.0))


@dataclass(frozen=True)
class InverseTime:
    """η(t) = t₀ / (t + t₁): starts at t₀/t₁ and falls as 1/t.

    Its sum diverges and the sum of its squares does not: the conditions under which stochastic
    descent converges (Robbins & Monro, 1951).
    """

    t0: float
    t1: float

    def __post_init__(self) -> None:
        settle(self, t0="(0, inf)", t1="(0, inf)")

    def __call__(self, step: int) -> float:
        """The step size after ``step`` updates."""
        return self.t0 / (step + self.t1)


@dataclass(frozen=True)
class OneCycle:
    """Up from max_lr/div_factor to ``max_lr`` in the share ``pct_start`` of ``steps``, then down to almost nothing.

    The last step size is max_lr/(div_factor·final_div_factor), and stays from then on. With
    ``three_phase`` the way down first mirrors the way up. ``anneal_strategy`` is ``"cos"`` or
    ``"linear"``. PyTorch's ``OneCycleLR(total_steps=steps, cycle_momentum=False)``.
    Source: Smith & Topin, Super-Convergence, 2017.
    """

    max_lr: float
    steps: int
    pct_start: float = 0.3
    anneal_strategy: str = "cos"
    div_factor: float = 25.0
    final_div_factor: float = 1e4
    three_phase: bool = False

    def __post_init__(self) -> None:
        settle(self, max_lr="(0, inf)", pct_start="[0, 1]", div_factor="(0, inf)", final_div_factor="(0, inf)")
        whole("OneCycle: steps", self.steps, 1)
        if self.anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"OneCycle: anneal_strategy must be 'cos' or 'linear', got {self.anneal_strategy!r}")

    def __call__(self, step: int) -> float:
        """The step size after ``step`` updates."""
        start = self.max_lr / self.div_factor
        last = start / self.final_div_factor
        # The ends of the phases, counted in updates from 0, and the step sizes there.
        top = self.pct_start * self.steps - 1
        ends = [(0.0, start), (top, self.max_lr), (self.steps - 1.0, last)]
        if self.three_phase:
            ends.insert(2, (2 * top, start))
        between = _cosine if self.anneal_strategy == "cos" else _linear
        for (a, η0), (b, η1) in pairwise(ends):
            if step <= b and b > a:
                return between(η0, η1, (step - a) / (b - a))
        return last


@dataclass(frozen=True)
class WarmUp:
    """η(t) = start + (η₀ − start)·t / steps for the first ``steps`` updates, then ``after``.

    ``after`` is a number, or a schedule, which then begins: η(t) = after(t − steps). η₀ is its first
    step size. PyTorch's ``LinearLR``, followed by another one in ``SequentialLR``. The first of all
    updates has the step size ``start``: with 0 it changes nothing yet.
    """

    steps: int
    after: float | Schedule
    start: float = 0.0

    def __post_init__(self) -> None:
        settle(self, start="[0, inf)")
        whole("WarmUp: steps", self.steps, 0)
        if not callable(self.after):
            object.__setattr__(self, "after", number("WarmUp: after, if no schedule,", self.after, "(0, inf)"))

    def __call__(self, step: int) -> float:
        """The step size after ``step`` updates."""
        later = max(step - self.steps, 0)
        η = self.after(later) if callable(self.after) else self.after
        return _linear(self.start, η, step / self.steps) if step < self.steps else η


def _cosine(start: float, end: float, part: float) -> float:
    """From ``start`` to ``end`` along half a cosine, as ``part`` goes from 0 to 1."""
    return end + (start - end) * (1.0 + cos(pi * part)) / 2.0


def _linear(start: float, end: float, part: float) -> float:
    """From ``start`` to ``end`` along a line, as ``part`` goes from 0 to 1."""
    return start + (end - start) * part
