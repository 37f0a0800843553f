"""Build a CSR matrix from batches of entries that come in order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from sparksweep.errors import DataError

__all__ = ["CsrBuilder", "csr_over", "index_dtype"]

GROWTH = 1.5  # room added when the hint was too small


class CsrBuilder:
    """Collect entries sorted by (row, column) into one CSR matrix, without a second copy of them.

    Parameters
    ----------
    n_rows, n_columns : int
        Shape of the matrix.
    nnz_hint : int
        Entries expected; a right guess saves room being made again.
    """

    def __init__(self, n_rows: int, n_columns: int, nnz_hint: int = 0) -> None:
        self._shape = (n_rows, n_columns)
        self._data = np.empty(max(nnz_hint, 1), dtype=np.float32)
        self._indices = np.empty(max(nnz_hint, 1), dtype=index_dtype(n_columns, 0))
        self._row_sizes = np.zeros(n_rows, dtype=np.int64)
        self._nnz = 0
        self._last = -1  # place of the last entry, row * n_columns + column

    def append(self, rows: NDArray[Any], columns: NDArray[Any], values: NDArray[Any]) -> None:
        """Add a batch.

        Parameters
        ----------
        rows, columns : ndarray of int, shape (n,)
            Places of the entries, ascending by (row, column), each place once.
        values : ndarray of float, shape (n,)
            Kept as float32; a 0 is kept as an entry too.

        Raises
        ------
        DataError
            The lengths differ, a place lies outside the matrix, or the order is not as said.
        """
        if not len(rows) == len(columns) == len(values):
            raise DataError(f"a batch has {len(rows)} rows, {len(columns)} columns and {len(values)} values")
        if len(rows) == 0:
            return
        self._check_range(rows, columns)
        self._check_order(rows, columns)
        start, self._nnz = self._nnz, self._nnz + len(rows)
        self._make_room()
        self._data[start : self._nnz] = values
        self._indices[start : self._nnz] = columns
        first = int(rows[0])
        sizes = np.bincount(np.asarray(rows, dtype=np.int64) - first)
        self._row_sizes[first : first + len(sizes)] += sizes

    def finish(self) -> csr_matrix:
        """Return the matrix, which takes over the entries' memory: call this once, as the last thing.

        Returns
        -------
        csr_matrix of float32, shape (n_rows, n_columns)
            Indices int32, or int64 where the number of entries or columns asks for it.
        """
        self._data.resize(self._nnz, refcheck=False)
        self._indices.resize(self._nnz, refcheck=False)
        dtype = index_dtype(self._shape[1], self._nnz)
        indptr = np.zeros(self._shape[0] + 1, dtype=dtype)
        np.cumsum(self._row_sizes, out=indptr[1:])
        return csr_over(self._data, self._indices.astype(dtype, copy=False), indptr, self._shape)

    def _check_range(self, rows: NDArray[Any], columns: NDArray[Any]) -> None:
        for name, places, size in (("row", rows, self._shape[0]), ("column", columns, self._shape[1])):
            low, high = int(places.min()), int(places.max())
            if low < 0 or high >= size:
                raise DataError(f"{name} {low if low < 0 else high} is outside a matrix of {size} {name}s")

    def _check_order(self, rows: NDArray[Any], columns: NDArray[Any]) -> None:
        places = np.asarray(rows, dtype=np.int64) * self._shape[1] + columns
        steps = np.diff(places, prepend=self._last)
        if (steps <= 0).any():
            at = int(np.argmax(steps <= 0))
            raise DataError(
                f"entry (row {int(rows[at])}, column {int(columns[at])}) does not come after the one before it: "
                "sort by row and column, each place once"
            )
        self._last = int(places[-1])

    def _make_room(self) -> None:
        if self._nnz > len(self._data):
            size = max(self._nnz, int(len(self._data) * GROWTH))
            # In place, so that the system may grow the block where it is; no view of it is ever handed out.
            self._data.resize(size, refcheck=False)
            self._indices.resize(size, refcheck=False)


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
