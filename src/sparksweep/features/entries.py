"""From counts and numbered keys to entries, as blocks of whole rows of the matrix: their columns and values.

A block is one line of the frame, its arrays are bytes: what Spark only carries it need not take apart, and millions of
single numbers would cost it more than all that is computed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from sparksweep.features.coding import COUNTED
from sparksweep.features.packets import unpacked
from sparksweep.python_tasks import python_task

__all__ = ["SCHEMA", "TYPES", "Membership", "row_entries"]

TYPES = {"rows": "<i4", "sizes": "<i4", "columns": "<i4", "values": "<f4"}
"""Of the arrays in a block: rows, how many entries each has, and of these, row by row, the columns and values."""

SCHEMA = ", ".join(f"{name} binary" for name in TYPES)
"""Of a frame of blocks."""

# Rows that are made at a time; each may have thousands of entries.
_WINDOW = 512
# Entries of a block, unless one row has more. Parquet's writer looks at its memory once in a hundred lines.
_BLOCK = 8192


class Membership(NamedTuple):
    """Which columns of the matrix things count for.

    The codes of several counts follow each other: those of one are a kind.

    Attributes
    ----------
    columns : csr_matrix of int64, shape (n_codes, n_columns)
        1 for each column of a thing.
    is_share : ndarray of bool, shape (n_columns,)
        The column's value is the share of the row's things of its kind, else 1.
    kinds : ndarray of int, shape (n_columns,)
        Each column's kind.
    starts : ndarray of int, shape (n_kinds + 1,)
        The first code of each kind, and the number of codes.
    is_first : ndarray of bool, shape (n_kinds,)
        Of a row's lines only the one with the smallest `n` counts (`sparksweep.features.counting.Counts`).
    """

    columns: csr_matrix
    is_share: NDArray[np.bool_]
    kinds: NDArray[Any]
    starts: NDArray[Any]
    is_first: NDArray[np.bool_]


class SentMembership(Protocol):
    """A membership, as Spark broadcasts it."""

    @property
    def value(self) -> Membership:
        """The membership."""


@python_task
def row_entries(sent: SentMembership, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Turn one partition of counts into entries.

    Parameters
    ----------
    sent : SentMembership
        What things count for.
    batches : iterable of RecordBatch
        Packets (`sparksweep.features.packets`) of ``row`` int32, ``code`` int32 and ``n`` int64: all lines of its rows;
        the kind of a packet is that of its codes, which count from 0 in each.

    Yields
    ------
    RecordBatch
        Blocks, their arrays of the `TYPES`; rows ascend from block to block, and columns in each row.
    """
    membership = sent.value
    lines, codes, n = _lines(unpacked(batches, [COUNTED] * len(membership.is_first)), membership.starts)
    if len(lines) == 0:
        return
    kept, n = _first_lines(lines, codes, n, membership)
    rows, places = np.unique(lines[kept], return_inverse=True)
    # Built from triples, which adds up what a row has of the same thing.
    counts = csr_matrix((n, (places, codes[kept])), shape=(len(rows), membership.columns.shape[0]), dtype=np.int64)
    kind_of_code = csr_matrix(
        np.repeat(np.eye(len(membership.is_first), dtype=np.int64), np.diff(membership.starts), axis=0)
    )
    for start in range(0, len(rows), _WINDOW):
        window = counts[start : start + _WINDOW]
        yield _blocks(*_entries(rows[start : start + _WINDOW], window, window @ kind_of_code, membership))


def _lines(kinds: Sequence[pa.Table], starts: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """Return row, code and n of all kinds, with the codes of one behind those of the other."""
    codes = [table["code"].to_numpy() + np.int32(start) for table, start in zip(kinds, starts, strict=False)]
    rows, n = ([table[name].to_numpy() for table in kinds] for name in ("row", "n"))
    return np.concatenate(rows), np.concatenate(codes), np.concatenate(n)


def _first_lines(
    lines: NDArray[Any], codes: NDArray[Any], n: NDArray[Any], membership: Membership
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the places of the lines that count, and how often each does."""
    kinds = np.searchsorted(membership.starts, codes, "right") - 1
    alone = np.flatnonzero(membership.is_first[kinds])
    if len(alone) == 0:
        return np.arange(len(n)), n
    order = alone[np.lexsort((n[alone], kinds[alone], lines[alone]))]
    row_and_kind = np.stack([lines[order], kinds[order]])
    begins = np.append(True, (row_and_kind[:, 1:] != row_and_kind[:, :-1]).any(axis=0))
    others = np.flatnonzero(~membership.is_first[kinds])
    kept = np.concatenate([others, order[begins]])
    return kept, np.concatenate([n[others], np.ones(int(begins.sum()), dtype=n.dtype)])


def _entries(
    rows: NDArray[np.int32], counts: csr_matrix, totals: csr_matrix, membership: Membership
) -> tuple[NDArray[Any], ...]:
    summed = counts @ membership.columns
    summed.sort_indices()
    sizes = np.diff(summed.indptr).astype(np.int32)
    # Whole numbers are added up and there is one division, so that no order of adding up can show in the result.
    of_entry = totals.toarray()[np.repeat(np.arange(len(rows)), sizes), membership.kinds[summed.indices]]
    values = np.where(membership.is_share[summed.indices], summed.data / of_entry, 1.0).astype(np.float32)
    return rows, sizes, summed.indices, values


def _blocks(rows: NDArray[Any], sizes: NDArray[Any], columns: NDArray[Any], values: NDArray[Any]) -> pa.RecordBatch:
    ends = np.cumsum(sizes, dtype=np.int64)
    cuts = [0, *(np.flatnonzero(np.diff(ends // _BLOCK)) + 1).tolist(), len(rows)]
    entry_cuts = [0, *(int(ends[cut - 1]) for cut in cuts[1:])]
    arrays = {
        "rows": (rows, cuts),
        "sizes": (sizes, cuts),
        "columns": (columns, entry_cuts),
        "values": (values, entry_cuts),
    }
    return pa.RecordBatch.from_pydict(
        {
            name: [array[start:stop].astype(TYPES[name], copy=False).tobytes() for start, stop in pairwise(places)]
            for name, (array, places) in arrays.items()
        }
    )
