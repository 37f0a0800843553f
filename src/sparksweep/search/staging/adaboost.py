"""scikit-learn's AdaBoost over trees; it may stop before the last stage, and then so does a separate fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.ensemble import AdaBoostClassifier, AdaBoostRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sparksweep.search.staging.adapter import Adapter, Rule, anything, is_integer, is_number, one_of
from sparksweep.search.staging.prefixes import fit_prefixes

__all__ = ["ADAPTER"]


def _is_tree(value: Any) -> bool:
    return value is None or type(value) in (DecisionTreeClassifier, DecisionTreeRegressor)


_PARAMS: Mapping[str, Rule] = {
    "algorithm": one_of("deprecated"),
    "estimator": _is_tree,
    "learning_rate": is_number,
    "loss": one_of("linear", "square", "exponential"),
    "random_state": is_integer,
}

ADAPTER = Adapter(
    parameter="n_estimators",
    params=dict.fromkeys((AdaBoostClassifier, AdaBoostRegressor), _PARAMS),
    fit_params={"sample_weight": anything},
    fit_stages=fit_prefixes("estimators_", "estimator_weights_", "estimator_errors_"),
)
