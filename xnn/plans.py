"""What a network does again and again: simply done at first, then by a plan that its backend makes of it.

A step does the same with every batch of the same shape. The first time it is simply done; the second time the
backend may make a plan of it (``Backend.plan``), which gives the same numbers faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xnn.contract import Array, Backend, Plan, Step

__all__ = ["Task"]

_MANY = 32  # so many shapes are remembered


class Task:
    """A step, (xp, standing, given, check) -> (results, gradients that belong in one flat vector), and its plans.

    Args:
        step: the step, as a pure function of arrays.
        repeats: whether it does the same each time, but for the numbers in the arrays; else there is no plan.
        most: a plan with more bytes of memory is not made.
    """

    def __init__(self, step: Step, repeats: bool, most: int | None = None) -> None:
        self._step, self._repeats, self._most = step, repeats, most
        # By shape, a list with the plan. It has memory of its own, so it serves one thread at a time: in use, it is
        # not in its list, and another thread does its step without one.
        self._plans: dict[Any, list[Plan | None]] = {}

    def run(
        self,
        backend: Backend,
        standing: Sequence[Sequence[Array]],
        given: Sequence[Array | int | None],
        check: Any = None,
    ) -> tuple[list[Array], Array | None]:
        """The results of the step and its flat gradient; with ``check``, each result is looked at on the way."""
        if self._repeats and check is None:
            shape = tuple([type(a) if a is None or isinstance(a, int) else (a.shape, a.dtype) for a in given])
            found = self._plans.get(shape)
            if found is None:
                if len(self._plans) >= _MANY:
                    self._plans.clear()
                self._plans[shape] = []
            else:
                try:
                    plan = found.pop()
                except IndexError:  # not made yet, or in use
                    plan = backend.plan(self._step, given, standing, self._most)
                done = None if plan is None else plan(given)
                found[:] = [plan]
                if done is not None:
                    return done
        deferred = [None if a is None else backend.defer(a) for a in given]
        return backend.compute(*self._step(backend.recorder, standing, deferred, check))

    @property
    def planned(self) -> int:
        """How many plans there are."""
        return sum(plan is not None for found in self._plans.values() for plan in found)
