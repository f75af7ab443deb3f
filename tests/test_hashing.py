"""The counter-based generator: its numbers on every backend, and the host's keys."""

from __future__ import annotations

import numpy as np
import pytest

from xnn.hashing import halves, hashes, key_of, threshold


def by_python(count, key):
    """The equations of the docstring in Python's integers, modulo 2³²."""
    k0, k1 = key % 2**31 + 2**31, (key >> 32) ^ 2**31
    found = []
    for i in range(count):
        x = 0x9E3779B1 * (k0 + i) % 2**32 ^ k1
        x = 0x21F0AAAD * (x ^ x >> 16) % 2**32
        x ^= x >> 15 | (0xFFFE0000 if x >> 31 else 0)
        x = 0xD35A2D97 * x % 2**32
        found.append(x - 2**32 if x >> 31 else x)
    return found


@pytest.mark.parametrize("key", [0, 1, 2**31 - 1, 2**32, 2**64 - 1, key_of(1, 2, 3)])
def test_numbers(backend, key):
    with backend.scope():
        found = hashes(backend.xp, 100, halves(key), backend.device)
    assert backend.to_numpy(found).dtype == np.int32
    assert backend.to_numpy(found).tolist() == by_python(100, key)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_numbers(backend, count):
    with backend.scope():
        found = hashes(backend.xp, count, halves(12345), backend.device)
    assert backend.to_numpy(found).tolist() == by_python(2, 12345)[:count]


def test_too_many_numbers(backend):
    with pytest.raises(ValueError, match="at most 2³¹"):
        hashes(backend.xp, 2**31 + 1, (0, 0), backend.device)


def test_all_high_bytes_are_equally_likely(backend):
    n = 1 << 16
    with backend.scope():
        found = backend.to_numpy(hashes(backend.xp, n, halves(key_of(0)), backend.device))
    counts = np.bincount((found >> 24) + 128, minlength=256)
    χ2 = np.sum((counts - n / 256) ** 2) / (n / 256)
    assert abs(χ2 - 255) < 5 * np.sqrt(2 * 255)


@pytest.mark.parametrize("bit", [b for b in range(64) if b != 31])  # 63 of the 64 bits are used
def test_one_other_bit_of_the_key_gives_other_numbers(bit):
    key, n = key_of(7), 20_000
    a, b = (hashes(np, n, halves(k), "cpu") >= 0 for k in (key, key ^ 1 << bit))
    assert abs(np.mean(a != b) - 0.5) < 0.02


def test_threshold():
    assert threshold(0.0) == -(2**31)
    assert threshold(0.5) == 0
    assert threshold(0.25) == -(2**30)
    assert threshold(1.0) == threshold(1 - 2**-53) == 2**31 - 1
    assert threshold(2**-32) == -(2**31) + 1


def test_keys():
    # SplitMix64 from the state 0: its first two numbers are known.
    assert key_of(0) == 0xE220A8397B1DCDAF
    grid = [(seed, layer, step) for seed in range(20) for layer in range(20) for step in range(20)]
    keys = [key_of(*numbers) for numbers in grid]
    assert len(set(keys)) == len(keys)
    assert all(0 <= key < 2**64 for key in keys)
    assert key_of(2**64 + 5, -1) == key_of(5, 2**64 - 1)
    flips = [key_of(s) ^ key_of(s ^ 1 << bit) for s in range(100) for bit in range(64)]
    assert abs(np.mean([flip.bit_count() for flip in flips]) - 32) < 0.25
    each = np.array([[flip >> place & 1 for place in range(64)] for flip in flips]).mean(axis=0)
    assert np.abs(each - 0.5).max() < 5 * 0.5 / np.sqrt(len(flips))
