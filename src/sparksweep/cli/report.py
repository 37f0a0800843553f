"""``sparksweep report``: a run's page, made anew."""

from __future__ import annotations

from typing import Annotated

import typer

from sparksweep.cli.console import say
from sparksweep.cli.options import Workspace

__all__ = ["report"]


def report(
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="As listed by: sparksweep runs list.")],
    workspace: Workspace,
) -> None:
    """Write a run's report.html again from its results."""
    from sparksweep.pipeline.report import write_report

    say(f"report: {write_report(workspace, run_id)}")
