"""The stage from raw zips to Parquet tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sparksweep.errors import DataError, RowError, StorageError, UsageError
from sparksweep.ingest import (
    IngestReport,
    Source,
    TableSchema,
    changed_tables,
    checked_tables,
    ingest_tables,
    open_source,
    read_report,
    source_fingerprint,
    strict_error,
)
from sparksweep.pipeline.job import Job
from sparksweep.pipeline.making import making
from sparksweep.pipeline.reach import check_reach
from sparksweep.pipeline.scenarios import Scenario
from sparksweep.storage import local_path

if TYPE_CHECKING:
    from sparksweep.storage.blobs import BlobAddress

__all__ = ["ensure_tables", "made_tables", "text_bytes", "update_tables"]

LEAVE_OUT = "mend the file, or allow such rows to be left out by data.max_rejected"


@dataclass(frozen=True)
class _Found:
    """What there is to make tables of.

    Attributes
    ----------
    source : Source
        The archives.
    report : IngestReport or None
        Of the tables that are there.
    changed : list of str
        Those that are to be read, again or at all; of none only the data check is to be made again.
    fingerprint : dict
        What the archives are now.
    """

    source: Source
    report: IngestReport | None
    changed: list[str]
    fingerprint: Mapping[str, Any]


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
    report = made_tables(job)
    if report is None:
        with making(job):
            return update_tables(job, strict)
    _refuse_warnings(report, strict)
    job.say(f"ingest: nothing to do: {job.store.uri('tables')} is made of this source")
    return report


def made_tables(job: Job) -> IngestReport | None:
    """Return the report of the workspace's tables if they are there and made of this experiment's source, else None.

    Raises
    ------
    UsageError, DataError
        As `ensure_tables`.
    """
    found = _look(job, job.say)
    return found if isinstance(found, IngestReport) else None


def update_tables(job: Job, strict: bool = False) -> IngestReport:
    """Do what `ensure_tables` does, for whoever has the right to make tables (`sparksweep.pipeline.making`).

    What `made_tables` has said is not said again.
    """
    found = _look(job, lambda line: None)
    if isinstance(found, IngestReport):
        _refuse_warnings(found, strict)
        return found
    if found.report is None:
        job.say(f"ingest: {found.source} -> {job.store.uri('tables')}")
    elif not found.changed:
        job.say(f"ingest: the data check of {job.store.shown('tables')} is made again: the schema asks for another")
    else:
        job.begin_anew(f"ingest: {', '.join(found.changed)} of {job.store.shown('tables')}", _why(found, found.report))
    scenario = _scenario(job)
    spark = job.spark(text_bytes(found.fingerprint))
    check_reach(spark, job.store)
    scenario.check(spark)
    try:
        return ingest_tables(
            spark,
            found.source,
            scenario.schemas,
            job.store,
            on_progress=job.say,
            strict=strict,
            known=found.report,
            max_rejected=job.experiment.data.max_rejected,
        )
    except RowError as error:
        raise RowError(f"{error}; {LEAVE_OUT}") from error


def text_bytes(fingerprint: Mapping[str, Mapping[str, Any]]) -> int:
    """Return how much text the tables are."""
    return sum(int(each["size"]) for each in fingerprint.values())


def _scenario(job: Job) -> Scenario:
    if job.scenario is None:
        raise UsageError(f"data.format {job.experiment.data.format} is a matrix already: there are no tables to ingest")
    return job.scenario


def _look(job: Job, say: Callable[[str], None]) -> _Found | IngestReport:
    """Return what tables are to be made of, or the report of those that are as they should be."""
    schemas = _scenario(job).schemas
    report = None if job.rebuild else read_report(job.store)
    try:
        source = open_source(job.experiment.data.source, partial(_hadoop_key, job))
        source.exists()
    except (StorageError, UsageError) as error:
        return _as_they_are(job, report, error, say)
    if report is None:
        # What is missing or no archive is told before Spark is started.
        return _Found(source, None, [each.name for each in schemas], source_fingerprint(source, schemas))
    try:
        changed, fingerprint = _changed(job, report, source, schemas)
    except StorageError as error:
        return _as_they_are(job, report, error, say)
    if changed or checked_tables(report, fingerprint):
        return _Found(source, report, changed, fingerprint)
    return report


def _as_they_are(
    job: Job, report: IngestReport | None, error: StorageError | UsageError, say: Callable[[str], None]
) -> IngestReport:
    """Return the report of tables made of blobs that cannot be looked at now, or raise why they cannot.

    A SAS ends, and whoever has tables needs no login for them.
    """
    if report is None or _address(job.experiment.data.source) != report.source:
        raise error
    _refuse_what_needs_archives(job, report, _scenario(job).schemas, f"{report.source} cannot be looked at")
    say(f"warning: {error}; the tables that were made of it are used as they are")
    return report


def _address(source: str) -> str | None:
    """Return the address of blobs as a report names it, None for what is none."""
    if "://" not in source or local_path(source) is not None:
        return None
    from sparksweep.storage.blobs import parse_address

    try:
        return str(parse_address(source))
    except UsageError:
        return None


def _refuse_what_needs_archives(job: Job, report: IngestReport, schemas: Sequence[TableSchema], why: str) -> None:
    """Raise UsageError if what is wanted of tables is not in them, and the archives are not there to make others."""
    known = {name: each.get("schema") for name, each in report.fingerprint.items()}
    other = [schema.name for schema in schemas if known.get(schema.name) != schema.digest]
    if other:
        raise UsageError(
            f"data.source: {why}, and the schema of {', '.join(other)} is another than that of the tables in "
            f"{job.store.root}; put the archives back"
        )
    if lacking := _lacking(job, report):
        raise UsageError(
            f"data.source: {why}, and of {', '.join(lacking)} more rows were left out than data.max_rejected allows; "
            "put the archives back"
        )


def _why(found: _Found, report: IngestReport) -> str:
    """Return why tables are read again; where that is not the same for all, which for what."""
    reasons: dict[str, list[str]] = {}
    for name in found.changed:
        before, now = report.fingerprint.get(name, {}), found.fingerprint[name]
        if any(before.get(key) != now[key] for key in ("member", "size", "crc")):
            reason = f"changed in {found.source}"
        elif before != now:
            reason = "of another schema"
        else:
            reason = "with more rows left out than data.max_rejected allows"
        reasons.setdefault(reason, []).append(name)
    told = [f"{', '.join(names)} {reason}" for reason, names in reasons.items()]
    return next(iter(reasons)) if len(reasons) == 1 else "; ".join(told)


def _refuse_warnings(report: IngestReport, strict: bool) -> None:
    if strict and report.warnings:
        raise strict_error(report.warnings)


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
    """Return the tables that must be read again, and what all archives are now.

    Another source's tables are not passed off as this one's.
    """
    same_place = str(source) == report.source
    if not source.exists() and same_place:
        # The zips were cleared away after ingest, which is fine as long as nothing else is wanted of them.
        _refuse_what_needs_archives(job, report, schemas, f"{source} does not exist")
        return [], report.fingerprint
    what = f"the workspace {job.store.root} was made of {report.source}"
    remedy = "use another --workspace, or --rebuild to make it anew"
    if not source.exists():
        raise UsageError(f"data.source: {source} does not exist, and {what}; {remedy}")
    try:
        fingerprint: dict[str, Any] = source_fingerprint(source, schemas)
    except (DataError, UsageError) as error:
        raise UsageError(f"data.source: {error}" + ("" if same_place else f"; {what}; {remedy}")) from error
    changed = changed_tables(report, fingerprint, job.experiment.data.max_rejected)
    if changed and not same_place:
        raise UsageError(f"data.source: {what}, not of {source}; {remedy}")
    return changed, fingerprint
