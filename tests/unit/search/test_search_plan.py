"""Candidates, units, tasks, progress, probing, routing, and what lost jobs say: all that needs no Spark."""

from __future__ import annotations

import json
import math
import pickle

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import check_scoring, make_scorer

from sparksweep.search.candidates import GridRow, expected_cost, fit_key, grid_table, params_json, split_digest
from sparksweep.search.failures import FitTraceback, job_error
from sparksweep.search.probing import UNREADABLE, parameter_error, stopped_at_data
from sparksweep.search.progress import Progress
from sparksweep.search.routing import route
from sparksweep.search.scoring import accepts_sample_weight, build_scoring
from sparksweep.search.threads import unlike_plan
from sparksweep.search.units import Unit, plan_families, plan_tasks, plan_units


def test_params_as_json():
    params = {"b": np.int64(2), "a": (1.5, None, "é"), "c": LogisticRegression(C=2), "d": math.nan, "e": np.arange(2)}
    assert json.loads(params_json(params)) == {
        "a": [1.5, None, "é"],
        "b": 2,
        "c": "LogisticRegression(C=2)",
        "d": "nan",
        "e": [0, 1],
    }
    assert params_json({"a": 1, "b": 2}) == params_json({"b": 2, "a": 1})
    assert " at 0x" not in params_json({"f": print, "g": object()})


def test_a_key_knows_estimator_params_and_rows():
    split = split_digest(np.array([0, 1]), np.array([2]))
    key = fit_key(LogisticRegression(), {"C": 2.0}, split)
    assert key == fit_key(LogisticRegression(C=2.0), {}, split)
    others = [
        fit_key(LogisticRegression(), {"C": 3.0}, split),
        fit_key(LogisticRegression(tol=1), {"C": 2.0}, split),
        fit_key(LogisticRegression(), {"C": 2.0}, split_digest(np.array([0]), np.array([1, 2]))),
        fit_key(RandomForestClassifier(), {}, split),
    ]
    assert len({key, *others}) == 5


def test_costs_are_in_the_order_of_the_work():
    base = {"n_estimators": 100, "max_depth": 3}
    assert expected_cost({**base, "n_estimators": 200}) == 2 * expected_cost(base)
    assert expected_cost({"model__n_estimators": 100, "model__max_depth": 4}) == 2 * expected_cost(base)
    assert expected_cost({**base, "subsample": 0.5, "colsample_bylevel": 0.1}) == pytest.approx(
        0.05 * expected_cost(base)
    )
    assert expected_cost({**base, "max_depth": 1000}) == 100 * 2.0**16
    for silent in ({"n_estimators": None}, {"max_depth": "deep"}, {"subsample": 2}, {"n_estimators": -1}, {"C": 9}):
        assert expected_cost(silent) == 1.0


def test_units_are_every_family_on_every_split_and_the_longest_start_first():
    candidates = {4: {"n": 1}, 5: {"n": 2}}
    units = plan_units(plan_families(candidates), [10, 20], {4: 1.0, 5: 3.0}, first_id=8)
    assert units == [
        Unit(8, (4,), 0, 10.0),
        Unit(9, (4,), 1, 20.0),
        Unit(10, (5,), 0, 30.0),
        Unit(11, (5,), 1, 60.0),
    ]
    assert [[unit.unit_id for unit in task] for task in plan_tasks(units)] == [[11], [10], [9], [8]]
    same = plan_units([(0,), (1,)], [5, 5], {0: 1.0, 1: 1.0})
    assert [unit.unit_id for (unit,) in plan_tasks(same)] == [0, 1, 2, 3]


def test_the_grid_as_a_table():
    table = grid_table([GridRow("k", 1, 2, 3, "{}", 4.0)])
    assert table.to_pylist() == [
        {"fit_key": "k", "candidate_id": 1, "split_id": 2, "unit_id": 3, "params": "{}", "expected_cost": 4.0}
    ]
    assert [str(field.type) for field in table.schema] == ["string", "int32", "int32", "int32", "string", "double"]


def arrived(candidate_id, split_id, score, status="complete"):
    from sparksweep.search.fits import Fit

    return Fit(candidate_id, split_id, status, {"score": score}, {}, {}, False, 0, 0, 1, None, 0, 0, "", 0, 1, 1)


def test_progress_counts_each_fit_once_and_knows_the_best_whole_candidate():
    told = []
    progress = Progress(lambda *counts: told.append(counts), 2, None, math.nan)
    progress.expect(4)
    progress.add([arrived(0, 0, 0.5)])
    progress.add([arrived(0, 0, 0.5)])
    progress.add([arrived(0, 1, 1.0)])
    progress.add([arrived(1, 0, None, "failed")])
    progress.add([arrived(1, 1, 9.0)])
    assert told == [(1, 0, 4, None), (1, 0, 4, None), (2, 0, 4, 0.75), (3, 1, 4, 0.75), (4, 1, 4, 0.75)]


def test_progress_uses_error_score_and_the_deciding_scorer():
    told = []
    progress = Progress(lambda *counts: told.append(counts[3]), 1, "score", 0.25)
    progress.add([arrived(0, 0, None, "failed")])
    progress.add([arrived(1, 0, 0.125)])
    assert told == [0.25, 0.25]
    other = Progress(lambda *counts: told.append(counts[3]), 1, "absent", "raise")
    other.add([arrived(0, 0, 3.0)])
    assert told[-1] is None


def test_scikit_learn_is_heard_and_stopped_at_the_data():
    assert parameter_error(LogisticRegression()) is None
    said = parameter_error(LogisticRegression(C="much"))
    assert said.startswith("The 'C' parameter of LogisticRegression must be a float")
    assert "\n" not in said
    with stopped_at_data():
        LogisticRegression().fit(UNREADABLE, UNREADABLE)
        raise AssertionError("it read the data")


def without_weights(y_true, y_pred):
    return 0.0


@pytest.mark.parametrize(
    ("scoring", "accepts"),
    [
        ("accuracy", True),
        ("neg_log_loss", True),
        ("roc_auc", True),
        ("r2", True),
        ("adjusted_rand_score", False),
        (make_scorer(without_weights), False),
        (None, True),
        (lambda estimator, X, y: 0, False),
        (lambda estimator, X, y, sample_weight=None: 0, True),
    ],
)
def test_which_scorers_take_weights(scoring, accepts):
    estimator = LogisticRegression()
    assert accepts_sample_weight(check_scoring(estimator, scoring), estimator) is accepts


class Search:
    estimator = LogisticRegression()

    def __repr__(self):
        return "Search()"


def test_arguments_of_fit_go_to_estimator_splitter_and_scorers():
    scoring = build_scoring(Search.estimator, "accuracy", raise_errors=False)
    weights, groups = np.ones(3), [0, 1, 1]
    routed = route(Search(), scoring, {"sample_weight": weights, "groups": groups, "more": 1})
    assert routed.fit == {"sample_weight": weights, "more": 1}
    assert routed.split == {"groups": groups}
    assert routed.score == {"sample_weight": weights}
    assert route(Search(), scoring, {}).split == {"groups": None}


def test_a_scorer_that_takes_no_weights_is_named():
    several = {"fine": "accuracy", "plain": make_scorer(without_weights)}
    scoring = build_scoring(Search.estimator, several, raise_errors=False)
    with pytest.warns(UserWarning, match=r"^The scoring plain=make_scorer\(without_weights.*does not support") as said:
        routed = route(Search(), scoring, {"sample_weight": np.ones(3)})
    assert len(said) == 1
    assert list(routed.score) == ["sample_weight"]
    alone = build_scoring(Search.estimator, make_scorer(without_weights), raise_errors=False)
    with pytest.warns(UserWarning, match="when fitting Search"):
        assert route(Search(), alone, {"sample_weight": np.ones(3)}).score == {}


def test_thread_settings_unlike_the_plan():
    forest = RandomForestClassifier(n_jobs=4)
    assert unlike_plan(forest, [], 1) == {"n_jobs": 4}
    assert unlike_plan(forest, [], 4) == {}
    assert unlike_plan(RandomForestClassifier(), [{"n_jobs": -1}, {"n_jobs": 1}], 1) == {"n_jobs": -1}


TASKS = [(Unit(0, (3,), 1, 1.0),)]
CANDIDATES = {3: {"C": 1}}
JAVA = "\n\tat org.apache.spark.Something(Somewhere.scala:1)\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "An error occurred while calling o1.collect.\n: org.apache.spark.SparkException: Job aborted due to stage "
            "failure: Task 0 in stage 2.0 failed 1 times, most recent failure: Lost task 0.0: "
            "org.apache.spark.SparkException: Python worker exited unexpectedly (crashed)" + JAVA,
            'candidate 3 {"C": 1} on split 1 was lost: the Python worker died, as a crash in native code or the '
            "kernel for want of memory ends it; run fewer fits at once, give executors more memory, or leave the "
            "candidate out",
        ),
        (
            "Job aborted: Task 0 in stage 2.0 failed 4 times\nTraceback (most recent call last):\n  File x\n"
            "ModuleNotFoundError: No module named 'sparksweep'\n" + JAVA,
            'candidate 3 {"C": 1} on split 1 was lost: a Python worker raised ModuleNotFoundError: No module named '
            "'sparksweep'; executors need the driver's packages: ship its environment with --archives, or install it "
            "on each node",
        ),
        (
            "Task 1 in stage 2.0 failed 1 times: Python worker exited unexpectedly (crashed)",
            "the refit was lost: the Python worker died",
        ),
        (
            "An error occurred.\n: org.apache.spark.SparkException: Job 5 cancelled because killed" + JAVA,
            "the search was lost: Spark's job failed: SparkException: Job 5 cancelled because killed",
        ),
        ("", "the search was lost: Spark's job failed: RuntimeError"),
    ],
    ids=["dead worker", "package", "refit", "cancelled", "nothing"],
)
def test_a_lost_job_is_told_in_one_line(text, line):
    said = str(job_error(RuntimeError(text), TASKS, CANDIDATES))
    assert said.startswith(line)
    assert "\n" not in said


def test_a_traceback_from_a_worker_is_shown_as_it_was():
    shown = str(FitTraceback("Traceback:\n  far away\n"))
    assert shown == '\n"""\nTraceback:\n  far away\n"""'
    assert pickle.loads(pickle.dumps(FitTraceback("x"))).args == ("x",)
