"""Side by side with its peers: every contender in a process of its own, all interleaved in one run.

    python benchmarks/run.py [--cores 1] [--rounds 7] [--seconds 0.3] [--only WORDS] [--output docs/benchmarks.md]

Prints, and writes where ``--output`` says, a Markdown table of medians in µs a step, with the ratio to
xnn and the spread (half the distance of the quartiles).
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import statistics
import subprocess
import sys
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import whole
from contenders import CONTENDERS
from workloads import WORKLOADS, Workload

FOLDER = Path(__file__).parent
NEEDS = {"xnn": "numpy", "xnn on torch": "torch", "JAX jit": "jax", "scikit-learn": "scikit-learn"}


class Worker:
    """The other end of ``worker.py``."""

    def __init__(self, name: str, cores: int) -> None:
        command = [sys.executable, str(FOLDER / "worker.py"), name, str(cores)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def time(self, workload: Workload, seconds: float) -> float | None:
        """µs a step; None where the contender does not take part."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"workload": asdict(workload), "seconds": seconds}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a contender died; its message stands above")
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


def measure(cores: int, rounds: int, seconds: float, words: str) -> dict[Workload, dict[str, list[float]]]:
    """All times by workload and contender; the contenders take turns."""
    workers = {name: Worker(name, cores) for name in installed()}
    results: dict[Workload, dict[str, list[float]]] = {}
    for workload in WORKLOADS:
        if not re.search(words, workload.name):
            continue
        times: dict[str, list[float]] = {name: [] for name in workers}
        for _ in range(rounds):
            for name, worker in workers.items():
                value = worker.time(workload, seconds)
                if value is not None:
                    times[name].append(value)
        results[workload] = times
        print(workload.name, {name: round(statistics.median(t)) for name, t in times.items() if t}, file=sys.stderr)
    for worker in workers.values():
        worker.process.terminate()
    return results


def table(results: dict[Workload, dict[str, list[float]]]) -> str:
    """Markdown: medians in µs, in brackets the ratio to xnn, and ± the spread."""
    names = list(next(iter(results.values())))
    lines = ["| network | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for workload, times in results.items():
        mine = statistics.median(times["xnn"])
        cells = [_cell(times[name], None if name == "xnn" else mine) for name in names]
        lines.append(f"| {workload.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(times: list[float], mine: float | None) -> str:
    if not times:
        return "–"
    low, middle, high = statistics.quantiles(times, n=4) if len(times) > 1 else [times[0]] * 3
    ratio = "" if mine is None else f" ({middle / mine:.2f}×)"
    return f"{middle:,.0f} ± {(high - low) / 2:,.0f}{ratio}"


def machine() -> str:
    """The processor, and the versions."""
    name = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            name = line.partition(":")[2].strip()
            break
    libraries = sorted({f"numpy {version('numpy')}", *installed().values()})
    return f"{name}; Python {platform.python_version()}; {', '.join(libraries)}"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--only", default="", help="only networks whose name holds this regular expression")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    results = measure(options.cores, options.rounds, options.seconds, options.only)
    text: Any = table(results)
    print(text)
    if options.output:
        clock = "processor time" if options.cores == 1 else "time by the clock"
        about = f"Medians of {options.rounds} interleaved rounds ± half the distance of the quartiles, µs a step "
        about += f"({clock}) on {options.cores} core(s); in brackets the ratio to xnn. {machine()}."
        around = "\n".join(f"| {what} | {' | '.join(cells)} |" for what, *cells in whole.measure())
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(
            f"# Side by side\n\n{about}\n\n{text}\n\n## Around the steps\n\n"
            f"Medians of {whole.ROUNDS} processes each, in turn, on one core.\n\n"
            f"| | xnn | PyTorch | scikit-learn |\n|---|---|---|---|\n{around}\n\nTo repeat it: `make bench`.\n"
        )
        history = options.output.parent / "benchmarks.csv"  # by commit: what was fast shall stay fast
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
        with history.open("a", encoding="utf-8") as file:
            for workload, times in results.items():
                medians = [f"{statistics.median(times[name]):.1f}" if times.get(name) else "" for name in CONTENDERS]
                words = workload.name.replace(",", ";")
                file.write(",".join([commit.stdout.strip(), str(options.cores), words, *medians]) + "\n")


if __name__ == "__main__":
    main()
