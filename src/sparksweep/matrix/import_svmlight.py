"""Bring in a file in svmlight / libsvm form: ``label index:value index:value ...`` a line."""

from __future__ import annotations

import bz2
import gzip
import io
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparksweep.errors import DataError
from sparksweep.matrix.manifest import Manifest
from sparksweep.matrix.target import encode_target
from sparksweep.matrix.writing import column_table, write_matrix
from sparksweep.storage.failures import os_failures

__all__ = ["import_svmlight"]

MAX_LABEL = 2**53
OPEN: Mapping[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}


def import_svmlight(path: Path, folder: Path, *, sources: Mapping[str, Any] | None = None) -> Manifest:
    """Write a matrix folder from an svmlight file, X as scikit-learn reads it: float64, zero entries kept.

    Whole numbers as labels make classes, others a number to predict. Indices may start at 0 or 1, as scikit-learn's
    ``zero_based="auto"`` finds.

    Parameters
    ----------
    path : Path
        The file; one ending in ``.gz`` or ``.bz2`` is unpacked on the way.
    folder : Path
        The matrix folder to make.
    sources : mapping, optional
        Kept in the manifest; default names the file.

    Raises
    ------
    DataError
        The file is empty, or a line is not as it should be; names the line.
    StorageError
        The file is not there or cannot be read.
    """
    X, labels = _load(path)
    if X.shape[0] == 0:
        raise DataError(f"{path} holds no rows")
    if X.nnz == 0:
        raise DataError(f"{path} has no feature in any line; a line is: label index:value ...")
    # Beyond 2**53 float64, in which scikit-learn reads labels, no longer tells one whole number from the next.
    whole = (np.abs(labels) <= MAX_LABEL).all() and (labels == np.round(labels)).all()
    target = encode_target(labels.astype(np.int64) if whole else labels, f"label in {path}")
    return write_matrix(
        folder,
        X,
        np.arange(X.shape[0], dtype=np.int64),
        columns=column_table("imported", [str(index) for index in range(X.shape[1])]),
        y=target.y,
        classes=target.classes,
        sources={"file": str(path), "format": "svmlight"} if sources is None else sources,
    )


def _load(path: Path) -> tuple[Any, NDArray[np.float64]]:
    from sklearn.datasets import load_svmlight_file  # a second, which only this format has to wait for

    try:
        with os_failures("read", path):
            return load_svmlight_file(str(path))  # type: ignore[no-any-return]
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be unpacked: {error}") from error
    except (ValueError, OverflowError) as error:
        raise DataError(f"{path}{_first_bad_line(path)}: {error}; a line is: label index:value ...") from error


def _first_bad_line(path: Path) -> str:
    """Return ", line N" for the first line scikit-learn cannot read alone, or nothing."""
    from sklearn.datasets import load_svmlight_file

    with os_failures("read", path), OPEN.get(path.suffix, open)(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                load_svmlight_file(io.BytesIO(line))
            except (ValueError, OverflowError):
                return f", line {number}"
    return ""
