"""What the search section of an experiment means, and each thing that can be wrong with it."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.model_selection
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GroupKFold, PredefinedSplit

from sparksweep.config import SearchSettings
from sparksweep.errors import ConfigError
from sparksweep.search.settings import build_cv, cv_problems, resolve_estimator, search_problems

LOGISTIC = {"estimator": "sklearn.linear_model.LogisticRegression", "param_grid": {"C": [1]}}
BOOSTED = {"estimator": "xgboost.XGBClassifier", "param_grid": {"max_depth": [3]}}


def problems(base, **changes):
    return list(search_problems(SearchSettings(**{**base, **changes})))


def cv_said(y, folds=None, classes=None, base=LOGISTIC, **changes):
    return list(cv_problems(SearchSettings(**{**base, **changes}), y, folds, classes))


def test_names_become_classes_and_splitters():
    assert resolve_estimator("sklearn.linear_model.LogisticRegression") is LogisticRegression
    assert build_cv(3) == 3
    spec = SearchSettings(**LOGISTIC, cv={"splitter": "sklearn.model_selection.GroupKFold", "n_splits": 4}).cv
    splitter = build_cv(spec)
    assert isinstance(splitter, GroupKFold)
    assert splitter.n_splits == 4
    folds = build_cv("folds", np.array([0, 1, -1, 1]))
    assert isinstance(folds, PredefinedSplit)
    assert [test.tolist() for _, test in folds.split()] == [[0], [1, 3]]


def test_nothing_is_wrong_with_what_is_right():
    assert problems(LOGISTIC, scoring=["accuracy", "neg_log_loss"], refit="accuracy") == []
    right = {"max_depth": [3], "learning_rate": [1, 0.1], "eta": [0.3], "lambda": [1], "objective": ["multi:softprob"]}
    assert problems(BOOSTED, params={"seed": 0}, param_grid=[right, {"max_bin": [64]}]) == []


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"scoring": "acuracy"}, "scoring: unknown scorer 'acuracy'; did you mean 'accuracy'?"),
        ({"estimator": "LogisticRegression"}, "estimator: 'LogisticRegression' is no dotted name of a class, such as"),
        (
            {"estimator": "no_such_package.X"},
            "estimator: 'no_such_package.X': No module named 'no_such_package'; install",
        ),
        (
            {"estimator": "sklearn.linear_model.LogisticRegresion"},
            "estimator: unknown estimator 'sklearn.linear_model.LogisticRegresion': sklearn.linear_model has no "
            "LogisticRegresion; did you mean 'LogisticRegression'?",
        ),
        ({"estimator": "json.dumps"}, "estimator: 'json.dumps' is no estimator: must be a class with fit, get_params"),
        ({"params": {"CC": 1}}, "params: sklearn.linear_model.LogisticRegression does not take {'CC': 1}: "),
        ({"param_grid": {"c": [1]}}, "param_grid.c: unknown parameter (known: C, class_weight,"),
        (
            {"cv": {"splitter": "sklearn.model_selection.KFold", "n_folds": 3}},
            "cv: sklearn.model_selection.KFold does not take {'n_folds': 3}: ",
        ),
        (
            {"cv": {"splitter": "sklearn.model_selection.Kfold"}},
            "cv: unknown splitter 'sklearn.model_selection.Kfold': sklearn.model_selection has no Kfold; did you mean",
        ),
        (
            {"cv": {"splitter": "sklearn.linear_model.Ridge"}},
            "cv: 'sklearn.linear_model.Ridge' is no splitter: must be",
        ),
    ],
)
def test_each_wrong_name_is_told(changes, line):
    (said,) = problems(LOGISTIC, **changes)
    assert said.startswith(line)


@pytest.mark.parametrize(
    ("grid", "line"),
    [
        ({"max_dept": [3]}, "param_grid.max_dept: unknown parameter; did you mean 'max_depth'?"),
        ({"max_depth": ["three"]}, "param_grid.max_depth: must be int, got 'three'"),
        ({"max_depth": [3, 3.5]}, "param_grid.max_depth: must be int, got 3.5"),
        ({"max_depth": [True]}, "param_grid.max_depth: must be int, got True"),
        ({"learning_rate": ["0,1"]}, "param_grid.learning_rate: must be float, got '0,1'"),
    ],
)
def test_each_wrong_value_for_a_booster_is_told(grid, line):
    assert problems(BOOSTED, param_grid=grid) == [line]


def test_scikit_learn_is_asked_about_its_own_values():
    (said,) = problems(LOGISTIC, param_grid={"C": [1.0, "much"], "solver": ["lbfgs"]})
    assert said.startswith("param_grid.C: The 'C' parameter of LogisticRegression must be a float in the range")
    assert said.endswith("Got 'much' instead.")
    (said,) = problems(LOGISTIC, param_grid=[{"solver": ["newton"]}])
    assert said.startswith("param_grid.solver: The 'solver' parameter of LogisticRegression must be a str among")


def test_more_folds_than_the_smallest_class_has_rows():
    y = np.array([0] * 9 + [1] * 4)
    assert cv_said(y, cv=4) == []
    assert cv_said(y, cv=5) == ["cv: 5 folds, but class 1 has only 4 rows; must be at most 4"]
    assert cv_said(y, classes=["F23-", "M39+"], cv=5) == [
        "cv: 5 folds, but class M39+ has only 4 rows; must be at most 4"
    ]
    named = {"splitter": "sklearn.model_selection.StratifiedKFold", "n_splits": 5}
    assert cv_said(y, cv=named) == ["cv: 5 folds, but class 1 has only 4 rows; must be at most 4"]
    assert cv_said(np.array([0, 0, 1]), cv=2) == ["cv: 2 folds, but class 1 has only 1 row; must be at most 1"]


@pytest.mark.parametrize(
    ("name", "arguments", "line"),
    [
        ("ShuffleSplit", {"n_splits": 61}, None),
        ("RepeatedStratifiedKFold", {"n_splits": 5}, "5 folds, but class 1 has only 4 rows; must be at most 4"),
        ("RepeatedKFold", {"n_splits": 14}, "14 folds of 13 rows; must be at most 13"),
        ("GroupKFold", {"n_splits": 2}, "sklearn.model_selection.GroupKFold refuses the data: The 'groups' parameter"),
        ("LeavePOut", {"p": 13}, "sklearn.model_selection.LeavePOut refuses the data: p=13 must be strictly less"),
        ("TimeSeriesSplit", {"n_splits": 3}, None),
    ],
)
def test_splitters_are_asked(name, arguments, line):
    y = np.array([0] * 9 + [1] * 4)
    said = cv_said(y, cv={"splitter": f"sklearn.model_selection.{name}", **arguments})
    assert len(said) == (line is not None)
    assert line is None or said[0].startswith(f"cv: {line}")
    assert name != "GroupKFold" or said[0].endswith("; set data.group_column")


def test_fixed_params_and_lists_are_judged_too():
    (said,) = problems({**LOGISTIC, "params": {"C": "much"}, "param_grid": {"tol": [0.1]}})
    assert said.startswith("params.C: The 'C' parameter of LogisticRegression must be a float")
    assert problems({**LOGISTIC, "params": {"C": "much"}, "param_grid": {"C": [1.0]}}) == []
    assert problems(BOOSTED, param_grid={"subsample": [[0.5]]}) == ["param_grid.subsample: must be float, got [0.5]"]


def test_what_a_module_raises_when_asked_is_told(monkeypatch):
    # Another test of this process may have enabled it.
    monkeypatch.delitem(vars(sklearn.model_selection), "HalvingGridSearchCV", raising=False)
    with pytest.raises(
        ConfigError, match=r"HalvingGridSearchCV.*experimental.*; install the package or mend the name$"
    ):
        resolve_estimator("sklearn.model_selection.HalvingGridSearchCV")


def test_a_regressor_needs_rows_only():
    ridge = {"estimator": f"{Ridge.__module__}.Ridge", "param_grid": {"alpha": [1]}}
    assert cv_said(np.arange(5.0), base=ridge, cv=5) == []
    assert cv_said(np.arange(5.0), base=ridge, cv=6) == ["cv: 6 folds of 5 rows; must be at most 5"]
    assert cv_said(None, base=ridge, cv=6) == []


def test_fold_numbers_must_be_there_and_be_several():
    y = np.zeros(4)
    missing = "cv: the matrix has no fold numbers, so cv cannot be 'folds'; set data.fold_column"
    assert cv_said(y, cv="folds") == [missing]
    assert cv_said(y, np.array([0, 0, -1, -1]), cv="folds") == ["cv: the fold column has fewer than 2 folds"]
    assert cv_said(y, np.array([0, 0, 1, -1]), cv="folds") == []
    with pytest.raises(ConfigError, match="the matrix has no fold numbers"):
        build_cv("folds")
