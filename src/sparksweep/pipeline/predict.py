"""The stage from a run's model and the test matrix to predictions."""

from __future__ import annotations

from sparksweep.errors import UsageError
from sparksweep.matrix import Matrix
from sparksweep.pipeline.job import Job
from sparksweep.pipeline.matrices import ensure_matrices, open_part
from sparksweep.pipeline.report import report_page
from sparksweep.pipeline.runs import find_run, newest_run
from sparksweep.pipeline.sweep import OnProgress, run_sweep, sweep_key
from sparksweep.predict import write_predictions
from sparksweep.runs import Run

__all__ = ["run_predict"]


def run_predict(job: Job, run_id: str | None, on_progress: OnProgress) -> Run:
    """Predict the test rows with the model of a run and write them into its folder.

    Parameters
    ----------
    job : Job
        Whose test matrix is predicted.
    run_id : str, optional
        The run whose model is used; default is the newest of this very sweep, which is made when there is none.
    on_progress : callable
        For a sweep that has to be made first.

    Raises
    ------
    UsageError
        There is no such run, it has no model, its model was fitted on other columns, or there are no test rows.
    """
    ensure_matrices(job)
    if not job.store.exists(f"{job.matrix_folder}/test"):
        raise UsageError(f"{job.store.uri(job.matrix_folder)} has no test matrix: there is nothing to predict")
    train = open_part(job, "train")
    run = _run(job, run_id, train, on_progress)
    if run.facts.get("matrix", {}).get("digest") != train.manifest.digest:
        raise UsageError(
            f"run {run.run_id} was fitted on another matrix than {job.matrix_folder} holds now; sweep again, or name "
            "a run of this matrix"
        )
    test = open_part(job, "test")
    job.say(f"predict: {test.manifest.shape[0]} rows with the model of run {run.run_id}")
    write_predictions(run, test)
    run.store.write_bytes(f"{run.folder}/report.html", report_page(run).encode("utf-8"))
    return run


def _run(job: Job, run_id: str | None, train: Matrix, on_progress: OnProgress) -> Run:
    """Return the run asked for, else the newest of this sweep, else a new one."""
    if run_id is not None:
        return find_run(job.store, run_id)
    found = newest_run(job.store, sweep_key(job.experiment.search, train))
    if found is not None:
        return found
    job.say("predict: no complete run of this sweep yet, so it is swept first")
    return run_sweep(job, on_progress)
