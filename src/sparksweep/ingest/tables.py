"""The way from a folder of zips to the workspace's Parquet tables.

A Spark task reads an archive, or of a large one of numbers only inflates it, as blocks of lines that many tasks parse.
Spark's writer puts the rows down, all tables at once and under temporary names. Only when every table is written and
checked do they get their names, and ``ingest.json`` comes last of all.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparksweep.errors import DataError
from sparksweep.ingest.archive import describe_member
from sparksweep.ingest.keys import describe_key, find_common_key, find_repeated_keys
from sparksweep.ingest.report import IngestReport, TableReport, report_path
from sparksweep.ingest.schema import LINE, TableSchema
from sparksweep.ingest.source import find_archives, local_source
from sparksweep.ingest.tasks import (
    BLOCK_SCHEMA,
    CollectedOutcomes,
    Outcome,
    Outcomes,
    cut_archive,
    parse_blocks,
    read_archive,
    summed,
)
from sparksweep.ingest.writing import write_parquet
from sparksweep.storage import Store

__all__ = ["ingest_tables", "read_tables", "source_fingerprint"]

log = logging.getLogger(__name__)

TASK_END_SECONDS = 10.0  # how long a cancelled task may take to end; Spark kills its worker after 2
TASK_END_INTERVAL = 0.05
CANCEL_INTERVAL = 0.5
# Of text that one task parses, on average; a file of fewer bytes is read by one task. Spark sends all blocks of a task
# at once, and what part a block falls into is left to chance: both must be small beside a Java heap of 1 GB.
PART_BYTES = 16 << 20
BLOCK_BYTES = 2 << 20


def source_fingerprint(source: str | Path, schemas: Sequence[TableSchema]) -> dict[str, dict[str, str | int]]:
    """Return what tells one set of archives from another, from their directories alone.

    Parameters
    ----------
    source : str or Path
        Folder of the archives.
    schemas : sequence of TableSchema
        The tables that are wanted.

    Returns
    -------
    dict
        For each table ``member``, ``size`` (bytes) and ``crc`` (8 hex digits); survives JSON unchanged.

    Raises
    ------
    ArchiveError
        An archive is missing, doubled or breaks a rule.
    DataError, StorageError
        The folder does not exist or cannot be read.
    """
    archives = find_archives(source, schemas)
    return {schema.name: describe_member(archives[schema.name], schema) for schema in schemas}


def ingest_tables(
    spark: SparkSession,
    source: str | Path,
    schemas: Sequence[TableSchema],
    store: Store,
    folder: str = "tables",
    on_progress: Callable[[str], None] | None = None,
) -> IngestReport:
    """Read a folder of archives into typed Parquet tables.

    Parameters
    ----------
    spark : SparkSession
        Its executors must see `source`.
    source : str or Path
        Folder with one ``NAME.csv.zip`` a table.
    schemas : sequence of TableSchema
        The tables.
    store : Store
        Gets ``FOLDER/NAME.parquet`` for each table and, last, ``FOLDER/ingest.json``.
    folder : str
        Folder in the store.
    on_progress : callable, optional
        Takes a line of text as each table is read.

    Returns
    -------
    IngestReport
        What ``ingest.json`` holds.

    Raises
    ------
    ArchiveError, DataError
        Something is wrong with the archives or their rows; no table is left under its name.
    StorageError
        The store cannot be written.
    """
    archives = find_archives(source, schemas)
    fingerprint = source_fingerprint(source, schemas)
    with _staging(store, folder) as staging:
        outcomes = _write_all(spark, archives, fingerprint, schemas, store, staging, on_progress or log.info)
        tables_df = read_tables(spark, store, schemas, staging)
        reports = tuple(_table_report(schema, outcomes[schema.name], tables_df) for schema in schemas)
        warnings = tuple(_check_keys(schemas, outcomes, tables_df, archives))
        report = IngestReport(str(local_source(source)), fingerprint, reports, warnings)
        _publish(report, schemas, store, staging, folder)
    return report


def read_tables(
    spark: SparkSession, store: Store, schemas: Sequence[TableSchema], folder: str = "tables"
) -> dict[str, DataFrame]:
    """Return the tables as frames, by name, with ``line``.

    Raises
    ------
    DataError
        A table is not there.
    """
    missing = [schema.name for schema in schemas if not store.exists(_table_path(folder, schema))]
    if missing:
        raise DataError(f"{store.shown(folder)}: {', '.join(missing)} not ingested yet; run sparksweep ingest first")
    return {
        schema.name: spark.read.schema(schema.spark_schema()).parquet(store.read_uri(_table_path(folder, schema)))
        for schema in schemas
    }


def _table_path(folder: str, schema: TableSchema) -> str:
    return f"{folder}/{schema.name}.parquet"


@contextmanager
def _staging(store: Store, folder: str) -> Iterator[str]:
    """Give a hidden folder beside the tables; what an earlier, killed ingest left there goes first."""
    path = f"{folder}/.ingest"
    store.delete(path)
    try:
        yield path
    finally:
        store.delete(path)


def _write_all(
    spark: SparkSession,
    archives: Mapping[str, str],
    fingerprint: Mapping[str, Mapping[str, str | int]],
    schemas: Sequence[TableSchema],
    store: Store,
    staging: str,
    say: Callable[[str], None],
) -> dict[str, Outcome]:
    """Write every table at once, each from a thread of its own; the first problem ends them all."""
    collected = spark.sparkContext.accumulator([], CollectedOutcomes())
    group = f"sparksweep-ingest-{uuid.uuid4().hex}"

    def write(schema: TableSchema) -> Outcome:
        spark.sparkContext.setJobGroup(group, f"ingest {schema.name}", interruptOnCancel=True)
        table_df = _archive_df(spark, archives[schema.name], int(fingerprint[schema.name]["size"]), schema, collected)
        write_parquet(table_df, store, _table_path(staging, schema))
        outcome = summed(schema.name, (each for each in collected.value if each.table == schema.name))
        if outcome.problem is not None:
            raise outcome.problem
        say(f"{schema.name}: {outcome.rows_read:,} rows read")
        return outcome

    with ThreadPoolExecutor(max_workers=len(schemas), thread_name_prefix="ingest") as pool:
        writes = [pool.submit(write, schema) for schema in schemas]
        try:
            _wait(writes)
        except BaseException:
            _cancel(writes, lambda: spark.sparkContext.cancelJobGroup(group))
            _wait_for_tasks(spark, group)
            raise
    return {schema.name: each.result() for schema, each in zip(schemas, writes, strict=True)}


def _wait(writes: Sequence[Future[Outcome]]) -> None:
    """Wait for all, or for the first that fails: its exception is raised."""
    done, _ = wait(writes, return_when=FIRST_EXCEPTION)
    for each in writes:
        if each in done:
            each.result()


def _cancel(writes: Sequence[Future[Outcome]], cancel: Callable[[], None]) -> None:
    """Stop those that still write: else whoever interrupts, or made a mistake, waits for the end of the largest table.

    A write is several jobs, and between two of them there is nothing to cancel: so it is done until there is no write.
    """
    begun = [each for each in writes if not each.cancel()]
    while True:
        cancel()
        if not wait(begun, CANCEL_INTERVAL).not_done:
            return


def _wait_for_tasks(spark: SparkSession, group: str) -> None:
    """Wait for the tasks of jobs that have ended: for a moment they write on, into a folder that is about to go."""
    tracker = spark.sparkContext.statusTracker()
    end = time.monotonic() + TASK_END_SECONDS
    while time.monotonic() < end:
        jobs = [tracker.getJobInfo(job_id) for job_id in tracker.getJobIdsForGroup(group)]
        stages = [tracker.getStageInfo(stage_id) for job in jobs if job is not None for stage_id in job.stageIds]
        if not any(stage is not None and stage.numActiveTasks for stage in stages):
            return
        time.sleep(TASK_END_INTERVAL)


def _archive_df(spark: SparkSession, uri: str, size: int, schema: TableSchema, collected: Outcomes) -> DataFrame:
    seed_df = spark.range(0, 1, 1, numPartitions=1)
    n_parts = -(-size // PART_BYTES)
    if n_parts > 1 and not schema.has_text:
        blocks_df = seed_df.mapInArrow(partial(cut_archive, uri, schema, collected, BLOCK_BYTES), BLOCK_SCHEMA)
        parts_df = blocks_df.repartition(n_parts, "first_line")
        table_df = parts_df.mapInArrow(partial(parse_blocks, uri, schema, collected), schema.spark_schema())
    else:
        table_df = seed_df.mapInArrow(partial(read_archive, uri, schema, collected), schema.spark_schema())
    return _first_of_equal_rows(table_df, schema) if schema.drop_duplicates else table_df


def _first_of_equal_rows(table_df: DataFrame, schema: TableSchema) -> DataFrame:
    first_df = table_df.groupBy(*schema.column_names).agg(F.min(LINE).alias(LINE))
    return first_df.sortWithinPartitions(LINE)


def _table_report(schema: TableSchema, outcome: Outcome, tables_df: Mapping[str, DataFrame]) -> TableReport:
    rows = tables_df[schema.name].count() if schema.drop_duplicates else outcome.rows_read
    return TableReport(schema.name, outcome.rows_read, outcome.rows_read - rows, 0, rows)


def _check_keys(
    schemas: Sequence[TableSchema],
    outcomes: Mapping[str, Outcome],
    tables_df: Mapping[str, DataFrame],
    archives: Mapping[str, str],
) -> Iterator[str]:
    """Yield a warning for each table whose repeated keys are tolerated; raise for the others."""
    for schema in schemas:
        if schema.key and not _proved(outcomes[schema.name]):
            yield from _check_key(schema, tables_df[schema.name], archives[schema.name])
        for other in schema.apart_from:
            _check_apart(schema, other, tables_df, archives)


def _proved(outcome: Outcome) -> bool:
    return outcome.keys is not None and outcome.keys.proved


def _check_key(schema: TableSchema, table_df: DataFrame, uri: str) -> Iterator[str]:
    repeated = find_repeated_keys(table_df, schema.key)
    if repeated is None:
        return
    key = ", ".join(schema.key)
    if schema.repeated_key == "error":
        raise DataError(f"{uri}: {repeated}; {key} must name one row (repeated: {repeated.n_keys}), mend the file")
    warning = f"{schema.name}: {repeated.n_keys:,} values of ({key}) on several lines, such as {repeated}; all are kept"
    log.warning("%s", warning)
    yield warning


def _check_apart(
    schema: TableSchema, other: str, tables_df: Mapping[str, DataFrame], archives: Mapping[str, str]
) -> None:
    common = find_common_key(tables_df[schema.name], tables_df[other], schema.key)
    if common is not None:
        key, line, other_line = common
        raise DataError(
            f"{archives[schema.name]}: {describe_key(key)} on data line {line} is on data line {other_line} of "
            f"{other}.csv too; it can only be in one of them, mend the files"
        )


def _publish(report: IngestReport, schemas: Sequence[TableSchema], store: Store, staging: str, folder: str) -> None:
    """Give the tables their names; without ``ingest.json`` they do not count, so it goes first and comes last."""
    store.delete(report_path(folder))
    for schema in schemas:
        store.rename(_table_path(staging, schema), _table_path(folder, schema))
    store.write_bytes(report_path(folder), report.to_json().encode("utf-8"))
