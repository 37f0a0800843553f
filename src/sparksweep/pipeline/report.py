"""The stage from a finished run to its page."""

from __future__ import annotations

from sparksweep.errors import UsageError
from sparksweep.pipeline.job import existing_workspace
from sparksweep.pipeline.runs import find_run
from sparksweep.report import render_report
from sparksweep.runs import Run

__all__ = ["report_page", "write_report"]


def report_page(run: Run) -> str:
    """Return a run's page as HTML."""
    return render_report(dict(run.facts), run.results_table())


def write_report(workspace: str, run_id: str) -> str:
    """Write a run's page anew.

    Returns
    -------
    str
        Where the page is.

    Raises
    ------
    UsageError
        There is no such run, or it has no results.
    """
    run = find_run(existing_workspace(workspace), run_id)
    if run.status != "complete":
        raise UsageError(f"run {run_id} is {run.status}: only a complete run has results to report")
    run.store.write_bytes(f"{run.folder}/report.html".lstrip("/"), report_page(run).encode("utf-8"))
    return run.uri("report.html")
