"""Rows of texts as lines with straight columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["aligned_lines"]


def aligned_lines(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a line a row, each column as wide as its widest cell."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
