"""What the searches do to and with a SparkSession: tasks, broadcasts, progress, interrupts, lost workers, handles."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from sparksweep import GridSearchCV, RandomizedSearchCV
from sparksweep.errors import SearchError, SessionError
from sparksweep.search import sessions
from sparksweep.search.execution import task_frame
from sparksweep.search.sessions import choose_session

pytestmark = pytest.mark.spark

X, Y = load_iris(return_X_y=True)
GRID = {"C": [0.1, 1.0]}


def logistic():
    return LogisticRegression(max_iter=200, tol=0.01)


class Behaving(ClassifierMixin, BaseEstimator):
    """Does what `deed` says when it is trained; defined here, so that workers do not have its module."""

    def __init__(self, deed=None):
        self.deed = deed

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        if self.deed == "die":
            os._exit(1)
        if self.deed == "sleep":
            time.sleep(60)
        if self.deed == "fail":
            raise LookupError("as told")
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


@pytest.mark.parametrize("n_fits", [1, 7, 40])
def test_every_fit_is_a_task_of_its_own(spark, n_fits):
    frame = task_frame(spark, n_fits)
    assert [len(rows) for rows in frame.rdd.glom().collect()] == [1] * n_fits
    counts = []
    search = GridSearchCV(
        DummyClassifier(), {"random_state": list(range(n_fits))}, cv=[([0, 60], [1, 61])], refit=False
    )
    search.on_progress = lambda *_: counts.append(_tasks_of_active_stages(spark))
    search.fit(X, Y)
    assert search.grid_.num_rows == search.fits_.num_rows == n_fits
    assert {count for count in counts if count} <= {n_fits}


def _tasks_of_active_stages(spark):
    tracker = spark.sparkContext.statusTracker()
    return sum(tracker.getStageInfo(stage).numTasks for stage in tracker.getActiveStageIds())


def test_nothing_is_left_on_spark(spark):
    folder = spark.sparkContext._temp_dir
    before = set(os.listdir(folder))
    GridSearchCV(logistic(), GRID, cv=2).fit(X, Y)
    with pytest.raises(LookupError, match="as told"):
        GridSearchCV(Behaving("fail"), {"deed": ["fail"]}, cv=2, error_score="raise").fit(X, Y)
    assert set(os.listdir(folder)) == before


def test_grid_and_fits_are_tables(spark):
    search = GridSearchCV(RandomForestClassifier(random_state=0), {"n_estimators": [2, 5]}, cv=2).fit(X, Y)
    grid, fits = search.grid_.to_pylist(), search.fits_.to_pylist()
    assert [row["candidate_id"] for row in grid] == [1, 1, 0, 0]  # the longest first
    assert [(row["candidate_id"], row["split_id"]) for row in fits[:4]] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert (fits[4]["candidate_id"], fits[4]["split_id"], fits[4]["status"]) == (search.best_index_, None, "complete")
    assert fits[0]["test_score"] == search.cv_results_["split0_test_score"][0]
    assert {row["fit_key"] for row in grid} == {row["fit_key"] for row in fits[:4]}
    assert len({row["fit_key"] for row in fits}) == 5
    assert all(row["pid"] != os.getpid() and row["n_test"] == 75 for row in fits[:4])
    assert search.refit_time_ == fits[4]["fit_time"]


def test_progress_reaches_the_driver_as_fits_finish(spark):
    told = []
    search = GridSearchCV(Behaving(), {"deed": [None, "fail"]}, cv=2, refit=False)
    search.on_progress = lambda *counts: told.append((threading.current_thread() is threading.main_thread(), *counts))
    with pytest.warns(FitFailedWarning, match="2 fits failed out of a total of 4"):
        search.fit(X, Y)
    assert [done for _, done, *_ in told] == [1, 2, 3, 4]
    assert all(main for main, *_ in told)
    assert told[-1][2:4] == (2, 4)
    assert told[-1][4] == pytest.approx(1 / 3)


def test_an_interrupt_cancels_the_job_and_the_session_goes_on(spark):
    search = GridSearchCV(Behaving(), {"deed": [None, "sleep", "sleep"]}, cv=2, refit=False)
    search.on_progress = lambda *_: os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, Y)
    assert not spark.sparkContext.statusTracker().getActiveJobsIds()
    assert GridSearchCV(logistic(), GRID, cv=2).fit(X, Y).best_score_ > 0.5


def test_an_error_of_ones_own_in_progress_is_raised(spark):
    def broken(*_):
        raise RuntimeError("the display broke")

    search = GridSearchCV(logistic(), GRID, cv=2)
    search.on_progress = broken
    with pytest.raises(RuntimeError, match="the display broke"):
        search.fit(X, Y)


def test_a_dead_worker_is_told_with_its_candidate(spark):
    with pytest.raises(
        SearchError, match=r'^candidate 0 \{"deed": "die"\} on split [01] was lost: the Python worker died'
    ):
        GridSearchCV(Behaving(), {"deed": ["die"]}, cv=2).fit(X, Y)


def test_the_first_failure_ends_the_search_where_error_score_says_so(spark):
    started = time.monotonic()
    search = GridSearchCV(Behaving(), {"deed": ["fail", "sleep"]}, cv=2, error_score="raise")
    with pytest.raises(LookupError, match="as told") as raised:
        search.fit(X, Y)
    assert time.monotonic() - started < 50
    assert 'raise LookupError("as told")' in str(raised.value.__cause__)


def test_a_failing_refit_gives_its_exception_and_keeps_the_results(spark):
    class FailsOnAll(Behaving):
        def fit(self, X, y):
            if len(X) == 150:
                raise ArithmeticError("all rows are too many")
            return super().fit(X, y)

    search = GridSearchCV(FailsOnAll(), {"deed": [None]}, cv=2)
    with pytest.raises(ArithmeticError, match="all rows are too many"):
        search.fit(X, Y)
    assert search.cv_results_["mean_test_score"].shape == (1,)


def test_what_cannot_be_pickled_is_named(spark):
    with pytest.raises(SearchError, match=r"^the estimator, its parameters and the scorers cannot be pickled.*Type"):
        GridSearchCV(Behaving(), {"deed": [None]}, scoring=threading.Lock().acquire).fit(X, Y)
    with pytest.raises(SearchError, match=r"^X cannot be pickled, which Spark's workers need: TypeError"):
        GridSearchCV(Behaving(), {"deed": [None]}, cv=2).fit([threading.Lock()] * 4, [0, 1, 0, 1])


def test_estimators_of_a_notebook_come_back_as_what_they_were(spark):
    search = GridSearchCV(Behaving(), {"deed": [None]}, cv=2).fit(X, Y)
    assert type(search.best_estimator_) is Behaving


def test_what_has_no_effect_is_said_once(spark):
    with pytest.warns(UserWarning, match=r"^n_jobs=4, pre_dispatch=1 of GridSearchCV has no effect") as said:
        GridSearchCV(logistic(), GRID, cv=2, n_jobs=4, pre_dispatch=1).fit(X, Y)
    assert len([each for each in said if "no effect" in str(each.message)]) == 1


def test_threads_are_said_once_and_the_users_number_is_kept(spark):
    with pytest.warns(UserWarning, match=r"^n_jobs=2 of the estimator: during fits it is 1, which") as said:
        search = GridSearchCV(RandomForestClassifier(2, n_jobs=2), {"max_depth": [1, 2]}, cv=2).fit(X, Y)
    assert len([each for each in said if "during fits" in str(each.message)]) == 1
    assert search.best_estimator_.n_jobs == 2
    assert set(search.fits_["thread_count"].to_pylist()) == {1}


@pytest.mark.parametrize(("search_class", "space"), [(GridSearchCV, GRID), (RandomizedSearchCV, GRID)])
def test_handles_are_no_parameters(spark, search_class, space):
    search = search_class(logistic(), space, cv=2, sc=spark.sparkContext, spark=spark)
    search.on_progress = lambda *_: None
    assert {"sc", "spark", "on_progress"}.isdisjoint(search.get_params())
    assert "spark" not in repr(search)
    assert clone(search)._handles is None
    copied = pickle.loads(pickle.dumps(search.set_params(cv=3).fit(X, Y)))
    assert copied._handles is None
    assert copied.on_progress is None
    assert (copied.predict(X) == search.predict(X)).all()
    assert copied.fits_.equals(search.fits_)


def test_unknown_arguments_are_refused(spark):
    with pytest.raises(TypeError, match=r"GridSearchCV.__init__\(\) got an unexpected keyword argument 'sx'"):
        GridSearchCV(logistic(), GRID, sx=1)


def test_handles_must_be_the_active_sessions(spark):
    class Other(type(spark.sparkContext)):
        def __init__(self):
            pass

    assert choose_session(spark=spark) is spark
    assert choose_session(sc=spark.sparkContext).sparkContext is spark.sparkContext
    with pytest.raises(SessionError, match=r"^sc= is not the active session's \(the active one is local-"):
        choose_session(sc=object.__new__(Other))
    with pytest.raises(SessionError, match=r"^sc= must be a SparkContext, got SparkSession; pass a Spark"):
        GridSearchCV(logistic(), GRID, sc=spark).fit(X, Y)
    with pytest.raises(SessionError, match=r"^spark= must be a SparkSession, got SparkContext"):
        choose_session(spark=spark.sparkContext)
    with pytest.raises(SessionError, match="belong to different applications"):
        choose_session(sc=object.__new__(Other), spark=spark)
    connect = type("SparkSession", (), {"__module__": "pyspark.sql.connect.session"})()
    with pytest.raises(SessionError, match=r"^spark= is a Spark Connect session, which has no SparkContext"):
        choose_session(spark=connect)


def test_without_a_session_one_is_started_and_said(spark, monkeypatch, caplog):
    monkeypatch.setattr(sessions, "active_session", lambda: None)
    monkeypatch.setattr(sessions, "open_session", lambda: spark)
    assert choose_session() is spark
    assert "no active SparkSession: started one on local[2]" in caplog.text
    with pytest.raises(SessionError, match=r"^spark= is not the active session's \(no session is active\): was"):
        choose_session(spark=spark)


def test_scikit_learns_callbacks_are_refused(spark):
    search = GridSearchCV(logistic(), GRID)
    assert search.set_callbacks() is search
    with pytest.raises(SearchError, match="callbacks do not work for fits on Spark: set on_progress instead"):
        search.set_callbacks(object())


def test_inside_a_task_the_search_is_scikit_learns(spark):
    inner = GridSearchCV(logistic(), GRID, cv=2)
    outer = GridSearchCV(inner, {"cv": [2, 3]}, cv=2).fit(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = cross_val_score(clone(inner).set_params(cv=3), X, Y, cv=2)
    assert [outer.cv_results_[f"split{n}_test_score"][1] for n in (0, 1)] == expected.tolist()
    assert not hasattr(outer.best_estimator_, "fits_")


def test_rounds_of_ones_own_search(spark):
    class Halving(GridSearchCV):
        def _run_search(self, evaluate_candidates):
            first = evaluate_candidates([{"C": 0.01}, {"C": 1.0}], more_results={"round": [0, 0]})
            best = first["params"][first["rank_test_score"].argmin()]
            other = [(train[::2], test) for train, test in self.cv]
            evaluate_candidates([best], more_results={"round": [1]})
            evaluate_candidates([best], cv=_Fixed(other), more_results={"round": [2]})

    splits = [(np.arange(0, 150, 2), np.arange(1, 150, 2)), (np.arange(1, 150, 2), np.arange(0, 150, 2))]
    search = Halving(logistic(), {}, cv=splits).fit(X, Y)
    assert search.cv_results_["round"].tolist() == [0, 0, 1, 2]
    assert search.cv_results_["mean_test_score"][2] == search.cv_results_["mean_test_score"][1]
    reduced = logistic().set_params(C=1.0)
    scores = [reduced.fit(X[train[::2]], Y[train[::2]]).score(X[test], Y[test]) for train, test in splits]
    assert [search.cv_results_[f"split{n}_test_score"][3] for n in (0, 1)] == scores
    assert len(set(search.grid_["unit_id"].to_pylist())) == 8


class _Fixed:
    def __init__(self, splits):
        self.splits = splits

    def split(self, X, y=None, groups=None):
        return iter(self.splits)


def test_a_search_that_tries_nothing(spark):
    class Idle(GridSearchCV):
        def _run_search(self, evaluate_candidates):
            pass

    with pytest.raises(ValueError, match=r"No fits were performed: _run_search tried no candidates"):
        Idle(logistic(), GRID).fit(X, Y)
    with pytest.raises(ValueError, match=r"No fits were performed. Was the CV iterator empty"):
        GridSearchCV(logistic(), GRID, cv=iter([])).fit(X, Y)


def test_splitters_must_keep_their_word(spark):
    class Broken(_Fixed):
        def get_n_splits(self, *_, **__):
            return 3

    with pytest.raises(ValueError, match=r"inconsistent results. Expected 3 splits, got 1"):
        GridSearchCV(logistic(), GRID, cv=Broken([([0, 60], [1])])).fit(X, Y)


def test_verbose_says_how_many(spark, capsys):
    GridSearchCV(DummyClassifier(), {"random_state": [0]}, cv=2, verbose=1, refit=False).fit(X, Y)
    assert capsys.readouterr().out == "Fitting 2 folds for each of 1 candidates, totalling 2 fits\n"


def test_a_memory_map_travels_as_what_it_is(spark, tmp_path):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    search = GridSearchCV(logistic(), GRID, cv=2).fit(mapped, Y)
    assert search.cv_results_["mean_test_score"].tolist() == (
        GridSearchCV(logistic(), GRID, cv=2).fit(X, Y).cv_results_["mean_test_score"].tolist()
    )
