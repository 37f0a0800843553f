"""Candidates, units, tasks, probing, routing, and what lost jobs say: all that needs no Spark."""

from __future__ import annotations

import json
import math
import pickle

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import check_scoring, make_scorer

from sparksweep.search.candidates import GridRow, expected_cost, grid_table, params_json, rounds_of
from sparksweep.search.failures import FitTraceback, job_error, lost_task
from sparksweep.search.probing import UNREADABLE, parameter_error, stopped_at_data
from sparksweep.search.routing import route
from sparksweep.search.scoring import accepts_sample_weight, build_scoring
from sparksweep.search.threads import unlike_plan
from sparksweep.search.units import Unit, plan_tasks, plan_units


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
    assert rounds_of({"clf__n_estimators": 30, "max_depth": 2}) == 30
    assert rounds_of({"n_estimators": None, "max_iter": True}) == 0


def test_units_are_every_family_on_every_split_and_the_longest_start_first():
    units = plan_units([(4,), (5,)], [10, 20], {4: 1.0, 5: 3.0}, first_id=8)
    assert units == [
        Unit(8, (4,), 0, 10.0),
        Unit(9, (4,), 1, 20.0),
        Unit(10, (5,), 0, 30.0),
        Unit(11, (5,), 1, 60.0),
    ]

    def unknown(cost):
        return math.inf

    assert [[unit.unit_id for unit in task] for task in plan_tasks(units, unknown, 2)] == [[11], [10], [9], [8]]
    same = plan_units([(0,), (1,)], [5, 5], {0: 1.0, 1: 1.0})
    assert [unit.unit_id for (unit,) in plan_tasks(same, unknown, 2)] == [0, 1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize("slots", [1, 2, 1000])
def test_small_units_share_tasks_of_at_most_a_second_that_shrink_towards_the_end(slots):
    rng = np.random.default_rng(0)
    units = [Unit(number, (number,), 0, cost) for number, cost in enumerate(rng.lognormal(-4, 1, 5000).tolist())]
    tasks = plan_tasks(units, lambda cost: cost, slots)
    assert sorted(unit.unit_id for task in tasks for unit in task) == list(range(5000))
    held = [math.fsum(unit.expected_cost for unit in task) for task in tasks]
    assert all(seconds <= 1.0 for seconds, task in zip(held, tasks, strict=True) if len(task) > 1)
    assert held[-1] <= 0.15
    assert len(tasks) < 5000 / 3
    costs = [unit.expected_cost for task in tasks for unit in task]
    assert costs == sorted(costs, reverse=True)


def test_units_of_more_than_a_second_have_tasks_of_their_own():
    units = [Unit(number, (number,), 0, 1.5) for number in range(4)]
    assert [len(task) for task in plan_tasks(units, lambda cost: cost, 2)] == [1, 1, 1, 1]


def test_the_grid_as_a_table():
    table = grid_table([GridRow("k", 1, 2, 3, "{}", 4.0)])
    assert table.to_pylist() == [
        {"fit_key": "k", "candidate_id": 1, "split_id": 2, "unit_id": 3, "params": "{}", "expected_cost": 4.0}
    ]
    assert [str(field.type) for field in table.schema] == ["string", "int32", "int32", "int32", "string", "double"]


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


JAVA = "\n\tat org.apache.spark.Something(Somewhere.scala:1)\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "An error occurred while calling o1.collect.\n: org.apache.spark.SparkException: Job aborted due to stage "
            "failure: Task 0 in stage 2.0 failed 1 times, most recent failure: Lost task 0.0: "
            "org.apache.spark.SparkException: Python worker exited unexpectedly (crashed)" + JAVA,
            "the refit was lost: the Python worker died, as a crash in native code or the kernel for want of memory "
            "ends it; run fewer fits at once or give executors more memory",
        ),
        (
            "Job aborted: Task 0 in stage 2.0 failed 4 times\nTraceback (most recent call last):\n  File x\n"
            "ModuleNotFoundError: No module named 'sparksweep'\n" + JAVA,
            "the refit was lost: a Python worker raised ModuleNotFoundError: No module named "
            "'sparksweep'; executors need the driver's packages: ship its environment with --archives, or install it "
            "on each node",
        ),
        (
            "An error occurred.\n: org.apache.spark.SparkException: Job 5 cancelled because killed" + JAVA,
            "the refit was lost: Spark's job failed: SparkException: Job 5 cancelled because killed",
        ),
        ("", "the refit was lost: Spark's job failed: RuntimeError"),
    ],
    ids=["dead worker", "package", "cancelled", "nothing"],
)
def test_a_lost_job_is_told_in_one_line(text, line):
    said = str(job_error(RuntimeError(text), "the refit"))
    assert said.startswith(line)
    assert "\n" not in said


def test_only_a_dead_worker_or_executor_is_tried_again():
    text = "Task 12 in stage 2.0 failed 1 times, most recent failure: "
    dead = lost_task(RuntimeError(text + "Python worker exited unexpectedly (crashed)"))
    assert (dead.task, dead.reason.partition(",")[0]) == (12, "its Python worker died")
    assert lost_task(RuntimeError(text + "ExecutorLostFailure (executor 1 exited)")).reason == "its executor was lost"
    assert lost_task(RuntimeError("ExecutorLostFailure")).task is None
    assert lost_task(RuntimeError(text + "ModuleNotFoundError: No module named 'x'")) is None


def test_a_traceback_from_a_worker_is_shown_as_it_was():
    shown = str(FitTraceback("Traceback:\n  far away\n"))
    assert shown == '\n"""\nTraceback:\n  far away\n"""'
    assert pickle.loads(pickle.dumps(FitTraceback("x"))).args == ("x",)
