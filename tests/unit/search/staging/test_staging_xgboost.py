"""XGBoost in stages: equal to separate fits wherever it is staged, and where it is not."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark import cloudpickle
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer, ndcg_score
from xgboost import Booster, XGBClassifier, XGBRanker, XGBRegressor, XGBRFClassifier
from xgboost.callback import LearningRateScheduler, TrainingCallback

from sparksweep.search.staging import can_stage, fit_stages, growing_predictions, staged_parameter

pytestmark = [pytest.mark.slow, pytest.mark.versions]

COMMON = {
    "tree_method": st.sampled_from([None, "auto", "hist", "approx", "exact"]),
    "max_depth": st.integers(1, 4),
    "learning_rate": st.sampled_from([None, 0.1, 0.7]),
    "subsample": st.sampled_from([None, 0.6]),
    "colsample_bytree": st.sampled_from([None, 0.7]),
    "colsample_bylevel": st.sampled_from([None, 0.7]),
    "colsample_bynode": st.sampled_from([None, 0.7]),
    "min_child_weight": st.sampled_from([None, 0, 2]),
    "gamma": st.sampled_from([None, 0.1]),
    "reg_lambda": st.sampled_from([None, 0.0]),
    "reg_alpha": st.sampled_from([None, 0.1]),
    "max_delta_step": st.sampled_from([None, 1]),
    "num_parallel_tree": st.sampled_from([None, 2]),
    "base_score": st.sampled_from([None, 0.4]),
    "random_state": st.integers(0, 9),
}
STAGES = st.sets(st.integers(1, 8), min_size=1, max_size=4).map(sorted)
CHECKS = settings(max_examples=15, deadline=None)


def possible(params):
    """Leave out what XGBoost refuses, or did until 3.1."""
    if params["tree_method"] == "exact":
        params = {**params, "colsample_bynode": None}
    return {**params, "num_parallel_tree": None} if params.get("objective") == "reg:absoluteerror" else params


def predictions(fitted, X):
    return fitted.predict(X)


def probabilities(fitted, X):
    return fitted.predict_proba(X)


def margins(fitted, X):
    return fitted.predict(X, output_margin=True)


def by_scorer(name, y):
    return lambda fitted, X: get_scorer(name)(fitted, X, y)


@CHECKS
@given(
    params=st.fixed_dictionaries({**COMMON, "softmax": st.booleans(), "scale_pos_weight": st.sampled_from([None, 2])}),
    stages=STAGES,
    classes=st.sampled_from([2, 3]),
    sparse=st.booleans(),
    weighted=st.booleans(),
    seed=st.integers(0, 99),
)
def test_classifier(compare, table, params, stages, classes, sparse, weighted, seed):
    softmax = params.pop("softmax")
    if classes == 3:
        params |= {"objective": "multi:softmax" if softmax else "multi:softprob", "scale_pos_weight": None}
    X, y, weights = table(seed, classes, sparse)
    outputs = [predictions, probabilities, margins, by_scorer("neg_log_loss", y[40:]), by_scorer("accuracy", y[40:])]
    fit_params = {"sample_weight": weights[:40]} if weighted else {}
    train = (X[:40], np.where(np.arange(40) < classes, np.arange(40), y[:40]))
    staged, separate = compare(
        XGBClassifier(**possible(params), n_jobs=1), stages, train, X[40:], outputs, **fit_params
    )
    assert staged.get_booster().save_raw() == separate.get_booster().save_raw()


OBJECTIVES = [
    "reg:squarederror",
    "reg:squaredlogerror",
    "reg:pseudohubererror",
    "reg:absoluteerror",
    "reg:gamma",
    "reg:tweedie",
    "count:poisson",
]


@CHECKS
@given(
    params=st.fixed_dictionaries(
        {
            **COMMON,
            "objective": st.sampled_from(OBJECTIVES),
            "monotone_constraints": st.sampled_from([None, (1, -1, 0, 0, 0)]),
            "interaction_constraints": st.sampled_from([None, "[[0, 1], [2, 3, 4]]"]),
        }
    ),
    stages=STAGES,
    sparse=st.booleans(),
    weighted=st.booleans(),
    seed=st.integers(0, 99),
)
def test_regressor(compare, table, params, stages, sparse, weighted, seed):
    X, y, weights = table(seed, None, sparse)
    outputs = [predictions, margins, by_scorer("r2", y[40:])]
    fit_params = {"sample_weight": weights[:40]} if weighted else {}
    compare(XGBRegressor(**possible(params), n_jobs=1), stages, (X[:40], y[:40]), X[40:], outputs, **fit_params)


@CHECKS
@given(
    params=st.fixed_dictionaries(
        {
            **{name: values for name, values in COMMON.items() if name != "base_score"},
            "objective": st.sampled_from(["rank:ndcg", "rank:pairwise"]),
        }
    ),
    stages=STAGES,
    sparse=st.booleans(),
    weighted=st.booleans(),
    seed=st.integers(0, 99),
)
def test_ranker(compare, table, params, stages, sparse, weighted, seed):
    X, y, weights = table(seed, 4, sparse)
    fit_params = {"qid": np.arange(40) // 10}
    if weighted:
        fit_params["sample_weight"] = weights[:4]
    outputs = [predictions, lambda fitted, X: ndcg_score([y[40:]], [fitted.predict(X)])]
    compare(XGBRanker(**possible(params), n_jobs=1), stages, (X[:40], y[:40]), X[40:], outputs, **fit_params)


@pytest.mark.parametrize("grow_policy", ["depthwise", "lossguide"])
@pytest.mark.parametrize("tree_method", ["hist", "approx"])
def test_leaves_bins_and_categories(compare, table, tree_method, grow_policy):
    X, y, _ = table(3, 3, False)
    frame = pd.DataFrame(X).assign(kind=pd.Categorical((X[:, 2] * 3).astype(int)))
    estimator = XGBClassifier(
        tree_method=tree_method,
        grow_policy=grow_policy,
        max_leaves=4,
        max_bin=8,
        max_cat_to_onehot=2,
        enable_categorical=True,
        subsample=0.8,
        eval_metric="mlogloss",
        n_jobs=1,
    )
    compare(estimator, [1, 3, 6], (frame[:40], y[:40]), frame[40:], [predictions, probabilities], verbose=False)


@pytest.mark.parametrize("objective", ["binary:hinge", "binary:logitraw"])
def test_other_binary_objectives(compare, table, objective):
    X, y, _ = table(3, 2, False)
    estimator = XGBClassifier(objective=objective, n_jobs=1)
    compare(estimator, [1, 2, 5], (X[:40], y[:40]), X[40:], [predictions, margins])


@pytest.mark.parametrize(("objective", "kind"), [("reg:logistic", XGBRegressor), ("rank:map", XGBRanker)])
def test_objectives_of_two_values(compare, table, objective, kind):
    X, y, _ = table(3, 2, False)
    fit_params = {"group": [20, 20]} if kind is XGBRanker else {}
    estimator = kind(objective=objective, n_jobs=1)
    compare(estimator, [1, 2, 5], (X[:40], y[:40]), X[40:], [predictions, margins], **fit_params)


class Own(XGBClassifier):
    """Whatever it changes."""


class Nothing(TrainingCallback):
    """A callback."""


def halving(round_number):
    return 0.5**round_number


def own_objective(y_true, y_pred):
    return y_pred - y_true, np.ones_like(y_pred)


def own_metric(y_true, y_pred):
    return 0.0


@pytest.mark.parametrize(
    "params",
    [
        {"booster": "dart"},
        {"booster": "gblinear"},
        {"early_stopping_rounds": 2},
        {"callbacks": [Nothing()]},
        {"callbacks": [LearningRateScheduler(halving)]},
        {"multi_strategy": "multi_output_tree"},
        {"objective": own_objective},
        {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.9]},
        {"objective": "survival:cox"},
        {"eval_metric": own_metric},
        {"device": "cuda"},
        {"random_state": np.random.RandomState(0)},
        {"process_type": "update"},
        {"updater": "refresh"},
        {"rate_drop": 0.1},
        {"sampling_method": "gradient_based"},
        {"feature_weights": [1, 2]},
        {"tree_method": "gpu_hist"},
        {"n_estimators": None},
        {"n_estimators": 0},
        {"n_estimators": -1},
        {"n_estimators": 3.0},
        {"n_estimators": True},
        {"n_estimators": "3"},
    ],
)
def test_params_that_train_separately(params):
    params = {"n_estimators": 3, **params}
    assert staged_parameter(XGBRegressor(**params), params, {}) is None
    assert staged_parameter(XGBClassifier(**params), params, {}) is None


@pytest.mark.parametrize(
    "fit_params",
    [
        {"base_margin": np.zeros(3)},
        {"eval_set": [(np.zeros((3, 1)), np.zeros(3))]},
        {"xgb_model": "model.ubj"},
        {"feature_weights": [1.0]},
        {"callbacks": [Nothing()]},
        {"unknown": None},
    ],
)
def test_arguments_of_fit_that_train_separately(fit_params):
    assert staged_parameter(XGBClassifier(n_estimators=3), {"n_estimators": 3}, fit_params) is None


def test_asking_draws_nothing_from_a_random_state():
    random_state = np.random.RandomState(0)
    estimator = XGBClassifier(n_estimators=3, random_state=random_state)
    assert staged_parameter(estimator, {"n_estimators": 3}, {}) is None
    assert random_state.randint(1000) == np.random.RandomState(0).randint(1000)


def test_what_else_trains_separately():
    params = {"n_estimators": 3}
    assert staged_parameter(XGBClassifier(**params), params, {}, np.zeros(3)) == "n_estimators"
    assert staged_parameter(XGBClassifier(**params), params, {"eval_set": None, "sample_weight": [1]}) == "n_estimators"
    assert staged_parameter(Own(**params), params, {}) is None
    assert staged_parameter(XGBRFClassifier(**params), params, {}) is None
    assert staged_parameter(XGBRegressor(**params), params, {}, np.zeros((3, 2))) is None
    assert staged_parameter(XGBClassifier(**params), {"max_depth": 3}, {}) is None


def test_an_iterator_closed_early_leaves_the_whole_model(table):
    X, y, _ = table(0, 3, False)
    estimator = XGBClassifier(n_estimators=6, n_jobs=1)
    whole = XGBClassifier(n_estimators=6, n_jobs=1).fit(X, y).predict_proba(X)
    stages = fit_stages(estimator, [1, 6], lambda **more: estimator.fit(X, y, **more))
    next(stages)
    assert estimator.predict_proba(X).tobytes() != whole.tobytes()
    stages.close()
    assert estimator.predict_proba(X).tobytes() == whole.tobytes()
    assert estimator.callbacks is None


@pytest.fixture
def two_stages(table):
    """Return a classifier's stages 1 and 6, the rows it is trained on, and what separate fits predict of them."""
    X, y, _ = table(0, 3, False)
    estimator = XGBClassifier(n_estimators=6, n_jobs=1)
    wholes = [XGBClassifier(n_estimators=n, n_jobs=1).fit(X, y) for n in (1, 6)]
    return fit_stages(estimator, [1, 6], lambda **more: estimator.fit(X, y, **more)), X, wholes


def test_only_new_trees_are_asked_at_a_later_stage(two_stages, monkeypatch):
    stages, X, wholes = two_stages
    whole_ways = []
    monkeypatch.setattr(Booster, "inplace_predict", lambda *args, **more: whole_ways.append(more) or np.zeros((60, 3)))
    predicted = [fitted.predict_proba(X) for _, fitted, _ in stages]
    assert whole_ways == []
    monkeypatch.undo()
    for ours, whole in zip(predicted, wholes, strict=True):
        assert ours.tobytes() == whole.predict_proba(X).tobytes()


def test_rows_that_a_scorer_changes_or_makes_are_predicted_as_they_are(two_stages):
    stages, X, wholes = two_stages
    for (_, fitted, _), whole in zip(stages, wholes, strict=True):
        for column in range(X.shape[1]):
            shuffled = X[::-1].copy()
            shuffled[:, column] = 3
            assert fitted.predict_proba(shuffled).tobytes() == whole.predict_proba(shuffled).tobytes()
            X[:, column] = X[::-1, column]
            assert fitted.predict_proba(X).tobytes() == whole.predict_proba(X).tobytes()
        frame = pd.DataFrame(X)
        assert fitted.predict_proba(frame).tobytes() == whole.predict_proba(frame).tobytes()
        margin = np.ones((60, 3), np.float32)
        ours, theirs = (each.predict_proba(X, base_margin=margin) for each in (fitted, whole))
        assert ours.tobytes() == theirs.tobytes()


def test_rows_that_xgboost_takes_only_in_place(two_stages):
    stages, X, wholes = two_stages
    odd = {"infinite": np.where(X[0, 0] == X, np.inf, X), "beyond float32": X * 1e300, "few": X[:, :4]}
    for (_, fitted, _), whole in zip(stages, wholes, strict=True):
        for name in ("infinite", "beyond float32", "infinite"):
            assert fitted.predict_proba(odd[name]).tobytes() == whole.predict_proba(odd[name]).tobytes(), name
        with pytest.raises(ValueError, match="shape mismatch"):
            fitted.predict_proba(odd["few"])
        booster = fitted.get_booster()
        for missing in (np.nan, 0):
            ours, theirs = (
                each.inplace_predict(X, missing=missing, iteration_range=(0, 1))
                for each in (booster, wholes[1].get_booster())
            )
            assert ours.tobytes() == theirs.tobytes()


def test_many_rows_are_not_kept(two_stages, monkeypatch):
    monkeypatch.setattr(growing_predictions, "_MOST_VALUES", 299)
    made = []
    monkeypatch.setattr(growing_predictions, "DMatrix", made.append)
    stages, X, wholes = two_stages
    for (_, fitted, _), whole in zip(stages, wholes, strict=True):
        assert fitted.predict_proba(X).tobytes() == whole.predict_proba(X).tobytes()
    assert made == []


def test_a_scorer_that_trains_on(two_stages, table):
    stages, X, _ = two_stages
    _, y, _ = table(0, 3, False)
    for _, fitted, _ in stages:
        fitted.predict_proba(X)
    more = XGBClassifier(n_estimators=3, n_jobs=1)
    expected = clone(more).fit(X, y, xgb_model=fitted.get_booster()).predict_proba(X)
    stages = fit_stages(first := clone(fitted), [1, 6], lambda **others: first.fit(X, y, **others))
    for _, at_stage, _ in stages:
        at_stage.predict_proba(X)
        last = clone(more).fit(X, y, xgb_model=at_stage.get_booster()).predict_proba(X)
    assert last.tobytes() == expected.tobytes()


COPIES = {
    "pickled": lambda fitted: pickle.loads(pickle.dumps(fitted)),
    "deep": copy.deepcopy,
    "cloudpickled": lambda fitted: cloudpickle.loads(cloudpickle.dumps(fitted)),
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_that_a_scorer_makes_stays_at_its_stage(two_stages, copied):
    stages, X, (first, _) = two_stages
    _, fitted, _ = next(stages)
    fitted.predict_proba(X)
    copy_of_first = copied(fitted)
    assert copy_of_first.predict_proba(X).tobytes() == first.predict_proba(X).tobytes()
    _, fitted, _ = next(stages)
    fitted.predict_proba(X)
    assert copy_of_first.predict_proba(X).tobytes() == first.predict_proba(X).tobytes()
    stages.close()
    assert type(fitted.get_booster()) is type(copy_of_first.get_booster()) is Booster


def test_a_failed_training_leaves_no_callback():
    estimator = XGBClassifier(n_estimators=2)
    with pytest.raises(ValueError, match="class"):
        list(fit_stages(estimator, [1, 2], lambda **more: estimator.fit([[0], [1]], [5, 7], **more)))
    assert estimator.callbacks is None


def test_what_need_not_be_asked():
    assert can_stage(XGBClassifier(), {"n_estimators": 3})
    assert can_stage(XGBClassifier(), {"n_estimators": 3, "booster": "dart"})  # the values are not looked at
    assert not can_stage(XGBClassifier(), {"max_depth": 3})
    assert not can_stage(LogisticRegression(), {"n_estimators": 3})
