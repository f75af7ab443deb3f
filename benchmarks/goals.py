"""What is wanted of xnn's speed on one core, and what was found: the ratio of a peer's time to xnn's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["goals"]

#: The contenders of which the quickest counts, under the name of the column.
PEERS = {
    "PyTorch's best": ("PyTorch", "PyTorch, fused optimizer", "torch.compile"),
    "JAX jit": ("JAX jit",),
    "scikit-learn": ("scikit-learn",),
}

#: For each row of the benchmark, the ratios wanted, in the order of the columns; None where none is.
WANTED: dict[str, tuple[float | None, ...]] = {
    "2-16-16-2, batch 32": (4, 1.15, 2),
    "64-64-10, batch 200": (3, 1, 2),
    "20 layers of 32, batch 64": (3, 1, 2),
    "784-100-10, batch 32": (1.2, 0.8, 1.5),
    "784-512-512-10, batch 128": (1, 1, 1.5),
    "784-2048×3-10, batch 512": (1, 1, 1.5),
    "2-16-16-2, predict, batch 1": (3, None, None),
    "64-64-10, predict, batch 1": (3, None, None),
    "784-100-10, predict, batch 1": (2, None, None),
}


def goals(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """A table of what was found and wanted, from the rows by name and contender; what is missed is bold."""
    lines = ["| | " + " | ".join(PEERS) + " |", "|---|" + "---|" * len(PEERS)]
    for what, wanted in WANTED.items():
        row = figures.get(what, {})
        cells = [_cell(row, names, ratio) for names, ratio in zip(PEERS.values(), wanted, strict=True)]
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(row: Mapping[str, Any], names: tuple[str, ...], wanted: float | None) -> str:
    times = [row[name].median for name in names if name in row]
    if wanted is None or "xnn" not in row or not times:
        return "–"
    found = min(times) / row["xnn"].median
    words = f"{found:.2f}× of {wanted:g}"
    return words if found >= wanted else f"**{words}**"
