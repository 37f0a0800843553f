"""Training and scoring one unit, without Spark: what is a failed fit, what ends the search, what is sliced."""

from __future__ import annotations

import math
import os
import pickle
import warnings
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from xgboost import XGBClassifier

from sparksweep.errors import SearchError
from sparksweep.search.evaluate import SearchData, Work, evaluate_unit, refit_candidate, worker_context
from sparksweep.search.fits import ALL_ROWS, COMPLETE, FAILED
from sparksweep.search.scoring import build_scoring
from sparksweep.search.units import Unit

X = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]])
Y = np.array([0, 0, 0, 1, 1, 1])
SPLIT = (np.array([0, 1, 3, 4]), np.array([2, 5]))


class Stub(ClassifierMixin, BaseEstimator):
    """Fails on demand; remembers what it was given."""

    def __init__(self, fail=False, n_jobs=None):
        self.fail = fail
        self.n_jobs = n_jobs

    def fit(self, X, y=None, **fit_params):
        if self.fail:
            raise ValueError("told to fail")
        self.classes_ = np.unique(y)
        self.seen_ = {"X": X, "y": y, "n_jobs": self.n_jobs, **fit_params}
        return self

    def predict(self, X):
        return np.zeros(len(X), dtype=int)


class Wordy(ValueError):
    """Pickles, and would not come back: its class wants an argument that it does not keep."""

    def __init__(self, *, colour):
        super().__init__(f"no {colour}")
        self.colour = colour


class Objecting(Stub):
    """Raises such an error."""

    def fit(self, X, y=None):
        raise Wordy(colour="red")


def work(estimator, candidates=({},), scoring="accuracy", raise_errors=False, **changes):
    settings = {
        "estimator": estimator,
        "candidates": dict(enumerate(candidates)),
        "scoring": build_scoring(estimator, scoring, raise_errors=raise_errors),
        "return_train_score": False,
        "raise_errors": raise_errors,
        "threads": 1,
        "dumps": pickle.dumps,
        "config": {},
        "warning_filters": list(warnings.filters),
    }
    return Work(**{**settings, **changes})


def one(work, X=X, y=Y, fit_params=MappingProxyType({}), score_params=MappingProxyType({})):
    (fit,) = evaluate_unit(Unit(0, (0,), 0, 1.0), SearchData(X, y, [SPLIT], fit_params, score_params), work)
    return fit


def test_a_fit_is_scored_on_the_rows_it_did_not_see():
    fit = one(work(Stub(), return_train_score=True))
    assert (fit.status, fit.n_test, fit.fit_error, fit.exception) == (COMPLETE, 2, None, None)
    assert fit.test_scores == {"score": 0.5}
    assert fit.train_scores == {"score": 0.5}
    assert (fit.pid, fit.thread_count, fit.attempt) == (os.getpid(), 1, 1)
    assert fit.ended >= fit.started > 0


def test_a_failed_training_is_a_row_with_its_traceback():
    fit = one(work(Stub(fail=True), scoring=["accuracy", "recall"], return_train_score=True))
    assert (fit.status, fit.n_test, fit.exception) == (FAILED, 2, None)
    assert fit.fit_error.rstrip().endswith("ValueError: told to fail")
    assert fit.test_scores == fit.train_scores == {"accuracy": None, "recall": None}


def test_error_score_raise_brings_the_exception_itself():
    fit = one(work(Stub(fail=True), raise_errors=True))
    error = pickle.loads(fit.exception)
    assert type(error) is ValueError
    assert str(error) == "told to fail"


def test_what_error_score_does_not_cover_ends_the_search():
    fit = one(work(Stub(), [{"no_such": 1}]))
    assert fit.status == FAILED
    assert "Invalid parameter 'no_such'" in str(pickle.loads(fit.exception))
    units = Unit(0, (0, 1), 0, 1.0)
    fits = evaluate_unit(units, SearchData(X, Y, [SPLIT]), work(Stub(), [{"no_such": 1}, {}]))
    assert [fit.candidate_id for fit in fits] == [0]


def test_an_exception_that_does_not_unpickle_comes_all_the_same():
    error = pickle.loads(one(work(Objecting(), raise_errors=True)).exception)
    assert (type(error), str(error), error.args, error.colour) == (Wordy, "no red", ("no red",), "red")


def test_an_exception_that_cannot_travel_comes_as_its_text():
    class Local(Exception):
        pass

    def scorer(estimator, X, y):
        raise Local("only here")

    fit = one(work(Stub(), scoring=scorer, raise_errors=True))
    assert str(pickle.loads(fit.exception)) == "Local: only here"


def test_one_failing_scorer_leaves_the_others():
    def failing(estimator, X, y):
        raise KeyError("no column")

    fit = one(work(Stub(), scoring={"good": "accuracy", "bad": failing}))
    assert fit.status == FAILED
    assert fit.fit_error is None
    assert fit.test_scores == {"good": 0.5, "bad": None}
    assert list(fit.score_errors) == ["test_bad"]
    assert "KeyError: 'no column'" in fit.score_errors["test_bad"]
    assert fit.multimetric


def test_a_score_of_nan_is_a_score():
    fit = one(work(Stub(), scoring=lambda estimator, X, y: math.nan))
    assert fit.status == COMPLETE
    assert math.isnan(fit.test_scores["score"])
    assert not fit.multimetric


@pytest.mark.slow
@pytest.mark.versions
def test_a_family_is_trained_once_and_each_candidate_scored_on_its_prefix():
    trained = []

    class Counting(GradientBoostingClassifier):
        def fit(self, X, y, **more):
            trained.append(self.n_estimators)
            return super().fit(X, y, **more)

    candidates = [{"n_estimators": 3}, {"n_estimators": 5}]
    data = SearchData(X, Y, [SPLIT])

    def evaluate(estimator, candidate_ids):
        plan = work(estimator, candidates, scoring="neg_log_loss", return_train_score=True)
        return list(evaluate_unit(Unit(0, candidate_ids, 0, 1.0), data, plan))

    together = evaluate(XGBClassifier(n_jobs=1, min_child_weight=0), (0, 1))
    apart = [fit for each in (0, 1) for fit in evaluate(XGBClassifier(n_jobs=1, min_child_weight=0), (each,))]
    assert [fit.candidate_id for fit in together] == [0, 1]
    assert [(fit.test_scores, fit.train_scores) for fit in together] == [
        (fit.test_scores, fit.train_scores) for fit in apart
    ]
    assert together[0].test_scores != together[1].test_scores
    assert 0 < together[0].fit_time <= together[1].fit_time
    assert all((fit.status, fit.n_test) == (COMPLETE, 2) for fit in together)
    evaluate(Counting(), (0, 1))
    assert trained == [3, 5]  # a class that no adapter knows is trained for each


def test_a_family_whose_training_fails_is_trained_one_by_one():
    candidates = [{"n_estimators": 3}, {"n_estimators": 5}]
    plan = work(XGBClassifier(n_jobs=1, max_depth=-5), candidates, scoring="neg_log_loss")
    fits = list(evaluate_unit(Unit(0, (0, 1), 0, 1.0), SearchData(X, Y, [SPLIT]), plan))
    assert [(fit.candidate_id, fit.status) for fit in fits] == [(0, FAILED), (1, FAILED)]
    assert "XGBoostError" in fits[0].fit_error


def test_a_callable_may_give_several_scores():
    fit = one(work(Stub(), scoring=lambda estimator, X, y: {"one": 1, "half": np.float32(0.5)}))
    assert fit.test_scores == {"one": 1.0, "half": 0.5}
    assert fit.multimetric


def test_a_score_that_is_no_number_ends_the_search():
    fit = one(work(Stub(), scoring=lambda estimator, X, y: "high"))
    assert "scoring must return a number, got high (<class 'str'>) instead" in str(pickle.loads(fit.exception))


def test_what_has_a_value_a_row_is_sliced_and_the_rest_is_not():
    def scorer(estimator, X, y, sample_weight):
        seen = estimator.seen_
        assert seen["weight"].tolist() == [10, 11, 13, 14]
        assert seen["names"] == ["a", "b", "d", "e"]
        assert seen["level"] == 3
        return float(sample_weight.sum())

    params = {"weight": np.arange(10, 16), "names": list("abcdef"), "level": 3}
    fit = one(work(Stub(), scoring=scorer), fit_params=params, score_params={"sample_weight": np.arange(6)})
    assert fit.score_errors == {}
    assert fit.test_scores == {"score": 7.0}


@pytest.mark.parametrize(
    "make",
    [lambda X: X, csr_matrix, lambda X: pd.DataFrame(X, columns=["a"]), lambda X: X.tolist()],
    ids=["dense", "csr", "pandas", "list"],
)
def test_rows_keep_the_type_of_x(make):
    kept = {}

    def scorer(estimator, X, y):
        kept.update(train=estimator.seen_["X"], test=X)
        return 1.0

    given = make(X)
    one(work(Stub(), scoring=scorer), X=given)
    assert type(kept["train"]) is type(kept["test"]) is type(given)
    dense = kept["train"].toarray() if hasattr(kept["train"], "toarray") else np.asarray(kept["train"])
    assert dense.ravel().tolist() == [0, 1, 3, 4]


def test_a_kernel_matrix_is_sliced_on_both_sides():
    fit = one(work(SVC(kernel="precomputed")), X=X @ X.T)
    assert fit.status == COMPLETE
    assert "should be a square kernel matrix" in str(pickle.loads(one(work(SVC(kernel="precomputed"))).exception))


def test_no_target():
    fit = one(work(Stub(), scoring=lambda estimator, X: 2.0), y=None)
    assert fit.test_scores == {"score": 2.0}


def test_threads_are_the_plans_during_fits_and_the_users_afterwards():
    seen = {}

    def scorer(estimator, X, y):
        seen.update(estimator.seen_)
        return 1.0

    plan = work(Stub(n_jobs=8), scoring=scorer, threads=2)
    one(plan)
    assert seen["n_jobs"] == 2
    _, model = refit_candidate(0, SearchData(X, Y, []), plan)
    refitted = pickle.loads(model)
    assert (refitted.seen_["n_jobs"], refitted.n_jobs) == (2, 8)


def test_nested_threads_and_scikit_learns_own_none():
    forest = make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=2, n_jobs=4))
    _, model = refit_candidate(0, SearchData(X, Y, []), work(forest))
    assert pickle.loads(model)[-1].n_jobs == 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # setting it makes scikit-learn 1.8 and later warn
        fit = one(work(LogisticRegression()))
    assert fit.status == COMPLETE


def test_refit_brings_the_true_exception_or_why_the_model_cannot_travel():
    fit, model = refit_candidate(0, SearchData(X, Y, []), work(Stub(fail=True)))
    assert (fit.split_id, model) == (ALL_ROWS, None)
    assert str(pickle.loads(fit.exception)) == "told to fail"
    fit, model = refit_candidate(0, SearchData(X, Y, [], {"lock": (each for each in ())}), work(Stub()))
    error = pickle.loads(fit.exception)
    assert isinstance(error, SearchError)
    assert str(error).startswith("the refitted Stub cannot be pickled, so it cannot leave its Spark task: TypeError")


def test_workers_take_over_configuration_and_warning_filters():
    from sklearn import get_config

    plan = work(Stub(), config={"assume_finite": True}, warning_filters=[("error", None, UserWarning, None, 0)])
    with worker_context(plan):
        assert get_config()["assume_finite"]
        with pytest.raises(UserWarning, match="heard"):
            warnings.warn("heard", UserWarning, stacklevel=1)
    assert not get_config()["assume_finite"]
