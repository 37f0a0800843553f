"""scikit-learn's ``HalvingGridSearchCV``, its fits on Spark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn import model_selection
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  # scikit-learn has the class only after this
from sklearn.model_selection import ParameterGrid

from sparksweep.search.halving import SparkHalving

__all__ = ["HalvingGridSearchCV"]


class HalvingGridSearchCV(SparkHalving, model_selection.HalvingGridSearchCV):  # type: ignore[misc]  # untyped
    """Try every combination of parameters on few rows or rounds, and the best of them on ever more, on Spark.

    Parameters, attributes and results are those of `sklearn.model_selection.HalvingGridSearchCV`, which is
    experimental: it may change without notice. See `sparksweep.GridSearchCV` for what is added.

    Parameters
    ----------
    estimator : object
        With scikit-learn's API; it must be picklable.
    param_grid : dict of str to sequence, or list of such dicts
        Every combination is a candidate of the first round.
    factor : int or float
        One candidate of so many goes on to the next round, which has so many times the resources.
    resource : str
        ``"n_samples"``, rows drawn from each split, or a parameter of the estimator such as ``"n_estimators"``.
        Candidates that go on are trained anew.
    max_resources, min_resources, aggressive_elimination
        As in scikit-learn.
    cv, scoring, refit, error_score, return_train_score, random_state
        As in scikit-learn.
    n_jobs
        Accepted for scikit-learn's sake.
    verbose : int
        Above 0, rounds and numbers of fits are written to standard output.
    ledger : str, Path or Ledger, optional
        Folder or URI where every fit is kept as soon as it is done, and from where fits that were done are taken. Rows
        are drawn anew without an int as ``random_state``, so that nothing is found again.
    fit_timeout : float, optional
        Seconds that training and scoring a unit may take.
    fit_memory : int or str, optional
        Bytes that a fit may take for itself, or a text such as ``"2g"``; default is its share of what holds it.
    isolate : bool
        Run fits in a process of their own. For experts: without, a fit that crashes takes its worker with it, and there
        are no limits of time and memory.
    share_work : bool
        Train candidates of a round that differ only in the number of rounds once; what comes out is the same.
    **handles
        ``sc=`` or ``spark=``: the active SparkContext or SparkSession.
    """

    def __init__(
        self,
        estimator: Any,
        param_grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Sequence[Any]]],
        *,
        factor: float = 3,
        resource: str = "n_samples",
        max_resources: int | str = "auto",
        min_resources: int | str = "exhaust",
        aggressive_elimination: bool = False,
        cv: Any = 5,
        scoring: Any = None,
        refit: bool | str | Callable[[Mapping[str, Any]], int] = True,
        error_score: float | str = np.nan,
        return_train_score: bool = True,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
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
            factor=factor,
            resource=resource,
            max_resources=max_resources,
            min_resources=min_resources,
            aggressive_elimination=aggressive_elimination,
            cv=cv,
            scoring=scoring,
            refit=refit,
            error_score=error_score,
            return_train_score=return_train_score,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.ledger = ledger
        self.fit_timeout = fit_timeout
        self.fit_memory = fit_memory
        self.isolate = isolate
        self.share_work = share_work
        self._keep_handles(handles)

    def _first_candidates(self) -> Any:
        return ParameterGrid(self.param_grid)
