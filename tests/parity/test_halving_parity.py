"""Successive halving by scikit-learn and on Spark: the same rounds, candidates, rows and results, bit for bit."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.stats import randint
from sklearn import model_selection
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.cluster import KMeans
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import Ridge
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, KFold, ShuffleSplit, StratifiedKFold
from sklearn.tree import DecisionTreeClassifier
from tests.parity.comparing import OWN_PARAMS, assert_same_results, comparable
from threadpoolctl import threadpool_limits
from xgboost import XGBClassifier

import sparksweep

pytestmark = pytest.mark.spark

X, Y = make_classification(n_samples=240, n_features=6, n_informative=4, n_classes=3, random_state=0)
CSR = csr_matrix(np.where(np.abs(X) > 1, X, 0))
GROUPS = np.arange(240) % 12
WEIGHTS = 1.0 + np.arange(240) % 3
TREE = DecisionTreeClassifier(random_state=0)
FOREST = RandomForestClassifier(random_state=0)
GRID, RANDOM = "HalvingGridSearchCV", "HalvingRandomSearchCV"
DEPTHS = {"max_depth": [1, 2, 3], "min_samples_leaf": [1, 4, 9]}


class Failing(ClassifierMixin, BaseEstimator):
    """Level 1 fails on few rows, level 2 on any; the higher another level, the worse."""

    def __init__(self, level=0):
        self.level = level

    def fit(self, X, y):
        if self.level == 2 or (self.level == 1 and len(y) < 100):
            raise ValueError("failed as required")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[self.level % 3])


def breaking(estimator, X, y):
    raise RuntimeError("no score")


def several(estimator, X, y):
    return {"right": accuracy_score(y, estimator.predict(X)), "rows": len(y)}


def first(results):
    return 0


# name: (class, estimator, candidates, settings, X, y, arguments of fit)
CASES = {
    "rows": (GRID, TREE, DEPTHS, {"random_state": 0}, X, Y, {}),
    "rows from the least": (GRID, TREE, DEPTHS, {"random_state": 3, "min_resources": "smallest", "cv": 3}, X, Y, {}),
    "rows, odd numbers": (
        GRID,
        TREE,
        DEPTHS,
        {"random_state": 1, "min_resources": 47, "max_resources": 173, "factor": 1.7, "cv": 2},
        X,
        Y,
        {},
    ),
    "rows, aggressive": (
        GRID,
        TREE,
        DEPTHS,
        {"random_state": 1, "min_resources": 90, "factor": 2, "aggressive_elimination": True, "cv": 2},
        X,
        Y,
        {},
    ),
    "rows of CSR, weights": (
        GRID,
        XGBClassifier(n_jobs=1, random_state=0, n_estimators=3),
        {"max_depth": [1, 2, 3], "subsample": [0.5]},
        {"random_state": 0, "cv": 2},
        CSR,
        Y,
        {"sample_weight": WEIGHTS},
    ),
    "rows of a generator": (
        GRID,
        TREE,
        DEPTHS,
        {"random_state": np.random.RandomState(7), "cv": KFold(2, shuffle=True, random_state=5)},
        X,
        Y,
        {},
    ),
    "rows of groups": (GRID, TREE, DEPTHS, {"random_state": 0, "cv": GroupKFold(3)}, X, Y, {"groups": GROUPS}),
    "splits as lists": (
        GRID,
        TREE,
        DEPTHS,
        {"random_state": 0, "cv": [(list(range(160)), list(range(120, 240))), (list(range(80, 240)), list(range(90)))]},
        X,
        Y,
        {},
    ),
    "regression": (GRID, Ridge(), {"alpha": [1, 10, 100, 5]}, {"random_state": 0, "factor": 2}, X, X[:, 1], {}),
    "no target": (GRID, KMeans(n_init=1, random_state=0), {"n_clusters": [2, 3, 4]}, {"random_state": 0}, X, None, {}),
    "trees": (
        GRID,
        FOREST,
        DEPTHS,
        {"resource": "n_estimators", "max_resources": 9, "cv": 2},
        X,
        Y,
        {},
    ),
    "boosted rounds": (
        GRID,
        XGBClassifier(n_jobs=1, random_state=0, subsample=0.5),
        {"max_depth": [1, 2, 3], "learning_rate": [0.1, 0.5]},
        {"resource": "n_estimators", "max_resources": 10, "min_resources": 2, "factor": 2, "cv": 2},
        CSR,
        Y,
        {},
    ),
    "list of grids": (
        GRID,
        TREE,
        [{"max_depth": [1, 2]}, {"min_samples_leaf": [2, 5]}],
        {"random_state": 0, "refit": first, "factor": 2, "cv": 2},
        X,
        Y,
        {},
    ),
    "ties": (GRID, DummyClassifier(), {"random_state": list(range(20))}, {"random_state": 0, "cv": 2}, X, Y, {}),
    "no refit, no train scores": (
        GRID,
        TREE,
        DEPTHS,
        {"random_state": 0, "refit": False, "return_train_score": False, "scoring": "neg_log_loss", "cv": 2},
        X,
        Y,
        {},
    ),
    "failing": (GRID, Failing(), {"level": [3, 1, 0, 2, 4]}, {"random_state": 0, "factor": 2, "cv": 2}, X, Y, {}),
    "failing, number": (
        GRID,
        Failing(),
        {"level": [3, 1, 0, 2]},
        {"random_state": 0, "factor": 2, "cv": 2, "error_score": -1},
        X,
        Y,
        {},
    ),
    "every score fails": (
        GRID,
        TREE,
        {"max_depth": [1, 2, 3]},
        {"random_state": 0, "cv": 2, "scoring": breaking},
        X,
        Y,
        {},
    ),
    "one candidate": (GRID, TREE, {"max_depth": [2]}, {"random_state": 0, "cv": 2}, X, Y, {}),
    "drawn": (
        RANDOM,
        TREE,
        {"max_depth": randint(1, 5), "min_samples_leaf": randint(1, 20)},
        {"random_state": 0, "cv": 2},
        X,
        Y,
        {},
    ),
    "drawn, trees": (
        RANDOM,
        FOREST,
        {"max_depth": randint(1, 5), "min_samples_leaf": randint(1, 20)},
        {
            "random_state": np.random.RandomState(4),
            "n_candidates": 6,
            "min_resources": "exhaust",
            "resource": "n_estimators",
            "max_resources": 7,
            "cv": 2,
        },
        X,
        Y,
        {},
    ),
}
ATTRIBUTES = (
    "n_resources_",
    "n_candidates_",
    "n_remaining_candidates_",
    "n_iterations_",
    "n_required_iterations_",
    "n_possible_iterations_",
    "max_resources_",
    "min_resources_",
    "best_index_",
    "best_score_",
    "best_params_",
    "n_splits_",
    "multimetric_",
    "n_features_in_",
    "scorer_",
)


def made(module, case):
    kind, estimator, candidates, settings, *_ = CASES[case]
    return getattr(module, kind)(estimator, candidates, **settings)


def fitted(module, case):
    """Return a fitted search, and the warnings of it; a clone, since generators of random numbers are used up."""
    *_, rows, target, arguments = CASES[case]
    with warnings.catch_warnings(record=True) as said, threadpool_limits(1):
        warnings.simplefilter("always")
        search = clone(made(module, case)).fit(rows, target, **arguments)
    messages = [str(each.message) for each in said]
    return search, [comparable(each) for each in messages if each.startswith(("\n", "Scoring", "One or more"))]


@pytest.mark.parametrize("case", list(CASES))
def test_rounds_and_results_are_scikit_learns(spark, case):
    theirs, expected = fitted(model_selection, case)
    ours, said = fitted(sparksweep, case)
    assert_same_results(ours.cv_results_, theirs.cv_results_)
    assert sorted(said) == sorted(expected)
    for name in ATTRIBUTES:
        assert hasattr(ours, name) == hasattr(theirs, name), name
        mine, other = getattr(ours, name, None), getattr(theirs, name, None)
        assert (type(mine), repr(mine)) == (type(other), repr(other)), name
    assert ours.get_params().keys() - OWN_PARAMS == theirs.get_params().keys()
    if theirs.refit:
        rows = CASES[case][4]
        assert repr(ours.best_estimator_) == repr(theirs.best_estimator_)
        assert ours.predict(rows).tolist() == theirs.predict(rows).tolist()


def test_what_a_verbose_search_says_is_scikit_learns(spark, capsys):
    theirs, ours = (
        getattr(module, GRID)(TREE, {"max_depth": [1, 2, 3]}, random_state=0, cv=2, verbose=1).fit(X, Y)
        and capsys.readouterr().out.splitlines()
        for module in (model_selection, sparksweep)
    )
    assert ours == theirs


def raised(module, arguments, kind, estimator, candidates, rows, target, **settings):
    search = getattr(module, kind)(estimator, candidates, **{"cv": 2, **settings})
    with pytest.raises(Exception) as error:  # noqa: PT011  # which one it is, is what is compared
        search.fit(rows, target, **arguments)
    return type(error.value), comparable(str(error.value))


WRONG = {
    "no rows": (GRID, TREE, DEPTHS, {}, X[:0], Y[:0]),
    "folds that change": (GRID, TREE, DEPTHS, {"cv": KFold(2, shuffle=True)}, X, Y),
    "splits that change": (GRID, TREE, DEPTHS, {"cv": ShuffleSplit(2)}, X, Y),
    "grouped splits that change": (GRID, TREE, DEPTHS, {"cv": GroupShuffleSplit(2)}, X, Y),
    "stratified folds that change": (GRID, TREE, DEPTHS, {"cv": StratifiedKFold(2, shuffle=True)}, X, Y),
    "no such resource": (GRID, TREE, DEPTHS, {"resource": "n_estimators", "max_resources": 4}, X, Y),
    "the most unsaid": (GRID, FOREST, DEPTHS, {"resource": "n_estimators"}, X, Y),
    "the most too small": (GRID, TREE, DEPTHS, {"max_resources": 3, "min_resources": 4}, X, Y),
    "the most below the least": (GRID, TREE, DEPTHS, {"max_resources": 3, "min_resources": "smallest"}, X, Y),
    "more than the rows": (GRID, TREE, DEPTHS, {"min_resources": 1000}, X, Y),
    "resource searched": (
        GRID,
        FOREST,
        {"n_estimators": [1, 2]},
        {"resource": "n_estimators", "max_resources": 4},
        X,
        Y,
    ),
    "exhausted twice": (RANDOM, TREE, DEPTHS, {"min_resources": "exhaust", "n_candidates": "exhaust"}, X, Y),
    "a factor of 0": (GRID, TREE, DEPTHS, {"factor": 0}, X, Y),
    "a factor of 1": (GRID, TREE, DEPTHS, {"factor": 1}, X, Y),
    "a text as most": (GRID, TREE, DEPTHS, {"max_resources": "all"}, X, Y),
    "several scores": (GRID, TREE, DEPTHS, {"scoring": ["accuracy", "f1_macro"]}, X, Y),
    "a callable of several": (GRID, TREE, DEPTHS, {"scoring": several, "random_state": 0}, X, Y),
    "numbers as classes": (GRID, TREE, DEPTHS, {}, X, X[:, 0]),
    "classes in columns": (GRID, TREE, DEPTHS, {}, X, np.c_[Y, Y]),
    "a NaN among the classes": (GRID, TREE, DEPTHS, {}, X, np.where(Y == 1, np.nan, Y)),
    "no target": (GRID, TREE, DEPTHS, {}, X, None),
    "groups missing": (GRID, TREE, DEPTHS, {"cv": GroupKFold(2)}, X, Y),
    "every fit fails": (GRID, Failing(), {"level": [2, 1]}, {"max_resources": 60}, X, Y),
    "a fit fails": (GRID, Failing(), {"level": [2]}, {"error_score": "raise"}, X, Y),
}


@pytest.mark.parametrize("case", list(WRONG))
def test_errors_are_scikit_learns(spark, case):
    kind, estimator, candidates, settings, rows, target = WRONG[case]
    theirs, ours = (
        raised(module, {}, kind, estimator, candidates, rows, target, **settings)
        for module in (model_selection, sparksweep)
    )
    hidden = r"0x[0-9a-f]+|(?<=one of )\{.*\}"  # a set of names has no order
    assert (ours[0], re.sub(hidden, "", ours[1])) == (theirs[0], re.sub(hidden, "", theirs[1]))


def test_a_ledger_keeps_every_round(spark, tmp_path):
    def search():
        return getattr(sparksweep, GRID)(TREE, DEPTHS, random_state=0, cv=2, ledger=tmp_path / "ledger").fit(X, Y)

    once, again = search(), search()
    assert_same_results(again.cv_results_, once.cv_results_)
    kept = once.fits_.num_rows - 1
    assert kept == 2 * len(once.cv_results_["params"]) == 2 * sum(once.n_candidates_)
    assert again.fits_["ended"].to_pylist()[:kept] == once.fits_["ended"].to_pylist()[:kept]


def test_inside_a_spark_task_it_is_scikit_learns(spark):
    theirs, ours = (
        getattr(module, GRID)(TREE, DEPTHS, random_state=0, cv=2, resource="n_samples")
        for module in (model_selection, sparksweep)
    )
    outer = sparksweep.GridSearchCV(ours, {"factor": [2, 3]}, cv=2).fit(X, Y)
    expected = model_selection.GridSearchCV(theirs, {"factor": [2, 3]}, cv=2).fit(X, Y)
    assert_same_results(outer.cv_results_, expected.cv_results_)
    assert outer.best_estimator_.n_resources_ == expected.best_estimator_.n_resources_
