"""The stage from a matrix to a run: search, refit, results, model, report."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

from sklearn.base import is_regressor

from sparksweep.config import Experiment, SearchSettings
from sparksweep.errors import ConfigError, SearchError, SparksweepError
from sparksweep.matrix import Matrix
from sparksweep.pipeline.job import Job
from sparksweep.pipeline.ledger import workspace_ledger
from sparksweep.pipeline.matrices import ensure_matrices, open_part
from sparksweep.pipeline.report import report_page
from sparksweep.pipeline.runs import find_run, unfinished_run
from sparksweep.runs import EventLog, Run, RunFolder
from sparksweep.search import GridSearchCV, RandomizedSearchCV
from sparksweep.search.ledger import Ledger
from sparksweep.search.progress import OnProgress, ProgressSnapshot
from sparksweep.search.settings import build_cv, cv_problems, resolve_estimator
from sparksweep.session import spark_settings

__all__ = ["OnProgress", "build_search", "run_sweep", "sweep_key"]

RESUME = "stopped by the user or the scheduler; the same command goes on where it stopped"


def run_sweep(job: Job, on_progress: OnProgress) -> Run:
    """Search the experiment's candidates on its train matrix and write a run.

    Returns
    -------
    Run
        The finished run.

    Raises
    ------
    ConfigError
        The search does not fit the data.
    SearchError
        No fit succeeded, or one failed where ``error_score`` is ``raise``.
    """
    ensure_matrices(job)
    matrix = open_part(job, "train")
    settings = job.experiment.search
    estimator = resolve_estimator(settings.estimator)(**settings.params)
    y = matrix.numeric_y() if is_regressor(estimator) else matrix.y
    classes = matrix.classes if y is matrix.y else None
    problems = [
        f"{job.experiment.name}: search.{line}"
        for line in cv_problems(settings, y, matrix.folds, classes, matrix.groups)
    ]
    if problems:
        raise ConfigError(problems)
    spark = job.spark(text_bytes=0)
    key = sweep_key(settings, matrix)
    ledger = workspace_ledger(job.store)
    with ledger.lease(key, on_wait=job.say) as lease:
        folder = _folder(job, key, _facts(job.experiment, matrix, classes))
        search = build_search(settings, matrix, ledger)
        events = EventLog(folder)
        search.on_progress = _all_of(_SayFits(job), on_progress, events)
        try:
            folder.set_spark_settings(spark_settings(spark))
            _fit(search, matrix, y)
            folder.write_results(search)
            events.close()
            folder.complete(search)
        except BaseException as error:
            lease.check()  # after a takeover the folder is another driver's
            events.close()
            ended = _ended(error, folder)
            if ended is error:
                raise
            raise ended from error
    run = find_run(job.store, folder.run_id)
    folder.write_text("report.html", report_page(run))
    return run


def _folder(job: Job, key: str, facts: dict[str, Any]) -> RunFolder:
    """Return the folder of the run: that of the same sweep's unfinished run, else a new one."""
    unfinished = unfinished_run(job.store, key)
    if unfinished is None:
        folder = RunFolder.create(job.store, key, facts)
        job.say(f"sweep: run {folder.run_id}")
    else:
        folder = RunFolder.resume(job.store, unfinished.facts, facts)
        job.say(f"sweep: run {folder.run_id} did not end, so it goes on; fits that were done are not trained again")
    return folder


def _ended(error: BaseException, folder: RunFolder) -> BaseException:
    """Write into the run's folder how it ended; return what is to be raised."""
    if isinstance(error, KeyboardInterrupt):
        folder.end("interrupted", RESUME)
        return error
    if isinstance(error, SparksweepError) or not isinstance(error, Exception):
        folder.end("failed", str(error) or type(error).__name__)
        return error
    # What an estimator, a splitter or a scorer raises, which may be anything.
    reason = _in_one_line(error)
    folder.end("failed", reason)
    return SearchError(f"run {folder.run_id}: {reason}; see {folder.uri}")


def _all_of(*listeners: OnProgress) -> OnProgress:
    def tell(now: ProgressSnapshot) -> None:
        for listener in listeners:
            listener(now)

    return tell


class _SayFits:
    """Says once how many fits there are, and how many of them need no training."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._said = False

    def __call__(self, now: ProgressSnapshot) -> None:
        if not self._said:
            self._said = True
            self._job.say(
                f"sweep: {now.reused} of {now.total} fits reused" if now.reused else f"sweep: {now.total} fits"
            )


def build_search(
    settings: SearchSettings, matrix: Matrix, ledger: Ledger | None = None
) -> GridSearchCV | RandomizedSearchCV:
    """Return the search that the settings describe, not yet fitted."""
    estimator = resolve_estimator(settings.estimator)(**settings.params)
    common: dict[str, Any] = {
        "scoring": settings.scoring,
        "refit": settings.refit,
        "cv": build_cv(settings.cv, matrix.folds),
        "error_score": settings.error_score,
        "return_train_score": settings.return_train_score,
        "ledger": ledger,
        "fit_timeout": settings.fit_timeout,
        "fit_memory": settings.fit_memory,
    }
    if settings.n_iter is None:
        return GridSearchCV(estimator, settings.param_grid, **common)
    return RandomizedSearchCV(
        estimator, settings.param_grid, n_iter=settings.n_iter, random_state=settings.random_state, **common
    )


def sweep_key(settings: SearchSettings, matrix: Matrix) -> str:
    """Return the hex digest of what makes a sweep itself: the matrix and the resolved search section."""
    identity = {"matrix": matrix.manifest.digest, "search": _plain(settings.model_dump())}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _fit(search: GridSearchCV | RandomizedSearchCV, matrix: Matrix, y: Any) -> None:
    fit_params = {} if matrix.weights is None else {"sample_weight": matrix.weights}
    search.fit(matrix.X, y, groups=matrix.groups, **fit_params)


def _facts(experiment: Experiment, matrix: Matrix, classes: Any) -> dict[str, Any]:
    """Return what run.json says of a run from its start; classes are those that the target is codes into."""
    manifest = matrix.manifest
    return {
        "experiment": experiment.name,
        "config": _plain(experiment.model_dump()),
        "matrix": {"digest": manifest.digest, "shape": list(manifest.shape), "nnz": manifest.nnz},
        "classes": classes,
    }


def _plain(value: Any) -> Any:
    """Return settings as JSON has them: a NaN as the text YAML gives it."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _in_one_line(error: Exception) -> str:
    """Return what went wrong and, of a text that goes on with tracebacks, the reason in its last line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    told = lines[0] if len(lines) == 1 else f"{lines[0].rstrip('.')}: {lines[-1]}"
    return told if type(error) is ValueError else f"{type(error).__name__}: {told}"
