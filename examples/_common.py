"""What every example has in common: its command line, and where its pictures go."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_ENABLE_X64", "1")  # JAX has float64 only when asked before it is imported

import xnn

BLUE, RED, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"  # the color-blind can tell them apart


def arguments(about: str | None) -> argparse.Namespace:
    """The options of an example; a backend or a folder that cannot be used ends it with one line."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default=None, help='where it runs: "numpy", "cupy", "torch", "jax", "cupy:1" …')
    parser.add_argument("--quick", action="store_true", help="small settings, for a quick look")
    parser.add_argument("--output", default="output", type=Path, help="the folder for pictures and files (output)")
    options = parser.parse_args()
    try:
        xnn.set_backend(xnn.get_backend(options.backend))
        options.output.mkdir(parents=True, exist_ok=True)  # better an error now than after the training
    except (xnn.BackendError, OSError) as error:
        sys.exit(f"{parser.prog}: {error}")
    return options


def adam_then_lbfgs(cost: Any, parameters: Any, first: int, then: int) -> tuple[Any, list[float]]:
    """Descend with so many steps of Adam, which finds the valley, and then of L-BFGS, which finds its bottom."""
    near = xnn.minimize(cost, parameters, optimizer=xnn.Adam(lr=0.01), max_iterations=first, tol=0)
    found = xnn.minimize(cost, near.theta, optimizer=xnn.LBFGS(), max_iterations=then, tol=1e-9)
    print(f"the cost fell from {near.costs[0]:.3g} to {near.cost:.2g} in {near.iterations} steps of Adam", end=", ")
    print(f"and to {found.cost:.2g} in {found.iterations} of L-BFGS ({found.stop_reason})")
    return found.theta, near.costs + found.costs[1:]


def save_picture(figure: Any, folder: Path, name: str) -> None:
    """Save a figure of matplotlib in this folder, sharp enough for print, and say where."""
    figure.savefig(folder / name, dpi=150)
    print(f"saved the picture as {folder / name}")
