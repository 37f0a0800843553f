"""Build a CSR matrix from pieces of rows that come in any order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from sparksweep.errors import DataError

__all__ = ["CsrBuilder", "csr_over", "index_dtype"]


class CsrBuilder:
    """Put pieces of rows into one CSR matrix, whose room is made once.

    A row may come in several pieces, each with some of its columns.

    Parameters
    ----------
    row_sizes : ndarray of int64, shape (n_rows,)
        Entries of each row, all its pieces together.
    n_columns : int
        Columns of the matrix.
    """

    def __init__(self, row_sizes: NDArray[Any], n_columns: int) -> None:
        self._shape = (len(row_sizes), n_columns)
        self._ends = np.cumsum(row_sizes, dtype=np.int64)
        self._next = self._ends - row_sizes  # where each row's next piece goes
        nnz = int(self._ends[-1]) if len(row_sizes) else 0
        self._data = np.empty(nnz, dtype=np.float32)
        self._indices = np.empty(nnz, dtype=index_dtype(n_columns, nnz))

    def put(self, rows: NDArray[Any], sizes: NDArray[Any], columns: NDArray[Any], values: NDArray[Any]) -> None:
        """Put pieces of rows.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
            The rows, each at most once a call.
        sizes : ndarray of int, shape (n,)
            Entries of each piece.
        columns : ndarray of int, shape (sum of sizes,)
            Their columns, piece by piece.
        values : ndarray of float, shape (sum of sizes,)
            Kept as float32; a 0 is kept as an entry too.

        Raises
        ------
        DataError
            The lengths differ, a row or column is outside the matrix, a row comes twice, or more comes for one than was
        said.
        """
        if len(rows) != len(sizes) or not len(columns) == len(values) == int(np.sum(sizes)):
            wanted = f"{len(rows)} rows of {np.sum(sizes)} entries"
            raise DataError(f"{wanted} got {len(sizes)} sizes, {len(columns)} columns and {len(values)} values")
        self._check_range("row", rows, self._shape[0])
        self._check_range("column", columns, self._shape[1])
        if len(np.unique(rows)) != len(rows):
            raise DataError("a row comes twice in one call")
        starts = self._next[rows]
        if (starts + sizes > self._ends[rows]).any():
            row = int(rows[np.argmax(starts + sizes > self._ends[rows])])
            raise DataError(f"row {row} has more entries than was said")
        self._next[rows] += sizes
        # Where each entry goes: the start of its piece and its place in it.
        places = np.repeat(starts - np.cumsum(sizes) + sizes, sizes) + np.arange(len(columns))
        self._indices[places] = columns
        self._data[places] = values

    def finish(self) -> csr_matrix:
        """Return the matrix, which takes over the entries' memory: call this once, as the last thing.

        Returns
        -------
        csr_matrix of float32, shape (n_rows, n_columns)
            Columns ascending in each row; indices int32, or int64 where the number of entries or columns asks for it.

        Raises
        ------
        DataError
            A row has fewer entries than was said, or a column comes twice in a row.
        """
        if (self._next < self._ends).any():
            row = int(np.argmax(self._next < self._ends))
            raise DataError(f"row {row} has fewer entries than was said")
        indptr = np.concatenate([[0], self._ends]).astype(self._indices.dtype)
        matrix = csr_matrix((self._data, self._indices, indptr), self._shape, copy=False)
        matrix.sort_indices()  # nothing to do where the pieces came in the order of their columns
        if not matrix.has_canonical_format:
            raise DataError("a row has a column twice")
        return matrix

    def _check_range(self, name: str, places: NDArray[Any], size: int) -> None:
        if len(places):
            low, high = int(places.min()), int(places.max())
            if low < 0 or high >= size:
                raise DataError(f"{name} {low if low < 0 else high} is outside a matrix of {size} {name}s")


def index_dtype(n_columns: int, nnz: int) -> type[np.signedinteger[Any]]:
    """Return int32, or int64 where a column's index or the number of entries needs it."""
    return np.int32 if max(n_columns, nnz) <= np.iinfo(np.int32).max else np.int64


def csr_over(data: NDArray[Any], indices: NDArray[Any], indptr: NDArray[Any], shape: tuple[int, int]) -> csr_matrix:
    """Return a CSR matrix over these very arrays, which are in canonical form.

    scipy's constructor would look through int64 indices, and through all for their order when asked later: seconds and
    page reads for a large memory map.
    """
    matrix = csr_matrix(shape, dtype=data.dtype)
    matrix.data, matrix.indices, matrix.indptr = data, indices, indptr
    matrix.has_sorted_indices = True
    matrix.has_canonical_format = True
    return matrix
