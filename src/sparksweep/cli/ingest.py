"""``sparksweep ingest``: raw zips become typed Parquet tables in the workspace."""

from __future__ import annotations

from typing import Annotated

import typer

from sparksweep.cli.console import say
from sparksweep.cli.options import Experiment, Overrides, Rebuild, Workspace

__all__ = ["ingest"]


def ingest(
    experiment: Experiment,
    workspace: Workspace,
    overrides: Overrides = [],  # noqa: B006
    rebuild: Rebuild = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="What the data check warns of is an error: no table is made.")
    ] = False,
) -> None:
    """Read the experiment's raw zips into typed Parquet tables and say what was found in them."""
    from sparksweep.pipeline.job import start_job
    from sparksweep.pipeline.tables import ensure_tables

    job = start_job(experiment, workspace, overrides, say, rebuild, search_later=True)
    report = ensure_tables(job, strict)
    for line in report.lines():
        say(line)
