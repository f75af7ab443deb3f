"""Derivatives side by side with autograd, PyTorch and JAX: each in a process of its own, all interleaved in one run.

    python benchmarks/autodiff.py [--cores 1] [--rounds 7] [--seconds 0.3] [--only WORDS] [--output FILE]

Prints, and writes where ``--output`` says, a Markdown table of medians in µs, and the peaks of memory.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

LIBRARIES = {"xnn": "numpy", "xnn, layers as nodes": "numpy", "autograd": "autograd", "PyTorch": "torch", "JAX": "jax",
             "JAX jit": "jax"}  # fmt: skip


def work(name: str, cores: int) -> None:
    """The other end of the pipe: it is told a task and for how many seconds, and answers µs a step and MB.

    The time is that of the process on the processor, so that others on the machine count little.
    """
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    import resource

    from derivatives import CONTENDERS

    if name == "PyTorch":
        import torch

        torch.set_num_threads(cores)
    task, step = "", None
    for line in sys.stdin:
        request = json.loads(line)
        answer: dict[str, float | None] = {"µs": None}
        try:
            if task != request["task"]:
                task, step = request["task"], CONTENDERS[name](request["task"])
                before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                step()
                answer["MB"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3
                step()
            begin, steps = time.process_time(), 0
            while time.process_time() - begin < request["seconds"]:
                step()
                steps += 1
            answer["µs"] = (time.process_time() - begin) / steps * 1e6
        except NotImplementedError:
            step = None
        print(json.dumps(answer), flush=True)


class Worker:
    """A contender in a process of its own."""

    def __init__(self, name: str, cores: int) -> None:
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(cores))
        command = [sys.executable, "-W", "ignore", __file__, "--cores", str(cores), "--work", name]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **threads}
        )

    def ask(self, task: str, seconds: float) -> dict[str, Any]:
        """Its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"task": task, "seconds": seconds}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a contender died; its message stands above")
        return json.loads(line)  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait()


def installed() -> list[str]:
    """The contenders whose library is here."""
    names = []
    for name, library in LIBRARIES.items():
        try:
            version(library)
            names.append(name)
        except PackageNotFoundError:
            print(f"{name}: not installed", file=sys.stderr)
    return names


def measure(cores: int, rounds: int, seconds: float, words: str) -> dict[str, dict[str, list[float]]]:
    """All times by task and contender; "memory" is measured in fresh processes, by what a first step adds."""
    from derivatives import TASKS

    workers = {name: Worker(name, cores) for name in installed()}
    results: dict[str, dict[str, list[float]]] = {}
    for task in TASKS:
        if words not in task:
            continue
        results[task] = {name: [] for name in workers}
        if task == "memory":
            for name in workers:
                for _ in range(3):
                    fresh = Worker(name, cores)
                    if (peak := fresh.ask(task, 0.0001).get("MB")) is not None:
                        results[task][name].append(peak)
                    fresh.close()
        else:
            for _ in range(rounds):
                for name, worker in workers.items():
                    if (value := worker.ask(task, seconds)["µs"]) is not None:
                        results[task][name].append(value)
        print(task, {n: round(statistics.median(t)) for n, t in results[task].items() if t}, file=sys.stderr)
    for worker in workers.values():
        worker.close()
    return results


def table(results: dict[str, dict[str, list[float]]]) -> str:
    """Markdown: medians in µs (MB for memory), and in brackets the ratio to xnn's."""
    names = list(next(iter(results.values())))
    lines = ["| | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for task, times in results.items():
        mine = statistics.median(times["xnn"])
        cells = []
        for name in names:
            if not times[name]:
                cells.append("–")
                continue
            middle = statistics.median(times[name])
            ratio = "" if name == "xnn" else f" ({middle / mine:.2f}×)"
            cells.append(f"{middle:,.0f}{' MB' if task == 'memory' else ''}{ratio}")
        lines.append(f"| {task} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def machine() -> str:
    """The processor, and the versions."""
    name = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            name = line.partition(":")[2].strip()
            break
    libraries = sorted({f"{LIBRARIES[n]} {version(LIBRARIES[n])}" for n in installed()})
    return f"{name}; Python {platform.python_version()}; {', '.join(libraries)}"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--only", default="", help="only tasks whose name holds these words")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.cores)
        return
    from derivatives import TASKS

    text: Any = table(measure(options.cores, options.rounds, options.seconds, options.only))
    print(text)
    if options.output:
        about = (
            f"Medians of {options.rounds} interleaved rounds, µs of processor time, {options.cores} core(s), float64. "
            f"In brackets the ratio to xnn through the functions of its namespace: above 1 xnn is faster. {machine()}."
        )
        listed = "\n".join(f"- **{task}**: {what}." for task, what in TASKS.items())
        notes = (
            "u″ goes by truncated Taylor series in xnn, by two reverse passes in autograd and PyTorch, by nested "
            "forward passes in JAX. Memory is what the peak of a fresh process grows by in the first step. "
            "A dash: the contender has no such thing, or takes seconds."
        )
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(
            f"# Derivatives side by side\n\n{about}\n\n{text}\n\n{listed}\n\n{notes}\n\n"
            "To repeat it: `make bench-autodiff`.\n"
        )


if __name__ == "__main__":
    main()
