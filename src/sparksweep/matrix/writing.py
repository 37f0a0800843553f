"""Write a matrix folder: built beside its place, renamed when whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, issparse

from sparksweep.errors import DataError
from sparksweep.matrix.building import index_dtype
from sparksweep.matrix.manifest import MANIFEST, Label, Manifest, array_facts, columns_digest
from sparksweep.matrix.versions import installed_versions
from sparksweep.storage.failures import os_failures
from sparksweep.storage.local import LocalStore

__all__ = ["COLUMNS", "COLUMNS_SCHEMA", "column_table", "write_matrix"]

COLUMNS = "columns.parquet"
COLUMNS_SCHEMA = pa.schema([("index", pa.int32()), ("feature_set", pa.string()), ("key", pa.string())])
MAKERS = ("sparksweep", "numpy", "scipy", "pyarrow")


def write_matrix(
    folder: Path,
    X: csr_matrix | NDArray[Any],
    rows: NDArray[np.int64],
    *,
    columns: pa.Table,
    y: NDArray[Any] | None = None,
    classes: Sequence[Label] | None = None,
    folds: NDArray[Any] | None = None,
    groups: NDArray[Any] | None = None,
    weights: NDArray[Any] | None = None,
    sources: Mapping[str, Any],
    versions: Mapping[str, str] | None = None,
) -> Manifest:
    """Write a matrix folder, replacing one that is there.

    Parameters
    ----------
    folder : Path
        The folder to make.
    X : csr_matrix or ndarray of float32 or float64, shape (n_rows, n_columns)
        Sparse entries are put into canonical form: sorted in their row, doubled ones added up. Zeros that are entries
        stay entries (to xgboost a zero is a value, an absent entry is a missing one).
    rows : ndarray of int64, shape (n_rows,)
        Ids of the rows.
    columns : pyarrow.Table
        A row a column of X, in order: ``index`` int32, ``feature_set`` and ``key`` string.
    y : ndarray, shape (n_rows,), optional
        Codes into `classes`, kept as int32; without `classes` numbers to predict, kept as float64.
    classes : sequence of str or int, optional
        Sorted labels.
    folds, groups : ndarray of int, shape (n_rows,), optional
        Each row's test fold (-1: never tested) and group.
    weights : ndarray of float, shape (n_rows,), optional
        Sample weights, not negative.
    sources : mapping
        From what the matrix was made; what JSON can hold.
    versions : mapping of str to str, optional
        Versions of what made it; default are those of the libraries used here.

    Returns
    -------
    Manifest
        As written.

    Raises
    ------
    DataError
        Something does not fit X, or is no number where one is needed.
    StorageError
        The folder cannot be written.
    """
    kind = "csr" if issparse(X) else "dense"
    arrays = _csr_arrays(X) if kind == "csr" else _dense_arrays(X)
    arrays.update(_row_arrays(rows, y, classes, folds, groups, weights))
    n_rows, n_columns = X.shape
    for name in arrays.keys() - {"data", "indices", "indptr", "dense"}:
        _check_length(name, arrays[name], n_rows)
    manifest = Manifest(
        kind=kind,
        shape=(int(n_rows), int(n_columns)),
        nnz=int(arrays["data" if kind == "csr" else "dense"].size),
        classes=_checked_classes(classes),
        arrays={name: array_facts(array) for name, array in arrays.items()},
        columns_sha256=columns_digest(_checked_columns(columns, n_columns)),
        sources=dict(sources),
        versions=dict(installed_versions(MAKERS) if versions is None else versions),
    )
    _write_folder(folder, arrays, columns, manifest)
    return manifest


def column_table(feature_set: str, keys: Sequence[str]) -> pa.Table:
    """Return the table of columns of a matrix that is one feature set."""
    index = np.arange(len(keys), dtype=np.int32)
    return pa.table([index, [feature_set] * len(keys), list(keys)], schema=COLUMNS_SCHEMA)


def _write_folder(folder: Path, arrays: Mapping[str, NDArray[Any]], columns: pa.Table, manifest: Manifest) -> None:
    store = LocalStore(folder.parent)
    with store.scratch() as scratch:
        whole = scratch / folder.name
        with os_failures("write", folder):
            whole.mkdir()
            for name, array in arrays.items():
                np.save(whole / f"{name}.npy", array, allow_pickle=False)
            pq.write_table(columns.cast(COLUMNS_SCHEMA), whole / COLUMNS)
            (whole / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
        store.publish(whole, folder.name)


def _csr_arrays(X: csr_matrix) -> dict[str, NDArray[Any]]:
    matrix = X if isinstance(X, csr_matrix) else csr_matrix(X)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    if matrix.nnz and not 0 <= matrix.indices.min() <= matrix.indices.max() < matrix.shape[1]:
        raise DataError(f"X has entries outside its {matrix.shape[1]} columns")
    dtype = index_dtype(matrix.shape[1], matrix.nnz)
    return {
        "data": _floats("X", matrix.data),
        "indices": np.ascontiguousarray(matrix.indices, dtype=dtype),
        "indptr": np.ascontiguousarray(matrix.indptr, dtype=dtype),
    }


def _dense_arrays(X: NDArray[Any]) -> dict[str, NDArray[Any]]:
    if X.ndim != 2:
        raise DataError(f"X has {X.ndim} dimensions, a matrix has 2")
    return {"dense": _floats("X", X)}


def _floats(name: str, values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise DataError(f"{name} is {values.dtype}, must be float32 or float64")
    return np.ascontiguousarray(values)


def _row_arrays(
    rows: NDArray[Any],
    y: NDArray[Any] | None,
    classes: Sequence[Label] | None,
    folds: NDArray[Any] | None,
    groups: NDArray[Any] | None,
    weights: NDArray[Any] | None,
) -> dict[str, NDArray[Any]]:
    """Return those of the arrays that are given, as they are kept."""
    kept = {
        "rows": _integers("rows", rows).astype(np.int64, copy=False),
        "y": None if y is None else _checked_y(y, classes),
        "folds": None if folds is None else _checked_folds(folds),
        "groups": None if groups is None else _integers("groups", groups).astype(np.int64),
        "weights": None if weights is None else _checked_weights(weights),
    }
    return {name: np.ascontiguousarray(array) for name, array in kept.items() if array is not None}


def _checked_y(y: NDArray[Any], classes: Sequence[Label] | None) -> NDArray[Any]:
    if classes is None:
        return _finite("y", y)
    codes = _integers("y", y)
    if codes.size and not 0 <= codes.min() <= codes.max() < len(classes):
        raise DataError(f"y holds codes from {codes.min()} to {codes.max()}, there are {len(classes)} classes")
    return codes.astype(np.int32)


def _checked_classes(classes: Sequence[Label] | None) -> list[Label] | None:
    if classes is None:
        return None
    labels: list[Any] = [_plain_label(label) for label in classes]
    if len({type(label) for label in labels}) > 1 or labels != sorted(set(labels)):
        raise DataError(f"classes must be sorted, each once, all text or all int; got {labels[:5]}")
    return labels


def _checked_folds(folds: NDArray[Any]) -> NDArray[np.int32]:
    numbers, limits = _integers("folds", folds), np.iinfo(np.int32)
    if numbers.size and not limits.min <= numbers.min() <= numbers.max() <= limits.max:
        raise DataError(f"folds holds numbers from {numbers.min()} to {numbers.max()}; a fold number has 32 bits")
    return numbers.astype(np.int32)


def _checked_weights(weights: NDArray[Any]) -> NDArray[Any]:
    kept = _finite("weights", weights)
    if (kept < 0).any():
        raise DataError(f"weights holds {kept.min()} in row {int(kept.argmin())}; weights cannot be negative")
    return kept


def _integers(name: str, values: NDArray[Any]) -> NDArray[Any]:
    if not np.issubdtype(values.dtype, np.integer):
        raise DataError(f"{name} is {values.dtype}, must be integers")
    return values


def _finite(name: str, values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind not in "fiu":
        raise DataError(f"{name} is {values.dtype}, must be numbers (or codes, with their classes)")
    kept = values.astype(np.float64)
    if not np.isfinite(kept).all():
        at = int(np.argmin(np.isfinite(kept)))
        raise DataError(f"{name} holds {kept[at]} in row {at}; every row needs a number")
    return kept


def _check_length(name: str, array: NDArray[Any], n_rows: int) -> None:
    if array.shape != (n_rows,):
        raise DataError(f"{name} has shape {array.shape}, X has {n_rows} rows")


def _checked_columns(columns: pa.Table, n_columns: int) -> pa.Table:
    if columns.column_names != COLUMNS_SCHEMA.names:
        raise DataError(f"columns has {columns.column_names}, must be {COLUMNS_SCHEMA.names}")
    if not np.array_equal(columns["index"].to_numpy(), np.arange(n_columns)):
        raise DataError(f"columns must list the indices 0 to {n_columns - 1} of X in order")
    return columns


def _plain_label(label: Any) -> Label:
    """Return a label as JSON holds it."""
    plain = label.item() if isinstance(label, np.generic) else label
    if isinstance(plain, bool) or not isinstance(plain, (str, int)):
        raise DataError(f"class {label!r} is neither text nor int")
    return plain
