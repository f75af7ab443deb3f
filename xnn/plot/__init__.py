"""Pictures of a training run and of what a network has learned.

They need matplotlib. Every function draws on the axes ``ax`` (new ones by default) and returns them; it shows
nothing and saves nothing: ``ax.figure.savefig("curves.png")`` does.
"""

from __future__ import annotations

from xnn.plot.curves import history
from xnn.plot.surfaces import surface
from xnn.plot.tables import confusion_matrix, heat_map

__all__ = ["confusion_matrix", "heat_map", "history", "surface"]
