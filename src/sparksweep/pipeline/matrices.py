"""The stage from tables to the train and the test matrix; a matrix in another format is imported instead."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sparksweep.errors import StorageError, UsageError
from sparksweep.ingest import local_source
from sparksweep.matrix import Matrix, import_npz, import_parquet, import_svmlight, open_matrix
from sparksweep.matrix.manifest import MANIFEST
from sparksweep.matrix.writing import COLUMNS
from sparksweep.pipeline.job import Job
from sparksweep.pipeline.scenarios import Scenario
from sparksweep.pipeline.tables import ensure_tables, text_bytes

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


def has_part(job: Job, part: str) -> bool:
    """Tell whether the experiment has this part: an imported matrix has no test rows."""
    parts = ("train",) if job.scenario is None else job.scenario.parts
    return part in parts and job.store.exists(f"{job.matrix_folder}/{part}")


def open_part(job: Job, part: str) -> Matrix:
    """Open the train or the test matrix, fetched to this machine where the workspace is elsewhere."""
    return open_matrix(job.store.fetch(f"{job.matrix_folder}/{part}"))


def _ensure_features(job: Job, scenario: Scenario) -> bool:
    report = ensure_tables(job)
    features = job.experiment.features
    names, more = scenario.made_of(features.sets)
    rejected = {table.name: table.rejected for table in report.tables if table.rejected}
    tables = {
        name: {**report.fingerprint[name], **({"rejected": rejected[name]} if name in rejected else {})}
        for name in names
    }
    wanted = {"tables": tables, "sets": list(features.sets), "encoding": features.encoding, **more}
    found = [_sources(job, part) for part in scenario.parts]
    if all(each == wanted for each in found) and not job.rebuild:
        return False
    job.check_search()
    if any(found) and not job.rebuild:
        job.begin_anew(f"features: {job.matrix_folder}", _what_changed(found, wanted))
    job.say(f"features: {', '.join(features.sets)} as {features.encoding} -> {job.store.uri(job.matrix_folder)}")
    spark = job.spark(text_bytes(report.fingerprint))
    scenario.check(spark)
    built = scenario.build(spark, features, job.store, job.matrix_folder, wanted)
    for part, manifest in built.items():
        rows, columns = manifest.shape
        job.say(f"features: {part} has {rows} rows x {columns} columns, {manifest.nnz} values")
    return True


def _what_changed(found: Sequence[Mapping[str, Any] | None], wanted: Mapping[str, Any]) -> str:
    """Return what the parts of a matrix are no longer made of, setting by setting and table by table."""
    old = next((each for each in found if each is not None and each != wanted), None)
    if old is None:
        return "a part was missing"
    names = [name for name in wanted if name != "tables" and old.get(name) != wanted[name]]
    changes = [f"{name} was {old.get(name)}, is {wanted[name]}" for name in names]
    before = old.get("tables") or {}
    tables = [name for name, each in wanted["tables"].items() if name in before and before[name] != each]
    if tables:
        changes.append(f"changed tables {', '.join(tables)}")
    return "; ".join(changes)


def _ensure_import(job: Job) -> bool:
    data = job.experiment.data
    file = local_source(data.source)
    wanted = {"file": str(file), **data.model_dump(exclude={"source", "max_rejected"}, exclude_none=True)}
    if file.exists():
        stat = file.stat()
        wanted.update(size=stat.st_size, modified=stat.st_mtime_ns)
    found = _sources(job, "train")
    if found is not None and not job.rebuild:
        if not file.exists():  # one that was cleared away after the import will do
            found = {name: value for name, value in found.items() if name not in ("size", "modified")}
        if found == wanted:
            return False
        if found.get("file") != str(file) or not file.exists():
            other = (
                "made with other settings, and the file is gone" if found.get("file") == str(file) else f"not of {file}"
            )
            raise UsageError(
                f"data.source: {job.store.uri(job.matrix_folder)} was made of {found.get('file')}, {other}; "
                "use another --workspace, or --rebuild to make it anew"
            )
        changed = [name for name in {**found, **wanted} if found.get(name) != wanted.get(name)]
        job.begin_anew(f"import: {job.matrix_folder}", f"{', '.join(changed)} changed")
    job.check_search()
    job.say(f"import: {file} -> {job.store.uri(job.matrix_folder)}")
    with job.store.scratch() as scratch:
        manifest = _import(job, file, scratch / "train", wanted)
        job.store.publish(scratch / "train", f"{job.matrix_folder}/train")
    job.say(f"import: {manifest.shape[0]} rows x {manifest.shape[1]} columns, {manifest.nnz} values")
    return True


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
