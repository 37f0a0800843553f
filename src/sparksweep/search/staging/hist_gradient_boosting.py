"""scikit-learn's HistGradientBoosting, whose ``staged_`` methods are the only public way to a prefix."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from sparksweep.search.staging.adapter import (
    Adapter,
    Rule,
    Stage,
    anything,
    is_false,
    is_integer,
    is_nothing,
    is_number,
    is_zero,
    optional,
)

__all__ = ["ADAPTER", "fit_stages"]


def fit_stages(estimator: Any, stages: Sequence[int], train: Callable[..., None]) -> Iterator[Stage]:
    """Train, then show each stage through its ``staged_`` methods; see `sparksweep.search.staging.fit_stages`."""
    start = time.perf_counter()
    train()
    seconds = time.perf_counter() - start
    shown = _ClassifierStage if isinstance(estimator, ClassifierMixin) else _RegressorStage
    for stage in stages[:-1]:
        yield stage, shown(estimator, stage), seconds * stage / stages[-1]
    yield stages[-1], estimator, seconds


class _Stage(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A fitted estimator that predicts as after `stage` rounds."""

    def __init__(self, whole: Any, stage: int) -> None:
        self.whole = whole
        self.stage = stage
        self.n_features_in_ = whole.n_features_in_

    def predict(self, X: Any) -> Any:
        return self._last(self.whole.staged_predict(X))

    def _last(self, predictions: Iterator[Any]) -> Any:
        """Return the stage's prediction; training may have ended before, then the last one."""
        prediction = None
        for prediction in islice(predictions, self.stage):  # noqa: B007
            pass
        return prediction


class _RegressorStage(RegressorMixin, _Stage):  # type: ignore[misc]
    pass


class _ClassifierStage(ClassifierMixin, _Stage):  # type: ignore[misc]
    def __init__(self, whole: Any, stage: int) -> None:
        super().__init__(whole, stage)
        self.classes_ = whole.classes_

    def predict_proba(self, X: Any) -> Any:
        return self._last(self.whole.staged_predict_proba(X))

    def decision_function(self, X: Any) -> Any:
        return self._last(self.whole.staged_decision_function(X))


_PARAMS: Mapping[str, Rule] = {
    "categorical_features": anything,
    "class_weight": anything,
    "early_stopping": is_false,  # the default, "auto", stops early on more than 10,000 rows
    "interaction_cst": anything,
    "l2_regularization": is_number,
    "learning_rate": is_number,
    "loss": anything,
    "max_bins": is_integer,
    "max_depth": optional(is_integer),
    "max_features": is_number,
    "max_leaf_nodes": optional(is_integer),
    "min_samples_leaf": is_integer,
    "monotonic_cst": anything,
    "n_iter_no_change": is_integer,
    "quantile": optional(is_number),
    "random_state": is_integer,
    "scoring": anything,
    "tol": is_number,
    "validation_fraction": optional(is_number),
    "verbose": is_zero,
    "warm_start": is_false,
}

ADAPTER = Adapter(
    parameter="max_iter",
    params=dict.fromkeys((HistGradientBoostingClassifier, HistGradientBoostingRegressor), _PARAMS),
    fit_params={"X_val": is_nothing, "y_val": is_nothing, "sample_weight_val": is_nothing, "sample_weight": anything},
    fit_stages=fit_stages,
)
