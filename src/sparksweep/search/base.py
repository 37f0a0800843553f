"""What the searches share: ``fit`` on Spark in place of scikit-learn's, all else as scikit-learn has it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from sklearn.base import is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import indexable

from sparksweep.config.sizes import parse_size
from sparksweep.errors import SearchError, UsageError
from sparksweep.search.probing import UNREADABLE, stopped_at_data
from sparksweep.search.progress import OnProgress
from sparksweep.search.results import best_index, is_multimetric
from sparksweep.search.rounds import Problem, Rounds
from sparksweep.search.routing import route
from sparksweep.search.scoring import build_scoring
from sparksweep.search.sessions import choose_session, in_spark_task
from sparksweep.search.slicing import row_params
from sparksweep.session import cpus_per_task

__all__ = ["SparkSearch"]

PRE_DISPATCH = "2*n_jobs"  # scikit-learn's default
NOT_KEPT = ("_handles", "on_progress")  # belong to this process: no pickle, no copy


class SparkSearch:
    """Goes before a search of scikit-learn in the bases of a class, and overrides its ``fit``.

    Attributes
    ----------
    on_progress : callable or None
        Set it on the instance: called in the driver as fits finish, with the number done, failed among them, of all,
        and the best mean score so far or None. It is no parameter.
    """

    on_progress: OnProgress | None = None
    _handles: dict[str, Any] | None = None

    def fit(self: Any, X: Any, y: Any = None, **params: Any) -> Any:
        """Train and score every candidate on every split, as Spark tasks; then train the best on all rows.

        Parameters
        ----------
        X : array-like, sparse matrix, data frame or list, n_samples rows
            What to train on.
        y : array-like of n_samples, optional
            The target; None where there is none.
        **params
            For the estimator's ``fit``, the splitter (``groups``) and the scorers. What has a value a row of X is
            sliced with it.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            As scikit-learn does for wrong parameters, and when every fit failed.
        SearchError
            Spark lost fits, or what is to be fitted cannot be pickled.
        SessionError
            ``sc=`` or ``spark=`` is not the active session's.
        """
        if in_spark_task():
            return super().fit(X, y, **params)  # type: ignore[misc]  # the next base, which is a search
        with stopped_at_data():
            super().fit(UNREADABLE, UNREADABLE)  # type: ignore[misc]  # scikit-learn checks its own parameters
        _check_limits(self)
        session = choose_session(**(self._handles or {}))
        _warn_of_what_has_no_effect(self)
        problem = _problem(self, X, y, params)
        with Rounds(self, problem, session, cpus_per_task(session)) as rounds:
            self._run_search(rounds)
            _keep_results(self, problem, rounds)
            if self.refit:
                _refit(self, rounds)
            self.grid_, self.fits_ = rounds.grid_table(), rounds.fits_table()
        return self

    def set_callbacks(self: Any, *callbacks: Any) -> Any:
        """Refuse callbacks of scikit-learn, which would have to run in the driver and in the workers at once."""
        if callbacks:
            raise SearchError("scikit-learn's callbacks do not work for fits on Spark: set on_progress instead")
        return self

    def __getstate__(self) -> Any:
        state: Any = super().__getstate__()
        return {name: value for name, value in state.items() if name not in NOT_KEPT}

    def _check_data(self, X: Any, y: Any, cv: Any, split_params: Mapping[str, Any]) -> None:
        """Check what a kind of search wants of the data, before any fit; most want nothing."""

    def _keep_best(self: Any, refit_metric: str, results: Mapping[str, Any]) -> None:
        """Set what is best; a callable ``refit`` chooses without a score."""
        self.best_index_ = best_index(self.refit, refit_metric, results)
        if not callable(self.refit):
            self.best_score_ = results[f"mean_test_{refit_metric}"][self.best_index_]
        self.best_params_ = results["params"][self.best_index_]

    def _keep_handles(self, handles: dict[str, Any]) -> None:
        """Keep ``sc=`` and ``spark=``; anything else is an unexpected argument, as Python says it."""
        unknown = [name for name in handles if name not in ("sc", "spark")]
        if unknown:
            raise TypeError(f"{type(self).__name__}.__init__() got an unexpected keyword argument {unknown[0]!r}")
        if handles:
            self._handles = handles


def _check_limits(search: Any) -> None:
    timeout = search.fit_timeout
    if timeout is not None and not (isinstance(timeout, (int, float)) and timeout > 0):
        raise ValueError(f"fit_timeout must be a number of seconds above 0 or None, got {timeout!r}")
    if search.fit_memory is not None:
        try:
            parse_size(search.fit_memory)
        except UsageError as error:
            raise ValueError(f"fit_memory: {error}") from error
    if (timeout is not None or search.fit_memory is not None) and not search.isolate:
        raise ValueError("fit_timeout and fit_memory need isolate=True: a limit ends the process of a fit")


def _problem(search: Any, X: Any, y: Any, params: dict[str, Any]) -> Problem:
    """Check the data and resolve what the search's parameters mean for it."""
    scoring = build_scoring(search.estimator, search.scoring, raise_errors=isinstance(search.error_score, str))
    X, y = indexable(X, y)
    if X is None:
        raise TypeError(f"Expected sequence or array-like, got {type(X)}")
    routed = route(search, scoring, row_params(X, params))
    cv = check_cv(search.cv, y, classifier=is_classifier(search.estimator))
    search._check_data(X, y, cv, routed.split)
    n_splits = cv.get_n_splits(X, y, **routed.split)
    search.n_splits_ = n_splits
    return Problem(X, y, cv, n_splits, scoring, routed)


def _keep_results(search: Any, problem: Problem, rounds: Rounds) -> None:
    """Set what scikit-learn sets after the fits; the refit's attributes come later."""
    if not rounds.fits:
        raise ValueError("No fits were performed: _run_search tried no candidates")
    search.multimetric_ = is_multimetric(rounds.fits)
    refit_metric = _refit_metric(search, problem, rounds)
    search.scorer_ = problem.scoring.fitted
    search.cv_results_ = rounds.results
    if search.refit or not search.multimetric_:
        search._keep_best(refit_metric, rounds.results)


def _refit_metric(search: Any, problem: Problem, rounds: Rounds) -> str:
    """Return the scorer that decides; what a callable scores is known only now."""
    if not search.multimetric_:
        return "score"
    names = [key.removeprefix("mean_test_") for key in rounds.results if key.startswith("mean_test_")]
    if search.refit is not False and not callable(search.refit) and search.refit not in names:
        raise ValueError(
            "For multi-metric scoring, the parameter refit must be set to a scorer key or a callable to refit an "
            "estimator with the best parameter setting on the whole data and make the best_* attributes available for "
            f"that metric. If this is not needed, refit should be set to False explicitly. {search.refit!r} was passed."
        )
    return str(search.refit)


def _refit(search: Any, rounds: Rounds) -> None:
    search.refit_time_, search.best_estimator_ = rounds.refit(int(search.best_index_))
    if hasattr(search.best_estimator_, "feature_names_in_"):
        search.feature_names_in_ = search.best_estimator_.feature_names_in_


def _warn_of_what_has_no_effect(search: Any) -> None:
    given = [] if search.n_jobs is None else [f"n_jobs={search.n_jobs}"]
    given += [] if search.pre_dispatch == PRE_DISPATCH else [f"pre_dispatch={search.pre_dispatch!r}"]
    if given:
        warnings.warn(
            f"{', '.join(given)} of {type(search).__name__} has no effect: Spark decides how many fits run at once",
            UserWarning,
            stacklevel=3,
        )
