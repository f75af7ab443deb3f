"""The ways to ask BLAS for a product x Wᵀ, and the quickest of them.

It can be asked for as it stands, as the transpose of W xᵀ, or with Wᵀ copied first. OpenBLAS has other code for each,
and which is quickest depends on the shapes and on the processor: with AVX-512 the last two take down to a half of the
time for batches that are small beside W, and four fifths for small W. So all are tried, once for all products of these
shapes, and the quickest of those is taken that add up the products in the same order, which shows in the same bits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from time import perf_counter
from typing import Any, TypeAlias

import numpy

__all__ = ["quickest"]

Way: TypeAlias = Callable[[Any, Any], Any]

_MOST = 1 << 28  # multiplications, above which the ways hardly differ
_LARGEST = 1 << 23  # entries of a matrix that is made to try them
_ROUNDS = 5
_SPELL = 3e-5  # seconds at least of a way in a round
_SHORT = 3e-4  # seconds of a way that is tried again, even where it seems to be a slow one
_BUDGET = 0.03  # seconds after which no round is begun
_GAIN = 0.97  # of the time of the plain way, which another one has to stay below


def plain(a: Any, b: Any) -> Any:
    """A B."""
    return a.dot(b)


def turned(a: Any, b: Any) -> Any:
    """(Bᵀ Aᵀ)ᵀ."""
    return b.T.dot(a.T).T.copy()


def straightened(a: Any, b: Any) -> Any:
    """A B, where the rows of B are made contiguous first."""
    return a.dot(b.copy())


def quickest(a: Any, b: Any) -> Way:
    """The quickest way to the product of arrays like these."""
    if a.ndim != 2 or b.ndim != 2 or not a.flags.c_contiguous or b.flags.c_contiguous:
        return plain
    return _tried(*a.shape, b.shape[1], a.dtype)


@functools.lru_cache(1024)
def _tried(n: int, k: int, m: int, dtype: Any) -> Way:
    """The quickest way for shapes (n, k), (k, m), the latter transposed."""
    if n * k * m > _MOST or max(n, m) * k > _LARGEST:
        return plain
    end = perf_counter() + _BUDGET
    a, b = (numpy.sin(numpy.arange(rows * k, dtype=dtype)).reshape(rows, k) for rows in (n, m))
    expected = plain(a, b.T)
    ways = [way for way in (plain, turned, straightened) if numpy.array_equal(way(a, b.T), expected)]
    times = {way: _time(way, a, b.T, 1) for way in ways}
    repeats = int(_SPELL / times[plain]) + 1
    ways = [way for way in ways if times[way] < max(2 * times[plain], _SHORT)]
    for _ in range(_ROUNDS):
        for way in ways:
            times[way] = min(times[way], _time(way, a, b.T, repeats))
        if perf_counter() > end:
            break
    best = min(ways, key=times.__getitem__)
    return best if times[best] < _GAIN * times[plain] else plain


def _time(way: Way, a: Any, b: Any, repeats: int) -> float:
    begin = perf_counter()
    for _ in range(repeats):
        way(a, b)
    return (perf_counter() - begin) / repeats
