"""From what a user calls target, fold, group and weight to what a matrix folder keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sparksweep.errors import DataError
from sparksweep.matrix.manifest import Label

__all__ = ["Target", "arrow_values", "encode_groups", "encode_target", "feature_dtype", "is_number"]


@dataclass(frozen=True)
class Target:
    """A target as it is kept.

    Attributes
    ----------
    y : ndarray of int32 or float64, shape (n_rows,)
        Codes into `classes`, or numbers to predict.
    classes : list of str or int, optional
        Sorted labels.
    """

    y: NDArray[Any]
    classes: list[Label] | None


def encode_target(values: NDArray[Any], where: str) -> Target:
    """Return text and int labels as codes into the sorted classes, floats as numbers to predict.

    Parameters
    ----------
    values : ndarray, shape (n_rows,)
        Text (by code point sorted), int, bool (as 0 and 1), float or, for texts that may be missing, object.
    where : str
        The target's name and file, for messages.

    Raises
    ------
    DataError
        A value is missing, or the values are of a type that is no target.
    """
    if values.ndim != 1:
        raise DataError(f"{where} has {values.ndim} dimensions, a target has 1")
    if values.dtype.kind == "f":
        _refuse_missing(np.isfinite(values), values, where)
        return Target(values.astype(np.float64), None)
    return Target(*_codes(values, where))


def encode_groups(values: NDArray[Any], where: str) -> NDArray[np.int64]:
    """Return int groups as they are, texts as codes in their sorted order.

    Parameters
    ----------
    values : ndarray of int or text, shape (n_rows,)
        A group a row.
    where : str
        Name and file, for messages.
    """
    if values.dtype.kind in "iu":
        return values.astype(np.int64)
    return _codes(values, where)[0].astype(np.int64)


def feature_dtype(dtypes: Sequence[np.dtype[Any]]) -> type[np.floating[Any]]:
    """Return float32 where every column is float32 or float16, else float64, so that no value is changed."""
    small = (np.dtype(np.float16), np.dtype(np.float32))
    return np.float32 if all(dtype in small for dtype in dtypes) else np.float64


def _codes(values: NDArray[Any], where: str) -> tuple[NDArray[np.int32], list[Label]]:
    labels = _labels(values, where)
    classes, codes = np.unique(labels, return_inverse=True)
    return codes.reshape(-1).astype(np.int32), classes.tolist()


def _labels(values: NDArray[Any], where: str) -> NDArray[Any]:
    kind = values.dtype.kind
    if kind == "b":
        return values.astype(np.int64)
    if kind == "S":
        try:
            return np.char.decode(values, "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{where} holds {error.object!r}, which is not UTF-8 text; decode it first") from error
    if kind == "O":
        present = np.array([value is not None for value in values], dtype=bool)
        _refuse_missing(present, values, where)
        if not all(isinstance(value, str) for value in values):
            raise DataError(f"{where} mixes types; it must be all text, all int or all float")
        return values
    if kind not in "iuU":
        raise DataError(f"{where} is {values.dtype}; a target is text, int or float")
    return values


def _refuse_missing(present: NDArray[np.bool_], values: NDArray[Any], where: str) -> None:
    if not present.all():
        at = int(np.argmin(present))
        count = int(len(present) - present.sum())
        raise DataError(
            f"{where} holds {values[at]} in row {at} (counted from 0; {count} such rows): "
            "every row needs a value; drop these rows"
        )


def arrow_values(column: pa.ChunkedArray) -> NDArray[Any]:
    """Return a column as numpy holds it: text as objects, missing numbers as NaN."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_decimal(column.type) or (column.null_count and is_number(column.type)):
        column = column.cast(pa.float64(), safe=False)
    values: NDArray[Any] = column.to_numpy()
    return values


def is_number(kind: pa.DataType) -> bool:
    """Tell whether a Parquet column of this type is a number (bool counts as 0 and 1)."""
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
    return any(test(kind) for test in tests)
