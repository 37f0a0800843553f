"""Bring in Parquet: numeric columns as features, one column as target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
from numpy.typing import NDArray

from sparksweep.config.loading import nearest
from sparksweep.errors import DataError
from sparksweep.matrix.manifest import Manifest
from sparksweep.matrix.target import arrow_values, encode_groups, encode_target, feature_dtype, is_number
from sparksweep.matrix.writing import column_table, write_matrix
from sparksweep.storage.failures import os_failures

__all__ = ["import_parquet"]


@dataclass(frozen=True)
class _Roles:
    """Which column is what; `features` are all that have no other role."""

    target: str
    fold: str | None
    group: str | None
    weight: str | None

    def named(self) -> dict[str, str]:
        """Return the columns named by the user, by the setting that names them."""
        pairs = {
            "target": self.target,
            "fold_column": self.fold,
            "group_column": self.group,
            "weight_column": self.weight,
        }
        return {setting: name for setting, name in pairs.items() if name is not None}


def import_parquet(
    path: Path,
    folder: Path,
    *,
    target: str,
    fold_column: str | None = None,
    group_column: str | None = None,
    weight_column: str | None = None,
    sources: Mapping[str, Any] | None = None,
) -> Manifest:
    """Write a matrix folder from a Parquet file or a folder of them.

    X stays dense: a zero is a value and a null is NaN, missing to xgboost, just as the estimator would see the frame
    itself. float32 where all features are float32, else float64; bool counts as 0 and 1.

    Parameters
    ----------
    path : Path
        A file, or a folder of files as Spark writes them, read in the order of their names; folders in it called
        ``NAME=VALUE`` are a column.
    folder : Path
        The matrix folder to make.
    target : str
        Column to predict: text, int and bool are labels, float is a number.
    fold_column, group_column, weight_column : str, optional
        Columns with each row's test fold (int), group (int or text) and sample weight (number).
    sources : mapping, optional
        Kept in the manifest; default names the file.

    Raises
    ------
    DataError
        The file is damaged or empty, a named column is missing, features are not numeric (all are named), or a value
        is missing where there must be one.
    StorageError
        The file is not there or cannot be read.
    """
    roles = _Roles(target, fold_column, group_column, weight_column)
    with _reading(path):
        dataset = ds.dataset(path, format="parquet", partitioning="hive")
        _check_files(path, dataset)
        features = _feature_names(path, dataset.schema, roles)
        n_rows = dataset.count_rows()
        if n_rows == 0:
            raise DataError(f"{path} holds no rows")
        X = _read_features(dataset, features, n_rows)
        table = dataset.to_table(columns=list(roles.named().values()))
    values = {setting: arrow_values(table[name]) for setting, name in roles.named().items()}
    found = encode_target(values["target"], f"target {target!r} in {path}")
    return write_matrix(
        folder,
        X,
        np.arange(n_rows, dtype=np.int64),
        columns=column_table("imported", features),
        y=found.y,
        classes=found.classes,
        folds=_folds(values.get("fold_column"), f"fold_column {fold_column!r} in {path}"),
        groups=_groups(values.get("group_column"), f"group_column {group_column!r} in {path}"),
        weights=_weights(values.get("weight_column"), f"weight_column {weight_column!r} in {path}"),
        sources={"file": str(path), "format": "parquet", **roles.named()} if sources is None else sources,
    )


def _check_files(path: Path, dataset: ds.Dataset) -> None:
    """Refuse files of different columns: the first one's would be read, with nulls where another has none."""
    first: ds.Fragment | None = None
    for fragment in dataset.get_fragments():
        first = first or fragment
        names, others = fragment.physical_schema.names, first.physical_schema.names
        if set(names) != set(others):
            odd = ", ".join(sorted(set(names) ^ set(others)))
            raise DataError(f"{path}: {fragment.path} and {first.path} differ in the columns {odd}; write them alike")
    if first is None:
        raise DataError(f"{path} holds no Parquet file")


def _feature_names(path: Path, schema: pa.Schema, roles: _Roles) -> list[str]:
    names = schema.names
    _check_roles(path, names, roles)
    taken = {*roles.named().values(), *_index_columns(schema)}
    features = [name for name in names if name not in taken]
    texts = [f"{name} ({schema.field(name).type})" for name in features if not is_number(schema.field(name).type)]
    if texts:
        raise DataError(f"{path}: columns that are not numeric: {', '.join(texts)}; encode them or leave them out")
    if not features:
        raise DataError(f"{path} has no column beside {', '.join(sorted(taken))}: there is nothing to learn from")
    return features


def _check_roles(path: Path, names: list[str], roles: _Roles) -> None:
    for setting, name in roles.named().items():
        if name not in names:
            shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
            raise DataError(f"{path} has no column {name!r} ({setting}){nearest(name, names)}; it has {shown}")
    given = list(roles.named().values())
    if len(set(given)) < len(given):
        raise DataError(f"{path}: a column can be only one of {', '.join(roles.named())}; got {roles.named()}")


def _index_columns(schema: pa.Schema) -> list[str]:
    """Return the columns that are a pandas frame's index: pandas would not show them as columns either."""
    found = (schema.pandas_metadata or {}).get("index_columns", [])
    return [name for name in found if isinstance(name, str)]


def _read_features(dataset: ds.Dataset, features: list[str], n_rows: int) -> NDArray[Any]:
    """Return the features as one array, read batch by batch so that there is only one copy."""
    kinds = [dataset.schema.field(name).type for name in features]
    dtype = feature_dtype([np.dtype(kind.to_pandas_dtype()) for kind in kinds])
    X: NDArray[Any] = np.empty((n_rows, len(features)), dtype=dtype)
    start = 0
    for batch in dataset.to_batches(columns=features):
        stop = start + batch.num_rows
        for place, column in enumerate(batch.columns):
            X[start:stop, place] = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        start = stop
    return X


def _folds(values: NDArray[Any] | None, where: str) -> NDArray[Any] | None:
    if values is not None and values.dtype.kind not in "iu":
        raise DataError(f"{where} must hold an int in every row, it is {values.dtype}")
    return values


def _groups(values: NDArray[Any] | None, where: str) -> NDArray[np.int64] | None:
    if values is not None and values.dtype.kind == "f":
        raise DataError(f"{where} must hold an int or a text in every row, it is {values.dtype}")
    return None if values is None else encode_groups(values, where)


def _weights(values: NDArray[Any] | None, where: str) -> NDArray[Any] | None:
    if values is not None and values.dtype.kind not in "fiub":
        raise DataError(f"{where} must hold numbers, it is {values.dtype}")
    if values is not None and not np.isfinite(values).all():
        raise DataError(f"{where} is missing in row {int(np.argmin(np.isfinite(values)))}: every row needs a weight")
    return values


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        with os_failures("read", path):
            yield
    except pa.ArrowException as error:
        raise DataError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
