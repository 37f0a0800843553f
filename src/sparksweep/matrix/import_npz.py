"""Bring in an ``.npz``: what ``scipy.sparse.save_npz`` wrote, or arrays ``X`` and ``y``."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, load_npz

from sparksweep.config.loading import nearest
from sparksweep.errors import DataError
from sparksweep.matrix.manifest import Manifest
from sparksweep.matrix.target import encode_groups, encode_target, feature_dtype
from sparksweep.matrix.writing import column_table, write_matrix
from sparksweep.storage.failures import os_failures

__all__ = ["import_npz"]

# What a file may hold beside X and y: its kinds of numpy's dtypes, and their words.
KINDS = {"folds": ("iu", "int"), "groups": ("iuUSO", "int or text"), "weights": ("fiu", "numbers")}


def import_npz(
    path: Path, folder: Path, *, target: str | None = None, sources: Mapping[str, Any] | None = None
) -> Manifest:
    """Write a matrix folder from an ``.npz`` file.

    A sparse X stays sparse, its zero entries stay entries. An array X stays dense: a zero in it is a value and NaN is
    what is missing, just as the estimator would see the array itself. float32 stays, other numbers become float64.

    Parameters
    ----------
    path : Path
        What ``scipy.sparse.save_npz`` wrote, or a file with an array ``X``. It may hold ``folds``, ``groups`` and
        ``weights`` too, a value a row.
    folder : Path
        The matrix folder to make.
    target : str, optional
        A key in the file (default ``y``), or a ``.npy`` file, relative to the ``.npz`` or to the current folder.
    sources : mapping, optional
        Kept in the manifest; default names the file.

    Raises
    ------
    DataError
        A file is missing or damaged, a key is missing, or the lengths differ.
    """
    with _reading(path), open(path, "rb") as file, _open_npz(path, file) as content:
        X = _read_x(path, content)
        extra = {name: content[name] for name in ("folds", "groups", "weights") if name in content.files}
        groups = extra.get("groups")
        values, where = _read_target(path, content, target)
    if X.shape[0] == 0:
        raise DataError(f"{path} holds no rows")
    found = encode_target(values, where)
    if len(found.y) != X.shape[0]:
        raise DataError(f"{where} has {len(found.y)} values, X in {path} has {X.shape[0]} rows")
    for name, array in extra.items():
        _check_of_rows(array, X.shape[0], f"{name} in {path}", KINDS[name])
    return write_matrix(
        folder,
        X,
        np.arange(X.shape[0], dtype=np.int64),
        columns=column_table("imported", [str(index) for index in range(X.shape[1])]),
        y=found.y,
        classes=found.classes,
        sources={"file": str(path), "format": "npz"} if sources is None else sources,
        folds=extra.get("folds"),
        groups=None if groups is None else encode_groups(groups, f"groups in {path}"),
        weights=extra.get("weights"),
    )


def _check_of_rows(array: NDArray[Any], n_rows: int, where: str, wanted: tuple[str, str]) -> None:
    kinds, words = wanted
    if array.dtype.kind not in kinds:
        raise DataError(f"{where} is {array.dtype}, must be {words}")
    if array.shape != (n_rows,):
        raise DataError(f"{where} has shape {array.shape}, X has {n_rows} rows; it must have a value a row")


def _read_x(path: Path, content: Any) -> csr_matrix | NDArray[Any]:
    sparse = "format" in content.files
    if not sparse and "X" not in content.files:
        raise DataError(f"{path} holds no X, only {', '.join(content.files)}{nearest('X', content.files)}")
    X = csr_matrix(_checked(load_npz(path))) if sparse else content["X"]
    if X.dtype.kind not in "biuf":
        raise DataError(f"X in {path} is {X.dtype}, must be numbers")
    if X.ndim != 2:
        raise DataError(f"X in {path} has {X.ndim} dimensions, a matrix has 2")
    if X.shape[1] == 0:
        raise DataError(f"X in {path} has no columns: there is nothing to learn from")
    return X.astype(feature_dtype([X.dtype]), copy=False)


def _checked(X: Any) -> Any:
    """Refuse row starts and column numbers that lead out of the arrays: scipy's loops follow them unchecked."""
    if X.format in ("csr", "csc", "bsr"):
        X.check_format(full_check=True)
    return X


def _read_target(path: Path, content: Any, target: str | None) -> tuple[NDArray[Any], str]:
    """Return the target's values, and how messages call it."""
    key = target or "y"
    if key in content.files:
        return content[key], f"target {key!r} in {path}"
    for file in (path.parent / key, Path(key)):
        if file.is_file():
            with _reading(file):
                return _one_array(file), f"target {file}"
    raise DataError(
        f"no target {key!r}: {path} holds {', '.join(content.files)} and there is no such file"
        f"{nearest(key, content.files)}; set data.target to a key in it or to a .npy file"
    )


def _one_array(file: Path) -> NDArray[Any]:
    loaded: Any = np.load(file, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        if "y" not in loaded.files and len(loaded.files) != 1:
            raise DataError(f"target {file} holds {', '.join(loaded.files)}, none of them called y")
        chosen: NDArray[Any] = loaded["y" if "y" in loaded.files else loaded.files[0]]
        return chosen


def _open_npz(path: Path, file: BinaryIO) -> Any:
    """Return the open file as numpy reads it."""
    content = np.load(file, allow_pickle=False)
    if isinstance(content, np.ndarray):
        raise DataError(f"{path} holds one array, not X and y; save it with numpy.savez(path, X=X, y=y)")
    return content


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what numpy and scipy raise on a bad file into a `DataError`."""
    try:
        with os_failures("read", path):
            yield
    except (ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "allow_pickle" in reason:
            reason = "it holds Python objects, or is no numpy file; save texts as text: labels.astype(str)"
        raise DataError(f"{path} cannot be read: {reason}") from error
