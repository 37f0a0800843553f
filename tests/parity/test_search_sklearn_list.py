"""What scikit-learn's own tests of its searches are about, asked of scikit-learn's search and of ours at once."""

from __future__ import annotations

import copy
import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from scipy.stats import uniform
from sklearn import model_selection
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest, RandomForestRegressor, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, get_scorer, make_scorer, ndcg_score
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    LeaveOneGroupOut,
    LeavePGroupsOut,
    ParameterGrid,
    PredefinedSplit,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedShuffleSplit,
)
from sklearn.naive_bayes import ComplementNB
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags
from tests.parity.comparing import OWN_PARAMS, assert_same_results, comparable
from threadpoolctl import threadpool_limits
from xgboost import XGBRanker, XGBRegressor

import sparksweep

pytestmark = pytest.mark.spark

X, Y = make_classification(n_samples=60, n_features=6, n_informative=4, random_state=0)
POSITIVE = np.where(np.abs(X) > 0.7, np.abs(X), 0)
FRAME = pd.DataFrame(X, columns=[f"c{n}" for n in range(6)])
MIXED = pd.DataFrame({"brand": pd.Categorical(np.where(X[:, 0] > 0, "oppo", "vivo")), "size": X[:, 1]})
TEXTS = [("red " * (1 + n % 3) if label else "blue ") + "box" for n, label in enumerate(Y)]
GROUPS = np.arange(60) // 10
WEIGHTS = 1.0 + np.arange(60) % 3
RELEVANCE = np.arange(60) % 4
LOGISTIC = LogisticRegression(max_iter=20, tol=0.1)
STEPS = Pipeline([("scale", StandardScaler()), ("model", LOGISTIC)])
C = {"C": [0.01, 1.0]}
MODULES = [model_selection, sparksweep]
GRID, RANDOM = "GridSearchCV", "RandomizedSearchCV"


class Anything(ClassifierMixin, BaseEstimator):
    """Takes any parameter; predicts the class that a number among them names, and the first for any other value."""

    def __init__(self, first=None, second=None):
        self.first = first
        self.second = second

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        number = self.first if isinstance(self.first, (int, np.integer)) else 0
        return np.full(len(X), self.classes_[number % 2])


class ShapeKeeping(ClassifierMixin, BaseEstimator):
    """Wants X and y of more than two dimensions, a whole argument and a sliced one."""

    def __init__(self, level=0):
        self.level = level

    def fit(self, X, y, whole=None, sliced=None):
        if X.shape[1:] != (2, 3) or y.shape[1:] != (2,) or len(whole) != 7 or len(sliced) != len(X):
            raise ValueError(f"{X.shape} {y.shape} {whole} {sliced}")
        self.classes_ = np.array([0, 1])
        return self

    def score(self, X, y):
        return float(self.level + X.sum() + y.sum())


class Scoreless(BaseEstimator):
    def fit(self, X, y=None):
        return self


def plus_minus(estimator, X, y):
    """Infinite for one candidate, NaN for another, a number for the others."""
    return {0: np.inf, 1: np.nan, 2: -np.inf}.get(estimator.first, 0.5)


def all_nan(estimator, X, y):
    return np.nan


def ndcg(estimator, X, y):
    return ndcg_score(y.reshape(1, -1), estimator.predict(X).reshape(1, -1))


def unweighted(estimator, X, y):
    return accuracy_score(y, estimator.predict(X))


def unweighted_accuracy(y, predicted):
    return accuracy_score(y, predicted)


def several(estimator, X, y):
    return {"right": accuracy_score(y, estimator.predict(X)), "wrong": -accuracy_score(y, estimator.predict(X))}


def last(results):
    return len(results["params"]) - 1


def case(estimator, candidates, X=X, y=Y, fit=None, kind=GRID, **settings):
    return kind, estimator, candidates, {"cv": 2, **settings}, X, y, fit or {}


CASES = {
    "csc": case(LOGISTIC, C, sparse.csc_matrix(POSITIVE), scoring="f1"),
    "coo": case(LOGISTIC, C, sparse.coo_matrix(POSITIVE)),
    "sparse array": case(ComplementNB(), {"alpha": [0.1, 1]}, sparse.csr_array(POSITIVE), return_train_score=True),
    "frame of kinds": case(
        make_pipeline(make_column_transformer((OneHotEncoder(), ["brand"]), remainder="passthrough"), LOGISTIC),
        {"columntransformer__onehotencoder": [OneHotEncoder(), "drop"], "logisticregression__C": [1]},
        MIXED,
    ),
    "texts": case(make_pipeline(CountVectorizer(), LOGISTIC), {"countvectorizer__binary": [True, False]}, TEXTS),
    "objects as labels": case(KNeighborsClassifier(), {"n_neighbors": [1, 3]}, y=np.array(["n", "y"], object)[Y]),
    "booleans as labels": case(KNeighborsClassifier(), {"n_neighbors": [1, 3]}, y=pd.Series(Y == 1), scoring="f1"),
    "targets in columns": case(RandomForestRegressor(2, random_state=0), {"max_depth": [1, 2]}, y=X[:, :2]),
    "labels in columns": case(
        KNeighborsClassifier(),
        {"n_neighbors": [1, 3]},
        y=np.c_[Y, 1 - Y],
        scoring=["accuracy", "f1_macro"],
        refit="f1_macro",
    ),
    "many dimensions, arguments of fit": case(
        ShapeKeeping(),
        {"level": [1, 2]},
        np.arange(60 * 6.0).reshape(60, 2, 3),
        np.arange(120).reshape(60, 2),
        {"whole": list(range(7)), "sliced": list(range(60))},
        cv=KFold(2),
        error_score="raise",
    ),
    "values of any kind": case(
        Anything(),
        [
            {"first": [1, 2.5, None], "second": [True]},
            {"first": [np.int32(1), [1, 2], (3,)]},
            {"first": ["text", np.arange(2), LogisticRegression(C=3), {"a": 1}, len], "second": [False]},
        ],
    ),
    "numbers of two kinds": case(Anything(), {"first": [1, 2], "second": [0.5, 1]}),
    "numbers and gaps": case(Anything(), [{"first": np.array([1, 2])}, {"second": range(2)}, {"first": [np.nan]}]),
    "infinite scores": case(Anything(), {"first": [2, 3, 1, 4, 0]}, scoring=plus_minus, return_train_score=True),
    "nothing but NaN": case(Anything(), {"first": [2, 3]}, scoring={"a": all_nan, "b": "accuracy"}, refit="a"),
    "callable refit of one score": case(LOGISTIC, C, refit=last),
    "any text as refit of one score": case(LOGISTIC, C, refit="yes"),
    "callable of several, callable refit": case(LOGISTIC, C, scoring=several, refit=last),
    "a scorer's own argument": case(
        LOGISTIC, C, scoring={"p": make_scorer(accuracy_score, normalize=False), "roc": "roc_auc"}, refit="roc"
    ),
    "weights that a scorer does not take": case(LOGISTIC, C, fit={"sample_weight": list(WEIGHTS)}, scoring=unweighted),
    "weights that one scorer takes": case(
        LOGISTIC,
        C,
        fit={"sample_weight": pd.Series(WEIGHTS)},
        scoring={"a": make_scorer(unweighted_accuracy), "b": "accuracy"},
        refit="b",
        error_score=-1,
    ),
    "leave a group out": case(LOGISTIC, C, fit={"groups": GROUPS // 2}, cv=LeaveOneGroupOut()),
    "leave groups out": case(LOGISTIC, {"C": [1]}, fit={"groups": list(GROUPS // 2)}, cv=LeavePGroupsOut(2)),
    "groups drawn": case(LOGISTIC, C, fit={"groups": GROUPS}, cv=GroupShuffleSplit(2, random_state=0)),
    "groups by class": case(LOGISTIC, C, fit={"groups": GROUPS}, cv=StratifiedGroupKFold(2)),
    "splits drawn by class": case(LOGISTIC, C, cv=StratifiedShuffleSplit(2, test_size=0.3, random_state=1)),
    "splits drawn of NumPy's own": case(LOGISTIC, C, cv=ShuffleSplit(2, test_size=0.3)),
    "splits drawn of a generator": case(LOGISTIC, C, cv=ShuffleSplit(2, random_state=np.random.RandomState(3))),
    "a split told": case(LOGISTIC, C, cv=PredefinedSplit(np.where(np.arange(60) < 20, 0, -1))),
    "PCA": case(PCA(), {"n_components": [1, 3]}, y=None),
    "density": case(KernelDensity(), {"bandwidth": [0.5, 2]}, y=None, return_train_score=True),
    "clusters judged by a target": case(
        KMeans(2, n_init=1, random_state=0), {"init": ["random", "k-means++"]}, scoring="adjusted_rand_score"
    ),
    "outliers": case(
        IsolationForest(n_estimators=5, random_state=0), {"max_samples": [10, 20]}, scoring="accuracy", y=2 * Y - 1
    ),
    "transformer at the end": case(
        Pipeline([("scale", StandardScaler()), ("pca", PCA())]), {"pca__n_components": [2, 4]}, y=None
    ),
    "other steps": case(
        STEPS,
        [
            {"model": [LinearSVC(random_state=0), KNeighborsClassifier()], "scale": ["passthrough", MinMaxScaler()]},
            {"model": [SVC()], "model__C": [1, 2]},
        ],
    ),
    "estimators in an estimator": case(
        VotingClassifier([("a", LOGISTIC), ("b", DecisionTreeClassifier(random_state=0))]),
        {"a__C": [0.1, 1], "b": [DecisionTreeClassifier(max_depth=1, random_state=0), "drop"]},
    ),
    "calibrated": case(CalibratedClassifierCV(LinearSVC(random_state=0), cv=2), {"estimator__C": [0.1, 1]}),
    "sparse kernel": case(
        KNeighborsClassifier(metric="precomputed"), {"n_neighbors": [1, 3]}, np.abs(X[:, :1] - X[:, :1].T)
    ),
    "frame for a linear machine": case(LinearSVC(random_state=0), C, FRAME, pd.Series(Y)),
    "ranker": case(
        XGBRanker(n_jobs=1, random_state=0, n_estimators=3),
        {"max_depth": [1, 2]},
        y=RELEVANCE,
        fit={"qid": GROUPS, "groups": GROUPS},
        scoring=ndcg,
        cv=GroupKFold(2),
    ),
    "boosted regressor, targets in columns": case(
        XGBRegressor(n_jobs=1, n_estimators=3, subsample=0.5, random_state=0),
        {"max_depth": [1, 2]},
        FRAME,
        FRAME[["c0", "c1"]],
        scoring=("r2", "neg_mean_absolute_error"),
        refit="r2",
    ),
    "drawn from list of spaces": case(
        LOGISTIC,
        [{"C": uniform(0.1, 2)}, {"C": [1], "fit_intercept": [True, False]}],
        kind=RANDOM,
        n_iter=3,
        random_state=np.random.RandomState(1),
    ),
    "a space that is too small": case(LOGISTIC, C, kind=RANDOM, n_iter=4, random_state=0),
}
OF_DRIVER = ("\n", "Scoring failed", "One or more of the", "The scoring", "The total space", "The groups")
METHODS = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score_samples",
    "transform",
)
ATTRIBUTES = ("best_index_", "best_score_", "best_params_", "n_splits_", "multimetric_", "scorer_", "n_features_in_")


def fitted(module, name):
    kind, estimator, candidates, settings, rows, target, arguments = CASES[name]
    settings = copy.deepcopy(settings)  # generators of random numbers are used up
    np.random.seed(5)  # what splitters without a random_state draw from
    with warnings.catch_warnings(record=True) as said, threadpool_limits(1):
        warnings.simplefilter("always")
        search = getattr(module, kind)(estimator, candidates, **settings).fit(rows, target, **arguments)
    messages = [str(each.message) for each in said]
    return search, sorted(without_own_params(comparable(each)) for each in messages if each.startswith(OF_DRIVER))


def without_own_params(message):
    return re.sub(r"0x[0-9a-f]+", "", message)


def outcome(call, *arguments):
    """Return what a call gives, or the error it raises, as something to compare."""
    try:
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = call(*arguments)
    except Exception as error:
        chain = [error, error.__cause__, error.__context__]
        return [(type(each), str(each)) for each in chain if each is not None]
    if sparse.issparse(value):
        value = value.toarray()
    return (value.dtype, value.tolist()) if isinstance(value, np.ndarray) else (type(value), repr(value))


def use(search, name, *arguments):
    """Look an attribute up, and call it where it is a method."""
    value = getattr(search, name)
    return value(*arguments) if callable(value) else value


@pytest.mark.parametrize("name", list(CASES))
def test_results_and_model_are_scikit_learns(spark, name):
    (theirs, expected), (ours, said) = (fitted(module, name) for module in MODULES)
    assert_same_results(ours.cv_results_, theirs.cv_results_)
    assert said == expected
    for attribute in ATTRIBUTES:
        assert outcome(getattr, ours, attribute) == outcome(getattr, theirs, attribute), attribute
    *_, rows, target, _ = CASES[name]
    for attribute in ("classes_", "feature_names_in_"):
        assert outcome(getattr, ours, attribute) == outcome(getattr, theirs, attribute), attribute
    assert repr(ours.best_estimator_) == repr(theirs.best_estimator_)
    for method in METHODS:
        assert outcome(use, ours, method, rows) == outcome(use, theirs, method, rows), method
    assert outcome(ours.score, rows, target) == outcome(theirs.score, rows, target)
    assert all(
        (ours.cv_results_[f"{what}_{time}_time"] >= 0).all() for what in ("mean", "std") for time in ("fit", "score")
    )
    assert (ours.cv_results_["mean_fit_time"] > 0).all()


NAMES = (
    *METHODS,
    "inverse_transform",
    "classes_",
    "n_features_in_",
    "feature_names_in_",
    "best_estimator_",
    "refit_time_",
)


@pytest.mark.parametrize("estimator", [LOGISTIC, LinearSVC(), PCA(), KMeans(), Ridge(), SVC(kernel="precomputed")])
def test_before_fit_it_is_scikit_learns(estimator):
    theirs, ours = (module.GridSearchCV(estimator, {}) for module in MODULES)
    for name in (*NAMES, "score", "n_splits_", "cv_results_"):
        assert hasattr(ours, name) == hasattr(theirs, name), name
        assert outcome(use, ours, name, X) == outcome(use, theirs, name, X), name
    assert get_tags(ours) == get_tags(theirs)
    assert (is_classifier(ours), is_regressor(ours)) == (is_classifier(theirs), is_regressor(theirs))


def test_without_refit_nothing_is_delegated(spark):
    theirs, ours = (module.GridSearchCV(LOGISTIC, C, cv=2, refit=False).fit(FRAME, Y) for module in MODULES)
    for name in (*NAMES, "score"):
        assert hasattr(ours, name) == hasattr(theirs, name), name
        assert outcome(use, ours, name, FRAME) == outcome(use, theirs, name, FRAME), name
    assert (ours.best_index_, ours.best_score_) == (theirs.best_index_, theirs.best_score_)


@pytest.fixture(scope="module")
def pair(spark):
    """Return scikit-learn's search and ours, fitted, with two scores on a frame."""
    return [
        module.GridSearchCV(STEPS, {"model__C": [0.01, 1]}, cv=2, scoring=["f1", "neg_log_loss"], refit="f1").fit(
            FRAME, Y
        )
        for module in MODULES
    ]


def test_a_fitted_search_goes_through_pickle(pair):
    theirs, ours = (pickle.loads(pickle.dumps(search)) for search in pair)
    assert_same_results(ours.cv_results_, theirs.cv_results_)
    assert ours.predict(FRAME).tolist() == theirs.predict(FRAME).tolist()
    assert ours.score(FRAME, Y) == theirs.score(FRAME, Y)
    assert set(vars(theirs)) - set(vars(ours)) <= {"_checked_cv_orig"}


def test_a_clone_is_unfitted_and_has_the_same_parameters(pair):
    theirs, ours = (clone(search) for search in pair)
    assert not hasattr(ours, "cv_results_")
    assert repr({name: ours.get_params()[name] for name in theirs.get_params()}) == repr(theirs.get_params())
    assert ours.get_params().keys() - theirs.get_params().keys() == OWN_PARAMS
    assert ours.get_params(deep=False).keys() - theirs.get_params(deep=False).keys() == OWN_PARAMS
    for search in (theirs, ours):
        search.set_params(estimator__model__C=7, cv=3, refit=False)
    assert (ours.estimator.model.C if hasattr(ours.estimator, "model") else ours.estimator["model"].C) == 7
    assert outcome(ours.set_params, "no") == outcome(theirs.set_params, "no")
    wrong = [outcome(lambda each=each: each.set_params(n=1)) for each in (ours, theirs)]
    assert wrong[0][0][0] is wrong[1][0][0]


def test_other_columns_are_refused_after_fit(pair):
    theirs, ours = pair
    other = FRAME.rename(columns={"c0": "c9"})
    assert outcome(ours.predict, other) == outcome(theirs.predict, other)
    assert outcome(ours.score, FRAME[["c0"]], Y) == outcome(theirs.score, FRAME[["c0"]], Y)


def test_weights_for_score_are_refused_without_routing(pair):
    theirs, ours = (outcome(lambda each=each: each.score(FRAME, Y, sample_weight=WEIGHTS)) for each in pair)
    assert ours == theirs


def test_a_second_fit_forgets_the_first(spark):
    searches = [module.GridSearchCV(Ridge(), {"alpha": [1]}, cv=2, scoring=("r2",), refit="r2") for module in MODULES]
    for search in searches:
        search.fit(FRAME, X[:, 0])
        search.set_params(estimator=LOGISTIC, param_grid=C, scoring=None).fit(X, Y)
    theirs, ours = searches
    assert_same_results(ours.cv_results_, theirs.cv_results_)
    for name in ("classes_", "n_features_in_", "multimetric_", "best_score_", "feature_names_in_"):
        assert outcome(getattr, ours, name) == outcome(getattr, theirs, name), name


def test_splits_of_a_generator_serve_every_candidate(spark):
    theirs, ours = (
        module.GridSearchCV(LOGISTIC, C, cv=((rows[:40], rows[30:]) for rows in [np.arange(60), np.arange(59, -1, -1)]))
        for module in MODULES
    )
    assert_same_results(ours.fit(X, Y).cv_results_, theirs.fit(X, Y).cv_results_)


def test_a_search_within_a_search(spark):
    theirs, ours = (
        module.GridSearchCV(module.GridSearchCV(LOGISTIC, C, cv=2), {"estimator__fit_intercept": [True, False]}, cv=2)
        for module in MODULES
    )
    assert_same_results(ours.fit(X, Y).cv_results_, theirs.fit(X, Y).cv_results_)
    assert_same_results(ours.best_estimator_.cv_results_, theirs.best_estimator_.cv_results_)
    assert ours.classes_.tolist() == theirs.classes_.tolist()


def test_inverse_transform_is_the_models(spark):
    theirs, ours = (module.GridSearchCV(PCA(), {"n_components": [2, 3]}, cv=2).fit(X) for module in MODULES)
    few = ours.transform(X)
    assert outcome(ours.inverse_transform, few) == outcome(theirs.inverse_transform, few)


def in_two_rounds(base):
    """Return a search that tries two grids one after the other, the second as the first turned out."""

    class TwoRounds(base):
        def _run_search(self, evaluate_candidates):
            results = evaluate_candidates(ParameterGrid(self.param_grid))
            n_candidates = len(results["params"])
            best = results["params"][results["rank_test_score"].argmin()]["C"]
            again = evaluate_candidates([{"C": best * 2}], more_results=None)
            assert len(again["params"]) == n_candidates + 1

    return TwoRounds(LOGISTIC, C, cv=KFold(2, shuffle=True, random_state=0))


def test_a_search_with_rounds_of_its_own(spark):
    theirs, ours = (in_two_rounds(module.GridSearchCV).fit(X, Y) for module in MODULES)
    assert_same_results(ours.cv_results_, theirs.cv_results_)


def routed(name):
    """Return an estimator, settings and arguments of fit; requests can be made only with routing enabled."""
    asking = LogisticRegression(max_iter=20).set_fit_request(sample_weight=True)
    refusing = LogisticRegression(max_iter=20).set_fit_request(sample_weight=False)
    weighing = StandardScaler().set_fit_request(sample_weight="rows")
    scorers = {name: get_scorer(name).set_score_request(sample_weight=True) for name in ("accuracy", "recall")}
    return {
        "all asked for": (
            asking,
            {"scoring": scorers, "refit": "recall", "cv": GroupKFold(2)},
            {"sample_weight": WEIGHTS, "groups": GROUPS},
        ),
        "not by the scorers": (
            asking,
            {"scoring": ["accuracy", "recall"], "refit": "recall"},
            {"sample_weight": WEIGHTS},
        ),
        "weights nobody asked for": (LOGISTIC, {}, {"sample_weight": WEIGHTS}),
        "weights refused": (refusing, {}, {"sample_weight": WEIGHTS}),
        "an unknown argument": (LOGISTIC, {}, {"colour": "red"}),
        "groups that the splitter does not take": (LOGISTIC, {}, {"groups": GROUPS}),
        "steps": (Pipeline([("scale", weighing), ("model", refusing)]), {}, {"rows": WEIGHTS}),
    }[name]


ROUTED = (
    "all asked for",
    "not by the scorers",
    "weights nobody asked for",
    "weights refused",
    "an unknown argument",
    "groups that the splitter does not take",
    "steps",
)


@pytest.mark.parametrize("name", ROUTED)
def test_metadata_goes_to_who_asked_for_it(spark, name):
    with sklearn.config_context(enable_metadata_routing=True):
        estimator, settings, arguments = routed(name)
        grid = {"model__C": [0.1, 1]} if name == "steps" else {"C": [0.1, 1]}
        searches = [module.GridSearchCV(estimator, grid, **{"cv": 2, **settings}) for module in MODULES]
        assert repr(searches[1].get_metadata_routing()) == repr(searches[0].get_metadata_routing())
        theirs, ours = (outcome(fit, each, X, Y, arguments) for each in searches)
    assert ours[0] == theirs[0]  # the error itself; the worker's traceback is its cause
    if hasattr(searches[0], "cv_results_"):
        assert_same_results(searches[1].cv_results_, searches[0].cv_results_)


def fit(search, rows, target, arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(rows, target, **arguments)


class Miscounting:
    """Says that it makes three splits and makes two."""

    def get_n_splits(self, X=None, y=None, groups=None):
        return 3

    def split(self, X, y=None, groups=None):
        return KFold(2).split(X)


def wrong(estimator=LOGISTIC, candidates=C, X=X, y=Y, fit=None, kind=GRID, **settings):
    return kind, estimator, candidates, {"cv": 2, **settings}, X, y, fit or {}


WRONG = {
    "refit chooses below 0": wrong(refit=lambda results: -1),
    "refit chooses beyond the end": wrong(refit=lambda results: 2),
    "refit chooses a float": wrong(refit=lambda results: 1.0),
    "refit chooses None of several": wrong(refit=lambda results: None, scoring=["accuracy", "f1"]),
    "refit of several is True": wrong(scoring=several),
    "refit of several is unknown": wrong(scoring=several, refit="accuracy"),
    "refit raises": wrong(refit=lambda results: results["mean_test_accuracy"].argmax()),
    "no groups": wrong(cv=GroupKFold(2)),
    "no groups to leave out": wrong(cv=LeaveOneGroupOut()),
    "too few groups": wrong(cv=GroupKFold(7), fit={"groups": GROUPS}),
    "no splits": wrong(cv=[]),
    "no splits of a generator": wrong(cv=iter(())),
    "splits miscounted": wrong(cv=Miscounting()),
    "a text as cv": wrong(cv="two"),
    "one split": wrong(cv=1),
    "more folds than members of a class": wrong(cv=40),
    "a text as values": wrong(candidates={"C": "123"}),
    "values in two dimensions": wrong(candidates={"C": np.ones((2, 2))}),
    "values of a generator": wrong(candidates={"C": iter([1, 2])}),
    "no grid": wrong(candidates=[1]),
    "a number as grid": wrong(candidates=1),
    "no score": wrong(estimator=Scoreless(), candidates={}),
    "no candidates": wrong(candidates=[]),
    "nothing drawn": wrong(kind=RANDOM, n_iter=0),
    "no distribution": wrong(kind=RANDOM, candidates={"C": 3}),
    "no scores": wrong(scoring=[]),
    "no scores in a dict": wrong(scoring={}),
    "a score twice": wrong(scoring=["f1", "f1"], refit="f1"),
    "callables in a list": wrong(scoring=[unweighted], refit="unweighted"),
    "a number as a score's name": wrong(scoring={1: "f1"}, refit=False),
    "a number as scoring": wrong(scoring=5),
    "a score that is no number": wrong(scoring=lambda *_: {"a": [1, 2]}, refit="a"),
    "a score that is complex": wrong(scoring=lambda *_: "1", error_score="raise"),
    "an argument that fit does not take": wrong(fit={"colour": 1}),
    "an argument that fit does not take, raised": wrong(fit={"colour": 1}, error_score="raise"),
    "fewer targets than rows": wrong(y=Y[:-1]),
    "no rows": wrong(X=None),
    "no target": wrong(y=None),
    "a kernel that is not square": wrong(estimator=SVC(kernel="precomputed")),
    "a kernel as lists": wrong(estimator=SVC(kernel="precomputed"), X=(X @ X.T).tolist()),
    "NaN among the rows": wrong(X=np.where(X > 1, np.nan, X)),
    "an unknown parameter": wrong(candidates={"D": [1]}),
    "a wrong value": wrong(candidates={"C": [-1]}),
    "a wrong parameter of the search": wrong(return_train_score="yes"),
    "error_score is a word": wrong(error_score="zero"),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_errors_are_scikit_learns(spark, name):
    kind, estimator, candidates, settings, rows, target, arguments = WRONG[name]
    said = []
    for module in MODULES:
        search = getattr(module, kind)(estimator, copy.copy(candidates), **settings)
        with pytest.raises(Exception) as error:  # noqa: PT011  # which one it is, is what is compared
            fit(search, rows, target, arguments)
        message = re.sub(r"0x[0-9a-f]+|(?<=scorer=)\S+|\{.*\}", "", comparable(str(error.value)))
        # scikit-learn says "returned" until 1.7 and "return" since.
        said.append((type(error.value), message.replace("get_n_splits returned", "get_n_splits return")))
    assert said[1] == said[0]
