"""The same search by scikit-learn and on Spark: every value but the times is the same, bit for bit."""

from __future__ import annotations

import math
import re
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.sparse import csr_matrix
from scipy.stats import loguniform, randint
from sklearn import model_selection
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import KMeans
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC
from tests.parity.comparing import OWN_PARAMS, assert_same_results, comparable
from threadpoolctl import threadpool_limits
from xgboost import XGBClassifier, XGBRegressor

import sparksweep

pytestmark = pytest.mark.spark

X, Y = make_classification(n_samples=90, n_features=8, n_informative=4, n_classes=3, random_state=0)
CSR = csr_matrix(np.where(np.abs(X) > 1, X, 0).astype(np.float32))
LABELS = np.array(["F23-", "M22-", "M39+"])[Y]
GROUPS = np.arange(90) // 6
WEIGHTS = 1.0 + np.arange(90) % 3
LOGISTIC = LogisticRegression(max_iter=50, tol=0.01)


class Failing(ClassifierMixin, BaseEstimator):
    """Fails for `level` 2, and for 1 on some splits."""

    def __init__(self, level=0):
        self.level = level

    def fit(self, X, y):
        if self.level == 2 or (self.level == 1 and len(y) == 60 and y[0] == Y[0]):
            raise ValueError("Failing classifier failed as required")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[self.level])


def several(estimator, X, y):
    return {"right": accuracy_score(y, estimator.predict(X)), "rows": len(y)}


def breaking(estimator, X, y):
    raise RuntimeError("no score")


def nan_score(estimator, X, y):
    return math.nan if estimator.get_params()["C"] == 1 else 0.5


def by_train_rows(results):
    return int(np.argmin(results["mean_test_accuracy"]))


NINE = {
    "n_estimators": [3, 5],
    "max_depth": [2, 3],
    "colsample_bylevel": [0.5],
    "subsample": [0.5],
    "objective": ["multi:softprob"],
    "reg_alpha": [1],
    "reg_lambda": [1],
    "colsample_bytree": [1],
    "learning_rate": [0.1],
}
BOOSTED = XGBClassifier(random_state=0, n_jobs=1, tree_method="hist")
REGRESSOR = XGBRegressor(random_state=0, n_jobs=1)
STEPS = Pipeline([("scale", StandardScaler()), ("model", LOGISTIC)])

# name: (class, estimator, candidates, settings, X, y, arguments of fit)
GRID, RANDOM = "GridSearchCV", "RandomizedSearchCV"
C = {"C": [0.01, 1.0]}
CASES = {
    "dense": (GRID, LOGISTIC, C, {"return_train_score": True}, X, Y, {}),
    "csr": (GRID, LOGISTIC, C, {"scoring": "neg_log_loss"}, CSR, Y, {}),
    "xgboost csr, nine params": (GRID, BOOSTED, NINE, {"scoring": "neg_log_loss", "cv": 3}, CSR, Y, {}),
    "xgboost dense, weights": (GRID, BOOSTED, {"max_depth": [2, 3]}, {"cv": 3}, X, Y, {"sample_weight": WEIGHTS}),
    "xgboost regressor": (
        GRID,
        XGBRegressor(n_jobs=1, random_state=0),
        {"n_estimators": [3, 4]},
        {"cv": 3},
        X,
        X[:, 0],
        {},
    ),
    "pipeline": (
        GRID,
        STEPS,
        {"model__C": [0.1, 1], "scale": [StandardScaler(), MinMaxScaler(), "passthrough"]},
        {"cv": 3},
        X,
        Y,
        {},
    ),
    "list of grids": (
        GRID,
        SVC(),
        [{"kernel": ["linear"], "C": [1, 2.5]}, {"kernel": ["rbf"], "gamma": ["scale", 0.1]}],
        {"cv": 3},
        X,
        Y,
        {},
    ),
    "ties": (GRID, DummyClassifier(), {"random_state": [3, 2, 1], "strategy": ["prior", "stratified"]}, {}, X, Y, {}),
    "shuffled cv": (GRID, LOGISTIC, C, {"cv": StratifiedKFold(4, shuffle=True, random_state=7)}, X, Y, {}),
    "grouped cv": (GRID, LOGISTIC, C, {"cv": GroupKFold(3)}, X, Y, {"groups": GROUPS}),
    "splits as lists and masks": (
        GRID,
        LOGISTIC,
        C,
        {"cv": [(list(range(0, 60)), list(range(50, 90))), (np.arange(90) % 2 == 0, np.arange(90) % 2 == 1)]},
        X,
        Y,
        {},
    ),
    "string labels": (GRID, LOGISTIC, C, {"scoring": "neg_log_loss", "cv": 3}, X, LABELS, {}),
    "pandas": (
        GRID,
        STEPS,
        {"model__C": [1, 2]},
        {"cv": 3},
        pd.DataFrame(X, columns=[f"c{n}" for n in range(8)]),
        pd.Series(LABELS),
        {"model__sample_weight": WEIGHTS},
    ),
    "lists": (GRID, LOGISTIC, C, {"cv": 3}, X.tolist(), Y.tolist(), {}),
    "kernel": (GRID, SVC(kernel="precomputed"), C, {"cv": 3}, X @ X.T, Y, {}),
    "no target": (GRID, KMeans(n_init=1, random_state=0), {"n_clusters": [2, 3]}, {"cv": 3}, X, None, {}),
    "regression": (GRID, Ridge(), {"alpha": [1, 10]}, {"scoring": "neg_mean_squared_error"}, X, X[:, 1], {}),
    "multi-metric list": (
        GRID,
        LOGISTIC,
        C,
        {"scoring": ["accuracy", "neg_log_loss"], "refit": "neg_log_loss", "return_train_score": True, "cv": 3},
        X,
        Y,
        {"sample_weight": WEIGHTS},
    ),
    "multi-metric dict, callable refit": (
        GRID,
        LOGISTIC,
        C,
        {"scoring": {"accuracy": make_scorer(accuracy_score), "f1": "f1_macro"}, "refit": by_train_rows, "cv": 3},
        X,
        Y,
        {},
    ),
    "callable of several": (GRID, LOGISTIC, C, {"scoring": several, "refit": "right", "cv": 3}, X, Y, {}),
    "no refit": (GRID, LOGISTIC, C, {"refit": False, "cv": 3}, X, Y, {}),
    "no refit, several": (GRID, LOGISTIC, C, {"refit": False, "cv": 3, "scoring": ("accuracy", "f1_macro")}, X, Y, {}),
    "failing candidate": (GRID, Failing(), {"level": [0, 1, 2]}, {"cv": 3, "return_train_score": True}, X, Y, {}),
    "failing candidate, number": (GRID, Failing(), {"level": [0, 1, 2]}, {"cv": 3, "error_score": 0.25}, X, Y, {}),
    "failing, several": (
        GRID,
        Failing(),
        {"level": [2, 0]},
        {"cv": 3, "scoring": several, "refit": "right", "error_score": -1},
        X,
        Y,
        {},
    ),
    "failing scorer": (
        GRID,
        LOGISTIC,
        C,
        {"cv": 3, "scoring": {"bad": breaking, "good": "accuracy"}, "refit": "good", "return_train_score": True},
        X,
        Y,
        {},
    ),
    "every score fails": (GRID, LOGISTIC, C, {"cv": 3, "scoring": breaking}, X, Y, {}),
    "a score of NaN": (GRID, LOGISTIC, C, {"cv": 3, "scoring": nan_score}, X, Y, {}),
    "random": (
        RANDOM,
        RandomForestClassifier(3, random_state=0),
        {"max_depth": randint(1, 5), "max_features": [1, 2, 3], "ccp_alpha": loguniform(1e-4, 1e-2)},
        {"n_iter": 4, "random_state": 5, "cv": KFold(3, shuffle=True, random_state=0)},
        X,
        Y,
        {},
    ),
    "random lists": (
        RANDOM,
        LOGISTIC,
        {"C": [0.1, 1, 10], "tol": [0.1, 0.01]},
        {"n_iter": 3, "random_state": 1},
        X,
        Y,
        {},
    ),
}


def fitted(module, case):
    kind, estimator, candidates, settings, rows, target, arguments = CASES[case]
    with warnings.catch_warnings(record=True) as said, threadpool_limits(1):
        warnings.simplefilter("always")
        search = getattr(module, kind)(estimator, candidates, **settings)
        search.fit(rows, target, **arguments)
    return search, sorted(comparable(str(each.message)) for each in said if is_of_search(str(each.message)))


def is_of_search(message):
    return message.startswith(("\n", "Scoring failed", "One or more of the", "The scoring"))


@pytest.mark.parametrize("case", list(CASES))
def test_results_and_model_are_scikit_learns(spark, case):
    theirs, expected = fitted(model_selection, case)
    ours, said = fitted(sparksweep, case)
    assert_same_results(ours.cv_results_, theirs.cv_results_)
    assert said == expected
    for name in ("best_index_", "best_score_", "n_splits_", "multimetric_", "best_params_"):
        assert hasattr(ours, name) == hasattr(theirs, name), name
        assert repr(getattr(ours, name, None)) == repr(getattr(theirs, name, None)), name
    assert repr(ours.scorer_) == repr(theirs.scorer_)
    assert ours.get_params().keys() - OWN_PARAMS == theirs.get_params().keys()
    if theirs.refit:
        assert_same_model(ours, theirs, CASES[case][4])


def assert_same_model(ours, theirs, rows):
    assert ours.refit_time_ > 0
    assert repr(ours.best_estimator_) == repr(theirs.best_estimator_)
    for name in ("classes_", "n_features_in_", "feature_names_in_"):
        assert hasattr(ours, name) == hasattr(theirs, name), name
        assert np.array_equal(getattr(ours, name, 0), getattr(theirs, name, 0)), name
    with threadpool_limits(1):
        for method in ("predict", "predict_proba"):
            if hasattr(theirs, method):
                mine, other = getattr(ours, method)(rows), getattr(theirs, method)(rows)
                assert (mine.dtype, mine.tolist()) == (other.dtype, other.tolist())


SEARCHES = [model_selection.GridSearchCV, sparksweep.GridSearchCV]


def raised(search_class, estimator, candidates, rows=X, target=Y, **settings):
    search = search_class(estimator, candidates, **{"cv": 3, **settings})
    with pytest.raises(Exception) as error:  # noqa: PT011  # which one it is, is what is compared
        search.fit(rows, target)
    return type(error.value), comparable(str(error.value))


@pytest.mark.parametrize(
    "make",
    [
        partial(raised, estimator=Failing(), candidates={"level": [2]}),
        partial(raised, estimator=Failing(), candidates={"level": [2]}, error_score="raise"),
        partial(raised, estimator=LOGISTIC, candidates=C, scoring=breaking, error_score="raise"),
        partial(raised, estimator=LOGISTIC, candidates=C, scoring=["accuracy", "f1_macro"]),
        partial(raised, estimator=LOGISTIC, candidates=C, scoring=["accuracy"], refit="f1"),
        partial(raised, estimator=LOGISTIC, candidates=C, scoring="acuracy"),
        partial(raised, estimator=LOGISTIC, candidates=C, error_score="rise"),
        partial(raised, estimator=LOGISTIC, candidates={"C": []}),
        partial(raised, estimator=LOGISTIC, candidates={"C": 1}),
        partial(raised, estimator=LOGISTIC, candidates={"c": [1]}),
        partial(raised, estimator=LOGISTIC, candidates=C, rows=X[:5]),
        partial(raised, estimator=LOGISTIC, candidates=C, cv=40),
        partial(raised, estimator=LOGISTIC, candidates=C, scoring=lambda *_: "high"),
        partial(raised, estimator=LOGISTIC, candidates=C, refit=lambda results: "0"),
        partial(raised, estimator=object(), candidates=C),
    ],
)
def test_errors_are_scikit_learns(spark, make):
    theirs, ours = (make(search_class) for search_class in SEARCHES)
    assert ours[0] is theirs[0]
    hidden = r"0x[0-9a-f]+|\(.*GridSearchCV.*\)"
    assert re.sub(hidden, "", ours[1]) == re.sub(hidden, "", theirs[1])


def test_metadata_is_routed_as_scikit_learn_routes_it(spark):
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = LogisticRegression(max_iter=50).set_fit_request(sample_weight=True)
        scorer = make_scorer(accuracy_score).set_score_request(sample_weight="score_weight")
        arguments = {"sample_weight": WEIGHTS, "score_weight": WEIGHTS[::-1], "groups": GROUPS}
        theirs, ours = (
            search_class(estimator, C, scoring=scorer, cv=GroupKFold(3)).fit(X, Y, **arguments)
            for search_class in SEARCHES
        )
    assert_same_results(ours.cv_results_, theirs.cv_results_)
