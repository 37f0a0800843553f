"""Find the runs of a workspace: by their id, or the newest one of a sweep."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any

from sparksweep.config.loading import nearest
from sparksweep.errors import UsageError
from sparksweep.runs import Run, list_runs
from sparksweep.storage import Store

__all__ = ["find_run", "newest_run", "newest_run_of_matrix", "unfinished_run"]


def find_run(store: Store, run_id: str) -> Run:
    """Return the run called `run_id`.

    Raises
    ------
    UsageError
        There is none in the workspace; names the nearest.
    """
    runs = {run.run_id: run for run in list_runs(store)}
    if run_id not in runs:
        known = (
            f"{nearest(run_id, runs)}; see: sparksweep runs list --workspace {shlex.quote(store.root)}"
            if runs
            else "; it holds no runs yet"
        )
        raise UsageError(f"no run {run_id!r} in {store.root}{known}")
    return runs[run_id]


def unfinished_run(store: Store, sweep_key: str) -> Run | None:
    """Return the newest run of a sweep if it did not come to an end; ask only while holding the sweep's lease."""
    runs = [run for run in list_runs(store) if run.facts.get("sweep_key") == sweep_key]
    return runs[-1] if runs and runs[-1].status in ("running", "interrupted") else None


def newest_run(store: Store, sweep_key: str) -> Run | None:
    """Return the last complete run of a sweep that kept a model, None without one."""
    return _newest(store, lambda facts: facts.get("sweep_key") == sweep_key)


def newest_run_of_matrix(store: Store, digest: str) -> Run | None:
    """Return the last complete run on a matrix that kept a model, whatever it searched."""
    return _newest(store, lambda facts: facts.get("matrix", {}).get("digest") == digest)


def _newest(store: Store, wanted: Callable[[Mapping[str, Any]], bool]) -> Run | None:
    for run in reversed(list_runs(store)):
        if run.status == "complete" and wanted(run.facts) and run.has("model"):
            return run
    return None
