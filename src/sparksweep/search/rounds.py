"""What a search's ``_run_search`` calls with candidates: one round of fits on Spark, tabulated with all before it."""

from __future__ import annotations

import sys
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import sklearn
from pyspark.sql import SparkSession
from sklearn.base import clone

from sparksweep.search.candidates import GridRow, expected_cost, fit_key, grid_table, params_json, split_digest
from sparksweep.search.evaluate import SearchData, Split, Work
from sparksweep.search.execution import SparkFits
from sparksweep.search.fits import ALL_ROWS, Fit, fits_table
from sparksweep.search.pickling import dumps
from sparksweep.search.progress import Progress
from sparksweep.search.results import cv_results, warn_of_failures
from sparksweep.search.routing import Routed
from sparksweep.search.scoring import Scoring
from sparksweep.search.slicing import count_rows
from sparksweep.search.threads import unlike_plan
from sparksweep.search.units import Unit, plan_families, plan_tasks, plan_units

__all__ = ["Problem", "Rounds"]


@dataclass(frozen=True)
class Problem:
    """What a search is about, once its arguments are checked.

    Attributes
    ----------
    X, y : object
        Ready to be sliced.
    cv : object
        The splitter.
    n_splits : int
        How many splits it says it makes.
    scoring : Scoring
        The scorers.
    routed : Routed
        Arguments of ``fit`` by receiver.
    """

    X: Any
    y: Any
    cv: Any
    n_splits: int
    scoring: Scoring
    routed: Routed


class Rounds:
    """Evaluates candidates, round by round; a context, at whose end nothing is left on Spark.

    Parameters
    ----------
    search : object
        The search, for its parameters.
    problem : Problem
        What it is about.
    session : SparkSession
        Where to run.
    threads : int
        Threads a fit may use.

    Attributes
    ----------
    candidates : list of mapping
        All so far, in the order of their ids.
    fits : list of Fit
        By candidate, then split; the refit last.
    results : dict
        What scikit-learn calls ``cv_results_``.
    """

    def __init__(self, search: Any, problem: Problem, session: SparkSession, threads: int) -> None:
        self.candidates: list[Mapping[str, Any]] = []
        self.fits: list[Fit] = []
        self.results: dict[str, Any] = {}
        self._search = search
        self._estimator = clone(search.estimator)
        self._problem = problem
        self._session = session
        self._threads = threads
        self._grid: list[GridRow] = []
        self._more: dict[str, list[Any]] = defaultdict(list)
        self._spark: SparkFits | None = None
        self._splits: Sequence[Split] = ()
        decides = search.refit if isinstance(search.refit, str) else None
        self._progress = Progress(search.on_progress, problem.n_splits, decides, search.error_score)

    def __enter__(self) -> Rounds:
        return self

    def __exit__(self, *_: object) -> None:
        if self._spark is not None:
            self._spark.close()

    def __call__(
        self,
        candidate_params: Iterable[Mapping[str, Any]],
        cv: Any = None,
        more_results: Mapping[str, Sequence[Any]] | None = None,
    ) -> dict[str, Any]:
        """Evaluate candidates on every split.

        Parameters
        ----------
        candidate_params : iterable of mapping
            New candidates.
        cv : splitter, optional
            Instead of the search's own; must make as many splits.
        more_results : mapping of str to sequence, optional
            Further columns of the results, a value a candidate.

        Returns
        -------
        dict
            The results of all rounds so far.

        Raises
        ------
        ValueError
            There is nothing to fit, or every fit failed.
        SearchError
            Spark lost a task.
        """
        first_id = len(self.candidates)
        candidates = dict(enumerate(candidate_params, start=first_id))
        splits = self._make_splits(cv or self._problem.cv, len(candidates))
        tasks = self._plan(candidates, splits)
        self._say_how_many(len(splits), len(candidates))
        self._warn_of_threads(candidates)
        fits = self._run(candidates, splits, tasks)
        warn_of_failures(fits, self._search.error_score)
        self.candidates += candidates.values()
        self.fits += fits
        for key, values in (more_results or {}).items():
            self._more[key].extend(values)
        self.results = cv_results(
            self.candidates,
            self.fits,
            error_score=self._search.error_score,
            return_train_score=self._search.return_train_score,
            more_results=self._more,
        )
        return self.results

    def refit(self, candidate_id: int) -> tuple[float, Any]:
        """Train a candidate on all rows; return the seconds it took and the fitted estimator.

        Raises
        ------
        SearchError
            Spark lost the task, or the fitted estimator cannot be pickled.
        Exception
            What ``fit`` raised.
        """
        work = self._work({candidate_id: self.candidates[candidate_id]}, (), None)
        fit, model = self._on_spark().refit(work, candidate_id)
        self.fits.append(fit)
        return fit.fit_time, model

    def grid_table(self) -> pa.Table:
        """Return the grid, a row a fit, in the order in which Spark starts them."""
        return grid_table(self._grid)

    def fits_table(self) -> pa.Table:
        """Return the fits, a row each."""
        keys = {(row.candidate_id, row.split_id): (row.fit_key, row.params) for row in self._grid}
        for fit in self.fits:
            if fit.split_id == ALL_ROWS:
                params = self.candidates[fit.candidate_id]
                key = fit_key(self._estimator, params, split="all rows")
                keys[fit.candidate_id, ALL_ROWS] = (key, params_json(params))
        return fits_table(self.fits, keys)

    def _make_splits(self, cv: Any, n_candidates: int) -> list[Split]:
        problem = self._problem
        n_rows = count_rows(problem.X)
        splits = [
            (_row_numbers(train, n_rows), _row_numbers(test, n_rows))
            for train, test in cv.split(problem.X, problem.y, **problem.routed.split)
        ]
        if not splits or not n_candidates:
            raise ValueError("No fits were performed. Was the CV iterator empty? Were there no candidates?")
        if len(splits) != problem.n_splits:
            raise ValueError(
                "cv.split and cv.get_n_splits return inconsistent results. "
                f"Expected {problem.n_splits} splits, got {len(splits)}"
            )
        return splits

    def _plan(self, candidates: Mapping[int, Mapping[str, Any]], splits: Sequence[Split]) -> list[tuple[Unit, ...]]:
        """Return the units of each task, and add their fits to the grid."""
        own = self._estimator.get_params(deep=True)
        costs = {candidate_id: expected_cost({**own, **params}) for candidate_id, params in candidates.items()}
        first_id = 1 + max((row.unit_id for row in self._grid), default=-1)
        units = plan_units(plan_families(candidates), [len(train) for train, _ in splits], costs, first_id)
        tasks = plan_tasks(units)
        digests = [split_digest(train, test) for train, test in splits]
        texts = {candidate_id: params_json(params) for candidate_id, params in candidates.items()}
        self._grid += [
            GridRow(
                fit_key(self._estimator, candidates[candidate_id], digests[unit.split_id]),
                candidate_id,
                unit.split_id,
                unit.unit_id,
                texts[candidate_id],
                unit.expected_cost,
            )
            for task in tasks
            for unit in task
            for candidate_id in unit.candidate_ids
        ]
        return tasks

    def _run(
        self, candidates: Mapping[int, Mapping[str, Any]], splits: Sequence[Split], tasks: Sequence[Sequence[Unit]]
    ) -> list[Fit]:
        if self._spark is None:
            self._splits = splits
        self._progress.expect(len(candidates) * len(splits))
        work = self._work(candidates, tasks, None if _same(splits, self._splits) else splits)
        return self._on_spark().run(work, self._progress.add)

    def _on_spark(self) -> SparkFits:
        """Return the fits on Spark; their data is the problem's and the splits of the first round."""
        if self._spark is None:
            self._spark = SparkFits(self._session, SearchData(self._problem.X, self._problem.y, self._splits))
        return self._spark

    def _work(
        self,
        candidates: Mapping[int, Mapping[str, Any]],
        tasks: Sequence[Sequence[Unit]],
        splits: Sequence[Split] | None,
    ) -> Work:
        return Work(
            estimator=self._estimator,
            candidates=candidates,
            scoring=self._problem.scoring,
            fit_params=self._problem.routed.fit,
            score_params=self._problem.routed.score,
            return_train_score=self._search.return_train_score,
            raise_errors=isinstance(self._search.error_score, str),
            threads=self._threads,
            dumps=dumps,
            config=sklearn.get_config(),
            warning_filters=list(warnings.filters),
            tasks=tasks,
            splits=splits,
        )

    def _say_how_many(self, n_splits: int, n_candidates: int) -> None:
        if self._search.verbose > 0:
            n_fits = n_splits * n_candidates
            sys.stdout.write(
                f"Fitting {n_splits} folds for each of {n_candidates} candidates, totalling {n_fits} fits\n"
            )

    def _warn_of_threads(self, candidates: Mapping[int, Mapping[str, Any]]) -> None:
        wanted = unlike_plan(self._estimator, candidates.values(), self._threads)
        if wanted and not self.candidates:
            shown = ", ".join(f"{name}={value!r}" for name, value in wanted.items())
            warnings.warn(
                f"{shown} of the estimator: during fits it is {self._threads}, which is what Spark gives a task "
                "(spark.task.cpus); best_estimator_ keeps your value",
                UserWarning,
                stacklevel=2,
            )


def _row_numbers(rows: Any, n_rows: int) -> Any:
    """Return the rows of a split as numbers; scikit-learn's splitters give numbers, a user's may give a mask."""
    numbers = np.asarray(rows)
    return np.arange(n_rows)[numbers] if numbers.dtype == bool else numbers


def _same(splits: Sequence[Split], others: Sequence[Split]) -> bool:
    return splits is others or (
        len(splits) == len(others)
        and all(
            np.array_equal(mine, theirs)
            for pair, other in zip(splits, others, strict=True)
            for mine, theirs in zip(pair, other, strict=True)
        )
    )
