"""The way from a folder of zips to the workspace's Parquet tables.

A Spark task reads an archive: a zip can only be inflated from its beginning, and parsing keeps up with that. Spark's
writer puts the rows down, all tables at once and under temporary names. Only when every table is written and checked do
they get their names, and ``ingest.json`` comes last of all.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparksweep.errors import StorageError
from sparksweep.ingest.archive import describe_member
from sparksweep.ingest.checking import DataCheck, Finding, columns_to_count
from sparksweep.ingest.held_tables import is_held
from sparksweep.ingest.progress import ReadProgress
from sparksweep.ingest.renewing import read_with_leave
from sparksweep.ingest.report import IngestReport, report_path, strict_error
from sparksweep.ingest.schema import LINE, TableSchema
from sparksweep.ingest.source import Source, SourceFile, find_archives, open_source
from sparksweep.ingest.stored_tables import VALUE_COUNTS, read_tables, read_value_counts, table_path
from sparksweep.ingest.tasks import CollectedOutcomes, Outcome, Outcomes, Reading, outcome_of, read_archive
from sparksweep.ingest.writing import write_parquet
from sparksweep.session import is_local, task_slots
from sparksweep.storage import Store
from sparksweep.storage.drafts import draft
from sparksweep.storage.hadoop import account_key

__all__ = ["changed_tables", "checked_tables", "ingest_tables", "source_fingerprint"]

log = logging.getLogger(__name__)

TASK_END_SECONDS = 10.0  # how long a cancelled task may take to end; Spark kills its worker after 2
TASK_END_INTERVAL = 0.05
CANCEL_INTERVAL = 0.5
JOB_BEGIN_SECONDS = 5.0  # it is only about the order
JOB_BEGIN_INTERVAL = 0.02
REPEATED_KEYS = ".repeated_keys.csv"
REJECTED = ".rejected.csv"


def source_fingerprint(source: Source | str | Path, schemas: Sequence[TableSchema]) -> dict[str, dict[str, str | int]]:
    """Return what tells one set of archives from another, from their directories alone.

    Parameters
    ----------
    source : Source, str or Path
        Folder of the archives.
    schemas : sequence of TableSchema
        The tables that are wanted.

    Returns
    -------
    dict
        For each table ``member``, ``size`` (bytes), ``crc`` (8 hex digits), and digests of what its ``rows`` depend on,
        of what ``reading`` it looks at, and of all its ``schema`` (`sparksweep.ingest.TableSchema`); survives JSON
        unchanged.

    Raises
    ------
    ArchiveError
        An archive is missing, doubled or breaks a rule.
    UsageError
        There is no such folder.
    StorageError
        It cannot be read.
    """
    archives = find_archives(open_source(source), schemas)
    return {
        schema.name: {
            **describe_member(archives[schema.name], schema),
            "rows": schema.rows_digest,
            "reading": schema.reading_digest,
            "schema": schema.digest,
        }
        for schema in schemas
    }


def ingest_tables(
    spark: SparkSession,
    source: Source | str | Path,
    schemas: Sequence[TableSchema],
    store: Store,
    folder: str = "tables",
    on_progress: Callable[[str], None] | None = None,
    strict: bool = False,
    known: IngestReport | None = None,
    max_rejected: int = 0,
) -> IngestReport:
    """Read a folder of archives into typed Parquet tables.

    Parameters
    ----------
    spark : SparkSession
        Its executors must be able to reach `source`.
    source : Source, str or Path
        Folder with one ``NAME.csv.zip`` a table.
    schemas : sequence of TableSchema
        The tables.
    store : Store
        Gets ``FOLDER/NAME.parquet`` for each table, ``FOLDER/NAME.repeated_keys.csv`` for those with rows that have one
        key, ``FOLDER/value_counts.parquet`` and, last, ``FOLDER/ingest.json``.
    folder : str
        Folder in the store.
    on_progress : callable, optional
        Takes a line of text as each table is read, and every half minute meanwhile.
    strict : bool
        What is only odd is an error too.
    known : IngestReport, optional
        That of the tables in the store: an archive that is still as it says is not read again.
    max_rejected : int
        How many rows of a file may be left out because they do not fit; they are counted and listed in
        ``FOLDER/NAME.rejected.csv``, and reading takes longer.

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
    source = open_source(source, lambda address: account_key(address.host))
    archives = find_archives(source, schemas)
    fingerprint = source_fingerprint(source, schemas)
    names = None if known is None else changed_tables(known, fingerprint, max_rejected)
    changed = [each for each in schemas if names is None or each.name in names]
    if known is not None and not changed and not checked_tables(known, fingerprint):
        return known
    with draft(store, folder) as staging:
        sizes = {each.name: archives[each.name].size for each in changed}
        readings = _readings(changed, schemas, fingerprint, max_rejected)
        with ReadProgress(sizes, task_slots(spark), on_progress or log.info, is_local(spark)) as progress:
            outcomes = _write_all(spark, source, archives, readings, store, staging, progress)
        _refuse_lost(changed, store, staging)
        findings = {name: Finding.of_outcome(outcome) for name, outcome in outcomes.items()}
        unchanged = [each for each in schemas if each not in changed]
        findings |= _earlier_findings(known, unchanged, store, folder)
        before, now = read_tables(spark, store, unchanged, folder), read_tables(spark, store, changed, staging)
        check = DataCheck(schemas, findings, lambda name: now[name] if name in now else before[name], archives)
        reports, warnings = check.reports(), check.warnings()
        if strict and warnings:
            raise strict_error(warnings)
        report = IngestReport(str(source), fingerprint, reports, warnings)
        _write_findings(check, outcomes, store, staging)
        _publish(report, changed, store, staging, folder)
    return report


def _readings(
    changed: Iterable[TableSchema], schemas: Sequence[TableSchema], fingerprint: Mapping[str, Any], max_rejected: int
) -> list[Reading]:
    """Return how tables are to be read, some of all that are checked together."""
    counted = columns_to_count(schemas)
    return [
        Reading(each, tuple(counted[each.name]), max_rejected, is_held(each, int(fingerprint[each.name]["size"])))
        for each in changed
    ]


def changed_tables(known: IngestReport, fingerprint: Mapping[str, Any], max_rejected: int = 0) -> list[str]:
    """Return the names of the tables that must be read again.

    Their archives are no longer what a report says, or other things are to be seen in them, or they lack too many rows.
    """
    lacking = {table.name for table in known.tables if table.rejected > max_rejected}
    before = {name: _read(each) for name, each in known.fingerprint.items()}
    return [name for name, each in fingerprint.items() if before.get(name) != _read(each) or name in lacking]


def checked_tables(known: IngestReport, fingerprint: Mapping[str, Any]) -> list[str]:
    """Return the names of the tables of which something else is to be checked than a report says."""
    before = {name: each.get("schema") for name, each in known.fingerprint.items()}
    return [name for name, each in fingerprint.items() if before.get(name) != each["schema"]]


def _read(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a table's fingerprint reading it depends on."""
    return {name: value for name, value in fingerprint.items() if name != "schema"}


def _earlier_findings(
    known: IngestReport | None, unchanged: Sequence[TableSchema], store: Store, folder: str
) -> dict[str, Finding]:
    if known is None or not unchanged:
        return {}
    reports = {report.name: report for report in known.tables}
    counts = read_value_counts(store, folder)
    return {schema.name: Finding.of_report(reports[schema.name], schema, counts) for schema in unchanged}


def _write_all(
    spark: SparkSession,
    source: Source,
    archives: Mapping[str, SourceFile],
    readings: Sequence[Reading],
    store: Store,
    staging: str,
    progress: ReadProgress,
) -> dict[str, Outcome]:
    """Write every table at once, each from a thread of its own; the first problem ends them all.

    There may be none, where only the check is made again. The largest is begun first: what is begun last is waited for,
    and the others fit in beside it.
    """
    if not readings:
        return {}
    group = f"sparksweep-ingest-{uuid.uuid4().hex}"

    def write(reading: Reading) -> Outcome:
        schema = reading.schema
        spark.sparkContext.setJobGroup(group, f"ingest {schema.name}", interruptOnCancel=True)

        def read(file: SourceFile) -> Outcome:
            collected = spark.sparkContext.accumulator([], CollectedOutcomes())
            table_df = _archive_df(spark, progress.counted(schema.name, file), reading, collected)
            write_parquet(table_df, store, table_path(staging, schema), schema.plain_columns)
            return outcome_of(schema.name, collected.value)

        outcome = read_with_leave(source, archives[schema.name], read)
        if outcome.problem is not None:
            raise outcome.problem
        progress.tell(schema.name, outcome.rows_read, outcome.seconds)
        return outcome

    with ThreadPoolExecutor(max_workers=len(readings), thread_name_prefix="ingest") as pool:
        writes: list[Future[Outcome]] = []
        try:
            for each in sorted(readings, key=lambda reading: -archives[reading.schema.name].size):
                jobs, end = _count_jobs(spark, group), time.monotonic() + JOB_BEGIN_SECONDS
                writes.append(pool.submit(write, each))
                while not any(begun.done() for begun in writes) and time.monotonic() < end:
                    if _count_jobs(spark, group) > jobs:
                        break
                    time.sleep(JOB_BEGIN_INTERVAL)
                if any(begun.done() and begun.exception() for begun in writes):
                    break
            _wait(writes)
        except BaseException:
            _cancel(writes, lambda: spark.sparkContext.cancelJobGroup(group))
            _wait_for_tasks(spark, group, pool)
            raise
    return {outcome.table: outcome for outcome in (each.result() for each in writes)}


def _count_jobs(spark: SparkSession, group: str) -> int:
    return len(spark.sparkContext.statusTracker().getJobIdsForGroup(group))


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


def _wait_for_tasks(spark: SparkSession, group: str, pool: ThreadPoolExecutor) -> None:
    """Wait for the tasks of jobs that have ended: for a moment they write on, into a folder that is about to go.

    What Spark's tracker tells comes late on a busy machine, but in order: a job of nothing that begins now is seen only
    when all is seen that was before.
    """
    tracker, now = spark.sparkContext.statusTracker(), f"{group}-ended"
    pool.submit(_run_job_of_nothing, spark, now).result()
    end = time.monotonic() + TASK_END_SECONDS
    while time.monotonic() < end:
        is_told = bool(tracker.getJobIdsForGroup(now))
        jobs = [tracker.getJobInfo(job_id) for job_id in tracker.getJobIdsForGroup(group)]
        stages = [tracker.getStageInfo(stage_id) for job in jobs if job is not None for stage_id in job.stageIds]
        if is_told and not any(stage is not None and stage.numActiveTasks for stage in stages):
            return
        time.sleep(TASK_END_INTERVAL)


def _run_job_of_nothing(spark: SparkSession, group: str) -> None:
    """Begin and end a job without a task; from a thread of ours, as a job's group is its thread's from then on."""
    spark.sparkContext.setJobGroup(group, "ingest has ended")
    spark.sparkContext.emptyRDD().collect()


def _archive_df(spark: SparkSession, file: SourceFile, reading: Reading, collected: Outcomes) -> DataFrame:
    schema, seed_df = reading.schema, spark.range(0, 1, 1, numPartitions=1)
    table_df = seed_df.mapInArrow(partial(read_archive, file, reading, collected), schema.stored_schema())
    return _first_of_equal_rows(table_df, schema) if schema.drop_duplicates and not reading.hold_all else table_df


def _first_of_equal_rows(table_df: DataFrame, schema: TableSchema) -> DataFrame:
    first_df = table_df.groupBy(*schema.column_names).agg(F.min(LINE).alias(LINE))
    return first_df.sortWithinPartitions(LINE)


def _write_findings(check: DataCheck, outcomes: Mapping[str, Outcome], store: Store, staging: str) -> None:
    """Write what was found beside the tables: value counts, and lists of rows with repeated keys or left out."""
    sink = pa.BufferOutputStream()
    pq.write_table(check.value_counts(), sink)
    store.write_bytes(f"{staging}/{VALUE_COUNTS}", sink.getvalue().to_pybytes())
    for name, rows_pdf in check.repeated_rows().items():
        text = rows_pdf.to_csv(index=False, lineterminator="\n")
        store.write_bytes(f"{staging}/{name}{REPEATED_KEYS}", text.encode("utf-8"))
    for name, outcome in outcomes.items():
        if outcome.rejects:
            text = pd.DataFrame(outcome.rejects).to_csv(index=False, lineterminator="\n")
            store.write_bytes(f"{staging}/{name}{REJECTED}", text.encode("utf-8", errors="backslashreplace"))


def _refuse_lost(read: Iterable[TableSchema], store: Store, staging: str) -> None:
    """Raise StorageError if what was written is gone: else nothing would take the place of the old tables."""
    lost = [schema.name for schema in read if not store.exists(table_path(staging, schema))]
    if lost:
        raise StorageError(
            f"{store.shown(staging)}: {', '.join(lost)} went away before all was read: another command took this one "
            "for dead and makes the tables now; run the same command again to wait for it"
        )


def _publish(report: IngestReport, read: Iterable[TableSchema], store: Store, staging: str, folder: str) -> None:
    """Give the tables their names; without ``ingest.json`` they do not count, so it goes first and comes last."""
    _refuse_lost(read, store, staging)
    store.delete(report_path(folder))
    for name in store.list(folder):
        if name.endswith(REPEATED_KEYS):
            store.delete(f"{folder}/{name}")
    for schema in read:
        store.delete(f"{folder}/{schema.name}{REJECTED}")
    for name in store.list(staging):
        store.rename(f"{staging}/{name}", f"{folder}/{name}")
    store.write_bytes(report_path(folder), report.to_json().encode("utf-8"))
