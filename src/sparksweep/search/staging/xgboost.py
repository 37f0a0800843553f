"""XGBoost's tree boosters: a round adds trees and changes none of those before it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from xgboost import XGBClassifier, XGBRanker, XGBRegressor
from xgboost.callback import TrainingCallback

from sparksweep.search.staging.adapter import (
    Adapter,
    Rule,
    Stage,
    anything,
    is_boolean,
    is_integer,
    is_nothing,
    is_number,
    one_of,
    optional,
)
from sparksweep.search.staging.growing_predictions import growing_predictions

__all__ = ["ADAPTER", "fit_stages"]


def fit_stages(estimator: Any, stages: Sequence[int], train: Callable[..., None]) -> Iterator[Stage]:
    """Train with a clock, then let predictions stop at each stage; see `sparksweep.search.staging.fit_stages`.

    ``best_iteration`` is what XGBoost's own early stopping leaves on a booster to bound its predictions.
    """
    clock = _Clock()
    estimator.callbacks = [clock]  # not set_params: that one reconfigures a fitted booster
    try:
        train()
    finally:
        estimator.callbacks = None
    seconds = clock.elapsed()
    booster = estimator.get_booster()
    growing = growing_predictions(booster, estimator.n_jobs) if booster.feature_names is None else nullcontext()
    try:
        with growing:
            for stage in stages[:-1]:
                booster.set_attr(best_iteration=str(stage - 1))
                yield stage, estimator, clock.rounds[stage - 1]
            booster.set_attr(best_iteration=None)
            yield stages[-1], estimator, seconds
    finally:
        booster.set_attr(best_iteration=None)


class _Clock(TrainingCallback):
    """Notes when each round ends, in seconds since it was made."""

    def __init__(self) -> None:
        super().__init__()
        self.start = time.perf_counter()
        self.rounds: list[float] = []

    def elapsed(self) -> float:
        return time.perf_counter() - self.start

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        self.rounds.append(self.elapsed())
        return False  # go on


_PARAMS: Mapping[str, Rule] = {
    "base_score": optional(is_number),
    "booster": optional(one_of("gbtree")),
    "callbacks": is_nothing,
    "colsample_bylevel": optional(is_number),
    "colsample_bynode": optional(is_number),
    "colsample_bytree": optional(is_number),
    "device": optional(one_of("cpu")),
    "early_stopping_rounds": is_nothing,
    "enable_categorical": is_boolean,
    "eval_metric": optional(lambda value: isinstance(value, str)),  # nothing is evaluated without an eval_set
    "feature_types": is_nothing,
    "feature_weights": is_nothing,
    "gamma": optional(is_number),
    "grow_policy": optional(one_of("depthwise", "lossguide")),
    "importance_type": anything,
    "interaction_constraints": anything,
    "learning_rate": optional(is_number),
    "max_bin": optional(is_integer),
    "max_cat_threshold": optional(is_integer),
    "max_cat_to_onehot": optional(is_integer),
    "max_delta_step": optional(is_number),
    "max_depth": optional(is_integer),
    "max_leaves": optional(is_integer),
    "min_child_weight": optional(is_number),
    "missing": is_number,
    "monotone_constraints": anything,
    "multi_strategy": optional(one_of("one_output_per_tree")),
    "n_jobs": optional(is_integer),
    "num_parallel_tree": optional(is_integer),
    "random_state": optional(is_integer),  # a RandomState gives each fit another seed
    "reg_alpha": optional(is_number),
    "reg_lambda": optional(is_number),
    "sampling_method": optional(one_of("uniform")),
    "scale_pos_weight": optional(is_number),
    "subsample": optional(is_number),
    "tree_method": optional(one_of("auto", "approx", "exact", "hist")),
    "validate_parameters": optional(is_boolean),
    "verbosity": optional(is_integer),
}

_CLASSIFICATION = one_of("binary:logistic", "binary:logitraw", "binary:hinge", "multi:softprob", "multi:softmax")
_REGRESSION = one_of(
    "reg:squarederror",
    "reg:squaredlogerror",
    "reg:logistic",
    "reg:pseudohubererror",
    "reg:absoluteerror",
    "reg:gamma",
    "reg:tweedie",
    "count:poisson",
)
_RANKING = one_of("rank:ndcg", "rank:map", "rank:pairwise")

ADAPTER = Adapter(
    parameter="n_estimators",
    params={
        XGBClassifier: {**_PARAMS, "objective": optional(_CLASSIFICATION)},
        XGBRegressor: {**_PARAMS, "objective": optional(_REGRESSION)},
        XGBRanker: {**_PARAMS, "objective": optional(_RANKING)},
    },
    fit_params={
        "base_margin": is_nothing,
        "eval_set": is_nothing,
        "group": anything,
        "qid": anything,
        "sample_weight": anything,
        "verbose": is_boolean,
        "xgb_model": is_nothing,
    },
    fit_stages=fit_stages,
)
