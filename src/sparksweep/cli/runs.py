"""``sparksweep runs list | show | files``: what was run in a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sparksweep.cli.console import say
from sparksweep.cli.options import Workspace
from sparksweep.cli.transfer_progress import transfer_progress

__all__ = ["app"]

app = typer.Typer(
    help="List and show the runs of a workspace, and copy their files.", no_args_is_help=True, rich_markup_mode=None
)
RunId = Annotated[str, typer.Argument(metavar="RUN_ID", help="As listed by: sparksweep runs list.")]


@app.command("list")
def list_runs(workspace: Workspace) -> None:
    """List the runs of a workspace, newest last."""
    from sparksweep.pipeline.summary import run_list_lines

    for line in run_list_lines(workspace):
        say(line)


@app.command("show")
def show_run(run_id: RunId, workspace: Workspace) -> None:
    """Show a run: settings, ranking, best parameters, paths."""
    from sparksweep.pipeline.summary import run_lines

    for line in run_lines(workspace, run_id):
        say(line)


@app.command("files")
def run_files(
    run_id: RunId,
    workspace: Workspace,
    names: Annotated[
        list[str], typer.Argument(metavar="NAME", help="Files or folders of the run; default is all.")
    ] = [],  # noqa: B006
    download: Annotated[
        Path | None,
        typer.Option("--download", metavar="DIR", help="Copy them into this folder; what is there already stays."),
    ] = None,
) -> None:
    """List a run's files with their bytes, or copy them to this machine."""
    from sparksweep.pipeline.run_files import download_files, file_lines

    if download is not None:
        with transfer_progress("download") as on_progress:
            download_files(workspace, run_id, names, download, say, on_progress)
        return
    for line in file_lines(workspace, run_id, names):
        say(line)
