"""Tables to the scenario's two matrices: train with its classes, test, the same columns in both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pyspark.sql import SparkSession

from sparksweep.errors import DataError, UsageError
from sparksweep.features import Encoding, Part, check_encoding, send_rows, write_parts
from sparksweep.ingest import LINE, Tables
from sparksweep.ingest.spark_failures import spark_failures
from sparksweep.matrix import Manifest
from sparksweep.storage import Store
from sparksweep.talkingdata.facts import gather_facts
from sparksweep.talkingdata.feature_sets import BUILDERS, FEATURE_SETS
from sparksweep.talkingdata.schemas import GROUPS

__all__ = ["build_matrices"]


def build_matrices(
    spark: SparkSession,
    tables: Tables,
    sets: Sequence[str],
    encoding: Encoding,
    store: Store,
    folder: str,
    sources: Mapping[str, Any],
) -> dict[str, Manifest]:
    """Build the train and the test matrix of feature sets.

    Parameters
    ----------
    spark : SparkSession
        Reads `tables`.
    tables : Tables
        The seven tables (`sparksweep.ingest.read_tables`).
    sets : sequence of str
        Names from ``FEATURE_SETS``, in stacking order.
    encoding : {"fraction", "indicator"}
        Shares as they are, or 1 where one is above 0.
    store : Store
        Gets the folders ``FOLDER/train`` and ``FOLDER/test``.
    folder : str
        Folder in the store.
    sources : mapping
        From what the tables were made; kept in the manifests.

    Returns
    -------
    dict of str to Manifest
        ``train`` (float32 CSR, rows and int32 codes ``y`` in the order of gender_age_train, sorted classes) and
        ``test`` (in the order of gender_age_test). A device without events has an empty row but for its phone.

    Raises
    ------
    UsageError
        A set or the encoding is unknown, or there is no set.
    DataError
        A group of gender_age_train is none of the twelve, or the sets have no column.
    StorageError
        The store cannot be written.
    """
    _check_names(sets, encoding)
    parts = {"train": _train(tables), "test": _test(tables)}
    with send_rows(spark, parts) as rows, gather_facts(tables, rows) as facts:
        with spark_failures(f"feature sets {', '.join(sets)}"):
            feature_sets = [feature_set for name in sets for feature_set in BUILDERS[name](facts)]
        return write_parts(feature_sets, encoding, parts, store, folder, sources)


def _check_names(sets: Sequence[str], encoding: str) -> None:
    unknown = [name for name in sets if name not in BUILDERS]
    if unknown:
        raise UsageError(f"unknown feature set {', '.join(map(repr, unknown))}; known: {', '.join(FEATURE_SETS)}")
    if not sets:
        raise UsageError(f"no feature set given; known: {', '.join(FEATURE_SETS)}")
    check_encoding(encoding)


def _train(tables: Tables) -> Part:
    train_pdf = tables.collect("gender_age_train", ["device_id", "group"]).to_pandas()
    unknown_pdf = train_pdf[~train_pdf["group"].isin(GROUPS)]
    if len(unknown_pdf):
        first = unknown_pdf.iloc[0]
        raise DataError(
            f"gender_age_train.csv: data line {first[LINE]}, column group: {first['group']!r} is none of "
            f"{', '.join(GROUPS)}; mend the file"
        )
    classes, codes = np.unique(train_pdf["group"].to_numpy(dtype=str), return_inverse=True)
    return Part(train_pdf["device_id"].to_numpy(), codes.astype(np.int32), classes.tolist())


def _test(tables: Tables) -> Part:
    return Part(tables.collect("gender_age_test", ["device_id"])["device_id"].to_numpy())
