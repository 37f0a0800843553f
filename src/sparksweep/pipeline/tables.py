"""The stage from raw zips to Parquet tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sparksweep.errors import DataError, UsageError
from sparksweep.ingest import IngestReport, ingest_tables, local_source, read_report, source_fingerprint
from sparksweep.pipeline.job import Job
from sparksweep.talkingdata import SCHEMAS

__all__ = ["ensure_tables"]


def ensure_tables(job: Job) -> IngestReport:
    """Make the workspace's tables unless they are there, made of this experiment's source.

    Returns
    -------
    IngestReport
        What was read, now or when the tables were made.

    Raises
    ------
    UsageError
        The tables were made of another source, or the source has changed, and no rebuild is asked for.
    DataError
        The source is missing or wrong.
    """
    if job.experiment.data.format != "talkingdata":
        raise UsageError(f"data.format {job.experiment.data.format} is a matrix already: there are no tables to ingest")
    report = None if job.rebuild else read_report(job.store)
    source = local_source(job.experiment.data.source)
    if report is not None:
        _check_same_source(job, report, source)
        return report
    job.say(f"ingest: {source} -> {job.store.uri('tables')}")
    return ingest_tables(job.spark(), source, SCHEMAS, job.store)


def _check_same_source(job: Job, report: IngestReport, source: Path) -> None:
    """Refuse to pass off one source's tables as another's."""
    if not source.exists() and str(source) == report.source:
        return  # the zips were cleared away after ingest, which is fine
    what = f"the workspace {job.store.root} was made of {report.source}"
    remedy = "use another --workspace, or --rebuild to make it anew"
    if not source.exists():
        raise UsageError(f"data.source: {source} does not exist, and {what}; {remedy}")
    try:
        fingerprint: dict[str, Any] = source_fingerprint(source, SCHEMAS)
    except DataError as error:
        raise UsageError(f"data.source: {error}; {what}; {remedy}") from error
    if fingerprint != report.fingerprint:
        changed = "whose files have changed since" if str(source) == report.source else f"not of {source}"
        raise UsageError(f"data.source: {what}, {changed}; {remedy}")
