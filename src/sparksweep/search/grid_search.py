"""scikit-learn's ``GridSearchCV``, its fits on Spark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn import model_selection
from sklearn.model_selection import ParameterGrid

from sparksweep.search.base import SparkSearch

__all__ = ["GridSearchCV"]


class GridSearchCV(SparkSearch, model_selection.GridSearchCV):  # type: ignore[misc]  # scikit-learn is untyped
    """Try every combination of parameters, with each fit as a Spark task.

    Parameters, attributes and results are those of `sklearn.model_selection.GridSearchCV`; scores, ranks and the
    refitted model are the same bit for bit at the same thread count. ``n_jobs`` and ``pre_dispatch`` have no effect.
    Inside a Spark task, as the estimator of another search, it is scikit-learn's.

    Parameters
    ----------
    estimator : object
        With scikit-learn's API; it must be picklable.
    param_grid : dict of str to sequence, or list of such dicts
        Every combination is a candidate.
    scoring, refit, cv, error_score, return_train_score
        As in scikit-learn.
    verbose : int
        Above 0, the number of fits is written to standard output.
    n_jobs, pre_dispatch
        Accepted for scikit-learn's sake.
    ledger : str, Path or Ledger, optional
        Folder or URI where every fit is kept as soon as it is done, and from where fits that were done are taken.
    fit_timeout : float, optional
        Seconds that training and scoring a unit may take.
    fit_memory : int or str, optional
        Bytes that a fit may take for itself, or a text such as ``"2g"``; default is its share of what holds it.
    isolate : bool
        Run fits in a process of their own. For experts: without, a fit that crashes takes its worker with it, and there
        are no limits of time and memory.
    share_work : bool
        Train candidates that differ only in the number of rounds once; what comes out is the same.
    **handles
        ``sc=`` or ``spark=``: the active SparkContext or SparkSession. They are no parameters: a clone or a pickle does
        not have them. Without an active session one is started on this machine.

    Attributes
    ----------
    cv_results_, best_index_, best_params_, best_score_, best_estimator_, scorer_, n_splits_, refit_time_, \
    multimetric_, classes_, n_features_in_, feature_names_in_
        As in scikit-learn.
    grid_ : pyarrow.Table
        A row a fit in the order of starting: fit_key, candidate_id, split_id, unit_id, params, expected_cost.
    fits_ : pyarrow.Table
        A row a fit, the refit (split_id null) last: scores by scorer, times, status, traceback, host, process.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sparksweep import GridSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> search = GridSearchCV(LogisticRegression(max_iter=1000), {"C": [0.1, 1, 10]}).fit(X, y)  # doctest: +SKIP
    >>> search.best_params_  # doctest: +SKIP
    {'C': 1}
    """

    def __init__(
        self,
        estimator: Any,
        param_grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Sequence[Any]]],
        *,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: bool | str | Callable[[Mapping[str, Any]], int] = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        error_score: float | str = np.nan,
        return_train_score: bool = False,
        ledger: Any = None,
        fit_timeout: float | None = None,
        fit_memory: int | str | None = None,
        isolate: bool = True,
        share_work: bool = True,
        **handles: Any,
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.ledger = ledger
        self.fit_timeout = fit_timeout
        self.fit_memory = fit_memory
        self.isolate = isolate
        self.share_work = share_work
        self._keep_handles(handles)

    def _run_search(self, evaluate_candidates: Callable[..., Any]) -> None:
        evaluate_candidates(ParameterGrid(self.param_grid))
