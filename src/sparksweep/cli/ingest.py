"""``sparksweep ingest``: raw zips become typed Parquet tables in the workspace."""

from __future__ import annotations

from sparksweep.cli.console import say
from sparksweep.cli.options import Experiment, Overrides, Rebuild, Workspace

__all__ = ["ingest"]


def ingest(experiment: Experiment, workspace: Workspace, overrides: Overrides = [], rebuild: Rebuild = False) -> None:  # noqa: B006
    """Read the experiment's raw zips into typed Parquet tables and say what was found in them."""
    from sparksweep.pipeline.job import start_job
    from sparksweep.pipeline.tables import ensure_tables

    job = start_job(experiment, workspace, overrides, say, rebuild)
    report = ensure_tables(job)
    for line in report.lines():
        say(line)
