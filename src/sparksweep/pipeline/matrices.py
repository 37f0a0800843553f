"""The stage from tables to the train and the test matrix; a matrix in another format is imported instead."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparksweep.errors import StorageError, UsageError
from sparksweep.ingest import known_values, local_source, read_tables
from sparksweep.matrix import Matrix, import_npz, import_parquet, import_svmlight, open_matrix
from sparksweep.pipeline.job import Job
from sparksweep.pipeline.tables import ensure_tables
from sparksweep.talkingdata import SCHEMAS, build_matrices, tables_of

__all__ = ["ensure_matrices", "has_part", "open_part"]


def ensure_matrices(job: Job) -> None:
    """Make the experiment's matrices unless they are there, made of the same tables with the same settings.

    Raises
    ------
    UsageError
        They were imported from another file, and no rebuild is asked for.
    DataError
        The data is missing or wrong.
    """
    if job.experiment.data.format == "talkingdata":
        _ensure_features(job)
    else:
        _ensure_import(job)


def has_part(job: Job, part: str) -> bool:
    """Tell whether the experiment has this part: an imported matrix has no test rows."""
    return job.store.exists(f"{job.matrix_folder}/{part}")


def open_part(job: Job, part: str) -> Matrix:
    """Open the train or the test matrix, fetched to this machine where the workspace is elsewhere."""
    return open_matrix(job.store.fetch(f"{job.matrix_folder}/{part}"))


def _ensure_features(job: Job) -> None:
    report = ensure_tables(job)
    features = job.experiment.features
    tables = {name: report.fingerprint[name] for name in tables_of(features.sets)}
    wanted = {"tables": tables, "sets": list(features.sets), "encoding": features.encoding}
    found = [_sources(job, part) for part in ("train", "test")]
    if found == [wanted, wanted] and not job.rebuild:
        return
    if any(found) and not job.rebuild:
        job.say(f"features: {job.matrix_folder} is made anew: {_what_changed(found[0] or found[1] or {}, wanted)}")
    job.say(f"features: {', '.join(features.sets)} as {features.encoding} -> {job.store.uri(job.matrix_folder)}")
    spark = job.spark()
    tables_df = read_tables(spark, job.store, SCHEMAS)
    (app_events,) = (schema for schema in SCHEMAS if schema.name == "app_events")
    built = build_matrices(
        spark,
        tables_df,
        features.sets,
        features.encoding,
        job.store,
        job.matrix_folder,
        wanted,
        known_values(job.store, app_events, "app_id"),
    )
    for part, manifest in built.items():
        rows, columns = manifest.shape
        job.say(f"features: {part} has {rows} rows x {columns} columns, {manifest.nnz} values")


def _what_changed(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Return what a matrix is no longer made of, setting by setting and table by table."""
    changes = [
        f"{name} was {found.get(name)}, is {wanted[name]}"
        for name in ("sets", "encoding")
        if found.get(name) != wanted[name]
    ]
    before = found.get("tables") or {}
    tables = [name for name, each in wanted["tables"].items() if name in before and before[name] != each]
    if tables:
        changes.append(f"changed tables {', '.join(tables)}")
    return "; ".join(changes) or "a part was missing"


def _ensure_import(job: Job) -> None:
    data = job.experiment.data
    file = local_source(data.source)
    wanted = {"file": str(file), **data.model_dump(exclude={"source"}, exclude_none=True)}
    if file.exists():
        stat = file.stat()
        wanted.update(size=stat.st_size, modified=stat.st_mtime_ns)
    found = _sources(job, "train")
    if found is not None and not job.rebuild:
        if found == wanted or (found.get("file") == str(file) and not file.exists()):
            return  # a file that was cleared away after the import will do
        if found.get("file") != str(file):
            raise UsageError(
                f"data.source: {job.store.uri(job.matrix_folder)} was made of {found.get('file')}, not of {file}; "
                "use another --workspace, or --rebuild to make it anew"
            )
        changed = [name for name in {**found, **wanted} if found.get(name) != wanted.get(name)]
        job.say(f"import: {job.matrix_folder} is made anew: {', '.join(changed)} changed")
    job.say(f"import: {file} -> {job.store.uri(job.matrix_folder)}")
    with job.store.scratch() as scratch:
        manifest = _import(job, file, scratch / "train", wanted)
        job.store.publish(scratch / "train", f"{job.matrix_folder}/train")
    job.say(f"import: {manifest.shape[0]} rows x {manifest.shape[1]} columns, {manifest.nnz} values")


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
    """Return what a matrix in the workspace says it was made of, None without one that can be read."""
    path = f"{job.matrix_folder}/{part}/manifest.json"
    try:
        if not job.store.exists(path):
            return None
        sources = json.loads(job.store.read_bytes(path)).get("sources")
    except (ValueError, AttributeError, StorageError):
        return None
    return sources if isinstance(sources, dict) else None
