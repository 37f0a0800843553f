"""The stage from tables to the train and the test matrix; a matrix in another format is imported instead."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sparksweep.errors import StorageError, UsageError
from sparksweep.features.sets import CELL_RULES
from sparksweep.ingest import IngestReport, local_source, read_report
from sparksweep.matrix import Matrix, import_npz, import_parquet, import_svmlight, open_matrix
from sparksweep.matrix.manifest import MANIFEST
from sparksweep.matrix.writing import COLUMNS
from sparksweep.pipeline.job import Job
from sparksweep.pipeline.making import making
from sparksweep.pipeline.reach import check_reach
from sparksweep.pipeline.scenarios import Scenario
from sparksweep.pipeline.tables import made_tables, text_bytes, update_tables
from sparksweep.storage import LocalStore

__all__ = ["ensure_matrices", "has_part", "open_part"]


def ensure_matrices(job: Job) -> bool:
    """Make the experiment's matrices unless they are there, made of the same tables with the same settings.

    Returns
    -------
    bool
        Whether they had to be made.

    Raises
    ------
    UsageError
        They were imported from another file, and no rebuild is asked for.
    DataError
        The data is missing or wrong.
    """
    if job.scenario is not None:
        return _ensure_features(job, job.scenario)
    return _ensure_import(job)


def _ensure_features(job: Job, scenario: Scenario) -> bool:
    report = made_tables(job)
    if report is not None and _is_made(job, scenario, _wanted(job, scenario, report)):
        return False
    with making(job):
        return _update_features(job, scenario)


def has_part(job: Job, part: str) -> bool:
    """Tell whether the experiment has this part: an imported matrix has no test rows."""
    parts = ("train",) if job.scenario is None else job.scenario.parts
    return part in parts and job.store.exists(f"{job.matrix_folder}/{part}")


def open_part(job: Job, part: str) -> Matrix:
    """Open the train or the test matrix, fetched to this machine where the workspace is elsewhere.

    What was fetched is compared with its digests: file by file it may have come from two matrices, when another command
    replaced the one by the other.
    """
    is_here = isinstance(job.store, LocalStore)
    return open_matrix(job.store.fetch(f"{job.matrix_folder}/{part}"), verify=not is_here)


def _wanted(job: Job, scenario: Scenario, report: IngestReport) -> dict[str, Any]:
    """Return what a matrix of these tables with the job's settings says that it is made of."""
    features = job.experiment.features
    names, more = scenario.made_of(features.sets)
    tables = {name: _rows_of(report, name) for name in names}
    settings = {"sets": list(features.sets), "encoding": features.encoding}
    return {"rules": CELL_RULES, "tables": tables, **settings, **more}


def _is_made(job: Job, scenario: Scenario, wanted: Mapping[str, Any]) -> bool:
    return all(_sources(job, part) == wanted for part in scenario.parts)


def _update_features(job: Job, scenario: Scenario) -> bool:
    known = read_report(job.store)
    report = update_tables(job)
    if job.rebuild or report != known:
        for line in report.warnings:
            job.say(f"warning: {line}")
    features, wanted = job.experiment.features, _wanted(job, scenario, report)
    if _is_made(job, scenario, wanted) and not job.rebuild:
        return False
    found = [_sources(job, part) for part in scenario.parts]
    if any(found) and not job.rebuild:
        job.begin_anew(f"features: {job.matrix_folder}", _what_changed(found, wanted))
    job.say(f"features: {', '.join(features.sets)} as {features.encoding} -> {job.store.uri(job.matrix_folder)}")
    spark = job.spark(text_bytes(report.fingerprint))
    check_reach(spark, job.store)
    scenario.check(spark)
    built = scenario.build(spark, features, job.store, job.matrix_folder, wanted)
    for part, manifest in built.items():
        rows, columns = manifest.shape
        job.say(f"features: {part} has {rows} rows x {columns} columns, {manifest.nnz} values")
    return True


def _rows_of(report: IngestReport, name: str) -> dict[str, Any]:
    """Return what tells the rows of a table from others; what else the data check was told is none of it."""
    fingerprint = {key: value for key, value in report.fingerprint[name].items() if key not in ("reading", "schema")}
    rejected = sum(table.rejected for table in report.tables if table.name == name)
    return {**fingerprint, "rejected": rejected} if rejected else fingerprint


def _what_changed(found: Sequence[Mapping[str, Any] | None], wanted: Mapping[str, Any]) -> str:
    """Return what the parts of a matrix are no longer made of, setting by setting and table by table."""
    old = next((each for each in found if each is not None and each != wanted), None)
    if old is None:
        return "a part was missing"
    names = [name for name in wanted if name not in ("rules", "tables") and old.get(name) != wanted[name]]
    changes = ["sparksweep makes some cells in another way now"] if old.get("rules") != wanted["rules"] else []
    changes += [f"{name} was {old.get(name)}, is {wanted[name]}" for name in names]
    before = old.get("tables") or {}
    tables = [name for name, each in wanted["tables"].items() if name in before and before[name] != each]
    if tables:
        changes.append(f"changed tables {', '.join(tables)}")
    return "; ".join(changes)


def _ensure_import(job: Job) -> bool:
    file = local_source(job.experiment.data.source)
    if _import_changes(job, file, _import_wanted(job, file)) is None:
        return False
    with making(job):
        wanted = _import_wanted(job, file)
        changes = _import_changes(job, file, wanted)
        if changes is None:
            return False
        if changes:
            job.begin_anew(f"import: {job.matrix_folder}", f"{', '.join(changes)} changed")
        job.say(f"import: {file} -> {job.store.uri(job.matrix_folder)}")
        with job.store.scratch() as scratch:
            manifest = _import(job, file, scratch / "train", wanted)
            job.store.publish(scratch / "train", f"{job.matrix_folder}/train")
    job.say(f"import: {manifest.shape[0]} rows x {manifest.shape[1]} columns, {manifest.nnz} values")
    return True


def _import_wanted(job: Job, file: Path) -> dict[str, Any]:
    """Return what a matrix imported from a file says that it is made of."""
    settings = job.experiment.data.model_dump(exclude={"source", "max_rejected"}, exclude_none=True)
    wanted = {"file": str(file), **settings}
    if file.exists():
        stat = file.stat()
        wanted.update(size=stat.st_size, modified=stat.st_mtime_ns)
    return wanted


def _import_changes(job: Job, file: Path, wanted: Mapping[str, Any]) -> list[str] | None:
    """Return what has changed since the matrix was imported, nothing where there is none; None: it is as it should be.

    Raises
    ------
    UsageError
        It was imported from another file, or its own is gone.
    """
    found = _sources(job, "train")
    if found is None or job.rebuild:
        return []
    if not file.exists():  # one that was cleared away after the import will do
        found = {name: value for name, value in found.items() if name not in ("size", "modified")}
    if found == wanted:
        return None
    if found.get("file") == str(file) and file.exists():
        return [name for name in {**found, **wanted} if found.get(name) != wanted.get(name)]
    other = "made with other settings, and the file is gone" if found.get("file") == str(file) else f"not of {file}"
    raise UsageError(
        f"data.source: {job.store.uri(job.matrix_folder)} was made of {found.get('file')}, {other}; "
        "use another --workspace, or --rebuild to make it anew"
    )


def _import(job: Job, file: Path, folder: Path, sources: dict[str, Any]) -> Any:
    data = job.experiment.data
    if data.format == "npz":
        return import_npz(file, folder, target=data.target, sources=sources)
    if data.format == "svmlight":
        return import_svmlight(file, folder, sources=sources)
    return import_parquet(
        file,
        folder,
        target=str(data.target),
        fold_column=data.fold_column,
        group_column=data.group_column,
        weight_column=data.weight_column,
        sources=sources,
    )


def _sources(job: Job, part: str) -> dict[str, Any] | None:
    """Return what a matrix in the workspace says it was made of, None without one that is whole and can be read."""
    folder = f"{job.matrix_folder}/{part}"
    try:
        names = job.store.list(folder)
        if MANIFEST not in names:
            return None
        manifest = json.loads(job.store.read_bytes(f"{folder}/{MANIFEST}"))
        # Where a folder is renamed file by file, a kill leaves a part of it.
        if not {COLUMNS, *(f"{name}.npy" for name in manifest["arrays"])} <= set(names):
            return None
        sources = manifest.get("sources")
    except (ValueError, TypeError, KeyError, AttributeError, StorageError):
        return None
    return sources if isinstance(sources, dict) else None
