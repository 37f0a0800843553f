"""LightGBM in stages: equal to separate fits wherever it is staged, and where it is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import get_scorer

from sparksweep.search.staging import fit_stages, staged_parameter

pytestmark = [pytest.mark.slow, pytest.mark.versions]

lightgbm = pytest.importorskip("lightgbm", exc_type=(ImportError, OSError))  # it needs the system's libgomp
LGBMClassifier, LGBMRegressor = lightgbm.LGBMClassifier, lightgbm.LGBMRegressor

COMMON = {
    "max_depth": st.sampled_from([-1, 1, 3]),
    "num_leaves": st.integers(2, 9),
    "learning_rate": st.sampled_from([0.1, 0.7]),
    "subsample": st.sampled_from([1.0, 0.5]),
    "subsample_freq": st.sampled_from([0, 1, 3]),
    "colsample_bytree": st.sampled_from([1.0, 0.5]),
    "min_child_samples": st.sampled_from([1, 5, 17, 25]),  # 25 of 40 rows: no split at all
    "min_split_gain": st.sampled_from([0.0, 0.5, 3.0]),
    "reg_alpha": st.sampled_from([0.0, 0.1]),
    "reg_lambda": st.sampled_from([0.0, 1.0]),
    "random_state": st.sampled_from([None, 0, 7]),
}
STAGES = st.sets(st.integers(1, 8), min_size=1, max_size=4).map(sorted)
CHECKS = settings(max_examples=25, deadline=None)
QUIET = {"verbose": -1, "n_jobs": 1}


def predictions(fitted, X):
    return fitted.predict(X)


def probabilities(fitted, X):
    return fitted.predict_proba(X)


def raw_scores(fitted, X):
    return fitted.predict(X, raw_score=True)


def by_scorer(name, y):
    return lambda fitted, X: get_scorer(name)(fitted, X, y)


@CHECKS
@given(
    params=st.fixed_dictionaries({**COMMON, "class_weight": st.sampled_from([None, "balanced"])}),
    stages=STAGES,
    classes=st.sampled_from([2, 3]),
    one_versus_all=st.booleans(),
    sparse=st.booleans(),
    weighted=st.booleans(),
    seed=st.integers(0, 99),
)
def test_classifier(compare, table, params, stages, classes, one_versus_all, sparse, weighted, seed):
    X, y, weights = table(seed, classes, sparse)
    if one_versus_all and classes == 3:
        params["objective"] = "multiclassova"
    outputs = [predictions, probabilities, raw_scores]
    outputs += [by_scorer("neg_log_loss", y[40:]), by_scorer("accuracy", y[40:])]
    fit_params = {"sample_weight": weights[:40]} if weighted else {}
    train = (X[:40], np.where(np.arange(40) < classes, np.arange(40), y[:40]))
    compare(LGBMClassifier(**params, **QUIET), stages, train, X[40:], outputs, **fit_params)


@CHECKS
@given(
    params=st.fixed_dictionaries(
        {
            **COMMON,
            "objective": st.sampled_from(
                [None, "regression_l1", "huber", "fair", "poisson", "quantile", "mape", "tweedie"]
            ),
        }
    ),
    stages=STAGES,
    sparse=st.booleans(),
    weighted=st.booleans(),
    seed=st.integers(0, 99),
)
def test_regressor(compare, table, params, stages, sparse, weighted, seed):
    X, y, weights = table(seed, None, sparse)
    fit_params = {"sample_weight": weights[:40]} if weighted else {}
    outputs = [predictions, raw_scores, by_scorer("r2", y[40:])]
    compare(LGBMRegressor(**params, **QUIET), stages, (X[:40], y[:40]), X[40:], outputs, **fit_params)


def test_rounds_without_a_split_count_though_they_add_no_tree(compare, table):
    X, y, _ = table(5, None, False)
    barren = LGBMRegressor(subsample=0.5, subsample_freq=1, min_child_samples=8, min_split_gain=8.0, **QUIET)
    staged, _ = compare(barren, list(range(1, 31)), (X[:40], y[:40]), X[40:], [predictions])
    assert 1 < staged.booster_.num_trees() < 30


def test_categories_and_choice_of_histograms(compare, table):
    X, y, _ = table(5, 3, False)
    estimator = LGBMClassifier(deterministic=True, force_row_wise=True, min_child_samples=2, **QUIET)
    compare(estimator, [1, 4, 6], (X[:40], y[:40]), X[40:], [probabilities], categorical_feature=[2])


class Own(LGBMClassifier):
    """Whatever it changes."""


def own_objective(y_true, y_pred):
    return y_pred - y_true, np.ones_like(y_pred)


@pytest.mark.parametrize(
    "params",
    [
        {"boosting_type": "dart"},
        {"boosting_type": "rf"},
        {"boosting": "dart"},
        {"data_sample_strategy": "goss"},
        {"early_stopping_round": 2},
        {"objective": own_objective},
        {"objective": "cross_entropy"},
        {"random_state": np.random.RandomState(0)},
        {"num_iterations": 7},
        {"linear_tree": True},
        {"n_estimators": None},
        {"n_estimators": 0},
        {"n_estimators": 2.0},
    ],
)
def test_params_that_train_separately(params):
    params = {"n_estimators": 3, **params}
    assert staged_parameter(LGBMRegressor(**params), params, {}) is None
    assert staged_parameter(LGBMClassifier(**params), params, {}) is None


@pytest.mark.parametrize(
    "fit_params",
    [
        {"callbacks": [lightgbm.reset_parameter(learning_rate=lambda n: 0.5**n)]},
        {"callbacks": [lightgbm.early_stopping(2)]},
        {"eval_set": [(np.zeros((3, 1)), np.zeros(3))]},
        {"eval_metric": "auc"},
        {"init_model": "model.txt"},
        {"init_score": np.zeros(3)},
    ],
)
def test_arguments_of_fit_that_train_separately(fit_params):
    assert staged_parameter(LGBMClassifier(n_estimators=3), {"n_estimators": 3}, fit_params) is None


def test_what_else_trains_separately():
    params = {"n_estimators": 3}
    assert staged_parameter(LGBMClassifier(**params), params, {}, np.zeros(3)) == "n_estimators"
    assert staged_parameter(Own(**params), params, {}) is None
    assert staged_parameter(lightgbm.LGBMRanker(**params), params, {}) is None
    assert staged_parameter(LGBMRegressor(**params), params, {}, np.zeros((3, 2))) is None


def test_an_iterator_closed_early_leaves_the_whole_model(table):
    X, y, _ = table(0, 3, False)
    estimator = LGBMClassifier(n_estimators=6, **QUIET)
    whole = LGBMClassifier(n_estimators=6, **QUIET).fit(X, y)
    stages = fit_stages(estimator, [1, 6], lambda **more: estimator.fit(X, y, **more))
    next(stages)
    assert estimator.predict_proba(X).tobytes() != whole.predict_proba(X).tobytes()
    stages.close()
    assert estimator.predict_proba(X).tobytes() == whole.predict_proba(X).tobytes()
    assert estimator.booster_.best_iteration == whole.booster_.best_iteration
