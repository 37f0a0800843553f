"""What a search's ``_run_search`` calls with candidates: one round of fits on Spark, tabulated with all before it."""

from __future__ import annotations

import hashlib
import logging
import math
import sys
import uuid
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import sklearn
from pyspark.sql import SparkSession
from sklearn.base import clone

from sparksweep.config.sizes import parse_size
from sparksweep.search.candidates import GridRow, expected_cost, grid_table, params_json, rounds_of
from sparksweep.search.costs import Costs, timed_costs
from sparksweep.search.evaluate import SearchData, Split, Work
from sparksweep.search.execution import Isolation, SparkFits
from sparksweep.search.fits import ALL_ROWS, Fit, fits_table
from sparksweep.search.identity import ALL_ROWS_DIGEST, Identity, Unstable, data_digest, split_digest
from sparksweep.search.keeping import FitKeeper
from sparksweep.search.ledger import open_ledger
from sparksweep.search.pickling import dumps
from sparksweep.search.progress import Progress
from sparksweep.search.results import cv_results, warn_of_failures
from sparksweep.search.routing import Routed
from sparksweep.search.scoring import Scoring
from sparksweep.search.slicing import count_rows
from sparksweep.search.staging import can_share_scoring, can_stage, staged_parameter
from sparksweep.search.threads import unlike_plan
from sparksweep.search.units import Unit, plan_families, plan_units

__all__ = ["Problem", "Rounds"]

log = logging.getLogger(__name__)


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


@dataclass(frozen=True)
class _Plan:
    """One round: the key of each fit, its params as text, what need not be trained and what must be."""

    keys: Mapping[tuple[int, int], str]
    texts: Mapping[int, str]
    reused: Mapping[tuple[int, int], Fit]
    units: Sequence[Unit]
    costs: Costs


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
        self._probes: dict[frozenset[str], Any] = {}
        self._spark: SparkFits | None = None
        self._splits: Sequence[Split] = ()
        self._stack = ExitStack()
        self._stack.callback(self._leave_spark)  # comes last: what is kept goes before what is tidied up
        decides = search.refit if isinstance(search.refit, str) else None
        self._progress = Progress(search.on_progress, problem.n_splits, decides, search.error_score)
        data, unstable = _digest_of(problem)
        self._identity = Identity(
            self._estimator,
            data,
            problem.routed.fit,
            problem.routed.score,
            problem.scoring,
            threads,
            search.return_train_score,
        )
        self._identity.unstable.extend(unstable)
        self._keeper: FitKeeper | None = None
        self._shares = can_share_scoring(
            [problem.scoring.scorer] if problem.scoring.each is None else problem.scoring.each.values()
        )

    @property
    def problem(self) -> Problem:
        """What the search is about."""
        return self._problem

    def __enter__(self) -> Rounds:
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

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
            Spark cannot run the fits, or another driver has taken the sweep over.
        """
        first_id = len(self.candidates)
        candidates = dict(enumerate(candidate_params, start=first_id))
        splits = self._make_splits(cv or self._problem.cv, len(candidates))
        n_fits = len(splits) * len(candidates)
        self._say(f"Fitting {len(splits)} folds for each of {len(candidates)} candidates, totalling {n_fits} fits")
        self._warn_of_threads(candidates)
        plan = self._plan(candidates, splits)
        fits = self._run(candidates, splits, plan)
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
        self._progress.refitting()
        params = self.candidates[candidate_id]
        fit, model = self._on_spark().refit(self._work({candidate_id: params}, None), candidate_id)
        if self._keeper is not None:
            keys = {(candidate_id, ALL_ROWS): self._identity.fit_key(params, ALL_ROWS_DIGEST)}
            (fit,) = self._keeper.keep([fit], keys, {candidate_id: params_json(params)})
        self.fits.append(fit)
        return fit.fit_time, model

    def grid_table(self) -> pa.Table:
        """Return the grid, a row a fit, in the order in which Spark starts them."""
        return grid_table(sorted(self._grid, key=lambda row: (-row.expected_cost, row.unit_id)))

    def fits_table(self) -> pa.Table:
        """Return the fits, a row each."""
        keys = {(row.candidate_id, row.split_id): (row.fit_key, row.params) for row in self._grid}
        for fit in self.fits:
            if fit.split_id == ALL_ROWS:
                params = self.candidates[fit.candidate_id]
                key = self._identity.fit_key(params, ALL_ROWS_DIGEST)
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

    def _plan(self, candidates: Mapping[int, Mapping[str, Any]], splits: Sequence[Split]) -> _Plan:
        """Return what is to be trained and what the ledger has already; add all of it to the grid."""
        digests = [split_digest(train, test) for train, test in splits]
        keys = {
            (candidate_id, split_id): key
            for candidate_id, params in candidates.items()
            for split_id, key in enumerate(self._identity.fit_keys(params, digests))
        }
        texts = {candidate_id: params_json(params) for candidate_id, params in candidates.items()}
        reused = {(fit.candidate_id, fit.split_id): fit for fit in self._from_ledger(keys)}
        own = self._estimator.get_params(deep=True)
        seconds = None
        if self._keeper is not None:
            seconds = timed_costs(candidates, own, self._keeper.timings())
            self._keeper.forget_records()
        costs = seconds or {
            candidate_id: expected_cost({**own, **params}) for candidate_id, params in candidates.items()
        }
        sizes = [len(train) for train, _ in splits]
        if seconds:
            mean = sum(sizes) / len(sizes) or 1.0
            costs = {candidate_id: cost / mean for candidate_id, cost in costs.items()}
        first_id = 1 + max((row.unit_id for row in self._grid), default=-1)
        units = plan_units(plan_families(candidates, self._staged), sizes, costs, first_id)
        self._grid += [
            GridRow(
                keys[candidate_id, unit.split_id],
                candidate_id,
                unit.split_id,
                unit.unit_id,
                texts[candidate_id],
                unit.expected_cost,
            )
            for unit in units
            for candidate_id in unit.candidate_ids
        ]
        return _Plan(keys, texts, reused, _without(units, reused), Costs(in_seconds=seconds is not None))

    def _from_ledger(self, keys: Mapping[tuple[int, int], str]) -> Iterator[Fit]:
        """Yield the fits that need no training; the ledger is opened at the first round."""
        if self._search.ledger is None:
            return
        if self._keeper is None:
            ledger = open_ledger(self._search.ledger)
            sweep_key = hashlib.sha256("".join(sorted(keys.values())).encode()).hexdigest()
            self._keeper = self._stack.enter_context(FitKeeper(ledger, self._identity, sweep_key))
        else:
            self._keeper.read()
        scoring = self._problem.scoring
        yield from self._keeper.reusable(keys, None if scoring.each is None else scoring.names)

    def _staged(self, params: Mapping[str, Any]) -> str | None:
        """Return the parameter of a candidate whose smaller values need no training of their own."""
        if not self._shares or not self._search.share_work or not can_stage(self._estimator, params):
            return None
        names = frozenset(params)  # a candidate sets all that one of the same names has set
        try:
            estimator = self._probes.pop(names, None)
            estimator = clone(self._estimator) if estimator is None else estimator  # an ensemble's truth is its length
            estimator.set_params(**clone(dict(params), safe=False))
        except Exception:  # its fits will tell
            return None
        self._probes[names] = estimator
        return staged_parameter(estimator, params, self._problem.routed.fit, self._problem.y)

    def _run(self, candidates: Mapping[int, Mapping[str, Any]], splits: Sequence[Split], plan: _Plan) -> list[Fit]:
        if self._spark is None:
            self._splits = splits
        found = dict(plan.reused)
        shares = {
            (candidate_id, unit.split_id): unit.expected_cost / len(unit.candidate_ids)
            for unit in plan.units
            for candidate_id in unit.candidate_ids
        }
        self._progress.expect(len(plan.keys), math.fsum(shares.values()))
        if plan.reused:
            self._say(f"{len(plan.reused)} of {len(plan.keys)} fits reused")
            self._progress.reuse(plan.reused.values())
        own = self._estimator.get_params(deep=True)
        trained = {(unit.candidate_ids[-1], unit.split_id) for unit in plan.units}

        def on_fits(fits: Sequence[Fit]) -> None:
            if self._keeper is not None:
                fits = self._keeper.keep(fits, plan.keys, plan.texts)
            found.update({(fit.candidate_id, fit.split_id): fit for fit in fits})
            ends = [fit.candidate_id for fit in fits if (fit.candidate_id, fit.split_id) in trained]
            self._progress.add(fits, shares, sum(rounds_of({**own, **candidates[each]}) for each in ends))

        if plan.units:
            work = self._work(candidates, None if _same(splits, self._splits) else splits)
            self._on_spark().run(work, plan.units, plan.costs, on_fits)
        return [found[key] for key in sorted(found)]

    def _on_spark(self) -> SparkFits:
        """Return the fits on Spark; their data is the problem's and the splits of the first round."""
        if self._spark is None:
            problem = self._problem
            data = SearchData(problem.X, problem.y, self._splits, problem.routed.fit, problem.routed.score)
            search = self._search
            memory = None if search.fit_memory is None else parse_size(search.fit_memory)
            self._spark = SparkFits(self._session, data, Isolation(search.fit_timeout, memory, search.isolate))
        return self._spark

    def _leave_spark(self) -> None:
        if self._spark is not None:
            self._spark.close()

    def _work(self, candidates: Mapping[int, Mapping[str, Any]], splits: Sequence[Split] | None) -> Work:
        return Work(
            estimator=self._estimator,
            candidates=candidates,
            scoring=self._problem.scoring,
            return_train_score=self._search.return_train_score,
            raise_errors=isinstance(self._search.error_score, str),
            threads=self._threads,
            dumps=dumps,
            config=sklearn.get_config(),
            warning_filters=list(warnings.filters),
            splits=splits,
        )

    def _say(self, line: str) -> None:
        log.info("%s", line)
        if self._search.verbose > 0:
            sys.stdout.write(f"{line}\n")

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


def _digest_of(problem: Problem) -> tuple[str, list[str]]:
    """Return the digest of X and y, or what no other search has, and why."""
    try:
        return data_digest(problem.X, problem.y), []
    except Unstable as error:
        return uuid.uuid4().hex, [f"X or y: {error}"]


def _without(units: Sequence[Unit], done: Mapping[tuple[int, int], Any]) -> list[Unit]:
    """Return units without the candidates that are done, and without units that are done whole."""
    left = [
        replace(unit, candidate_ids=tuple(each for each in unit.candidate_ids if (each, unit.split_id) not in done))
        for unit in units
    ]
    return [unit for unit in left if unit.candidate_ids]


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
