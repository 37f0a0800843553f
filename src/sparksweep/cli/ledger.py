"""``sparksweep ledger list | show | prune``: the fits a workspace has already trained."""

from __future__ import annotations

from typing import Annotated

import typer

from sparksweep.cli.console import say
from sparksweep.cli.options import Workspace

__all__ = ["app"]

app = typer.Typer(
    help="List, show and prune the fits that a workspace has kept; new runs reuse those that are complete.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list", short_help="List what the ledger holds.")
def list_fits(
    workspace: Workspace,
    failed: Annotated[
        bool, typer.Option("--failed", help="List each fit that is not complete, with its reason, instead.")
    ] = False,
) -> None:
    """List what the ledger holds, a line for each estimator and matrix, and who is using it."""
    from sparksweep.pipeline.ledger import incomplete_lines, ledger_lines

    for line in incomplete_lines(workspace) if failed else ledger_lines(workspace):
        say(line)


@app.command("show", short_help="Show every attempt of a fit.")
def show_fit(
    fit_key: Annotated[
        str,
        typer.Argument(
            metavar="FIT_KEY", help="The key or how it starts, as in fits.parquet and: ledger list --failed."
        ),
    ],
    workspace: Workspace,
) -> None:
    """Show every attempt of a fit: times, where it ran, scores, the whole traceback."""
    from sparksweep.pipeline.ledger import fit_lines

    for line in fit_lines(workspace, fit_key):
        say(line)


@app.command("prune", short_help="Drop superseded and damaged records.")
def prune(
    workspace: Workspace,
    failed: Annotated[bool, typer.Option("--failed", help="Drop the fits that are not complete too.")] = False,
    older_than: Annotated[
        float | None,
        typer.Option("--older-than", metavar="DAYS", min=0, help="Drop the fits that ended longer ago too."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be dropped.")] = False,
) -> None:
    """Drop records that a later attempt superseded and what is damaged, and join the ledger's files.

    Refused while a run uses the ledger. What is dropped is trained again when it is asked for again.
    """
    from sparksweep.pipeline.ledger import prune_lines

    for line in prune_lines(workspace, failed, older_than, dry_run, say):
        say(line)
