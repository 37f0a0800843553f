"""What event logs can be: the scenario's, whose tables and sets are part of the package, or those of a schema file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pyspark.sql import SparkSession

from sparksweep.config import DataSettings, FeatureSettings
from sparksweep.eventlogs import LogSchema, build_log_matrices, check_expressions
from sparksweep.ingest import TableSchema, read_tables
from sparksweep.matrix import Manifest
from sparksweep.pipeline.experiments import read_log_schema
from sparksweep.storage import Store
from sparksweep.talkingdata import SCHEMAS, build_matrices, tables_of

__all__ = ["Scenario", "scenario_of"]


class Scenario(Protocol):
    """Tables that become matrices."""

    @property
    def schemas(self) -> Sequence[TableSchema]:
        """The tables."""

    @property
    def parts(self) -> Sequence[str]:
        """The matrices that there will be."""

    @property
    def id_column(self) -> str:
        """Name of what the rows' ids are."""

    def made_of(self, sets: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
        """Return the tables that sets are made of, and what else says how; what JSON can hold."""

    def check(self, spark: SparkSession) -> None:
        """Try what only Spark can judge, before any row is read; UsageError for what is wrong."""

    def build(
        self,
        spark: SparkSession,
        features: FeatureSettings,
        store: Store,
        folder: str,
        sources: Mapping[str, Any],
    ) -> dict[str, Manifest]:
        """Write the matrices."""


def scenario_of(data: DataSettings) -> Scenario | None:
    """Return what the data is, None for a matrix that is one already."""
    if data.format == "talkingdata":
        return _TalkingData()
    return _EventLogs(read_log_schema(data.schema_file)) if data.schema_file is not None else None


class _TalkingData:
    schemas = SCHEMAS
    parts = ("train", "test")
    id_column = "device_id"

    def made_of(self, sets: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
        return tables_of(sets), {}

    def check(self, spark: SparkSession) -> None:
        pass  # the package's own tests have tried it

    def build(
        self,
        spark: SparkSession,
        features: FeatureSettings,
        store: Store,
        folder: str,
        sources: Mapping[str, Any],
    ) -> dict[str, Manifest]:
        tables = read_tables(spark, store, SCHEMAS)
        return build_matrices(spark, tables, features.sets, features.encoding, store, folder, sources)


class _EventLogs:
    def __init__(self, schema: LogSchema) -> None:
        self._schema = schema
        self.schemas = schema.table_schemas()
        self.parts = ("train",) if schema.rows.test is None else ("train", "test")
        self.id_column = schema.rows.key

    def made_of(self, sets: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
        definitions = {name: self._schema.feature_sets[name].model_dump(exclude_none=True) for name in sets}
        rows = self._schema.rows.model_dump(exclude_none=True)
        return self._schema.tables_of(list(sets)), {"rows": rows, "definitions": definitions}

    def check(self, spark: SparkSession) -> None:
        check_expressions(spark, self._schema)

    def build(
        self,
        spark: SparkSession,
        features: FeatureSettings,
        store: Store,
        folder: str,
        sources: Mapping[str, Any],
    ) -> dict[str, Manifest]:
        tables = read_tables(spark, store, self.schemas)
        return build_log_matrices(spark, tables, self._schema, features.sets, features.encoding, store, folder, sources)
