"""What was done is not done again: after kill -9 of anything, with a wider grid, beside a second driver."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import FitFailedWarning
from tests.spark.python_workers import is_daemon

from sparksweep import GridSearchCV, RandomizedSearchCV
from sparksweep.errors import StorageError

pytestmark = pytest.mark.spark

X, Y = load_digits(return_X_y=True)
FOREST = RandomForestClassifier(n_estimators=40, random_state=0)
DEPTHS = [2, 3, 4, 5, 6, 8]


def search(ledger=None, depths=DEPTHS, **settings):
    return GridSearchCV(clone(FOREST), {"max_depth": depths}, cv=3, refit=False, ledger=ledger, **settings)


def scores(found):
    return {key: np.asarray(value) for key, value in found.cv_results_.items() if "time" not in key and key != "params"}


def assert_same_scores(found, expected):
    assert scores(found).keys() == scores(expected).keys()
    for key, value in scores(expected).items():
        np.testing.assert_array_equal(scores(found)[key], value, err_msg=key)


@pytest.fixture(scope="module")
def undisturbed(spark):
    return search().fit(X, Y)


def trained(ledger_records):
    return [record["fit_key"] for record in ledger_records.all() if record["status"] == "complete"]


def test_a_second_run_trains_nothing(spark, ledger_records, undisturbed, capsys):
    first = search(ledger_records.folder).fit(X, Y)
    again = search(ledger_records.folder, verbose=1).fit(X, Y)
    assert "18 of 18 fits reused" in capsys.readouterr().out
    assert_same_scores(first, undisturbed)
    assert_same_scores(again, undisturbed)
    assert len(trained(ledger_records)) == len(set(trained(ledger_records))) == 18
    assert again.cv_results_["mean_fit_time"].tolist() == first.cv_results_["mean_fit_time"].tolist()


def test_a_wider_grid_trains_only_what_is_new(spark, ledger_records, undisturbed, capsys):
    search(ledger_records.folder, DEPTHS[:4]).fit(X, Y)
    wider = search(ledger_records.folder, verbose=1).fit(X, Y)
    assert "12 of 18 fits reused" in capsys.readouterr().out
    assert_same_scores(wider, undisturbed)
    assert len(trained(ledger_records)) == 18


@pytest.mark.parametrize("change", ["scoring", "a row", "a label", "estimator", "folds"])
def test_a_change_that_matters_reuses_nothing(spark, ledger_records, change, capsys):
    search(ledger_records.folder, [2]).fit(X, Y)
    rows, labels = X.copy(), Y.copy()
    other = search(ledger_records.folder, [2], verbose=1)
    if change == "scoring":
        other.set_params(scoring="f1_macro")
    elif change == "a row":
        rows[0, 0] += 1
    elif change == "a label":
        labels[0] = 1 - labels[0]
    elif change == "estimator":
        other.set_params(estimator__min_samples_leaf=2)
    else:
        other.set_params(cv=4)
    other.fit(rows, labels)
    assert "reused" not in capsys.readouterr().out


def test_a_family_trains_only_its_missing_stages(spark, ledger_records):
    grid = {"n_estimators": [5, 10], "max_depth": [3]}
    GridSearchCV(FOREST, grid, cv=3, refit=False, ledger=ledger_records.folder).fit(X, Y)
    grid["n_estimators"] = [5, 10, 15]
    found = GridSearchCV(FOREST, grid, cv=3, refit=False, ledger=ledger_records.folder).fit(X, Y)
    apart = GridSearchCV(FOREST, grid, cv=3, refit=False, share_work=False).fit(X, Y)
    assert_same_scores(found, apart)
    assert len(trained(ledger_records)) == 9


def test_random_draws_are_reused_too(spark, ledger_records, capsys):
    def draw(n_iter, **more):
        space = {"max_depth": range(2, 9), "min_samples_leaf": range(1, 5)}
        return RandomizedSearchCV(
            FOREST, space, n_iter=n_iter, random_state=0, cv=3, refit=False, ledger=ledger_records.folder, **more
        )

    draw(3).fit(X, Y)
    draw(3, verbose=1).fit(X, Y)
    assert "9 of 9 fits reused" in capsys.readouterr().out


def test_failed_fits_are_tried_again(spark, ledger_records):
    grid = {"max_depth": [2], "min_samples_leaf": [0, 1]}
    for _ in range(2):
        with pytest.warns(FitFailedWarning, match="3 fits failed out of a total of 6"):
            GridSearchCV(FOREST, grid, cv=3, refit=False, ledger=ledger_records.folder).fit(X, Y)
    statuses = [(record["status"], record["attempt"]) for record in ledger_records.all()]
    assert sorted(statuses) == [("complete", 1)] * 3 + [("failed", 1)] * 3 + [("failed", 2)] * 3


def test_a_function_of_a_notebook_is_never_reused(spark, ledger_records, caplog):
    for _ in range(2):
        search(ledger_records.folder, [2], scoring=lambda estimator, X, y: 1.0).fit(X, Y)
    assert len(trained(ledger_records)) == 6
    assert "no fit of this search can be reused later: a scorer: " in caplog.text


def test_a_ledger_that_cannot_be_written_ends_the_search_before_it_begins(spark, tmp_path):
    (tmp_path / "file").write_text("")
    told = []
    one = search(tmp_path / "file")
    one.on_progress = told.append
    with pytest.raises(StorageError, match=str(tmp_path / "file")):
        one.fit(X, Y)
    assert told == []


DRIVER = """
import sys
from sparksweep.session import open_session
sys.path.insert(0, sys.argv[1])
import test_search_resume as module
open_session("driver", master="local[2]", conf={"spark.local.dir": sys.argv[3], "spark.driver.memory": "512m"})
search = module.search(sys.argv[2])
search.on_progress = lambda now: print("done", now.done, now.reused, flush=True)
search.fit(module.X, module.Y)
print("ended", flush=True)
"""


@pytest.fixture
def driver(ledger_records, tmp_path):
    """Start drivers in processes of their own; what is left of them ends with the test."""
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(Path(__file__).parent), str(ledger_records.folder), str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        for each in [*_descendants(process.pid), *([process] if process.poll() is None else [])]:
            each.kill()
        process.communicate()


def _descendants(pid):
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def wait_for_done(process, n_fits):
    for line in process.stdout:
        if line.startswith("done") and int(line.split()[1]) >= n_fits:
            return
    raise AssertionError(process.stderr.read())


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["driver", "jvm"])
def test_after_kill_9_only_what_was_in_flight_is_trained_again(spark, ledger_records, undisturbed, driver, victim):
    process = driver()
    wait_for_done(process, 4)
    family = _descendants(process.pid)
    if victim == "driver":
        process.kill()
    else:
        next(each for each in family if each.name() == "java").kill()
    process.wait(60)
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []  # no fit process, no worker, no JVM outlives its driver
    before = len(trained(ledger_records))
    assert 4 <= before < 18
    again = search(ledger_records.folder).fit(X, Y)
    assert_same_scores(again, undisturbed)
    assert len(trained(ledger_records)) == len(set(trained(ledger_records))) == 18


@pytest.mark.slow
def test_of_two_drivers_at_once_one_waits_and_trains_nothing(
    spark, ledger_records, undisturbed, driver, caplog, capsys
):
    process = driver()
    wait_for_done(process, 0)  # it says so when it begins
    waited = search(ledger_records.folder, verbose=1).fit(X, Y)
    assert process.communicate(timeout=120)[0].endswith("ended\n")
    assert caplog.text.count("wait") == 1
    assert "18 of 18 fits reused" in capsys.readouterr().out
    assert len(trained(ledger_records)) == len(set(trained(ledger_records))) == 18
    assert_same_scores(waited, undisturbed)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["worker", "fit process"])
def test_kill_9_of_workers_and_fit_processes_at_random_moments(spark, ledger_records, undisturbed, kind):
    stop = threading.Event()
    killed = []
    rng = random.Random(0)

    def kill_some():
        while not stop.wait(rng.uniform(0.2, 0.8)) and len(killed) < 4:
            found = [each for each in _descendants(os.getpid()) if _is_kind(each, kind)]
            if found:
                victim = rng.choice(found)
                killed.append(victim.pid)
                victim.send_signal(signal.SIGKILL)

    killer = threading.Thread(target=kill_some)
    killer.start()
    try:
        search(ledger_records.folder, error_score=0.0).fit(X, Y)
    finally:
        stop.set()
        killer.join()
    assert killed
    again = search(ledger_records.folder).fit(X, Y)
    assert_same_scores(again, undisturbed)
    assert len(trained(ledger_records)) == len(set(trained(ledger_records))) == 18


def _is_kind(process, kind):
    """Tell workers from their fit processes: a worker's parent is Spark's daemon, a fit process leads a session."""
    try:
        leads = os.getsid(process.pid) == process.pid
        parents = process.parents()
        daemon_child = is_daemon(parents[0].cmdline()) and parents[1].name() == "java"
        grandchild = len(parents) > 2 and parents[2].name() == "java"
    except (psutil.Error, OSError, IndexError):
        return False
    return leads and grandchild if kind == "fit process" else daemon_child and not leads


def test_the_ledger_is_written_while_the_search_runs(spark, ledger_records):
    seen = []
    one = search(ledger_records.folder)
    one.on_progress = lambda now: seen.append((now.done, len(ledger_records.merged())))
    one.fit(X, Y)
    assert all(kept == done for done, kept in seen)
    assert len(seen) > 3
