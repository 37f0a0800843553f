"""The stage from a run's model and the test matrix to predictions."""

from __future__ import annotations

from dataclasses import replace

from sparksweep.errors import UsageError
from sparksweep.matrix import Matrix
from sparksweep.pipeline.job import Job
from sparksweep.pipeline.matrices import ensure_matrices, has_part, open_part
from sparksweep.pipeline.runs import find_run, newest_run, newest_run_of_matrix
from sparksweep.pipeline.sweep import OnProgress, run_sweep, sweep_key
from sparksweep.predict import write_predictions
from sparksweep.runs import Run

__all__ = ["predict_if_possible", "run_predict"]


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
    ensure_matrices(job if run_id is None else _keeping(job, run_id))
    job = replace(job, rebuild=False)  # it is done: a sweep that is needed first would rebuild once more
    if not has_part(job, "test"):
        raise UsageError(f"{job.store.uri(job.matrix_folder)} has no test matrix: there is nothing to predict")
    train = open_part(job, "train")
    run = _run(job, run_id, train, on_progress)
    _write(job, run)
    return run


def _keeping(job: Job, run_id: str) -> Job:
    """Return the job that makes nothing anew, if the matrix there is now is the very one that a run was fitted on."""
    run = find_run(job.store, run_id)
    same = has_part(job, "train") and open_part(job, "train").manifest.digest == _digest(run)
    why = f"run {run_id} was fitted on what is there; sweep first, or predict without --run"
    return replace(job, keep=why) if same and not job.rebuild else job


def _digest(run: Run) -> str | None:
    """Return the digest of the matrix that a run was fitted on."""
    digest = run.facts.get("matrix", {}).get("digest")
    return None if digest is None else str(digest)


def predict_if_possible(job: Job, run: Run) -> None:
    """Predict the test rows with the model of a run just made, or say what there is not to do it with."""
    if not run.has("model"):
        job.say("predict: nothing, since the run has no refitted model")
    elif not has_part(job, "test"):
        job.say(f"predict: nothing, since {job.store.uri(job.matrix_folder)} has no test matrix")
    else:
        _write(job, run)


def _write(job: Job, run: Run) -> None:
    """Write predictions of the test rows into the run's folder.

    Raises
    ------
    UsageError
        The run was fitted on another matrix, or another command has replaced it since.
    """
    train, test = open_part(job, "train"), open_part(job, "test")
    if train.manifest.digest != _digest(run) or test.manifest.sources != train.manifest.sources:
        raise UsageError(
            f"run {run.run_id} was fitted on another matrix than {job.matrix_folder} holds now; sweep again, or name "
            "a run of this matrix"
        )
    job.say(f"predict: {test.manifest.shape[0]} rows with the model of run {run.run_id}")
    write_predictions(run, test, "id" if job.scenario is None else job.scenario.id_column)


def _run(job: Job, run_id: str | None, train: Matrix, on_progress: OnProgress) -> Run:
    """Return the run asked for, else the newest of this sweep, else a new one."""
    if run_id is not None:
        return find_run(job.store, run_id)
    found = newest_run(job.store, sweep_key(job.experiment.search, train))
    other = newest_run_of_matrix(job.store, train.manifest.digest)
    if other is not None and (found is None or other.run_id > found.run_id):
        job.say(f"predict: run {other.run_id} is newer, but of other settings; to use it: --run {other.run_id}")
    if found is not None:
        return found
    job.say("predict: no complete run of this sweep yet, so it is swept first")
    return run_sweep(job, on_progress)
