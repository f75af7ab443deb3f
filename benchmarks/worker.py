"""One contender in a process of its own: it is told what to time, and answers.

python benchmarks/worker.py NAME CORES      lines of JSON in, lines of JSON out
"""

from __future__ import annotations

import json
import os
import sys
import time

name, cores = sys.argv[1], int(sys.argv[2])
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(cores)

import numpy as np  # noqa: E402 (after the number of threads is set)
from contenders import CONTENDERS  # noqa: E402
from workloads import Workload  # noqa: E402

# xnn's NumPy backend makes glibc keep freed memory; it works for the whole process, so all get the same.
block = np.empty((32 << 20) - 65536, dtype=np.uint8)
del block
if "PyTorch" in name or "torch" in name:
    import torch

    torch.set_num_threads(cores)

# On one core the time of the processor, to which other programs on the machine matter less than to the clock.
now = time.process_time if cores == 1 else time.perf_counter
rounds: dict[Workload, object] = {}
for line in sys.stdin:
    request = json.loads(line)
    w = Workload(**{**request["workload"], "sizes": tuple(request["workload"]["sizes"])})
    try:
        if w not in rounds:
            rng = np.random.default_rng(0)
            n = w.batch * w.batches
            x, y = rng.normal(size=(n, w.sizes[0])).astype(w.dtype), rng.integers(0, w.sizes[-1], n)
            rounds.clear()  # one at a time: no contender has the memory of another workload to carry
            rounds[w] = CONTENDERS[name](w, x, y)
            rounds[w]()
        begin, steps = now(), 0
        while now() - begin < request["seconds"]:
            steps += rounds[w]()
        answer = {"µs": (now() - begin) / steps * 1e6}
    except NotImplementedError:
        answer = {"µs": None}
    print(json.dumps(answer), flush=True)
