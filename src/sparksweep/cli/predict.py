"""``sparksweep predict``: the best model on the test matrix, as a submission file."""

from __future__ import annotations

from typing import Annotated

import typer

from sparksweep.cli.console import say
from sparksweep.cli.fit_progress import fit_progress
from sparksweep.cli.options import Experiment, Overrides, Rebuild, Workspace

__all__ = ["predict"]


def predict(
    experiment: Experiment,
    workspace: Workspace,
    overrides: Overrides = [],  # noqa: B006
    rebuild: Rebuild = False,
    run_id: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN_ID", help="Use this run; default is the newest with these very settings."),
    ] = None,
) -> None:
    """Predict the test rows with a run's refitted model and write the submission into the run's folder."""
    from sparksweep.pipeline.job import start_job
    from sparksweep.pipeline.predict import run_predict
    from sparksweep.pipeline.summary import summary_lines

    job = start_job(experiment, workspace, overrides, say, rebuild)
    with fit_progress() as on_progress:
        run = run_predict(job, run_id, on_progress)
    for line in summary_lines(run):
        say(line)
