"""NumPy as the library of the host: generators, permutations, files. Nothing else in xnn imports it.

What is drawn here is the same on every backend, because it is drawn once, on the host, and then
uploaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy
from numpy import ndarray

if TYPE_CHECKING:  # numpy.random takes as long to import as a tenth of xnn
    from numpy.random import Generator

__all__ = ["Generator", "fresh_seed", "generator", "ndarray", "numpy"]


def fresh_seed() -> int:
    """A seed from the entropy of the operating system, in 0 … 2³²−1."""
    return int(numpy.random.SeedSequence().generate_state(1)[0])


def generator(*key: int) -> Generator:
    """NumPy's default generator for a key of integers; equal keys give equal numbers, for ever."""
    return numpy.random.default_rng(key)
