"""Rows of whatever X, y and per-row parameters are: arrays, sparse matrices, data frames, lists. Runs on workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import get_tags, indexable

__all__ = ["count_rows", "row_params", "split_rows", "take_rows"]

Rows = NDArray[np.integer[Any]]


def take_rows(X: Any, rows: Rows) -> Any:
    """Return rows of `X`, in its own type."""
    if hasattr(X, "iloc"):
        return X.take(rows, axis=0)
    if hasattr(X, "shape"):
        return X[rows]
    return [X[row] for row in rows]


def split_rows(estimator: Any, X: Any, y: Any, rows: Rows, columns: Rows | None = None) -> tuple[Any, Any]:
    """Return rows of X and of y; of a square kernel or distance matrix also the columns.

    Parameters
    ----------
    estimator : object
        Its tags say whether it wants a square matrix.
    rows : ndarray of int
        The rows wanted.
    columns : ndarray of int, optional
        Of a square matrix the columns wanted, the train rows; default is `rows`.

    Raises
    ------
    ValueError
        The estimator wants a square matrix and X is none.
    """
    y_rows = None if y is None else take_rows(y, rows)
    if not get_tags(estimator).input_tags.pairwise:
        return take_rows(X, rows), y_rows
    if not hasattr(X, "shape"):
        raise ValueError("Precomputed kernels or affinity matrices have to be passed as arrays or sparse matrices.")
    if X.shape[0] != X.shape[1]:
        raise ValueError("X should be a square kernel matrix")
    return X[np.ix_(rows, rows if columns is None else columns)], y_rows


def row_params(X: Any, params: Mapping[str, Any], rows: Rows | None = None) -> dict[str, Any]:
    """Return parameters of ``fit`` or of a scorer; what has one value a row of X is sliced, the rest stays.

    Parameters
    ----------
    rows : ndarray of int, optional
        The rows wanted; default is all, then values are only made ready for slicing.
    """
    found = {}
    for name, value in params.items():
        if _is_per_row(value, X):
            (ready,) = indexable(value)
            found[name] = ready if rows is None else take_rows(ready, rows)
        else:
            found[name] = value
    return found


def count_rows(X: Any) -> int:
    """Return the number of rows."""
    return int(X.shape[0] if hasattr(X, "shape") else len(X))


def _is_per_row(value: Any, X: Any) -> bool:
    if issparse(value) or (hasattr(value, "shape") and len(value.shape) > 0):
        return int(value.shape[0]) == count_rows(X)
    return hasattr(value, "__len__") and not hasattr(value, "shape") and len(value) == count_rows(X)
