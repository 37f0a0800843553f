"""From tables and a schema to matrices, by the pieces of `sparksweep.features`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark import Broadcast
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparksweep.errors import SessionError, UsageError
from sparksweep.eventlogs.columns import column_of
from sparksweep.eventlogs.schema import LogSchema, Lookup, SetSettings
from sparksweep.features import (
    Counts,
    Encoding,
    FeatureSet,
    Part,
    Rows,
    bag,
    check_encoding,
    counted,
    counted_by_owner,
    send_rows,
    share,
    words,
    write_parts,
)
from sparksweep.ingest import LINE, Tables
from sparksweep.ingest.spark_failures import spark_failures
from sparksweep.matrix import Manifest
from sparksweep.matrix.target import encode_target
from sparksweep.storage import Store

__all__ = ["build_log_matrices"]

# Names that no column of a file has.
VALUE, LOOKED_UP, OWNER = "counted value", "looked up", "owner of the line"


def build_log_matrices(
    spark: SparkSession,
    tables: Tables,
    schema: LogSchema,
    sets: Sequence[str],
    encoding: Encoding,
    store: Store,
    folder: str,
    sources: Mapping[str, Any],
) -> dict[str, Manifest]:
    """Build the train matrix of feature sets, and the test matrix where the schema has test rows.

    Parameters
    ----------
    spark : SparkSession
        Reads `tables`; its time zone is UTC, as the times of the files are.
    tables : Tables
        The schema's tables (`sparksweep.ingest.read_tables`).
    schema : LogSchema
        What they are.
    sets : sequence of str
        Names of its feature sets, in stacking order.
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
        By part: float32 CSR, rows in the order of the file.

    Raises
    ------
    UsageError
        A set or the encoding is unknown, or what a set counts is neither text nor whole numbers.
    SessionError
        The session's time zone is not UTC.
    DataError
        The sets have no column, or a target is missing.
    SparksweepError
        Spark cannot compute an expression for a line.
    StorageError
        The store cannot be written.
    """
    unknown = [name for name in sets if name not in schema.feature_sets]
    if unknown or not sets:
        known = ", ".join(schema.feature_sets)
        raise UsageError(f"no feature set {', '.join(map(repr, unknown)) or 'given'}; known: {known}")
    check_encoding(encoding)
    if spark.conf.get("spark.sql.session.timeZone") != "UTC":
        raise SessionError("hours and days are those of the files only with spark.sql.session.timeZone=UTC")
    parts = _parts(tables, schema)
    with ExitStack() as keep:
        rows = keep.enter_context(send_rows(spark, parts))
        logs = _Logs(tables, schema, rows, keep)
        return write_parts([logs.feature_set(name) for name in sets], encoding, parts, store, folder, sources)


def _parts(tables: Tables, schema: LogSchema) -> dict[str, Part]:
    rows = schema.rows
    train = tables.collect(rows.train, [rows.key, rows.target])
    target = encode_target(train[rows.target].to_numpy(), f"{rows.train}.{rows.target}")
    parts = {"train": Part(_ids(train[rows.key]), target.y, target.classes)}
    if rows.test is not None:
        parts["test"] = Part(_ids(tables.collect(rows.test, [rows.key])[rows.key]))
    return parts


def _ids(values: pa.ChunkedArray) -> NDArray[np.int64]:
    ids: NDArray[np.int64] = values.to_numpy().astype(np.int64)
    return ids


class _Logs:
    """What rows have, table by table, each counted once however many sets are made of it."""

    def __init__(
        self,
        tables: Tables,
        schema: LogSchema,
        rows: Broadcast[Rows],
        keep: ExitStack,
    ) -> None:
        self._tables = tables
        self._schema = schema
        self._rows = rows
        self._keep = keep
        self._counts: dict[tuple[str, str, str | None, bool], Counts] = {}

    def feature_set(self, name: str) -> FeatureSet:
        """Return one of the schema's sets."""
        settings = self._schema.feature_sets[name]
        with spark_failures(f"feature set {name}"):
            counts = self._counted(settings)
        make = share if settings.kind == "share" else bag
        keys = None if settings.keys is None else {key: str(key) for key in settings.keys}
        if settings.lookup is None:
            return make(name, counts, counts.by, keys=keys)
        return make(name, counts, LOOKED_UP, through=self._looked_up(settings.lookup, settings.by), keys=keys)

    def _counted(self, settings: SetSettings) -> Counts:
        is_first = settings.kind == "one_hot"
        place = (settings.table, settings.by, settings.through, is_first)
        if place not in self._counts:
            self._counts[place] = self._keep.enter_context(self._counting(settings, is_first))
        return self._counts[place]

    def _counting(self, settings: SetSettings, is_first: bool) -> Any:
        key, value = self._schema.rows.key, column_of(settings.by).alias(VALUE)
        known = self._known_values(settings.table, settings.by)
        if settings.through is None:
            table_df = self._table(settings.table)
            return counted(table_df.select(key, value, LINE), key, VALUE, self._rows, known, is_first)
        owner = self._schema.tables[settings.through].key[0]
        # Whole numbers that are all known need not be taken apart.
        is_bundled = self._schema.tables[settings.table].key[:1] == [owner] and known is not None
        table_df = self._tables.bundles(settings.table) if is_bundled else self._table(settings.table)
        if dict(table_df.dtypes).get(settings.by) != "binary":
            table_df = self._table(settings.table)
        things_df = table_df.select(F.col(owner).alias(OWNER), value)
        owners_df = self._table(settings.through).select(F.col(owner).alias(OWNER), key)
        return counted_by_owner(things_df, VALUE, owners_df, OWNER, key, self._rows, known)

    def _table(self, name: str) -> DataFrame:
        """Return a table, with the lines that are counted together with it."""
        names = self._schema.counted_together(name)
        if len(names) == 1:
            return self._tables[name]
        common = [*self._schema.common_columns(names), LINE]
        return reduce(DataFrame.unionByName, (self._tables[each].select(common) for each in names))

    def _known_values(self, table: str, by: str) -> pa.Array | None:
        first, *others = (self._tables.known_values(each, by) for each in self._schema.counted_together(table))
        if not others or first is None or any(each is None for each in others):
            return None if others else first
        return pc.unique(pa.concat_arrays([first, *others]))

    def _looked_up(self, lookup: Lookup, by: str) -> DataFrame:
        """Return which keys a counted value has."""
        table_df = self._table(lookup.table)
        keys_df = table_df.select(F.col(lookup.by or by).alias(VALUE), column_of(lookup.key).alias(LOOKED_UP))
        if lookup.words:
            return words(keys_df.withColumnRenamed(LOOKED_UP, "text"), "text", LOOKED_UP)
        return keys_df
