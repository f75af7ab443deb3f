"""The line search of the strong Wolfe conditions: how far to go from θ in a direction d of descent.

With φ(t) = C(θ + t d), so that φ′(t) = ∇C(θ + t d)·d, a step t is accepted where

    φ(t) ≤ φ(0) + c₁ t φ′(0)      the cost has fallen enough (Armijo)
    |φ′(t)| ≤ c₂ |φ′(0)|          and the slope has become flat enough (curvature)

Source: Nocedal & Wright, Numerical Optimization, 2nd edition, 2006: the conditions (3.7), the search for a bracket
algorithm 3.5, its narrowing algorithm 3.6, the cubic (3.59). How far a trial stays from the ends of its bracket is
as in M. Schmidt's minFunc, 2005, which PyTorch follows, too.
"""

from __future__ import annotations

from collections.abc import Callable
from math import copysign, isfinite, sqrt
from typing import Any, NamedTuple

__all__ = ["C1", "C2", "Trial", "strong_wolfe"]

C1, C2 = 1e-4, 0.9  # as Nocedal & Wright advise for quasi-Newton methods


class Trial(NamedTuple):
    """A step length t that was tried: φ(t), φ′(t), and whatever the caller knows of that place."""

    t: float
    cost: float
    slope: float
    place: Any = None


def strong_wolfe(
    φ: Callable[[float], Trial], start: Trial, trial: Trial, *, limit: int = 25, shortest: float = 0.0
) -> Trial:
    """The first trial that meets both conditions; where none is found, the best one that meets the first.

    Args:
        φ: evaluates the cost and its slope at t.
        start: t = 0, with a slope below 0; it is returned where no trial is better.
        trial: the first trial, evaluated already.
        limit: how many trials there are at most, the first one included.
        shortest: a bracket narrower than this is not narrowed further.
    """
    before = start
    for tried in range(1, limit + 1):
        if not _falls(start, trial) or (tried > 1 and trial.cost >= before.cost):
            return _zoom(φ, start, before, trial, limit - tried, shortest)
        if abs(trial.slope) <= -C2 * start.slope:
            break
        if trial.slope >= 0:
            return _zoom(φ, start, trial, before, limit - tried, shortest)
        if tried < limit:
            further = _cubic(before, trial, trial.t + 0.01 * (trial.t - before.t), 10 * trial.t)
            before, trial = trial, φ(further)
    return trial


def _zoom(φ: Callable[[float], Trial], start: Trial, low: Trial, high: Trial, limit: int, shortest: float) -> Trial:
    """Narrow the bracket between ``low``, the best trial so far, and ``high``, in whose direction φ falls from it."""
    close = False  # whether the last trial was close to an end
    for _ in range(limit):
        left, right = sorted((low.t, high.t))
        if right - left <= shortest:
            break
        t, margin = _cubic(low, high, left, right), 0.1 * (right - left)
        if min(t - left, right - t) >= margin:
            close = False
        elif close or t in (left, right):
            t, close = (right - margin if right - t < t - left else left + margin), False
        else:
            close = True
        trial = φ(t)
        if not _falls(start, trial) or trial.cost >= low.cost:
            high = trial
            continue
        if abs(trial.slope) <= -C2 * start.slope:
            return trial
        if trial.slope * (high.t - low.t) >= 0:
            high = low
        low = trial
    return low


def _falls(start: Trial, trial: Trial) -> bool:
    """Armijo's condition; never met where the cost, or its slope, is not finite."""
    return trial.cost <= start.cost + C1 * trial.t * start.slope and isfinite(trial.slope)


def _cubic(a: Trial, b: Trial, low: float, high: float) -> float:
    """Where in [low, high] the cubic through both costs and slopes is least; the middle, where it has no minimum."""
    if isfinite(b.cost) and isfinite(b.slope) and isfinite(a.cost):
        d = a.slope + b.slope - 3 * (a.cost - b.cost) / (a.t - b.t)
        square = d * d - a.slope * b.slope
        if square >= 0:
            root = copysign(sqrt(square), b.t - a.t)
            bottom = b.slope - a.slope + 2 * root
            if bottom:
                return min(max(b.t - (b.t - a.t) * (b.slope + root - d) / bottom, low), high)
    return (low + high) / 2
