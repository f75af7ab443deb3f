"""Side by side with its peers: every contender in a process of its own, all interleaved in one run.

    python benchmarks/run.py [--part steps two slopes around] [--only WORDS] [--output docs/benchmarks.md]

Every row is written as soon as it is measured: to a history by commit beside the page, ``benchmarks.csv``, of
which the page, ``benchmarks.md``, and its picture, ``benchmarks.png``, show the last figures of this commit. So
the parts may be run one after the other, and an interrupted run leaves what it measured.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import whole
from contenders import CONTENDERS
from page import Row, page
from workloads import SLOPES, WORKLOADS, Workload

FOLDER = Path(__file__).parent
NEEDS = {
    "xnn": "numpy", "JAX jit": "jax", "scikit-learn": "scikit-learn", "Keras on JAX": "keras", "autograd": "autograd"
}  # fmt: skip
_SPIN = 0.3  # seconds for which threads of the last contender may still be waiting for work, and use a core
PARTS = ["steps", "two", "slopes", "around"]
LIMIT = 120.0  # seconds for a contender to get ready, which may mean to compile, beside what it is to measure


class Worker:
    """The other end of ``worker.py``."""

    def __init__(self, name: str, cores: int) -> None:
        command = [sys.executable, "-W", "ignore", str(FOLDER / "worker.py"), name, str(cores)]
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def time(self, workload: Workload, seconds: float) -> float | None:
        """µs a step; None where the contender does not take part, takes too long or died."""
        if self.process.poll() is not None:
            return None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"workload": asdict(workload), "seconds": seconds}) + "\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], LIMIT + seconds)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            print(f"{self.name}: no answer for {workload.name}; it is left out from here on", file=sys.stderr)
            self.process.kill()
            self.process.wait()
            return None
        return json.loads(line)["µs"]  # type: ignore[no-any-return]


def installed() -> dict[str, str]:
    """The contenders whose library is here, with its version."""
    found = {}
    for name in CONTENDERS:
        library = NEEDS.get(name, "torch")
        try:
            found[name] = f"{library} {version(library)}"
        except PackageNotFoundError:
            print(f"{name}: not installed", file=sys.stderr)
    return found


def measure(
    workloads: list[Workload], names: list[str], cores: int, rounds: int, seconds: float
) -> Iterator[list[Row]]:
    """The rows of a workload, contender by contender; the contenders take turns."""
    workers = {name: Worker(name, cores) for name in names}
    try:
        for workload in workloads:
            times: dict[str, list[float]] = {name: [] for name in workers}
            for _ in range(rounds):
                for name, worker in workers.items():
                    if cores > 1:
                        time.sleep(_SPIN)
                    value = worker.time(workload, seconds)
                    if value is not None:
                        times[name].append(value)
            yield [_row(cores, workload.name, name, found) for name, found in times.items() if found]
    finally:
        for worker in workers.values():
            worker.process.terminate()


def _row(cores: int, what: str, name: str, found: list[float]) -> Row:
    low, middle, high = statistics.quantiles(found, n=4) if len(found) > 1 else [found[0]] * 3
    return Row(cores, what, name, middle, (high - low) / 2)


def parts(chosen: list[str], rounds: int, seconds: float, words: str) -> Iterator[list[Row]]:
    """The rows of these parts of the benchmark."""
    names = list(installed())
    if "steps" in chosen:
        yield from measure([w for w in WORKLOADS if re.search(words, w.name)], names, 1, rounds, seconds)
    if "two" in chosen:
        several = [n for n in names if n not in ("torch.compile", "autograd", "Keras on JAX")]
        yield from measure([w for w in WORKLOADS[:6] if re.search(words, w.name)], several, 2, rounds, seconds)
    if "slopes" in chosen:
        several = [n for n in names if n in ("xnn", "PyTorch, fused optimizer", "JAX jit")]
        every = [w for slope in SLOPES.values() for w in slope.values() if re.search(words, w.name)]
        yield from measure(every, several, 1, min(rounds, 5), seconds)
    if "around" in chosen:
        for what, found in whole.measure(min(rounds, whole.ROUNDS), words):
            yield [_row(1, what, name, values) for name, values in found.items() if values]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS, help="steps on one core, on two, …")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.2, help="of one contender in one round")
    parser.add_argument("--only", default="", help="only rows whose name holds this regular expression")
    parser.add_argument("--output", type=Path, default=Path("output/benchmarks.md"))
    options = parser.parse_args()
    history = options.output.with_suffix(".csv")
    history.parent.mkdir(parents=True, exist_ok=True)
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    commit, libraries = found.stdout.strip(), sorted({f"numpy {version('numpy')}", *installed().values()})
    begin = time.perf_counter()
    for rows in parts(options.part, options.rounds, options.seconds, options.only):
        if not rows:
            continue
        fresh = not history.exists()
        with history.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if fresh:
                writer.writerow(["commit", *Row._fields])
            writer.writerows([commit, r.cores, r.what, r.contender, f"{r.median:.4g}", f"{r.spread:.2g}"] for r in rows)
        page(options.output, commit, libraries)
        print(f"{time.perf_counter() - begin:4.0f} s  {rows[0].what}:", end=" ", file=sys.stderr)
        print(", ".join(f"{r.contender} {r.median:.4g}" for r in rows), file=sys.stderr)


if __name__ == "__main__":
    main()
