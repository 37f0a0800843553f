"""From feature sets to the matrix folders of a workspace: parts of the rows, with the same columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyspark import Broadcast
from pyspark.sql import SparkSession

from sparksweep.errors import DataError, UsageError
from sparksweep.features.counting import broadcast
from sparksweep.features.rows import Rows
from sparksweep.features.sets import Encoding, FeatureSet
from sparksweep.features.stacking import stack
from sparksweep.matrix import Manifest, write_matrix
from sparksweep.matrix.manifest import Label
from sparksweep.storage import Store

__all__ = ["Part", "check_encoding", "send_rows", "write_parts"]


@dataclass(frozen=True)
class Part:
    """The rows of one matrix.

    Attributes
    ----------
    rows : ndarray of int64, shape (n_rows,)
        Their ids.
    y : ndarray, optional
        Codes into `classes`, or without these numbers.
    classes : list of str or int, optional
        Sorted labels.
    """

    rows: NDArray[np.int64]
    y: NDArray[Any] | None = None
    classes: list[Label] | None = None


def check_encoding(encoding: str) -> None:
    """Raise UsageError for an encoding that there is not."""
    if encoding not in ("fraction", "indicator"):
        raise UsageError(f"unknown encoding {encoding!r}; known: fraction, indicator")


def send_rows(spark: SparkSession, parts: Mapping[str, Part]) -> AbstractContextManager[Broadcast[Rows]]:
    """Return a context in which executors know the rows of all parts, in the order in which they are given."""
    return broadcast(spark, Rows.of_parts(part.rows for part in parts.values()))


def write_parts(
    feature_sets: Sequence[FeatureSet],
    encoding: Encoding,
    parts: Mapping[str, Part],
    store: Store,
    folder: str,
    sources: Mapping[str, Any],
) -> dict[str, Manifest]:
    """Compute feature sets and write a matrix for each part of the rows.

    Parameters
    ----------
    feature_sets : sequence of FeatureSet
        In stacking order; their rows are numbered through all parts.
    encoding : {"fraction", "indicator"}
        Shares as they are, or 1 where one is above 0.
    parts : mapping of str to Part
        By name, in the order in which rows are numbered.
    store : Store
        Gets ``FOLDER/NAME`` for each part.
    folder : str
        Folder in the store.
    sources : mapping
        From what the matrices are made; kept in the manifests.

    Raises
    ------
    DataError
        The sets have no column.
    StorageError
        The store cannot be written.
    """
    sizes = {name: len(part.rows) for name, part in parts.items()}
    stacked = stack(feature_sets, encoding, sizes, store, folder)
    if stacked.columns.num_rows == 0:
        raise DataError(
            f"feature sets {', '.join(each.name for each in feature_sets)}: no row of the matrix has anything they "
            "count, so there is no column; look at the ids of the tables, or choose more sets"
        )
    manifests = {}
    for name, part in parts.items():
        with store.scratch() as scratch:
            manifests[name] = write_matrix(
                scratch / name,
                stacked.matrices[name],
                part.rows,
                columns=stacked.columns,
                y=part.y,
                classes=part.classes,
                sources=sources,
            )
            store.publish(scratch / name, f"{folder}/{name}")
    return manifests
