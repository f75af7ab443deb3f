"""The settings of dataclasses: checked once, when the object is made, and kept as Python's own numbers."""

from __future__ import annotations

from dataclasses import fields
from math import isnan
from numbers import Integral, Real
from typing import Any

__all__ = ["number", "settle", "whole"]


def settle(settings: Any, **intervals: str) -> None:
    """Check fields of a dataclass, and make Python's floats and truth values of them; call it in ``__post_init__``.

    Each field is given the interval in which it must lie, as in ``settle(self, momentum="[0, 1)")``;
    a field that is a pair by default is checked number by number, and one that is a truth value by default must be
    one. Python floats matter: a ``numpy.float64`` among the scalars would make float64 of an update in float32.

    Raises:
        TypeError: for what is no number, and for no truth value.
        ValueError: for a number outside its interval, and for a pair of another length than two.
    """
    kind = type(settings).__name__
    for name, interval in intervals.items():
        value, where = getattr(settings, name), f"{kind}: {name}"
        checked: Any
        if isinstance(getattr(type(settings), name, None), tuple):
            if not isinstance(value, (tuple, list)) or len(value) != 2:
                raise ValueError(f"{where} must be a pair of numbers, got {value!r}")
            checked = tuple(number(f"{where}[{i}]", v, interval) for i, v in enumerate(value))
        else:
            checked = number(where, value, interval)
        object.__setattr__(settings, name, checked)
    for name in (field.name for field in fields(settings) if isinstance(field.default, bool)):
        value = getattr(settings, name)
        if type(value).__name__ != "bool":  # as NumPy's is called, too
            raise TypeError(f"{kind}: {name} must be True or False, got {value!r}")
        object.__setattr__(settings, name, bool(value))


def number(name: str, value: Any, interval: str) -> float:
    """The number ``value`` as a Python float, if it lies in an interval such as ``"[0, 1)"`` or ``"(0, inf)"``."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number in {interval}, got {value!r} ({type(value).__name__})")
    x = float(value)
    low, high = (float(end) for end in interval[1:-1].split(","))
    above = x >= low if interval[0] == "[" else x > low
    below = x <= high if interval[-1] == "]" else x < high
    if isnan(x) or not (above and below):
        raise ValueError(f"{name} must lie in {interval}, got {value!r}")
    return x


def whole(name: str, value: Any, least: int) -> int:
    """The whole number ``value`` as a Python int, if it is not below ``least``."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be a whole number, got {value!r} ({type(value).__name__})")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value!r}")
    return int(value)
