"""The experiments that come with the package are the scenario's, value for value, and pass every check."""

from __future__ import annotations

import pytest
from sklearn.model_selection import ParameterGrid

from sparksweep.pipeline.experiments import read_experiment, shipped_experiments

EIGHT = ["brand_model", "weekday", "hour", "weekday_hour", "app", "label", "category", "category_indicator"]
SAMPLES = ["brand_model", "app", "label", "category", "weekday", "hour", "weekday_hour", "category_word"]
CONSTANT = {
    "objective": ["multi:softprob"],
    "reg_alpha": [1],
    "reg_lambda": [1],
    "colsample_bytree": [1],
    "learning_rate": [0.1],
}
FOUR = {"n_estimators": [300, 400], "max_depth": [3, 4], "colsample_bylevel": [0.1], "subsample": [0.5]}
SIXTEEN = {**FOUR, "colsample_bylevel": [0.01, 0.1], "subsample": [0.5, 0.7]}

# name: (sets, encoding, what varies or not, candidates, folds)
SHIPPED = {
    "single_vm_small": (EIGHT[:4], "fraction", FOUR, 4, 5),
    "single_vm": (EIGHT, "fraction", FOUR, 4, 5),
    "distributed_sweep": (EIGHT, "fraction", SIXTEEN, 16, 5),
    "sample_parity": (SAMPLES, "indicator", FOUR, 4, 5),
    "demo": (EIGHT, "fraction", {**FOUR, "n_estimators": [30, 40]}, 4, 3),
}


def test_these_are_all():
    assert shipped_experiments() == sorted(SHIPPED)


@pytest.mark.parametrize("name", list(SHIPPED))
def test_it_is_the_scenarios(name):
    sets, encoding, varying, n_candidates, folds = SHIPPED[name]
    experiment = read_experiment(name)
    assert experiment.features.sets == sets
    assert experiment.features.encoding == encoding
    search = experiment.search
    assert search.estimator == "xgboost.XGBClassifier"
    assert search.params["seed"] == 0
    assert search.param_grid == {**varying, **CONSTANT}
    assert len(ParameterGrid(search.param_grid)) == n_candidates
    assert (search.scoring, search.cv, search.refit) == ("neg_log_loss", folds, True)
    assert experiment.spark == {}


def test_matrices_of_different_features_do_not_share_a_folder():
    features = [read_experiment(name).features for name in SHIPPED]
    by_name = {each.name: (each.sets, each.encoding) for each in features}
    assert all(by_name[each.name] == (each.sets, each.encoding) for each in features)


def test_any_key_can_be_overridden():
    overrides = ["search.param_grid.max_depth=[3,4,5]", "search.cv=4", "features.sets=[app]", "data.source=elsewhere"]
    experiment = read_experiment("single_vm", [*overrides, "spark.driver.memory=4g", "search.params.max_bin=64"])
    assert experiment.search.param_grid == {**FOUR, **CONSTANT, "max_depth": [3, 4, 5]}
    assert experiment.search.cv == 4
    assert experiment.search.params == {"seed": 0, "max_bin": 64}
    assert experiment.features.sets == ["app"]
    assert experiment.data.source == "elsewhere"
    assert experiment.spark == {"spark.driver.memory": "4g"}
