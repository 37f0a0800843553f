"""scikit-learn's forests: each tree has a seed drawn in its turn, and a prediction is the mean over the trees."""

from __future__ import annotations

from collections.abc import Mapping

from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor

from sparksweep.search.staging.adapter import (
    Adapter,
    Rule,
    anything,
    is_boolean,
    is_false,
    is_integer,
    is_nothing,
    is_number,
    is_zero,
    optional,
)
from sparksweep.search.staging.prefixes import fit_prefixes

__all__ = ["ADAPTER"]

_PARAMS: Mapping[str, Rule] = {
    "bootstrap": is_boolean,
    "ccp_alpha": is_number,
    "class_weight": anything,
    "criterion": anything,
    "max_depth": optional(is_integer),
    "max_features": anything,
    "max_leaf_nodes": optional(is_integer),
    "max_samples": optional(is_number),
    "min_impurity_decrease": is_number,
    "min_samples_leaf": is_number,
    "min_samples_split": is_number,
    "min_weight_fraction_leaf": is_number,
    "monotonic_cst": is_nothing,
    "n_jobs": optional(is_integer),
    "oob_score": is_false,
    "random_state": is_integer,
    "verbose": is_zero,
    "warm_start": is_false,
}

ADAPTER = Adapter(
    parameter="n_estimators",
    params=dict.fromkeys(
        (ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor), _PARAMS
    ),
    fit_params={"sample_weight": anything},
    fit_stages=fit_prefixes("estimators_"),
)
