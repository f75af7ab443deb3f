"""Pictures of a training run and of what a network has learned.

They need matplotlib. Every function draws on the axes ``ax`` (new ones by default) and returns them; it shows
nothing and saves nothing: ``ax.figure.savefig("curves.png")`` does.
"""

from __future__ import annotations

from xnn.plot.curves import history
from xnn.plot.graph import graph
from xnn.plot.insides import activations, deltas, gradients, weights
from xnn.plot.planes import regions
from xnn.plot.surfaces import landscape, surface
from xnn.plot.tables import confusion_matrix, heat_map

__all__ = [
    "activations", "confusion_matrix", "deltas", "gradients", "graph", "heat_map", "history", "landscape", "regions",
    "surface", "weights",
]  # fmt: skip
