"""scikit-learn's GradientBoosting: a round adds trees; random numbers are drawn round by round."""

from __future__ import annotations

from collections.abc import Mapping

from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

from sparksweep.search.staging.adapter import (
    Adapter,
    Rule,
    anything,
    is_false,
    is_integer,
    is_nothing,
    is_number,
    is_zero,
    one_of,
    optional,
)
from sparksweep.search.staging.prefixes import fit_prefixes

__all__ = ["ADAPTER"]

_PARAMS: Mapping[str, Rule] = {
    "alpha": is_number,
    "ccp_alpha": is_number,
    "criterion": anything,
    "init": optional(one_of("zero")),
    "learning_rate": is_number,
    "loss": anything,
    "max_depth": optional(is_integer),
    "max_features": anything,
    "max_leaf_nodes": optional(is_integer),
    "min_impurity_decrease": is_number,
    "min_samples_leaf": is_number,
    "min_samples_split": is_number,
    "min_weight_fraction_leaf": is_number,
    "n_iter_no_change": is_nothing,
    "random_state": is_integer,
    "subsample": is_number,
    "tol": is_number,
    "validation_fraction": is_number,
    "verbose": is_zero,
    "warm_start": is_false,
}

ADAPTER = Adapter(
    parameter="n_estimators",
    params=dict.fromkeys((GradientBoostingClassifier, GradientBoostingRegressor), _PARAMS),
    fit_params={"sample_weight": anything, "monitor": is_nothing},
    fit_stages=fit_prefixes("estimators_", "train_score_"),
)
