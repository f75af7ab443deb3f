"""What an optimizer is: its settings, what it remembers between updates, and the equation of an update."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, nan
from typing import Any, TypeAlias

import array_api_compat

from xnn.arrays import on_their_device
from xnn.contract import Array, Backend, Equation, apart, comes_with_xnn
from xnn.schedules import Schedule
from xnn.settings import number
from xnn.trees import arrays, matching, rebuild

__all__ = ["Descent", "Optimizer", "Rule", "State", "coupled", "decoupled"]

State: TypeAlias = dict[str, Any]  # {"step": int, further numbers, and arrays or structures of arrays like θ}
Rule: TypeAlias = tuple[Equation, dict[str, float]]  # the equation of an update, and its scalars


@dataclass(frozen=True)
class Descent:
    """What every way down has: a step size; ``Optimizer`` and ``Solver`` are the two kinds.

    Settings:
        lr: the step size η > 0, or a schedule, a function of the number of updates made so far.
    """

    lr: float | Schedule = 1e-3

    def __post_init__(self) -> None:
        name = f"{type(self).__name__}: lr"
        if isinstance(self.lr, type):
            raise TypeError(f"{name} is the class {self.lr.__name__}; give one of its objects, with its settings")
        if not callable(self.lr):
            object.__setattr__(self, "lr", number(f"{name}, if no schedule,", self.lr, "(0, inf)"))

    def rate(self, step: int) -> float:
        """The step size η after ``step`` updates.

        Raises:
            ValueError: where the schedule gives no number in [0, ∞).
        """
        if not callable(self.lr):
            return self.lr
        given: Any = self.lr(step)
        try:
            η = float(given)
        except (TypeError, ValueError):
            η = nan
        if not 0.0 <= η < inf:
            raise ValueError(f"{type(self).__name__}: the schedule {self.lr!r} gave {given!r} after {step} updates")
        return η


@dataclass(frozen=True)
class Optimizer(Descent):
    """How parameters θ follow from their gradient g = ∂C/∂θ; a frozen dataclass of settings.

    An update has two parts. On the host, ``rule`` says which equation comes next and computes its
    scalars, as Python floats, from the number t of the update (counted from 1, as the papers do) and
    the step size η. On the device that equation runs over all entries, written as augmented
    assignments on arrays that belong to it: the same function serves ``update`` and ``step``.

    Write your own by deriving from this class: ``buffers`` names the arrays that are remembered and
    their first values, and the equation is a named function of a module, such as

        def heavy_ball(xp, θ, g, v, *, η, μ):
            v *= μ
            v += g
            θ -= η * v
            return θ, v

    It must be elementwise, with no branch on values of arrays. What comes first in a docstring below
    is the equation of the source; ⊙ is left out, since every product, quotient and root is elementwise.
    """

    def buffers(self) -> dict[str, float]:
        """The arrays that are remembered between updates, each like θ, and what fills them at first."""
        return {}

    def numbers(self) -> dict[str, Any]:
        """The numbers that are remembered, as they are before the first update."""
        return {"step": 0}

    def advance(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The numbers of the next update, from those in the state of the last one."""
        return {"step": state["step"] + 1}

    def rule(self, numbers: Mapping[str, Any], η: float) -> Rule:
        """The equation of the update with these numbers, t = ``numbers["step"]``, and its scalars."""
        raise NotImplementedError

    # -- Pure: for arrays of any library -------------------------------------------------------------------------

    @on_their_device
    def init(self, theta: Any) -> State:
        """The state before the first update of ``theta``: an array, a list of numbers, or a structure of arrays."""
        xp, θs = arrays(theta)
        state = self.numbers()
        for name, value in self.buffers().items():
            made = [xp.full_like(θ, value, device=array_api_compat.device(θ)) for θ in θs]
            state[name] = rebuild(theta, made)
        return state

    @on_their_device
    def update(self, theta: Any, gradient: Any, state: State, lr_scale: float = 1.0) -> tuple[Any, State]:
        """One update: the new θ and the new state; no argument is changed.

        Args:
            theta: an array of any library and shape, numbers in lists, or a list or dictionary of
                arrays, nested at will.
            gradient: ∂C/∂θ, of the same form and shapes.
            state: from ``init``, or from the update before.
            lr_scale: multiplies the step size.

        Raises:
            ValueError: where the gradient or the state does not have the form or the shapes of theta.
            TypeError: where arrays of different libraries meet, and for what is no real number.
        """
        xp, θs = arrays(theta)
        gs = matching(gradient, xp, theta, θs, "gradient")
        buffers = list(self.buffers())
        missing = [name for name in ("step", *buffers) if name not in state]
        if missing:
            raise ValueError(
                f"state has no {missing[0]!r}, which {self!r} needs; it has {list(state)}; "
                "begin with state = optimizer.init(theta)"
            )
        kept = [matching(state[name], xp, theta, θs, f"state[{name!r}]") for name in buffers]
        numbers = self.advance(state)
        equation, scalars = self.rule(numbers, self.rate(state["step"]) * lr_scale)
        new = []
        for θ, g, *rest in zip(θs, gs, *kept, strict=True):
            own = [xp.asarray(a, copy=True) for a in (θ, *rest)]
            g = g if comes_with_xnn(equation) else xp.asarray(g, copy=True)  # which an equation of one's own may change
            new.append(apart(xp, own, equation(xp, own[0], g, *own[1:], **scalars)))
        columns = [rebuild(theta, column) for column in zip(*new, strict=True)] or [theta] * (1 + len(buffers))
        return columns[0], {**numbers, **dict(zip(buffers, columns[1:], strict=True))}

    # -- In place: for the training loop -------------------------------------------------------------------------

    def begin(self, backend: Backend, theta: Array) -> State:
        """The state before the first ``step`` of the flat vector ``theta`` of this backend."""
        made = {n: backend.xp.full_like(theta, x, device=backend.device) for n, x in self.buffers().items()}
        return {**self.numbers(), **made}

    def step(
        self, backend: Backend, theta: Array, gradient: Array, state: State, lr_scale: float = 1.0
    ) -> tuple[Array, State]:
        """One update of the flat vector ``theta``, in place where the library allows it, without any check.

        The arrays of the state are changed, too; use what is returned. ``lr_scale`` multiplies η.
        """
        buffers, after = self.buffers(), self.advance(state)
        equation, scalars = self.rule(after, self.rate(state["step"]) * lr_scale)
        try:
            θ, *new = backend.update(equation, [theta, *[state[name] for name in buffers]], gradient, scalars)
        except Exception as error:
            error.add_note(f"in the update of {type(self).__name__}, whose equation returns θ and {list(buffers)}")
            raise
        after.update(zip(buffers, new, strict=True))
        return θ, after


def coupled(λ: float, equation: Equation, scalars: dict[str, float]) -> Rule:
    """Weight decay as part of the gradient: the same equation for g + λθ, the slope of C + ½λ‖θ‖²."""
    return (_coupled(equation), {**scalars, "λ": λ}) if λ else (equation, scalars)


def decoupled(λ: float, η: float, equation: Equation, scalars: dict[str, float]) -> Rule:
    """Weight decay apart from the gradient: θ ← (1 − ηλ)θ, then the same equation (Loshchilov & Hutter, 2017)."""
    return (_decoupled(equation), {**scalars, "κ": 1.0 - η * λ}) if λ else (equation, scalars)


@functools.cache  # one function for each equation: backends compile by it
def _coupled(equation: Equation) -> Equation:
    def decayed(xp: Any, θ: Array, g: Array, *rest: Array, λ: float, **scalars: float) -> tuple[Array, ...]:
        d = λ * θ
        d += g
        return equation(xp, θ, d, *rest, **scalars)

    decayed.__module__, decayed.__name__ = equation.__module__, f"{equation.__name__}_with_decay"
    return decayed


@functools.cache
def _decoupled(equation: Equation) -> Equation:
    def decayed(xp: Any, θ: Array, g: Array, *rest: Array, κ: float, **scalars: float) -> tuple[Array, ...]:
        θ *= κ
        return equation(xp, θ, g, *rest, **scalars)

    decayed.__module__, decayed.__name__ = equation.__module__, f"{equation.__name__}_with_decoupled_decay"
    return decayed
