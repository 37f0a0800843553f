"""LightGBM's boosted trees: a round adds trees and changes none of those before it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from lightgbm import LGBMClassifier, LGBMRegressor

from sparksweep.search.staging.adapter import (
    Adapter,
    Rule,
    Stage,
    anything,
    either,
    is_boolean,
    is_integer,
    is_nothing,
    is_number,
    one_of,
    optional,
)

__all__ = ["ADAPTER", "fit_stages"]


def fit_stages(estimator: Any, stages: Sequence[int], train: Callable[..., None]) -> Iterator[Stage]:
    """Train with a clock, then let predictions stop at each stage; see `sparksweep.search.staging.fit_stages`.

    ``best_iteration`` is what LightGBM's own early stopping leaves on a booster to bound its predictions. It counts the
    rounds that grew a tree: a round that finds no split adds none, and the next one, on another sample, may.
    """
    start = time.perf_counter()
    rounds: list[tuple[int, float]] = []

    def note(env: Any) -> None:
        rounds.append((env.model.current_iteration(), time.perf_counter() - start))

    train(callbacks=[note])
    seconds = time.perf_counter() - start
    booster = estimator.booster_
    whole = booster.best_iteration
    try:
        for stage in stages[:-1]:
            booster.best_iteration, elapsed = rounds[stage - 1]
            yield stage, estimator, elapsed
    finally:
        booster.best_iteration = whole
    yield stages[-1], estimator, seconds


_PARAMS: Mapping[str, Rule] = {
    "boosting_type": one_of("gbdt"),
    "class_weight": anything,
    "colsample_bytree": is_number,
    "deterministic": is_boolean,
    "force_col_wise": is_boolean,
    "force_row_wise": is_boolean,
    "importance_type": anything,
    "learning_rate": is_number,
    "max_depth": is_integer,
    "min_child_samples": is_integer,
    "min_child_weight": is_number,
    "min_split_gain": is_number,
    "n_jobs": optional(is_integer),
    "num_leaves": is_integer,
    "random_state": optional(is_integer),  # a RandomState gives each fit another seed
    "reg_alpha": is_number,
    "reg_lambda": is_number,
    "subsample": is_number,
    "subsample_for_bin": is_integer,
    "subsample_freq": is_integer,
    "verbose": is_integer,
    "verbosity": is_integer,
}

ADAPTER = Adapter(
    parameter="n_estimators",
    params={
        LGBMClassifier: {**_PARAMS, "objective": optional(one_of("binary", "multiclass", "multiclassova"))},
        LGBMRegressor: {
            **_PARAMS,
            "objective": optional(
                one_of("regression", "regression_l1", "huber", "fair", "poisson", "quantile", "mape", "tweedie")
            ),
        },
    },
    fit_params={
        "callbacks": is_nothing,
        "categorical_feature": either(one_of("auto"), lambda value: isinstance(value, list)),
        "eval_set": is_nothing,
        "init_model": is_nothing,
        "init_score": is_nothing,
        "sample_weight": anything,
    },
    fit_stages=fit_stages,
)
