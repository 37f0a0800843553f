"""What a run comes down to, as lines of text: the ranking, the best candidate, the files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

from sparksweep.pipeline.columns import aligned_lines
from sparksweep.pipeline.job import existing_workspace
from sparksweep.pipeline.runs import find_run
from sparksweep.runs import Run, list_runs

__all__ = ["run_lines", "run_list_lines", "summary_lines"]

SHOWN = 10  # candidates of the ranking that are shown
FILES = {
    "results.parquet": "results",
    "cv_results.csv": "results as CSV",
    "sweeping_results.txt": "sweeping results",
    "model": "model",
    "submission.csv": "submission",
    "predictions.csv": "predictions",
    "report.html": "report",
}


def summary_lines(run: Run) -> Iterator[str]:
    """Yield the ranking, best parameters and score, failed fits, and the paths of what the run wrote."""
    if run.has("results.parquet"):
        yield from _ranking(run.results, _scorer(run))
    if run.best_params is not None:
        yield f"best params: {json.dumps(run.best_params, sort_keys=True, default=repr)}"
    if run.best_score is not None:
        yield f"best score: {run.best_score:.5f} ({_scorer(run)})"
    if run.n_failed:
        reason = run.facts["failed_fits"][0]["reason"]
        yield f"{run.n_failed} of {run.n_fits} fits failed, the first: {reason}; all of them: {run.uri('fits.parquet')}"
    for name, title in FILES.items():
        if run.has(name):
            yield f"{title}: {run.uri(name)}"


def run_lines(workspace: str, run_id: str) -> Iterator[str]:
    """Yield what is known of one run.

    Raises
    ------
    UsageError
        There is no such run.
    """
    run = find_run(existing_workspace(workspace), run_id)
    yield f"run {run.run_id}: {run.status}"
    for name in ("experiment", "started", "seconds", "reason"):
        if run.facts.get(name) is not None:
            yield f"{name}: {run.facts[name]}"
    yield from summary_lines(run)


def run_list_lines(workspace: str) -> Iterator[str]:
    """Yield a heading and a line a run, oldest first."""
    runs = list_runs(existing_workspace(workspace))
    if not runs:
        yield f"no runs in {workspace}"
        return
    rows = [["run", "status", "experiment", "fits", "failed", "best score"]]
    for run in runs:
        score = "" if run.best_score is None else f"{run.best_score:.5f}"
        experiment = str(run.facts.get("experiment", ""))
        rows.append([run.run_id, run.status, experiment, *_fits(run), score])
    yield from aligned_lines(rows)


def _fits(run: Run) -> tuple[str, str]:
    """Return how many fits a run has and how many of them failed; of one that did not end, what it told last."""
    if run.n_fits:
        return str(run.n_fits), str(run.n_failed)
    told = run.progress
    return (f"{told.get('done', 0)}/{told['total']}", str(told.get("failed", 0))) if "total" in told else ("", "")


def _scorer(run: Run) -> str:
    """Return the name of the scorer that ranks the run."""
    best = run.facts.get("best")
    metric = best["scorer"] if best else run.facts.get("metric")
    return str(metric[0] if isinstance(metric, list) else metric)


def _ranking(results: pd.DataFrame, scorer: str) -> Iterator[str]:
    suffix = "score" if "rank_test_score" in results else scorer
    names = [str(name) for name in results.columns if str(name).startswith("param_")]
    varying = [name for name in names if results[name].astype(str).nunique() > 1]
    ordered = results.sort_values([f"rank_test_{suffix}"], kind="stable").head(SHOWN)
    heading = ["rank", f"mean_test_{suffix}", "std", *(name.removeprefix("param_") for name in varying)]
    rows = [heading]
    for row in ordered.to_dict("records"):
        scores = [f"{row[f'mean_test_{suffix}']:.5f}", f"{row[f'std_test_{suffix}']:.5f}"]
        rows.append([str(row[f"rank_test_{suffix}"]), *scores, *(_shown(row[name]) for name in varying)])
    yield from aligned_lines(rows)
    if len(results) > SHOWN:
        yield f"... and {len(results) - SHOWN} more candidates"


def _shown(value: Any) -> str:
    return "" if value is None or value != value else str(value)
