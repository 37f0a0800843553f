"""The stage from a matrix to a run: search, refit, results, model, report."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from typing import Any

from sklearn.base import is_regressor

from sparksweep.config import Experiment, SearchSettings
from sparksweep.errors import ConfigError, SearchError, SparksweepError
from sparksweep.matrix import Matrix
from sparksweep.pipeline.job import Job
from sparksweep.pipeline.matrices import ensure_matrices, open_part
from sparksweep.pipeline.report import report_page
from sparksweep.pipeline.runs import find_run
from sparksweep.runs import Run, RunFolder
from sparksweep.search import GridSearchCV, RandomizedSearchCV
from sparksweep.search.settings import build_cv, cv_problems, resolve_estimator
from sparksweep.session import spark_settings

__all__ = ["OnProgress", "build_search", "run_sweep", "sweep_key"]

# Called in the driver as fits finish: fits done, failed among them, fits in all, best mean score so far or None.
OnProgress = Callable[[int, int, int, "float | None"], None]


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
    problems = [f"{job.experiment.name}: search.{line}" for line in cv_problems(settings, y, matrix.folds, classes)]
    if problems:
        raise ConfigError(problems)
    search = build_search(settings, matrix)
    search.on_progress = on_progress
    spark = job.spark()
    folder = RunFolder.create(job.store, sweep_key(settings, matrix), _facts(job.experiment, matrix, classes))
    job.say(f"sweep: run {folder.run_id}")
    try:
        folder.set_spark_settings(spark_settings(spark))
        _fit(search, matrix, y)
        folder.write_results(search)
        folder.complete(search)
    except KeyboardInterrupt:
        folder.end("interrupted", "stopped by the user or the scheduler")
        raise
    except SparksweepError as error:
        folder.end("failed", str(error))
        raise
    except Exception as error:
        # What an estimator, a splitter or a scorer raises, which may be anything.
        reason = _in_one_line(error)
        folder.end("failed", reason)
        raise SearchError(f"run {folder.run_id}: {reason}; see {folder.uri}") from error
    run = find_run(job.store, folder.run_id)
    folder.write_text("report.html", report_page(run))
    return run


def build_search(settings: SearchSettings, matrix: Matrix) -> GridSearchCV | RandomizedSearchCV:
    """Return the search that the settings describe, not yet fitted."""
    estimator = resolve_estimator(settings.estimator)(**settings.params)
    common: dict[str, Any] = {
        "scoring": settings.scoring,
        "refit": settings.refit,
        "cv": build_cv(settings.cv, matrix.folds),
        "error_score": settings.error_score,
        "return_train_score": settings.return_train_score,
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
