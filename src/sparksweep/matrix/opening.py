"""Open a matrix folder by memory map: nothing is read but a few pages until someone looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from sparksweep.errors import DataError
from sparksweep.matrix.building import csr_over
from sparksweep.matrix.manifest import (
    CSR_ARRAYS,
    DENSE_ARRAYS,
    MANIFEST,
    ArrayFacts,
    Label,
    Manifest,
    array_facts,
    columns_digest,
)
from sparksweep.matrix.writing import COLUMNS
from sparksweep.storage.failures import os_failures

__all__ = ["Matrix", "open_matrix"]

AGAIN = "make the matrix again"


@dataclass(frozen=True, eq=False)
class Matrix:
    """A matrix folder, open. The arrays are read-only memory maps.

    Attributes
    ----------
    X : csr_matrix or ndarray of float32 or float64, shape (n_rows, n_columns)
        Sparse, or dense where the source was.
    rows : ndarray of int64, shape (n_rows,)
        Ids of the rows.
    y : ndarray of int32 (codes into `classes`) or float64, shape (n_rows,), optional
        The target.
    classes : list of str or int, optional
        Sorted labels.
    folds : ndarray of int32, shape (n_rows,), optional
        Each row's test fold, -1 for never.
    groups : ndarray of int64, shape (n_rows,), optional
        Each row's group.
    weights : ndarray of float64, shape (n_rows,), optional
        Sample weights.
    manifest : Manifest
        Shape, dtypes, digests, sources, versions.
    folder : Path
        Where it is.
    """

    X: csr_matrix | NDArray[Any]
    rows: NDArray[np.int64]
    y: NDArray[Any] | None
    classes: list[Label] | None
    folds: NDArray[np.int32] | None
    groups: NDArray[np.int64] | None
    weights: NDArray[np.float64] | None
    manifest: Manifest
    folder: Path

    def columns(self) -> pa.Table:
        """Return the table of columns: ``index`` int32, ``feature_set`` and ``key`` string."""
        return _read_columns(self.folder, self.manifest)

    def numeric_y(self) -> NDArray[np.float64]:
        """Return the target as numbers, for a regressor: of int classes their values, not their codes.

        Raises
        ------
        DataError
            There is no target, or its classes are texts.
        """
        if self.y is None:
            raise DataError(f"{self.folder} has no target")
        if self.classes is None:
            return np.asarray(self.y, dtype=np.float64)
        if any(isinstance(label, str) for label in self.classes):
            raise DataError(f"{self.folder}: the classes {self.classes[:5]} are texts, a regressor needs numbers")
        values: NDArray[np.float64] = np.asarray(self.classes, dtype=np.float64)[self.y]
        return values


def open_matrix(folder: Path, *, verify: bool = False) -> Matrix:
    """Open a matrix folder.

    Parameters
    ----------
    folder : Path
        As `write_matrix` made it.
    verify : bool
        Read everything and compare the digests; else only the manifest, dtypes, shapes and file sizes are looked at.

    Raises
    ------
    DataError
        The folder is no matrix, or is damaged.
    StorageError
        It cannot be read.
    """
    manifest = _read_manifest(folder)
    arrays = {name: _open_array(folder, name, facts) for name, facts in manifest.arrays.items()}
    X = _x_of(folder, manifest, arrays)
    if verify:
        _verify(folder, manifest, arrays)
    return Matrix(
        X=X,
        rows=arrays["rows"],
        y=arrays.get("y"),
        classes=manifest.classes,
        folds=arrays.get("folds"),
        groups=arrays.get("groups"),
        weights=arrays.get("weights"),
        manifest=manifest,
        folder=folder,
    )


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    try:
        with os_failures("read", path):
            text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is damaged (byte {error.start} is no UTF-8); {AGAIN}") from error
    manifest = Manifest.from_json(text, str(path))
    needed = {*(CSR_ARRAYS if manifest.kind == "csr" else DENSE_ARRAYS), "rows"}
    if missing := sorted(needed - manifest.arrays.keys()):
        raise DataError(f"{path} names no {', '.join(missing)}; {AGAIN}")
    return manifest


def _open_array(folder: Path, name: str, facts: ArrayFacts) -> NDArray[Any]:
    path = folder / f"{name}.npy"
    try:
        with os_failures("read", path):
            array: NDArray[Any] = np.load(path, mmap_mode="r" if np.prod(facts.shape) else None, allow_pickle=False)
            surplus = path.stat().st_size - (getattr(array, "offset", None) or 0) - array.nbytes
    except (ValueError, EOFError) as error:
        raise DataError(f"{path} is damaged ({str(error).splitlines()[0]}); {AGAIN}") from error
    if (array.dtype.name, array.shape) != (facts.dtype, facts.shape):
        raise DataError(
            f"{path} holds {array.dtype.name} {array.shape}, the manifest says {facts.dtype} {facts.shape}; {AGAIN}"
        )
    if array.size and surplus:
        raise DataError(f"{path} is damaged ({surplus} bytes too long); {AGAIN}")
    return array


def _x_of(folder: Path, manifest: Manifest, arrays: Mapping[str, NDArray[Any]]) -> csr_matrix | NDArray[Any]:
    n_rows, n_columns = manifest.shape
    if manifest.kind == "dense":
        fits = arrays["dense"].shape == manifest.shape
    else:
        data, indices, indptr = (arrays[name] for name in CSR_ARRAYS)
        fits = data.shape == indices.shape == (manifest.nnz,) and indptr.shape == (n_rows + 1,)
        fits = fits and indptr[0] == 0 and indptr[-1] == manifest.nnz and indices.dtype == indptr.dtype
    if not fits or arrays["rows"].shape != (n_rows,):
        raise DataError(f"{folder} is damaged (its arrays do not make {n_rows} rows x {n_columns} columns); {AGAIN}")
    return arrays["dense"] if manifest.kind == "dense" else csr_over(data, indices, indptr, manifest.shape)


def _verify(folder: Path, manifest: Manifest, arrays: Mapping[str, NDArray[Any]]) -> None:
    changed = [f"{name}.npy" for name, array in arrays.items() if array_facts(array) != manifest.arrays[name]]
    if columns_digest(_read_columns(folder, manifest)) != manifest.columns_sha256:
        changed.append(COLUMNS)
    if changed:
        raise DataError(f"{folder} is damaged ({', '.join(changed)} changed since it was written); {AGAIN}")


def _read_columns(folder: Path, manifest: Manifest) -> pa.Table:
    path = folder / COLUMNS
    try:
        with os_failures("read", path):
            columns = pq.read_table(path)
    except pa.ArrowException as error:
        raise DataError(f"{path} is damaged ({str(error).splitlines()[0]}); {AGAIN}") from error
    if columns.num_rows != manifest.shape[1]:
        raise DataError(f"{path} lists {columns.num_rows} columns, X has {manifest.shape[1]}; {AGAIN}")
    return columns
