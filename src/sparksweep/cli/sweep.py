"""``sparksweep sweep``: every candidate on every split, scored, ranked, refitted."""

from __future__ import annotations

from typing import Annotated

import typer

from sparksweep.cli.console import say
from sparksweep.cli.fit_progress import fit_progress
from sparksweep.cli.options import Experiment, Overrides, Rebuild, Workspace

__all__ = ["sweep"]

FAILED_FITS = 3


def sweep(
    experiment: Experiment,
    workspace: Workspace,
    overrides: Overrides = [],  # noqa: B006
    rebuild: Rebuild = False,
    predict: Annotated[
        bool,
        typer.Option("--predict", help="Then predict the test rows, if any, with the refitted model."),
    ] = False,
) -> None:
    """Train and score every candidate on every fold, refit the best, and write a run.

    Exit code 3 says that some fits failed; the rest is ranked all the same.
    """
    from sparksweep.pipeline.job import start_job
    from sparksweep.pipeline.predict import predict_if_possible
    from sparksweep.pipeline.summary import summary_lines
    from sparksweep.pipeline.sweep import run_sweep

    job = start_job(experiment, workspace, overrides, say, rebuild)
    with fit_progress() as on_progress:
        run = run_sweep(job, on_progress)
    if predict:
        predict_if_possible(job, run)
    for line in summary_lines(run):
        say(line)
    if run.n_failed:
        raise typer.Exit(FAILED_FITS)
