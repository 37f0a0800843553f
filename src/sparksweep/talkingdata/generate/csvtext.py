"""CSV text from arrays: cells of fixed width side by side, padded with NUL bytes that are dropped at the end.

The files have tens of millions of rows; this makes some 100 MB/s a core of them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cells", "decimals", "numbers", "quoted_rows", "unpad"]

Cells = NDArray[np.bytes_]


def numbers(values: NDArray[np.integer], before: str = "", after: str = "") -> Cells:
    """Write each whole number, with fixed text before and after it."""
    return np.array([f"{before}{value}{after}" for value in values.tolist()], dtype=np.bytes_)


def decimals(hundredths: NDArray[np.integer], after: str = "") -> Cells:
    """Write each number of hundredths with two decimals."""
    return np.array([f"{value / 100:.2f}{after}" for value in hundredths.tolist()], dtype=np.bytes_)


def unpad(*columns: Cells) -> bytes:
    """Join the cells of each row, and the rows.

    Parameters
    ----------
    *columns : bytes arrays, shape (n_rows,)
        Cells with their separators; the last column ends the line.

    Returns
    -------
    bytes
    """
    table = np.empty(len(columns[0]), dtype=[(f"f{number}", column.dtype) for number, column in enumerate(columns)])
    for number, column in enumerate(columns):
        table[f"f{number}"] = column
    flat = table.view(np.uint8)
    kept: NDArray[np.uint8] = flat[flat != 0]
    return kept.tobytes()


def quoted_rows(rows: Iterable[Sequence[object]]) -> bytes:
    """Write rows of any cells as UTF-8, with quotes where they are needed."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
