"""Successive halving, by scikit-learn's rules: many candidates on few resources, then the best of them on more."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils import resample
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from sparksweep.search.base import SparkSearch
from sparksweep.search.rounds import Rounds
from sparksweep.search.slicing import count_rows

__all__ = ["SparkHalving"]

ROWS = "n_samples"
TRAIN_ROWS_A_CLASS = 2  # the least that a split has of each class, where the resource is rows


class SparkHalving(SparkSearch):
    """Goes before a halving search of scikit-learn in the bases of a class; a round of halving is a round on Spark."""

    @abstractmethod
    def _first_candidates(self) -> Any:
        """Return the candidates of the first round: what has a length, and can be iterated again."""

    def _check_data(self: Any, X: Any, y: Any, cv: Any, split_params: Mapping[str, Any]) -> None:
        """Check the splitter and the resource; set ``min_resources_`` and ``max_resources_``.

        Raises
        ------
        ValueError
            As scikit-learn does, with its words.
        """
        if not _splits_alike(cv):
            raise ValueError(
                "The cv parameter must yield consistent folds across calls to split(). "
                "Set its random_state to an int, or set shuffle=False."
            )
        if self.resource not in (ROWS, *self.estimator.get_params()):
            raise ValueError(
                f"Cannot use resource={self.resource} which is not supported by estimator "
                f"{type(self.estimator).__name__}"
            )
        self.min_resources_ = self.min_resources
        if self.min_resources in ("smallest", "exhaust"):
            self.min_resources_ = _least_rows(self, X, y, cv, split_params) if self.resource == ROWS else 1
        self.max_resources_ = self.max_resources
        if self.max_resources == "auto":
            if self.resource != ROWS:
                raise ValueError("resource can only be 'n_samples' when max_resources='auto'")
            self.max_resources_ = count_rows(X)
        if self.min_resources_ > self.max_resources_:
            raise ValueError(
                f"min_resources_={self.min_resources_} is greater than max_resources_={self.max_resources_}."
            )
        if self.min_resources_ == 0:
            raise ValueError(f"min_resources_={self.min_resources_}: you might have passed an empty dataset X.")

    def _keep_best(self: Any, refit_metric: str, results: Mapping[str, Any]) -> None:
        """Keep the best of the last round, whatever ``refit`` is; earlier rounds had fewer resources."""
        self.best_index_ = _best_of_last(results)
        self.best_score_ = results["mean_test_score"][self.best_index_]
        self.best_params_ = results["params"][self.best_index_]

    def _run_search(self: Any, evaluate_candidates: Any, callback_ctx: Any = None) -> None:
        if not isinstance(evaluate_candidates, Rounds):  # inside a Spark task the search is scikit-learn's
            given = {} if callback_ctx is None else {"callback_ctx": callback_ctx}
            super()._run_search(evaluate_candidates, **given)  # type: ignore[misc]  # the next base, a search
            return
        candidates = self._first_candidates()
        if self.resource != ROWS and any(self.resource in params for params in candidates):
            raise ValueError(
                f"Cannot use parameter {self.resource} as the resource since it is part of the searched parameters."
            )
        schedule = _schedule(self, len(candidates))
        self.min_resources_ = schedule.min_resources
        self._say(schedule.lines(self))
        self.n_resources_: list[int] = []
        self.n_candidates_: list[int] = []
        for iteration, n_resources in enumerate(schedule.resources()):
            candidates = self._run_round(evaluate_candidates, candidates, iteration, n_resources)
        self.n_remaining_candidates_ = len(candidates)
        self.n_required_iterations_ = schedule.n_required
        self.n_possible_iterations_ = schedule.n_possible
        self.n_iterations_ = schedule.n_iterations

    def _run_round(self: Any, rounds: Rounds, candidates: Any, iteration: int, n_resources: int) -> list[Any]:
        """Run one round; return the candidates of the next."""
        n_candidates = len(candidates)
        self.n_resources_.append(n_resources)
        self.n_candidates_.append(n_candidates)
        self._say(["-" * 10, f"iter: {iteration}", f"n_candidates: {n_candidates}", f"n_resources: {n_resources}"])
        cv = rounds.problem.cv
        if self.resource == ROWS:
            cv = _PartOfRows(cv, n_resources / count_rows(rounds.problem.X), self.random_state)
        else:
            candidates = [{**params, self.resource: n_resources} for params in candidates]
        more = {"iter": [iteration] * n_candidates, "n_resources": [n_resources] * n_candidates}
        return _top(rounds(candidates, cv=cv, more_results=more), ceil(n_candidates / self.factor), iteration)

    def _say(self: Any, lines: Iterable[str]) -> None:
        if self.verbose:
            sys.stdout.writelines(f"{line}\n" for line in lines)


@dataclass(frozen=True)
class _Schedule:
    """How many rounds there are, and on what.

    Attributes
    ----------
    n_required : int
        Rounds after which fewer than `factor` candidates are left.
    n_possible : int
        Rounds whose resources do not exceed the most.
    """

    n_required: int
    n_possible: int
    min_resources: Any
    max_resources: Any
    factor: float
    aggressive: bool

    @property
    def n_iterations(self) -> int:
        return self.n_required if self.aggressive else min(self.n_possible, self.n_required)

    def resources(self) -> Iterator[int]:
        """Yield what each round has; aggressive elimination stays at the least as long as it must."""
        for iteration in range(self.n_iterations):
            power = max(0, iteration - self.n_required + self.n_possible) if self.aggressive else iteration
            yield min(int(self.factor**power * self.min_resources), self.max_resources)

    def lines(self, search: Any) -> list[str]:
        """Return what a verbose search says first."""
        return [
            f"n_iterations: {self.n_iterations}",
            f"n_required_iterations: {self.n_required}",
            f"n_possible_iterations: {self.n_possible}",
            f"min_resources_: {self.min_resources}",
            f"max_resources_: {self.max_resources}",
            f"aggressive_elimination: {search.aggressive_elimination}",
            f"factor: {search.factor}",
        ]


def _schedule(search: Any, n_candidates: int) -> _Schedule:
    least, most, factor = search.min_resources_, search.max_resources_, search.factor
    n_required = 1 + floor(log(n_candidates, factor))
    if search.min_resources == "exhaust":  # start as high as lets the last required round use all there is
        least = max(least, most // factor ** (n_required - 1))
    n_possible = 1 + floor(log(most // least, factor))
    return _Schedule(n_required, n_possible, least, most, factor, search.aggressive_elimination)


@dataclass(frozen=True)
class _PartOfRows:
    """Splits of another splitter with a part of their rows, train and test, drawn without replacement."""

    cv: Any
    fraction: float
    random_state: Any

    def split(self, X: Any, y: Any, **params: Any) -> Iterator[tuple[Any, Any]]:
        for train, test in self.cv.split(X, y, **params):
            yield self._draw(train), self._draw(test)

    def _draw(self, rows: Any) -> Any:
        n_rows = int(self.fraction * len(rows))
        return resample(rows, replace=False, random_state=self.random_state, n_samples=n_rows)


def _splits_alike(cv: Any) -> bool:
    """Tell whether a splitter makes the same splits when asked again; without ``shuffle`` it is taken to shuffle."""
    return isinstance(getattr(cv, "random_state", 0), Integral) or not getattr(cv, "shuffle", True)


def _least_rows(search: Any, X: Any, y: Any, cv: Any, split_params: Mapping[str, Any]) -> int:
    least = cv.get_n_splits(X, y, **split_params) * TRAIN_ROWS_A_CLASS
    if not is_classifier(search.estimator):
        return int(least)
    y = validate_data(search, X="no_validation", y=y)
    check_classification_targets(y)
    return int(least * np.unique(y).shape[0])


def _in_round(results: Mapping[str, Any], iteration: int) -> NDArray[np.intp]:
    return np.flatnonzero(results["iter"] == iteration)


def _top(results: Mapping[str, Any], n_kept: int, iteration: int) -> list[Mapping[str, Any]]:
    """Return the params of the best candidates of a round, the best last; NaN is worse than any score."""
    rows = _in_round(results, iteration)
    scores = results["mean_test_score"][rows]
    order = np.roll(np.argsort(scores), np.count_nonzero(np.isnan(scores)))
    return [results["params"][row] for row in rows[order[-n_kept:]]]


def _best_of_last(results: Mapping[str, Any]) -> Any:
    rows = _in_round(results, np.max(results["iter"]))
    scores: Sequence[float] = results["mean_test_score"][rows]
    return rows[0 if np.isnan(scores).all() else np.nanargmax(scores)]
