"""``sparksweep runs list | show``: what was run in a workspace."""

from __future__ import annotations

from typing import Annotated

import typer

from sparksweep.cli.console import say
from sparksweep.cli.options import Workspace

__all__ = ["app"]

app = typer.Typer(help="List and show the runs of a workspace.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_runs(workspace: Workspace) -> None:
    """List the runs of a workspace, newest last."""
    from sparksweep.pipeline.summary import run_list_lines

    for line in run_list_lines(workspace):
        say(line)


@app.command("show")
def show_run(
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="As listed by: sparksweep runs list.")],
    workspace: Workspace,
) -> None:
    """Show a run: settings, ranking, best parameters, paths."""
    from sparksweep.pipeline.summary import run_lines

    for line in run_lines(workspace, run_id):
        say(line)
