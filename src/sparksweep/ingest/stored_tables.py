"""The tables of a workspace, each read when it is asked for: by Spark as a frame, or here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema

from sparksweep.errors import DataError
from sparksweep.ingest.bundles import flat_rows
from sparksweep.ingest.schema import LINE, TableSchema
from sparksweep.ingest.spark_failures import spark_failures
from sparksweep.storage import LocalStore, Store
from sparksweep.storage.failures import os_failures
from sparksweep.storage.parquet import table_of_bytes

__all__ = ["NO_COUNTS", "VALUE_COUNTS", "Tables", "read_tables", "read_value_counts", "table_path"]

VALUE_COUNTS = "value_counts.parquet"


class Tables(Mapping[str, DataFrame]):
    """Tables as frames by name, a line a row of the file, with ``line``.

    Parameters
    ----------
    frames : mapping of str to DataFrame
        The tables.
    """

    def __init__(self, frames: Mapping[str, DataFrame]) -> None:
        self._frames = frames

    def __getitem__(self, name: str) -> DataFrame:
        """Return a table."""
        return self._frames[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self._frames)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._frames)

    def bundles(self, name: str) -> DataFrame:
        """Return a table as its files are (`sparksweep.ingest.TableSchema.stored_schema`), or as it is."""
        return self[name]

    def known_values(self, name: str, column: str) -> pa.Array | None:
        """Return the different values of a column, and maybe others; None where they are not known."""
        return None

    def collect(self, name: str, columns: Sequence[str]) -> pa.Table:
        """Return columns of a table, here, rows in the order of the file and with ``line``: of one that is small."""
        frame = self[name].select(*columns, LINE)
        schema = to_arrow_schema(frame.schema)
        with spark_failures(f"table {name}"):
            rows_pdf = frame.toPandas()
        return pa.Table.from_pandas(rows_pdf, schema, preserve_index=False).sort_by(LINE)


class _StoredTables(Tables):
    def __init__(self, spark: SparkSession, store: Store, schemas: Sequence[TableSchema], folder: str) -> None:
        super().__init__({})
        self._spark = spark
        self._store = store
        self._schemas = {schema.name: schema for schema in schemas}
        self._folder = folder
        self._read: dict[str, DataFrame] = {}

    def __getitem__(self, name: str) -> DataFrame:
        schema = self._schemas[name]
        if schema.owner is None:
            return self.bundles(name)
        return self.bundles(name).mapInArrow(partial(flat_rows, schema), schema.spark_schema())

    def __iter__(self) -> Iterator[str]:
        return iter(self._schemas)

    def __contains__(self, name: object) -> bool:
        return name in self._schemas

    def __len__(self) -> int:
        return len(self._schemas)

    def bundles(self, name: str) -> DataFrame:
        if name not in self._read:
            schema = self._schemas[name]
            uri = self._store.read_uri(table_path(self._folder, schema))
            self._read[name] = self._spark.read.schema(schema.stored_schema()).parquet(uri)
        return self._read[name]

    def known_values(self, name: str, column: str) -> pa.Array | None:
        counts = self._counts
        found = counts["value"].filter(pc.and_(pc.equal(counts["table"], name), pc.equal(counts["column"], column)))
        if len(found) == 0:
            return None
        return found.combine_chunks().cast(self._schemas[name].arrow_schema().field(column).type)

    def collect(self, name: str, columns: Sequence[str]) -> pa.Table:
        schema = self._schemas[name]
        path = table_path(self._folder, schema)
        if schema.owner is not None or not isinstance(self._store, LocalStore):
            return super().collect(name, columns)
        # A file here is read in a hundredth of the time of a Spark job.
        with os_failures("read", self._store.shown(path)):
            return pq.read_table(self._store.fetch(path), columns=[*columns, LINE]).sort_by(LINE)

    @cached_property
    def _counts(self) -> pa.Table:
        return read_value_counts(self._store, self._folder)


def read_tables(spark: SparkSession, store: Store, schemas: Sequence[TableSchema], folder: str = "tables") -> Tables:
    """Return the tables of a workspace.

    Parameters
    ----------
    spark : SparkSession
        Reads those that are asked for as frames.
    store : Store
        Where they are.
    schemas : sequence of TableSchema
        What they are.
    folder : str
        Folder in the store.

    Raises
    ------
    DataError
        A table is not there.
    """
    missing = [schema.name for schema in schemas if not store.exists(table_path(folder, schema))]
    if missing:
        raise DataError(f"{store.shown(folder)}: {', '.join(missing)} not ingested yet; run sparksweep ingest first")
    return _StoredTables(spark, store, schemas, folder)


def read_value_counts(store: Store, folder: str) -> pa.Table:
    """Return ``table``, ``column``, ``value`` (text) and ``rows`` of the values that ingest counted."""
    path = f"{folder}/{VALUE_COUNTS}"
    return table_of_bytes(store.read_bytes(path)) if store.exists(path) else NO_COUNTS


_TEXTS = [(name, pa.string()) for name in ("table", "column", "value")]
NO_COUNTS = pa.schema([*_TEXTS, ("rows", pa.int64())]).empty_table()
"""Of no values."""


def table_path(folder: str, schema: TableSchema) -> str:
    """Return where in a store a table is."""
    return f"{folder}/{schema.name}.parquet"
