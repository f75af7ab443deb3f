"""Tables and small curves as HTML, for notebooks; the colors are those of the page, light or dark."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

__all__ = ["Markup", "html_table", "sparkline"]


class Markup(str):
    """A text that is HTML already."""


def html_table(rows: Sequence[Sequence[str]], caption: str) -> str:
    """A table of these rows, the first one its head, with a line below it."""

    from html import escape  # on use: it brings the names of all characters

    def row(cells: Sequence[str], tag: str) -> str:
        words = [cell if isinstance(cell, Markup) else escape(cell) for cell in cells]
        return "<tr>" + "".join(f'<{tag} style="text-align:left">{word}</{tag}>' for word in words) + "</tr>"

    head, *body = rows
    return (
        f"<table><thead>{row(head, 'th')}</thead><tbody>{''.join(row(cells, 'td') for cells in body)}</tbody></table>"
        f"<p>{escape(caption)}</p>"
    )


def sparkline(values: Sequence[float], width: int = 120, height: int = 24) -> Markup:
    """The values as a curve of the size of a word, from the lowest to the highest; nothing where one is not finite."""
    seen = [v for v in values if isfinite(v)]
    if len(values) < 2 or not seen:
        return Markup("")
    low, span = min(seen), max(seen) - min(seen) or 1.0
    places = " ".join(
        f"{1 + (width - 2) * i / (len(values) - 1):.1f},{height - 2 - (height - 4) * (v - low) / span:.1f}"
        for i, v in enumerate(values)
        if isfinite(v)
    )
    return Markup(
        f'<svg width="{width}" height="{height}" role="img" aria-label="curve">'
        f'<polyline points="{places}" fill="none" stroke="currentColor" stroke-width="1.5"/></svg>'
    )
