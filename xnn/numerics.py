"""Functions that stay accurate where the textbook's formula would overflow or cancel.

All are written in the functions of the namespace ``xp`` from their arguments alone, so they are
differentiable, and the same on every backend. They never overflow: an exponent is bounded before
the exponential, not corrected after it, because both sides of a ``where`` are computed. Results have
the dtype of the argument (float32 or float64). NaN goes in, NaN comes out.
"""

from __future__ import annotations

import math
from typing import Any

from xnn.contract import Array

__all__ = ["log_softmax", "log_sum_exp", "normal", "sigmoid", "softmax", "softplus"]

# From here on e⁻ᶻ is lost beside 1 in float64 (e⁻³⁷ < 2⁻⁵³), and e⁴⁰ squared still fits float32.
_SATURATED = 40.0


def sigmoid(xp: Any, z: Array) -> Array:
    """The logistic sigmoid σ(z) = 1/(1 + e⁻ᶻ) = eᶻ/(eᶻ + 1), to a few roundings of its own size at both ends.

    The form ½ tanh(z/2) + ½ takes as many calls but keeps nothing of σ(−40) = 4e-18.
    """
    e = xp.exp(xp.minimum(z, _SATURATED))
    return e / (e + 1.0)


def softplus(xp: Any, z: Array) -> Array:
    """log(1 + eᶻ): the integral of the sigmoid, and −log σ(−z)."""
    return xp.maximum(z, xp.log1p(xp.exp(xp.minimum(z, _SATURATED))))


def log_sum_exp(xp: Any, z: Array) -> Array:
    """log Σⱼ exp zⱼ over the last axis, which stays as an axis of length 1."""
    m = xp.max(z, axis=-1, keepdims=True)
    return m + xp.log(xp.sum(xp.exp(z - m), axis=-1, keepdims=True))


def softmax(xp: Any, z: Array) -> Array:
    """exp zⱼ / Σₖ exp zₖ over the last axis."""
    e = xp.exp(z - xp.max(z, axis=-1, keepdims=True))
    return e / xp.sum(e, axis=-1, keepdims=True)


def log_softmax(xp: Any, z: Array) -> Array:
    """zⱼ − log Σₖ exp zₖ over the last axis."""
    s = z - xp.max(z, axis=-1, keepdims=True)
    return s - xp.log(xp.sum(xp.exp(s), axis=-1, keepdims=True))


def normal(xp: Any, z: Array) -> tuple[Array, Array]:
    """(Φ(z), φ(z)) of the standard normal distribution.

    The density is φ(z) = exp(−z²/2)/√(2π) and the distribution Φ(z) = ∫φ from −∞ to z. With u = |z|,
    Mills' ratio R(u) = Φ(−u)/φ(u) is smooth and falls from √(π/2) like 1/u, so that one rational
    function serves the whole axis, and no branch is needed::

        Φ(−u) = φ(u)·R(u),    Φ(u) = 1 − φ(u)·R(u)

    In float64 Φ is right to 1e-15, and to 1e-13 of its own size down to z = −37; the standard has no
    erf, of which Φ(z) = ½ + ½ erf(z/√2).

    Source: J. P. Mills, "Table of the ratio: area to bounding ordinate", Biometrika 18 (1926). The
    rational functions were fitted to R by least squares in 80 digits, reweighted towards the
    smallest largest relative error, as W. J. Cody did for erf (Math. Comp. 23, 1969).
    """
    positive = xp.astype(z >= 0.0, z.dtype)
    sign = 2.0 * positive - 1.0  # not xp.sign, nor xp.abs: their derivative at 0 would be 0
    u = xp.minimum(sign * z, _SATURATED)
    φ = xp.exp(-0.5 * u * u) * (1.0 / math.sqrt(2.0 * math.pi))
    numerator, denominator = _MILLS if z.dtype == xp.float64 else _MILLS_SINGLE
    tail = φ * (_polynomial(u, numerator) / _polynomial(u, denominator))
    return positive - sign * tail, φ


def _polynomial(u: Array, coefficients: tuple[float, ...]) -> Array:
    """c₀uⁿ + c₁uⁿ⁻¹ + … + cₙ by Horner's rule."""
    p = coefficients[0] * u
    for c in coefficients[1:-1]:
        p += c  # in place where the library can: p is ours
        p *= u
    p += coefficients[-1]
    return p


# R(u) = numerator/denominator, highest power first. All coefficients are positive: nothing cancels.
# Largest relative error on [0, 40]: 1e-16.
_MILLS = (
    (
        3.5001177839880482e-06,
        9.398137745760668e-05,
        0.0012358887010631035,
        0.010295981544708505,
        0.05942724312137843,
        0.24559818978387815,
        0.7268134552582179,
        1.4912422190379497,
        1.9438311967275865,
        1.2533141373155001,
    ),
    (
        3.5001177839974673e-06,
        9.398137745563056e-05,
        0.00123938881903376,
        0.010389962911577736,
        0.06065613199319676,
        0.2557061972952403,
        0.7838041586783225,
        1.7171843957411195,
        2.563940289337414,
        2.348837461478753,
        1.0,
    ),
)
# Largest relative error on [0, 15], below which φ vanishes in float32: 7e-9.
_MILLS_SINGLE = (
    (0.01041023049333452, 0.10247138850682455, 0.461135295104865, 1.1011111743108404, 1.2533141452078842),
    (0.01041011881081803, 0.10247750584146854, 0.4714013602958877, 1.2055369490178518, 1.6764446125269523, 1.0),
)
