"""scikit-learn's ``RandomizedSearchCV``, its fits on Spark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn import model_selection
from sklearn.model_selection import ParameterSampler

from sparksweep.search.base import SparkSearch

__all__ = ["RandomizedSearchCV"]


class RandomizedSearchCV(SparkSearch, model_selection.RandomizedSearchCV):  # type: ignore[misc]  # untyped
    """Try parameters drawn from lists and distributions, with each fit as a Spark task.

    Parameters, attributes and results are those of `sklearn.model_selection.RandomizedSearchCV`, and the same
    candidates are drawn for the same ``random_state``; see `sparksweep.GridSearchCV` for what is added.

    Parameters
    ----------
    estimator : object
        With scikit-learn's API; it must be picklable.
    param_distributions : dict of str to sequence or distribution, or list of such dicts
        What candidates are drawn from.
    n_iter : int
        How many are drawn.
    scoring, refit, cv, random_state, error_score, return_train_score
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
        ``sc=`` or ``spark=``: the active SparkContext or SparkSession.
    """

    def __init__(
        self,
        estimator: Any,
        param_distributions: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        n_iter: int = 10,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: bool | str | Callable[[Mapping[str, Any]], int] = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        random_state: Any = None,
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
            param_distributions,
            n_iter=n_iter,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            random_state=random_state,
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
        evaluate_candidates(ParameterSampler(self.param_distributions, self.n_iter, random_state=self.random_state))
