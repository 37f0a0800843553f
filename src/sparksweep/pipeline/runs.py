"""Find the runs of a workspace: by their id, or the newest one of a sweep."""

from __future__ import annotations

from sparksweep.config.loading import nearest
from sparksweep.errors import UsageError
from sparksweep.runs import Run, list_runs
from sparksweep.storage import Store

__all__ = ["find_run", "newest_run", "unfinished_run"]


def find_run(store: Store, run_id: str) -> Run:
    """Return the run called `run_id`.

    Raises
    ------
    UsageError
        There is none in the workspace; names the nearest.
    """
    runs = {run.run_id: run for run in list_runs(store)}
    if run_id not in runs:
        known = f"{nearest(run_id, runs)}; see: sparksweep runs list" if runs else "; it holds no runs yet"
        raise UsageError(f"no run {run_id!r} in {store.root}{known}")
    return runs[run_id]


def unfinished_run(store: Store, sweep_key: str) -> Run | None:
    """Return the newest run of a sweep if it did not come to an end; ask only while holding the sweep's lease."""
    runs = [run for run in list_runs(store) if run.facts.get("sweep_key") == sweep_key]
    return runs[-1] if runs and runs[-1].status in ("running", "interrupted") else None


def newest_run(store: Store, sweep_key: str) -> Run | None:
    """Return the last complete run of a sweep that kept a model, None without one."""
    for run in reversed(list_runs(store)):
        if run.status == "complete" and run.facts.get("sweep_key") == sweep_key and run.has("model"):
            return run
    return None
