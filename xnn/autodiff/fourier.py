"""Fourier transforms: four linear functions over any axes, and the others written with them.

With the matrix F of the transform along an axis, F_jk = exp(−2πi jk/n), ``fftn`` is y = s F P x, where P crops x to
the length n or pads it with zeros, and s is the scale that ``norm`` names. Its transpose is x̄ = Pᵀ s Fᴴ ȳ: the inverse
transform under the norm that has the scale of the transform, then P backward, from n to the length of x. ``rfftn``
keeps n//2 + 1 frequencies of the last axis, so its transpose pads, and takes the real part. ``irfftn`` counts every
frequency twice that it does not keep the mirror image of, and so does its transpose.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from array_api_compat import device

from xnn.autodiff.rule import Linear, cast
from xnn.contract import Array

__all__ = ["FOURIER"]

#: The norm of the inverse transform whose scale is that of the transform, or the other way around.
_DUAL = {"backward": "forward", "forward": "backward", "ortho": "ortho"}


def _resized(xp: Any, x: Array, shape: Sequence[int], axes: Sequence[int]) -> Array:
    """x cropped, or padded with zeros, to the shape, along these axes."""
    for axis in axes:
        n, m = x.shape[axis], shape[axis]
        if m < n:
            x = x[(slice(None),) * (axis % x.ndim) + (slice(m), ...)]
        elif m > n:
            more = tuple(m - n if i == axis % x.ndim else k for i, k in enumerate(x.shape))
            x = xp.concat([x, xp.zeros(more, dtype=x.dtype, device=device(x))], axis=axis)
    return x


def _twice(xp: Any, g: Array, n: int, axis: int) -> Array:
    """G, twice where a frequency of a real signal of length n has its mirror image among those left out."""
    m = g.shape[axis]
    k = xp.arange(m, device=device(g))
    k = xp.reshape(k, tuple(m if i == axis % g.ndim else 1 for i in range(g.ndim)))
    return xp.where((k == 0) | (2 * k == n), g, 2.0 * g)


def _transform(name: str, back: str) -> Linear:
    """The rule of the transform ``name``, which is transposed with the transform ``back``."""

    def evaluate(xp: Any, x: Array, *, s: Any, axes: Any, norm: str) -> Array:
        return getattr(xp.fft, name)(x, s=s, axes=axes, norm=norm)

    def transpose(xp: Any, i: int, g: Array, args: Any, o: Any) -> Array:
        x, s, axes, norm = args[0], o["s"], o["axes"], _DUAL[o["norm"]]
        if name == "rfftn":
            g = xp.real(xp.fft.ifftn(g, s=s, axes=axes, norm=norm))
        else:
            g = getattr(xp.fft, back)(g, s=s, axes=axes, norm=norm)
        if name == "irfftn":
            g = _twice(xp, g, s[-1], axes[-1])
        return cast(xp, _resized(xp, g, x.shape, axes), x)

    return Linear(name, transpose, evaluate)


_RULES = {n: _transform(n, b) for n, b in (("fftn", "ifftn"), ("ifftn", "fftn"), ("rfftn", ""), ("irfftn", "rfftn"))}


def _n(name: str) -> Any:
    def transform(xp: Any, x: Array, /, *, s: Any = None, axes: Any = None, norm: str = "backward") -> Array:
        if axes is None:
            axes = range(-x.ndim if s is None else -len(s), 0)
        if s is None:
            s = [x.shape[a] for a in axes]
            if name == "irfftn":
                s[-1] = 2 * (s[-1] - 1)
        o = {"s": tuple(s), "axes": tuple(axes), "norm": norm or "backward"}
        return xp.apply(_RULES[name], (x,), o)

    return transform


def _1(name: str) -> Any:
    transform_n = _n(name)

    def transform(xp: Any, x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
        return transform_n(xp, x, s=None if n is None else (n,), axes=(axis,), norm=norm)

    return transform


def _2(name: str) -> Any:
    transform_n = _n(name)

    def transform(xp: Any, x: Array, /, *, s: Any = None, axes: Any = (-2, -1), norm: str = "backward") -> Array:
        """NumPy's, over the last two axes."""
        return transform_n(xp, x, s=s, axes=axes, norm=norm)

    return transform


def _hfft(xp: Any, x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """The transform of a signal whose spectrum is real, given by its first half."""
    return _1("irfftn")(xp, xp.conj(x), n=n, axis=axis, norm=_DUAL[norm or "backward"])


def _ihfft(xp: Any, x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """The first half of the signal whose spectrum is x."""
    return xp.conj(_1("rfftn")(xp, x, n=n, axis=axis, norm=_DUAL[norm or "backward"]))


def _shift(sign: int) -> Any:
    def shift(xp: Any, x: Array, /, *, axes: Any = None) -> Array:
        axes = tuple(range(x.ndim)) if axes is None else (axes,) if isinstance(axes, int) else tuple(axes)
        return xp.roll(x, tuple(sign * (x.shape[a] // 2) for a in axes), axis=axes)

    return shift


#: Compositions of ``xp.fft`` by name.
FOURIER: dict[str, Any] = {
    **{name: _n(name) for name in _RULES},
    **{name: _1(f"{name}n") for name in ("fft", "ifft", "rfft", "irfft")},
    **{f"{name}2": _2(f"{name}n") for name in ("fft", "ifft", "rfft", "irfft")},
    "hfft": _hfft,
    "ihfft": _ihfft,
    "fftshift": _shift(1),
    "ifftshift": _shift(-1),
}
