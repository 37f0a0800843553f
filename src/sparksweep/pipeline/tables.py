"""The stage from raw zips to Parquet tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from sparksweep.errors import DataError, UsageError
from sparksweep.ingest import (
    IngestReport,
    Source,
    TableSchema,
    changed_tables,
    ingest_tables,
    open_source,
    read_report,
    source_fingerprint,
)
from sparksweep.pipeline.job import Job

if TYPE_CHECKING:
    from sparksweep.storage.blobs import BlobAddress

__all__ = ["ensure_tables", "text_bytes"]


def ensure_tables(job: Job, strict: bool = False) -> IngestReport:
    """Make the workspace's tables unless they are there, made of this experiment's source; of some, what changed.

    Parameters
    ----------
    job : Job
        Whose tables they are.
    strict : bool
        What the data check finds odd is an error.

    Returns
    -------
    IngestReport
        What was read, now or when the tables were made.

    Raises
    ------
    UsageError
        The source is missing; or the tables were made of another one, and no rebuild is asked for.
    DataError
        The source is wrong; or it is odd, where that is an error too: a line for each finding.
    """
    if job.scenario is None:
        raise UsageError(f"data.format {job.experiment.data.format} is a matrix already: there are no tables to ingest")
    report = None if job.rebuild else read_report(job.store)
    source = open_source(job.experiment.data.source, partial(_hadoop_key, job))
    if report is not None:
        changed, fingerprint = _changed(job, report, source, job.scenario.schemas)
        if not changed:
            if strict and report.warnings:
                raise DataError("\n".join(report.warnings))
            return report
        job.check_search()
        lacking = _lacking(job, report)
        why = (
            f"lack more rows than data.max_rejected allows, or changed in {source}"
            if lacking
            else f"changed in {source}"
        )
        job.begin_anew(f"ingest: {', '.join(changed)} of {job.store.shown('tables')}", why)
    else:
        # What is missing or no archive is told before Spark is started.
        fingerprint = source_fingerprint(source, job.scenario.schemas)
        job.check_search()
        job.say(f"ingest: {source} -> {job.store.uri('tables')}")
    spark = job.spark(text_bytes(fingerprint))
    job.scenario.check(spark)
    return ingest_tables(
        spark,
        source,
        job.scenario.schemas,
        job.store,
        on_progress=job.say,
        strict=strict,
        known=report,
        max_rejected=job.experiment.data.max_rejected,
    )


def text_bytes(fingerprint: Mapping[str, Mapping[str, Any]]) -> int:
    """Return how much text the tables are."""
    return sum(int(each["size"]) for each in fingerprint.values())


def _hadoop_key(job: Job, address: BlobAddress) -> str | None:
    """Return the key of a blob account from Hadoop's configuration, which only a session's JVM reads."""
    job.spark()
    from sparksweep.storage.hadoop import account_key

    return account_key(address.host)


def _lacking(job: Job, report: IngestReport) -> list[str]:
    """Return the tables of which more rows were left out than may be now."""
    return [table.name for table in report.tables if table.rejected > job.experiment.data.max_rejected]


def _changed(
    job: Job, report: IngestReport, source: Source, schemas: Sequence[TableSchema]
) -> tuple[list[str], dict[str, Any]]:
    """Return the tables whose archives have changed, and what all are now.

    Another source's tables are not passed off as this one's.
    """
    same_place = str(source) == report.source
    if not source.exists() and same_place:
        # The zips were cleared away after ingest, which is fine as long as nothing else is wanted of them.
        known = {name: each.get("schema") for name, each in report.fingerprint.items()}
        other = [schema.name for schema in schemas if known.get(schema.name) != schema.digest]
        if other:
            raise UsageError(
                f"data.source: {source} does not exist, and the schema of {', '.join(other)} is another than that of "
                f"the tables in {job.store.root}; put the archives back"
            )
        if lacking := _lacking(job, report):
            raise UsageError(
                f"data.source: {source} does not exist, and of {', '.join(lacking)} more rows were left out than "
                "data.max_rejected allows; put the archives back"
            )
        return [], report.fingerprint
    what = f"the workspace {job.store.root} was made of {report.source}"
    remedy = "use another --workspace, or --rebuild to make it anew"
    if not source.exists():
        raise UsageError(f"data.source: {source} does not exist, and {what}; {remedy}")
    try:
        fingerprint: dict[str, Any] = source_fingerprint(source, schemas)
    except (DataError, UsageError) as error:
        raise UsageError(f"data.source: {error}; {what}; {remedy}") from error
    changed = changed_tables(report, fingerprint, job.experiment.data.max_rejected)
    if changed and not same_place:
        raise UsageError(f"data.source: {what}, not of {source}; {remedy}")
    return changed, fingerprint
