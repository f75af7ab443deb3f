"""Random numbers from a counter: the same on every array library, in the functions of the standard.

A generator with a state gives other numbers in every library. Here the number at position i is a function
of the key and of i alone: a 32-bit mixing hash h(key, i), written in multiplications, exclusive ors and
shifts of int32 arrays, which wrap identically in all of them. (uint32 would be the natural type, but not
every library can shift or add it. Arrays of one axis are used throughout, since NumPy warns of overflow in
the arithmetic of single numbers.)

In the letters of the code, with all arithmetic modulo 2³² and ⊕ the exclusive or:

    x = A (k₀ + i) ⊕ k₁,    x = B (x ⊕ ⌊x/2¹⁶⌋),    h = C (x ⊕ (x >> 15))

The halves k₀ and k₁ of the key choose where the count starts and which bits are turned over. The
multiplication by A spreads neighboring counts over all bits; then a shift brings high bits down and a
multiplication carries them up again, twice. Nothing less will do (measured over 2²⁰ positions at all
distances, and between keys): one round, sums in the place of ⊕, or a k₁ that comes one round later leave
correlations of twenty standard deviations and more; this leaves none. The high bits are the best ones:
compare h with a threshold, do not take it modulo something.

Sources: Salmon, Moraes, Dror & Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3", for counters as
generators; Wellons (2018), "Prospecting for hash functions", and the search that followed it, for the form
of the rounds, the shifts, and B and C; Knuth, The Art of Computer Programming 3, section 6.4, for A ≈ 2³²/φ.
"""

from __future__ import annotations

from typing import Any

from xnn.contract import Array

__all__ = ["halves", "hashes", "key_of", "threshold"]

_A, _B, _C = 0x9E3779B1 - 2**32, 0x21F0AAAD, 0xD35A2D97 - 2**32  # odd, so that nothing is lost; signed


def key_of(*numbers: int) -> int:
    """One key of 64 bits from integers such as (seed, layer, step), each taken modulo 2⁶⁴.

    h ← mix(h + γ + number) for one after the other, where γ = ⌊2⁶⁴/φ⌋ and ``mix`` flips every bit of its
    result with probability ½ when one bit of its argument is flipped: neighboring numbers give keys that
    have nothing in common.

    Source: Steele, Lea & Flood (2014), "Fast splittable pseudorandom number generators" (SplitMix), with the
    multipliers of Stafford's thirteenth variant.
    """
    key = 0
    for number in numbers:
        z = (key + 0x9E3779B97F4A7C15 + number) % 2**64
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
        key = z ^ z >> 31
    return key


def halves(key: int) -> tuple[int, int]:
    """k₀ and k₁ of a key of 64 bits (``key_of``), of which 63 are used, as int32 numbers.

    From k₀, which is negative, there is room for 2³¹ counts.
    """
    return key % 2**31 - 2**31, (key >> 32) - 2**31


def hashes(xp: Any, count: int, key: tuple[Any, Any], device: Any) -> Array:
    """h(key, i) for i = 0 … count−1: int32 numbers, each value of −2³¹ … 2³¹−1 about equally likely.

    ``key`` is a pair (k₀, k₁), of numbers (``halves``) or of int32 arrays with one of them each.

    Raises:
        ValueError: for more than 2³¹ positions, which the counter cannot tell apart.
    """
    if count > 2**31:
        raise ValueError(f"at most 2³¹ random numbers can be had from one key; got {count}: take a smaller batch")
    k0, k1 = key
    x = xp.arange(count, dtype=xp.int32, device=device) + k0
    x *= _A
    x ^= k1
    x ^= x >> 16 & 0xFFFF  # the shift of a signed number copies its sign into the upper bits: cut them off
    x *= _B
    x ^= x >> 15  # here they may stay: x and −1−x become one, but no pattern of positions pairs them any more
    x *= _C
    return x


def threshold(p: float) -> int:
    """The int32 number below which a hash lies with probability p (to 2⁻³²), for 0 ≤ p ≤ 1."""
    return min(round(p * 2**32) - 2**31, 2**31 - 1)
