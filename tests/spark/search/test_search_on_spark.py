"""What the searches do to and with a SparkSession: tasks, broadcasts, progress, interrupts, lost workers, handles."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import threading
import time
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from xgboost import XGBClassifier

from sparksweep import GridSearchCV, RandomizedSearchCV
from sparksweep.errors import SearchError, SessionError
from sparksweep.search import sessions
from sparksweep.search.sessions import choose_session
from sparksweep.search.spark_jobs import task_frame

pytestmark = pytest.mark.spark

X, Y = load_iris(return_X_y=True)
GRID = {"C": [0.1, 1.0]}
ONE_SPLIT = [(np.arange(0, 150, 2), np.arange(1, 150, 2))]


def logistic():
    return LogisticRegression(max_iter=200, tol=0.01)


class Behaving(ClassifierMixin, BaseEstimator):
    """Does what `deed` says when it is trained; defined here, so that workers do not have its module."""

    def __init__(self, deed=None, mark=None):
        self.deed = deed
        self.mark = mark

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        if self.deed == "die":
            os._exit(1)
        if isinstance(self.deed, float):
            time.sleep(self.deed)
        if self.deed == "learn much":
            self.coef_ = np.random.default_rng(0).random(4 << 20)
        if self.deed == "grow":
            kept = []
            while True:
                kept.append(np.ones(1 << 20))
                time.sleep(0.005)
        if self.deed == "kill worker" or (self.deed == "kill worker once" and not os.path.exists(self.mark)):
            Path(self.mark).touch()
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        if self.deed == "fork":
            with open(self.mark, "a") as file:
                file.write(f"{subprocess.Popen(['sleep', '60']).pid} ")
        if self.deed == "sleep":
            time.sleep(60)
        if self.deed == "fail":
            raise LookupError("as told")
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


@pytest.mark.parametrize("n_tasks", [1, 7, 40])
def test_every_task_is_a_partition_of_its_own(spark, n_tasks):
    frame = task_frame(spark, n_tasks)
    assert [len(rows) for rows in frame.rdd.glom().collect()] == [1] * n_tasks


def test_small_fits_share_tasks_and_each_is_trained_once(spark, ledger_records):
    jobs = []
    search = GridSearchCV(
        DummyClassifier(),
        {"random_state": list(range(300))},
        cv=[([0, 60], [1, 61])],
        refit=False,
        ledger=ledger_records.folder,
    )
    search.on_progress = lambda now: jobs.append(spark.sparkContext.statusTracker().getActiveStageIds())
    search.fit(X, Y)
    assert search.grid_.num_rows == search.fits_.num_rows == 300
    assert len(ledger_records.all()) == 300
    assert len(jobs) < 150  # an arrival a task, and far fewer tasks than fits


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
    assert [(row["candidate_id"], row["unit_id"]) for row in grid] == [(0, 0), (1, 0), (0, 1), (1, 1)]  # one family
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
    search.on_progress = lambda now: told.append((threading.current_thread() is threading.main_thread(), now))
    with pytest.warns(FitFailedWarning, match="2 fits failed out of a total of 4"):
        search.fit(X, Y)
    done = [now.done for _, now in told]
    assert done == sorted(done)
    assert done[-1] == 4
    assert all(main for main, _ in told)
    last = told[-1][1]
    assert (last.failed, last.total, last.best_candidate) == (2, 4, 0)
    assert last.best_score == pytest.approx(1 / 3)


def test_an_interrupt_cancels_the_job_and_the_session_goes_on(spark):
    search = GridSearchCV(Behaving(), {"deed": [None, "sleep", "sleep"]}, cv=2, refit=False)
    search.on_progress = lambda *_: os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, Y)
    end = time.monotonic() + 30  # on a busy machine the tracker is told late
    while spark.sparkContext.statusTracker().getActiveJobsIds() and time.monotonic() < end:
        time.sleep(0.05)
    assert not spark.sparkContext.statusTracker().getActiveJobsIds()
    assert GridSearchCV(logistic(), GRID, cv=2).fit(X, Y).best_score_ > 0.5


def test_an_error_of_ones_own_in_progress_is_raised(spark):
    def broken(*_):
        raise RuntimeError("the display broke")

    search = GridSearchCV(logistic(), GRID, cv=2)
    search.on_progress = broken
    with pytest.raises(RuntimeError, match="the display broke"):
        search.fit(X, Y)


def test_a_fit_that_ends_its_process_is_a_failed_fit(spark):
    with pytest.warns(FitFailedWarning, match=r"(?s)2 fits failed out of a total of 4.*exited with code 1"):
        search = GridSearchCV(Behaving(), {"deed": ["die", None]}, cv=2).fit(X, Y)
    rows = search.fits_.to_pylist()
    assert [row["status"] for row in rows] == ["failed", "failed", "complete", "complete", "complete"]
    assert rows[0]["fit_error"] == "ChildProcessError: the process that trained it exited with code 1"
    assert search.best_params_ == {"deed": None}


def test_a_fit_beyond_its_time_is_a_timeout(spark):
    begin = time.monotonic()
    search = GridSearchCV(Behaving(), {"deed": ["sleep", None]}, cv=2, fit_timeout=1.5)
    with pytest.warns(FitFailedWarning, match=r"TimeoutError: not done within 1.5 s \(fit_timeout\)"):
        search.fit(X, Y)
    assert time.monotonic() - begin < 45
    rows = search.fits_.to_pylist()
    assert [row["status"] for row in rows[:4]] == ["timeout", "timeout", "complete", "complete"]
    assert "in fit" in rows[0]["fit_error"]  # where it hung


def test_a_fit_beyond_its_memory_fails(spark):
    search = GridSearchCV(Behaving(), {"deed": ["grow", None]}, cv=2, fit_memory="600m")
    with pytest.warns(FitFailedWarning, match=r"MemoryError: took \d+ MiB, more than its share of 600 MiB"):
        search.fit(X, Y)
    assert search.best_params_ == {"deed": None}


@pytest.mark.parametrize("deed", ["kill worker", "kill worker once"])
def test_a_dead_worker_is_replaced_and_only_a_unit_that_kills_it_each_time_is_lost(spark, tmp_path, deed, caplog):
    grid = {"deed": [None, deed], "mark": [str(tmp_path / "mark")]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = GridSearchCV(Behaving(), grid, cv=ONE_SPLIT, refit=False).fit(X, Y)
    rows = search.fits_.to_pylist()
    assert [row["status"] for row in rows] == ["complete", "lost" if deed == "kill worker" else "complete"]
    if deed == "kill worker":
        assert rows[1]["fit_error"].startswith("lost 3 times: its Python worker died")
    else:
        assert sorted(row["attempt"] for row in rows)[-1] == 2
    assert "what was lost with it is tried again" in caplog.text


def test_a_unit_that_is_lost_ends_the_search_where_error_score_says_so(spark, tmp_path):
    grid = {"deed": ["kill worker"], "mark": [str(tmp_path / "mark")]}
    with pytest.raises(SearchError, match=r"candidate 0 .* was lost 3 times: its Python worker died"):
        GridSearchCV(Behaving(), grid, cv=ONE_SPLIT, error_score="raise").fit(X, Y)


def test_what_a_fit_left_running_is_ended(spark, tmp_path):
    grid = {"deed": ["fork"], "mark": [str(tmp_path / "mark")]}
    GridSearchCV(Behaving(), grid, cv=2, refit=False).fit(X, Y)
    left = [int(pid) for pid in (tmp_path / "mark").read_text().split()]
    assert len(left) == 2
    end = time.monotonic() + 20
    while time.monotonic() < end and any(map(_lives, left)):
        time.sleep(0.1)
    assert not any(map(_lives, left))


def _lives(pid):
    with suppress(psutil.Error):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def test_candidates_that_differ_in_rounds_are_trained_together(spark):
    grid = {"n_estimators": [4, 2, 7], "max_depth": [2, 3]}
    booster = XGBClassifier(n_jobs=1, subsample=0.5, random_state=0)
    search = GridSearchCV(booster, grid, cv=3, scoring="neg_log_loss").fit(X, Y)
    apart = GridSearchCV(booster, grid, cv=3, scoring="neg_log_loss", share_work=False).fit(X, Y)
    assert len(set(search.grid_["unit_id"].to_pylist())) == 6
    assert len(set(apart.grid_["unit_id"].to_pylist())) == 18
    for key, value in apart.cv_results_.items():
        if "time" not in key:
            np.testing.assert_array_equal(search.cv_results_[key], value)


def test_the_data_lies_on_the_node_once_and_not_after_the_search(spark, tmp_path):
    base = Path(spark.sparkContext.getConf().get("spark.local.dir"))
    seen = []
    search = GridSearchCV(Behaving(), {"deed": [0.5]}, cv=4, refit=False)
    search.on_progress = lambda now: seen.append(len(list(base.glob("sparksweep-*/*/*.data"))))
    search.fit(X, Y)
    assert set(seen) == {1}
    assert list(base.glob("sparksweep-*/*/*.data")) == []


def test_without_isolation_fits_run_in_the_worker(spark):
    search = GridSearchCV(logistic(), GRID, cv=2, isolate=False).fit(X, Y)
    assert search.cv_results_["mean_test_score"].tolist() == (
        GridSearchCV(logistic(), GRID, cv=2).fit(X, Y).cv_results_["mean_test_score"].tolist()
    )


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


def test_a_large_model_comes_back_in_parts(spark):
    search = GridSearchCV(Behaving("learn much"), {"mark": [None]}, cv=2, refit=True).fit(X, Y)
    np.testing.assert_array_equal(search.best_estimator_.coef_, np.random.default_rng(0).random(4 << 20))
    assert not spark.sparkContext._jsc.sc().getPersistentRDDs().size()


def test_progress_is_told_although_no_fit_ends(spark):
    told = []
    search = GridSearchCV(Behaving(4.0), {"mark": [None]}, cv=2, refit=False)
    search.on_progress = told.append
    search.fit(X, Y)
    assert len([each for each in told if each.done == 0]) >= 2
    assert told[-1].done == 2


def test_what_cannot_be_pickled_is_named(spark):
    with pytest.raises(SearchError, match=r"^the estimator, its parameters or the scorers cannot be pickled.*Type"):
        GridSearchCV(Behaving(), {"deed": [None]}, scoring=threading.Lock().acquire).fit(X, Y)
    with pytest.raises(
        SearchError, match=r"^X, y or what goes with them cannot be pickled, which Spark's workers need: TypeError"
    ):
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


@pytest.mark.parametrize(
    ("limits", "line"),
    [
        ({"fit_timeout": 0}, "fit_timeout must be a number of seconds above 0 or None, got 0"),
        ({"fit_timeout": "1 h"}, "fit_timeout must be a number of seconds above 0 or None, got '1 h'"),
        (
            {"fit_memory": "much"},
            "fit_memory: 'much' is no size: must be a number of bytes or a text such as 512m or 8g",
        ),
        ({"fit_timeout": 1, "isolate": False}, "fit_timeout and fit_memory need isolate=True"),
    ],
)
def test_limits_that_mean_nothing_are_refused(spark, limits, line):
    with pytest.raises(ValueError, match=f"^{line}"):
        GridSearchCV(logistic(), GRID, **limits).fit(X, Y)


def test_what_a_node_lacks_is_told(spark, monkeypatch, tmp_path):
    (tmp_path / "only_here.py").write_text(
        "from sklearn.linear_model import LogisticRegression\nclass Mine(LogisticRegression):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    with pytest.raises(
        SearchError, match=r"a Python worker raised ModuleNotFoundError: No module named 'only_here'; ex"
    ):
        GridSearchCV(only_here.Mine(), GRID, cv=2).fit(X, Y)
