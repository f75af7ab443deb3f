"""The derivatives of elementwise functions: one table, which serves forward and reverse mode.

Each entry gives, for every argument, g ∂y/∂xᵢ as a function of (xp, g, y, *x), where g is a tangent on the
way forward and an adjoint on the way back. Where the textbook writes the derivative in the result, so does
the entry (tanh′ = 1 − y²). At a kink: |x|′ = 0 at 0; where the two arguments of maximum or minimum are equal,
each receives half, as in PyTorch and JAX. Functions of complex numbers are holomorphic but for abs.
"""

from __future__ import annotations

import cmath
import math
from typing import Any

from xnn.autodiff.rule import Elementwise, Tangents, is_complex, reduce_to
from xnn.contract import Array

__all__ = ["CONSTANT", "ELEMENTWISE", "sign"]


def _power_base(xp: Any, g: Array, y: Array, a: Any, b: Any) -> Array:
    """G b aᵇ⁻¹, which is 0 for b = 0 even at a = 0."""
    if isinstance(b, (int, float, complex)):
        return g * (2.0 * a) if b == 2 else g * (b * a ** (b - 1)) if b else g * 0.0
    return g * xp.where(b == 0.0, 0.0, b * a ** xp.where(b == 0.0, 1.0, b - 1.0))


def _power_exponent(xp: Any, g: Array, y: Array, a: Any, b: Any) -> Array:
    """G aᵇ log a, which is 0 for a = 0."""
    if isinstance(a, (int, float, complex)):
        log = cmath.log(a or 1.0)
        return g * (y * (log if is_complex(y) else log.real if log.imag == 0.0 else math.nan))
    a = xp.where(a == 0.0, 1.0, a)
    return g * (y * xp.log(xp.astype(a, y.dtype) if is_complex(y) and not is_complex(a) else a))


def _log_share(xp: Any, a: Any, b: Any) -> Array:
    """eᵃ/(eᵃ + eᵇ), as exp(−log(1 + eᵇ⁻ᵃ)): right for large and for infinite numbers, too."""
    d = b - a
    return xp.exp(-xp.logaddexp(xp.zeros_like(d), d))


def _share(xp: Any, g: Array, y: Array, mine: Any, other: Any) -> Array:
    """G where the result is mine, half of it where both are equal, else 0."""
    return g * (xp.astype(y == mine, g.dtype) * (1.0 - 0.5 * xp.astype(mine == other, g.dtype)))


def _squared_radius(xp: Any, a: Any, b: Any) -> Array:
    """a² + b², but 1 for 0 + 0: there atan2 has the derivative 0, as in PyTorch."""
    r = a * a + b * b
    return r + xp.astype(r == 0.0, r.dtype)


def sign(xp: Any, x: Array) -> Array:
    """x/|x|, and 0 for 0."""
    if not is_complex(x):
        return xp.sign(x)
    zero = x == 0.0
    return xp.where(zero, 0.0, x / xp.where(zero, 1.0, xp.abs(x)))


class Abs(Elementwise):
    """y = |x| with s = sign x = x/|x| (0 for x = 0): ẏ = Re(conj(s) ẋ), x̄ = ȳ s."""

    def __init__(self) -> None:
        super().__init__("abs", lambda xp, g, y, x: g * sign(xp, x), reads="x")

    def push(self, xp: Any, tangents: Tangents, y: Array, args: tuple[Any, ...], options: dict[str, Any]) -> Array:
        """Re(conj(s) ẋ)."""
        s = sign(xp, args[0])
        return xp.real(xp.conj(s) * tangents[0]) if is_complex(s) else s * tangents[0]

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: tuple[Any, ...], options: dict[str, Any]) -> Array:
        """ȳ s."""
        return reduce_to(xp, g * sign(xp, args[0]), args[0])


_TABLE = (
    # Arithmetic.
    Elementwise("add", lambda xp, g, y, a, b: g, lambda xp, g, y, a, b: g, reads="", linear=(0, 1)),
    Elementwise("subtract", lambda xp, g, y, a, b: g, lambda xp, g, y, a, b: -g, reads="", linear=(0, 1)),
    Elementwise(
        "multiply", lambda xp, g, y, a, b: g * b, lambda xp, g, y, a, b: g * a, reads="x", linear=(0, 1), bilinear=True
    ),
    Elementwise("divide", lambda xp, g, y, a, b: g / b, lambda xp, g, y, a, b: -(g * y) / b, linear=(0,)),
    Elementwise("pow", _power_base, _power_exponent),
    Elementwise(
        "remainder", lambda xp, g, y, a, b: g, lambda xp, g, y, a, b: -g * xp.floor_divide(a, b), reads="x", linear=(0,)
    ),
    Elementwise("negative", lambda xp, g, y, x: -g, reads="", linear=(0,)),
    Elementwise("positive", lambda xp, g, y, x: g, reads="", linear=(0,)),
    Abs(),
    Elementwise("reciprocal", lambda xp, g, y, x: -g * (y * y), reads="y"),
    Elementwise("square", lambda xp, g, y, x: g * (2.0 * x), reads="x"),
    Elementwise("sqrt", lambda xp, g, y, x: g * (0.5 / y), reads="y"),
    # Exponentials and logarithms.
    Elementwise("exp", lambda xp, g, y, x: g * y, reads="y"),
    Elementwise("expm1", lambda xp, g, y, x: g * (y + 1.0), reads="y"),
    Elementwise("log", lambda xp, g, y, x: g / x, reads="x"),
    Elementwise("log1p", lambda xp, g, y, x: g / (1.0 + x), reads="x"),
    Elementwise("log2", lambda xp, g, y, x: g / (math.log(2.0) * x), reads="x"),
    Elementwise("log10", lambda xp, g, y, x: g / (math.log(10.0) * x), reads="x"),
    Elementwise(
        "logaddexp",
        lambda xp, g, y, a, b: g * _log_share(xp, a, b),
        lambda xp, g, y, a, b: g * _log_share(xp, b, a),
        reads="x",
    ),
    # Circular and hyperbolic functions, and their inverses.
    Elementwise("sin", lambda xp, g, y, x: g * xp.cos(x), reads="x"),
    Elementwise("cos", lambda xp, g, y, x: -g * xp.sin(x), reads="x"),
    Elementwise("tan", lambda xp, g, y, x: g * (1.0 + y * y), reads="y"),
    Elementwise("asin", lambda xp, g, y, x: g / xp.sqrt((1.0 - x) * (1.0 + x)), reads="x"),
    Elementwise("acos", lambda xp, g, y, x: -g / xp.sqrt((1.0 - x) * (1.0 + x)), reads="x"),
    Elementwise("atan", lambda xp, g, y, x: g / (1.0 + x * x), reads="x"),
    Elementwise("sinh", lambda xp, g, y, x: g * xp.cosh(x), reads="x"),
    Elementwise("cosh", lambda xp, g, y, x: g * xp.sinh(x), reads="x"),
    Elementwise("tanh", lambda xp, g, y, x: g * (1.0 - y * y), reads="y"),
    Elementwise("asinh", lambda xp, g, y, x: g / xp.sqrt(1.0 + x * x), reads="x"),
    Elementwise("acosh", lambda xp, g, y, x: g / (xp.sqrt(x - 1.0) * xp.sqrt(x + 1.0)), reads="x"),
    Elementwise("atanh", lambda xp, g, y, x: g / ((1.0 - x) * (1.0 + x)), reads="x"),
    # Two arguments.
    Elementwise(
        "atan2",
        lambda xp, g, y, a, b: g * b / _squared_radius(xp, a, b),
        lambda xp, g, y, a, b: -g * a / _squared_radius(xp, a, b),
        reads="x",
    ),
    Elementwise("hypot", lambda xp, g, y, a, b: g * (a / y), lambda xp, g, y, a, b: g * (b / y)),
    Elementwise("copysign", lambda xp, g, y, a, b: g * (xp.sign(a) * xp.sign(y)), lambda xp, g, y, a, b: g * 0.0),
    Elementwise("maximum", _share, lambda xp, g, y, a, b: _share(xp, g, y, b, a)),
    Elementwise("minimum", _share, lambda xp, g, y, a, b: _share(xp, g, y, b, a)),
)

#: The rules by the names of the standard.
ELEMENTWISE: dict[str, Elementwise] = {rule.name: rule for rule in _TABLE}

#: Functions whose results are constant between jumps, or no numbers at all: they carry no derivative. (sign is
#: among the compositions, because that of a complex number is not constant.)
CONSTANT = frozenset(
    """
    all any argmax argmin argsort ceil count_nonzero equal floor floor_divide greater greater_equal isfinite isin
    isinf isnan less less_equal logical_and logical_not logical_or logical_xor matrix_rank nonzero not_equal round
    searchsorted signbit trunc zeros_like ones_like empty_like result_type can_cast isdtype finfo iinfo
    """.split()  # noqa: SIM905 -- the names are read as a text
)
