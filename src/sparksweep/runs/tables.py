"""A search's results as a typed Arrow table and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from sparksweep.runs.values import json_text, python_value

__all__ = ["results_csv", "results_table"]

INT64 = range(-(2**63), 2**63)
# numpy's kinds of one type: a NaN among them is a parameter that is NaN, only what is masked is null.
KINDS: Mapping[str, pa.DataType] = {"b": pa.bool_(), "i": pa.int64(), "f": pa.float64()}
TYPED: Mapping[type, pa.DataType] = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}


def results_table(cv_results: Mapping[str, Any]) -> pa.Table:
    """Return ``cv_results_`` as a table, a row a candidate, columns in the same order and under the same names.

    A ``param_*`` column whose values are all bool, int, float or str has that type; another is JSON text, with the repr
    of what JSON cannot hold. Where a candidate does not have the parameter (scikit-learn masks it) it is null. The
    field's metadata says ``encoding``: ``plain`` or ``json``. ``params`` is JSON text, keys sorted.

    Parameters
    ----------
    cv_results : mapping of str to array
        As scikit-learn's searches give it.
    """
    fields, columns = [], []
    for name, values in cv_results.items():
        field, column = _column(name, values)
        fields.append(field)
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def results_csv(table: pa.Table) -> bytes:
    """Return a results table as CSV in UTF-8; floats so that they read back the same, null as nothing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    writer.writerows(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return text.getvalue().encode("utf-8")


def _column(name: str, values: Any) -> tuple[pa.Field, pa.Array]:
    if name == "params":
        return _field(name, pa.string(), "json"), pa.array([json_text(params) for params in values], pa.string())
    if name.startswith("param_"):
        return _param_column(name, values)
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        return _field(name, pa.string(), "json"), pa.array([json_text(value) for value in values], pa.string())
    column = pa.array(array)
    return _field(name, column.type, "plain"), column


def _param_column(name: str, values: Any) -> tuple[pa.Field, pa.Array]:
    mask, data = np.ma.getmaskarray(np.ma.asarray(values)), np.ma.getdata(values)
    if data.dtype.kind in KINDS:
        kind = KINDS[data.dtype.kind]
        return _field(name, kind, "plain"), pa.array(data, mask=mask, from_pandas=False).cast(kind)
    plain = [python_value(value) for value in data]
    kind = _common_type([value for value, absent in zip(plain, mask, strict=True) if not absent])
    cells = [None if absent else value for value, absent in zip(plain, mask, strict=True)]
    if kind is not None:
        return _field(name, kind, "plain"), pa.array(cells, kind, from_pandas=False)
    texts = [None if absent else json_text(value) for value, absent in zip(plain, mask, strict=True)]
    return _field(name, pa.string(), "json"), pa.array(texts, pa.string())


def _common_type(values: Sequence[Any]) -> pa.DataType | None:
    """Return the column type of values of one type, None when they have several or one without a column type."""
    kinds = {type(value) for value in values}
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind is int and any(value not in INT64 for value in values):
        return None
    return TYPED.get(kind) if kind is not None else None


def _field(name: str, kind: pa.DataType, encoding: str) -> pa.Field:
    return pa.field(name, kind, metadata={"encoding": encoding})
