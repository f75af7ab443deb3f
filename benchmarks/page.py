"""The page of the benchmark: Markdown tables and a picture of the last figures of a commit in its history."""

from __future__ import annotations

import csv
import platform
from pathlib import Path
from typing import NamedTuple

from contenders import CONTENDERS
from goals import goals
from whole import MEASURES
from workloads import SLOPES, WORKLOADS

__all__ = ["Row", "page"]

# Colors that the color-blind can tell apart (Okabe & Ito, 2008), and a shape each.
LOOKS = dict(
    zip(CONTENDERS, zip(
        ("#000000", "#56B4E9", "#0072B2", "#0072B2", "#CC79A7", "#D55E00", "#009E73", "#E69F00", "#999999"),
        "|v^osDPXh", strict=True,
    ), strict=True)
)  # fmt: skip


class Row(NamedTuple):
    """A figure: the median of the rounds (µs a step, or what ``what`` says), and half the distance of the quartiles."""

    cores: int
    what: str
    contender: str
    median: float
    spread: float


Figures = dict[tuple[int, str], dict[str, Row]]


def page(output: Path, commit: str, libraries: list[str]) -> None:
    """Write ``output`` and the picture beside it, from the history beside it."""
    figures: Figures = {}
    with output.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            if line.pop("commit") == commit:
                row = Row(
                    int(line["cores"]), line["what"], line["contender"], float(line["median"]), float(line["spread"])
                )
                figures.setdefault((row.cores, row.what), {})[row.contender] = row
    parts = [
        "# Side by side",
        "Medians of interleaved rounds ± half the distance of the quartiles, µs a step; xnn is counted as `fit` a "
        "step, in calls of five epochs of 20 batches (of one epoch for hidden layers from 500 units on, and for more "
        "batches), the others by bare steps on batches that lie ready. In brackets the ratio to xnn: above 1 xnn is "
        "faster. One process a contender; a dash: the contender does not have it, or was not measured. "
        f"{_machine()}; Python {platform.python_version()}; {', '.join(libraries)}.",
    ]
    names = [w.name for w in WORKLOADS]
    one, two = ([(n, figures[cores, n]) for n in names if (cores, n) in figures] for cores in (1, 2))
    if one:
        _picture(output.with_suffix(".png"), one)
        alt = "Dots on a logarithmic axis, a row a network: the time of each contender over that of xnn"
        parts += ["## One core", f"Time of the processor.\n\n![{alt}]({output.stem}.png)", _table(one)]
        wanted = "What was found of what is wanted of this library; what is missed is bold."
        parts += ["### Goals", wanted, goals(dict(one))]
    if two:
        parts += ["## Two cores", "Time by the clock.", _table(two)]
    slopes = {s: [(f"n = {n:,}", figures[1, w.name]) for n, w in steps.items() if (1, w.name) in figures]
              for s, steps in SLOPES.items()}  # fmt: skip
    if any(slopes.values()):
        parts += ["## How a step's cost grows"]
        parts += [f"With the {slope}:\n\n{_table(rows)}" for slope, rows in slopes.items() if rows]
    around = [(what, figures[1, what]) for what, _ in MEASURES if (1, what) in figures]
    if around:
        note = "Each figure from processes of their own, in turn, on one core."
        absent = [what for what, _ in MEASURES if (1, what) not in figures]
        note += "".join(f" Left out: {what} (the data or the library are not on this machine)." for what in absent)
        parts += ["## Around the steps", note, _table(around)]
    parts.append("To repeat it: `make bench`, or a part of it: `python benchmarks/run.py --help`.")
    output.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _table(rows: list[tuple[str, dict[str, Row]]]) -> str:
    names = [n for n in CONTENDERS if any(n in row for _, row in rows)]
    lines = ["| | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for what, row in rows:
        lines.append(f"| {what} | " + " | ".join(_cell(row.get(n), row.get("xnn")) for n in names) + " |")
    return "\n".join(lines)


def _cell(row: Row | None, mine: Row | None) -> str:
    if row is None:
        return "–"
    ratio = "" if mine is None or row is mine else f" ({row.median / mine.median:.2f}×)"
    digits = 0 if row.median >= 20 else 2
    return f"{row.median:,.{digits}f} ± {row.spread:,.{digits}f}{ratio}"


def _picture(path: Path, rows: list[tuple[str, dict[str, Row]]]) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = [(what, row) for what, row in rows if "xnn" in row]
    figure, ax = plt.subplots(figsize=(9, 1.6 + 0.34 * len(rows)), layout="constrained")
    for name, (color, marker) in LOOKS.items():
        points = [(row[name].median / row["xnn"].median, -i) for i, (_, row) in enumerate(rows) if name in row]
        if name == "xnn" or not points:
            continue
        filled = "none" if name == "PyTorch" else color
        ax.scatter(
            *zip(*points, strict=True), s=42, marker=marker, facecolors=filled, edgecolors=color, label=name, zorder=3
        )
    ax.axvline(1, color="black", linewidth=1.2)
    ax.set_xscale("log")
    ticks = [
        t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500) if ax.get_xlim()[0] <= t <= ax.get_xlim()[1]
    ]
    ax.set_xticks(ticks, [f"{t:g}×" for t in ticks])
    ax.minorticks_off()
    ax.set_yticks([-i for i in range(len(rows))], [what for what, _ in rows], fontsize=9)
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel("time of a step over that of xnn (the line at 1×); to the right xnn is faster")
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _machine() -> str:
    """The processor."""
    cpu = Path("/proc/cpuinfo")
    for line in cpu.read_text(encoding="utf-8").splitlines() if cpu.exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
