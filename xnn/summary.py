"""The table of a network's layers."""

from __future__ import annotations

from dataclasses import MISSING, fields
from math import prod
from typing import Any

from xnn.html import html_table
from xnn.layers.base import Layer

__all__ = ["describe", "summary", "summary_html"]


def describe(layer: Layer) -> str:
    """The layer as a user would write it: its settings, without those of several that have their default."""
    written = []
    for field in fields(layer):  # type: ignore[arg-type]
        value = getattr(layer, field.name)
        if field.default is MISSING:
            written.append(repr(value))
        elif field.compare and (value != field.default or len(fields(layer)) == 1):  # type: ignore[arg-type]
            written.append(f"{field.name}={getattr(value, '__name__', repr(value))}")
        elif not field.compare and value is not None:
            written.append(f"{field.name}=…")
    return f"{type(layer).__name__}({', '.join(written)})"


def summary(network: Any) -> str:
    """A row for each layer: its settings, the shape of one example's output, how many numbers it learns."""
    rows = _rows(network)
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        f"{row[0]:>{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]:>{widths[3]}}".rstrip()
        for row in rows
    ]
    rule = "─" * (sum(widths) + 6)
    return "\n".join([lines[0], rule, *lines[1:], rule, _total(network)])


def summary_html(network: Any) -> str:
    """The same as a table of HTML, for notebooks."""
    return html_table(_rows(network), _total(network))


def _rows(network: Any) -> list[tuple[str, ...]]:
    counts = [prod(shape) for shape in network.layout.shapes]
    numbers = [sum(own) for own in network.layout.by_layer(counts)]
    rows: list[tuple[str, ...]] = [("", "layer", "output shape", "parameters"), ("", "inputs", str(network.inputs), "")]
    return rows + [
        (str(i), describe(layer), str(network.shapes[i + 1]), f"{numbers[i]:,}" if numbers[i] else "")
        for i, layer in enumerate(network.layers)
    ]


def _total(network: Any) -> str:
    return f"{network.layout.size:,} parameters, {network.dtype}, {network.backend.name} on {network.backend.device}"
