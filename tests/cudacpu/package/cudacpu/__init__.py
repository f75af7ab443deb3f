"""An emulated CUDA device for CuPy: kernels are compiled by g++ and run on the CPU.

Only for the CuPy that ``install`` builds; importing that CuPy imports this package, too::

    import cudacpu
    with cudacpu.count() as c:
        step()
    c.launch, c.gemm, c.d2h, c.sync  # kernel launches, matrix products, copies to the host, waits

The settings are environment variables; README.md lists them.
"""

from __future__ import annotations

import os

# CuPy reads these when it is imported. No CUB: reductions are CuPy's own kernels. And no cache of CuPy's:
# the one of compiler.py knows about the version of this package as well.
os.environ["CUPY_ACCELERATORS"] = ""
os.environ["CUPY_CACHE_IN_MEMORY"] = "1"

import cupy

from cudacpu import compiler
from cudacpu.compiler import build, stats
from cudacpu.counting import count, counters

__all__ = ["build", "count", "counters", "stats"]


def _not_emulated(*arguments: object, **options: object) -> None:
    raise NotImplementedError("cudacpu: cupy.random.Generator is not emulated (cupy.random.RandomState is)")


compiler.install()
cupy.random.default_rng = cupy.random.Generator = _not_emulated
if os.environ.get("CUDACPU_NOPOOL"):  # every allocation is fresh and poisoned, and so is freed memory
    cupy.cuda.set_allocator(None)
