"""scikit-learn's ensembles in stages: equal to separate fits wherever they are staged, and where they are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import is_classifier, is_regressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier

from sparksweep.search.staging import fit_stages, staged_parameter

pytestmark = [pytest.mark.slow, pytest.mark.versions]

STAGES = st.sets(st.integers(1, 7), min_size=1, max_size=3).map(sorted)
CHECKS = settings(max_examples=12, deadline=None)
DATA = {
    "stages": STAGES,
    "classes": st.sampled_from([2, 3]),
    "sparse": st.booleans(),
    "weighted": st.booleans(),
    "seed": st.integers(0, 99),
}
FOREST = {
    "max_depth": st.sampled_from([None, 2]),
    "max_features": st.sampled_from(["sqrt", None, 0.4]),
    "max_leaf_nodes": st.sampled_from([None, 5]),
    "min_samples_leaf": st.sampled_from([1, 0.1]),
    "ccp_alpha": st.sampled_from([0.0, 0.01]),
    "bootstrap": st.booleans(),
    "random_state": st.integers(0, 9),
}
BOOSTING = {
    "learning_rate": st.sampled_from([0.1, 1.0]),
    "max_depth": st.integers(1, 3),
    "max_features": st.sampled_from([None, 0.5]),
    "subsample": st.sampled_from([1.0, 0.6]),
    "init": st.sampled_from([None, "zero"]),
    "random_state": st.integers(0, 9),
}
HISTOGRAMS = {
    "learning_rate": st.sampled_from([0.1, 1.0]),
    "max_leaf_nodes": st.sampled_from([None, 4]),
    "max_features": st.sampled_from([1.0, 0.5]),
    "l2_regularization": st.sampled_from([0.0, 1.0]),
    "min_samples_leaf": st.sampled_from([2, 30]),
    "max_bins": st.sampled_from([255, 30]),
    "random_state": st.integers(0, 9),
    "early_stopping": st.just(False),
}


def predictions(fitted, X):
    return fitted.predict(X)


def probabilities(fitted, X):
    return fitted.predict_proba(X)


def decisions(fitted, X):
    return fitted.decision_function(X)


def check_classifier(compare, table, estimator, stages, classes, sparse, weighted, seed):
    X, y, weights = table(seed, classes, sparse)
    y = np.array(["no", "perhaps", "yes"])[y]
    outputs = [predictions, probabilities, lambda fitted, X: fitted.score(X, y[40:])]
    outputs += [lambda fitted, X: get_scorer("neg_log_loss")(fitted, X, y[40:])]
    outputs += [decisions] if hasattr(estimator, "decision_function") else []
    fit_params = {"sample_weight": weights[:40]} if weighted else {}
    y_train = np.where(np.arange(40) < classes, np.array(["no", "perhaps", "yes"])[np.arange(40) % 3], y[:40])
    return compare(estimator, stages, (X[:40], y_train), X[40:], outputs, **fit_params)


def check_regressor(compare, table, estimator, stages, classes, sparse, weighted, seed):
    X, y, weights = table(seed, None, sparse)
    outputs = [predictions, lambda fitted, X: get_scorer("r2")(fitted, X, y[40:])]
    outputs += [lambda fitted, X: fitted.score(X, y[40:])]
    fit_params = {"sample_weight": weights[:40]} if weighted else {}
    return compare(estimator, stages, (X[:40], y[:40]), X[40:], outputs, **fit_params)


@CHECKS
@given(
    kind=st.sampled_from([RandomForestClassifier, ExtraTreesClassifier]),
    params=st.fixed_dictionaries(
        {**FOREST, "class_weight": st.sampled_from([None, "balanced", "balanced_subsample"]), "n_jobs": st.just(1)}
    ),
    max_samples=st.sampled_from([None, 0.7]),
    data=st.fixed_dictionaries(DATA),
)
def test_forest_classifiers(compare, table, kind, params, max_samples, data):
    if params["bootstrap"]:
        params["max_samples"] = max_samples
    check_classifier(compare, table, kind(**params), **data)


@CHECKS
@given(
    kind=st.sampled_from([RandomForestRegressor, ExtraTreesRegressor]),
    params=st.fixed_dictionaries({**FOREST, "criterion": st.sampled_from(["squared_error", "absolute_error"])}),
    data=st.fixed_dictionaries(DATA),
)
def test_forest_regressors(compare, table, kind, params, data):
    check_regressor(compare, table, kind(**params), **data)


@CHECKS
@given(params=st.fixed_dictionaries(BOOSTING), exponential=st.booleans(), data=st.fixed_dictionaries(DATA))
def test_gradient_boosting_classifier(compare, table, params, exponential, data):
    if exponential and data["classes"] == 2:
        params["loss"] = "exponential"
    check_classifier(compare, table, GradientBoostingClassifier(**params), **data)


@CHECKS
@given(
    params=st.fixed_dictionaries(
        {**BOOSTING, "loss": st.sampled_from(["squared_error", "absolute_error", "huber", "quantile"])}
    ),
    data=st.fixed_dictionaries(DATA),
)
def test_gradient_boosting_regressor(compare, table, params, data):
    check_regressor(compare, table, GradientBoostingRegressor(**params), **data)


@CHECKS
@given(
    depth=st.sampled_from([None, 1, 2, 20]),
    learning_rate=st.sampled_from([0.5, 1.0]),
    random_state=st.integers(0, 9),
    data=st.fixed_dictionaries(DATA),
)
def test_adaboost_classifier(compare, table, depth, learning_rate, random_state, data):
    tree = None if depth is None else DecisionTreeClassifier(max_depth=depth, max_features=0.5)
    estimator = AdaBoostClassifier(tree, learning_rate=learning_rate, random_state=random_state)
    check_classifier(compare, table, estimator, **data)


@CHECKS
@given(
    depth=st.sampled_from([None, 1, 2, 20]),
    loss=st.sampled_from(["linear", "square", "exponential"]),
    random_state=st.integers(0, 9),
    data=st.fixed_dictionaries(DATA),
)
def test_adaboost_regressor(compare, table, depth, loss, random_state, data):
    tree = None if depth is None else DecisionTreeRegressor(max_depth=depth)
    check_regressor(compare, table, AdaBoostRegressor(tree, loss=loss, random_state=random_state), **data)


def test_adaboost_that_ends_before_the_last_stage(compare, table):
    estimator = AdaBoostClassifier(DecisionTreeClassifier(), random_state=0)
    staged, _ = check_classifier(compare, table, estimator, [1, 3, 9], 2, False, False, 0)
    assert len(staged.estimators_) == 1


@CHECKS
@given(
    params=st.fixed_dictionaries({**HISTOGRAMS, "class_weight": st.sampled_from([None, "balanced"])}),
    data=st.fixed_dictionaries({**DATA, "sparse": st.just(False)}),
)
def test_hist_gradient_boosting_classifier(compare, table, params, data):
    check_classifier(compare, table, HistGradientBoostingClassifier(**params), **data)


@CHECKS
@given(
    params=st.fixed_dictionaries(
        {
            **HISTOGRAMS,
            "loss": st.sampled_from(["squared_error", "absolute_error", "gamma", "poisson", "quantile"]),
            "quantile": st.just(0.3),
            "categorical_features": st.sampled_from([None, [0, 3]]),
            "monotonic_cst": st.sampled_from([None, [0, 1, -1, 0, 0]]),
            "interaction_cst": st.sampled_from([None, "no_interactions"]),
        }
    ),
    data=st.fixed_dictionaries({**DATA, "sparse": st.just(False)}),
)
def test_hist_gradient_boosting_regressor(compare, table, params, data):
    check_regressor(compare, table, HistGradientBoostingRegressor(**params), **data)


def test_a_stage_of_histograms_is_what_scikit_learn_takes_it_for(table):
    X, y, _ = table(0, 2, False)
    kinds = {HistGradientBoostingClassifier: is_classifier, HistGradientBoostingRegressor: is_regressor}
    for kind, is_kind in kinds.items():
        estimator = kind(max_iter=2)
        stages = fit_stages(estimator, [1, 2], lambda estimator=estimator, **more: estimator.fit(X, y, **more))
        assert [is_kind(fitted) for _, fitted, _ in stages] == [True, True]


class Own(RandomForestClassifier):
    """Whatever it changes."""


def forest(**params):
    return RandomForestClassifier(**{"n_estimators": 3, "random_state": 0, **params})


def boosting(**params):
    return GradientBoostingClassifier(**{"n_estimators": 3, "random_state": 0, **params})


def histograms(**params):
    return HistGradientBoostingClassifier(**{"max_iter": 3, "random_state": 0, "early_stopping": False, **params})


def adaboost(*estimator, **params):
    return AdaBoostClassifier(*estimator, **{"n_estimators": 3, "random_state": 0, **params})


ASKED = {"n_estimators": 3, "max_iter": 3}


@pytest.mark.parametrize(
    "estimator",
    [
        forest(oob_score=True),
        forest(warm_start=True),
        forest(random_state=None),
        forest(random_state=np.random.RandomState(0)),
        forest(verbose=1),
        forest(n_estimators=0),
        forest(n_estimators=None),
        Own(n_estimators=3, random_state=0),
        boosting(n_iter_no_change=2),
        boosting(warm_start=True),
        boosting(init=LogisticRegression()),
        boosting(random_state=None),
        boosting(verbose=1),
        histograms(early_stopping=True),
        histograms(early_stopping="auto"),
        histograms(warm_start=True),
        histograms(random_state=None),
        histograms(verbose=1),
        histograms(max_iter=0),
        adaboost(ExtraTreeClassifier()),
        adaboost(LogisticRegression()),
        adaboost(random_state=None),
        BaggingClassifier(n_estimators=3, random_state=0),
        LogisticRegression(max_iter=3),
    ],
)
def test_estimators_that_train_separately(estimator):
    assert staged_parameter(estimator, ASKED, {}) is None


@pytest.mark.parametrize("make", [forest, boosting, histograms, adaboost])
def test_the_same_estimators_are_staged_without_that(make):
    name = "max_iter" if make is histograms else "n_estimators"
    assert staged_parameter(make(), ASKED, {}, np.zeros(3)) == name
    assert staged_parameter(make(), ASKED, {"sample_weight": [1.0]}) == name
    assert staged_parameter(make(), ASKED, {}, np.zeros((3, 2))) is None
    assert staged_parameter(make(), ASKED, {"monitor": print, "X_val": 1}) is None


def test_an_iterator_closed_early_leaves_the_whole_model(table):
    X, y, _ = table(0, 2, False)
    for estimator in (forest(), boosting(), adaboost()):
        stages = fit_stages(estimator, [1, 3], lambda estimator=estimator, **more: estimator.fit(X, y, **more))
        next(stages)
        assert len(estimator.estimators_) == 1
        stages.close()
        assert len(estimator.estimators_) == 3


def test_an_estimator_without_adapter_is_refused():
    with pytest.raises(ValueError, match=r"^LogisticRegression cannot be trained in stages; ask staged_parameter"):
        fit_stages(LogisticRegression(), [1, 2], lambda: None)
