"""What is given to Spark when: a first try, the rest, what comes back, what was lost; and how long the tail is."""

from __future__ import annotations

import heapq
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparksweep.search.costs import Costs, timed_costs
from sparksweep.search.schedule import MOST_LOSSES, Schedule
from sparksweep.search.units import Unit


def units(*costs):
    return [Unit(number, (number,), 0, cost) for number, cost in enumerate(costs)]


def started(schedule):
    return [[[unit.unit_id for unit in task] for task in job.tasks] for job in schedule.next_jobs()]


def known(seconds_per_cost=1.0):
    costs = Costs(in_seconds=False)
    costs.observe(1.0, seconds_per_cost)
    return costs


def test_the_costliest_are_tried_first_and_the_rest_follows_the_first_answer():
    costs = Costs(in_seconds=False)
    schedule = Schedule(units(*range(1, 21)), 2, costs)
    assert started(schedule) == [[[19], [18], [17], [16]]]
    assert started(schedule) == []
    schedule.reported(0, {19: 0.02}, [])
    ((first, *others),) = started(schedule)
    assert first[:2] == [15, 14]
    assert len(others) < 10
    assert not schedule.finished


def test_what_answers_late_is_long_so_each_unit_has_its_task():
    now = [0.0]
    schedule = Schedule(units(*range(1, 101)), 2, Costs(in_seconds=False), clock=lambda: now[0])
    assert len(started(schedule)[0]) == 4
    now[0] = 61.0
    assert [len(task) for task in started(schedule)[0]] == [1] * 96  # a cluster that grows sees all of them


def test_with_earlier_timings_nothing_is_tried_first():
    schedule = Schedule(units(*[0.01] * 5000), 2, Costs(in_seconds=True))
    (tasks,) = started(schedule)
    assert len(tasks) == 16  # the rest is planned when more is known of it
    assert all(len(task) > 50 for task in tasks)
    schedule = Schedule(units(*[2.0] * 1000), 2, Costs(in_seconds=True))
    assert [len(tasks) for tasks in started(schedule)] == [16]


def test_long_units_are_few_jobs_once_they_are_known_to_be_long():
    schedule = Schedule(units(*[2.0] * 1000), 2, Costs(in_seconds=True))
    (tasks,) = started(schedule)
    schedule.reported(0, {unit: 2.0 for (unit,) in tasks[:12]}, [])
    assert [len(tasks) for tasks in started(schedule)] == [256]


def test_units_that_a_task_gives_back_are_submitted_again():
    schedule = Schedule(units(*[0.1] * 10), 1, known())
    (tasks,) = started(schedule)
    schedule.reported(0, {tasks[0][0]: 5.0}, tasks[0][1:])
    for task in tasks[1:]:
        schedule.reported(0, dict.fromkeys(task, 5.0), [])
    assert schedule.ended(0) == []
    (again,) = started(schedule)
    assert sorted(unit for task in again for unit in task) == sorted(tasks[0][1:])
    assert all(schedule.losses(unit) == 0 for unit in tasks[0])


def test_the_units_of_a_dead_task_are_tried_alone_and_the_others_just_wait():
    schedule = Schedule(units(9.0, 8.0, 7.0), 2, known())
    assert started(schedule) == [[[0], [1], [2]]]
    assert schedule.ended(0, failed_task=1, failed=True) == []
    assert started(schedule) == [[[0], [2]], [[1]]]
    assert [schedule.losses(unit) for unit in range(3)] == [0, 1, 0]
    assert schedule.ended(2, failed_task=0, failed=True) == []
    assert started(schedule) == [[[1]]]
    (lost,) = schedule.ended(3, failed_task=0, failed=True)
    assert (lost.unit_id, schedule.losses(1)) == (1, MOST_LOSSES)
    schedule.reported(1, {0: 1.0, 2: 1.0}, [])
    assert schedule.ended(1) == []
    assert schedule.finished


def test_without_a_name_every_open_unit_is_suspect_and_no_more_run_alone_than_there_are_slots():
    schedule = Schedule(units(9.0, 8.0, 7.0), 2, known())
    started(schedule)
    schedule.reported(0, {0: 1.0}, [])
    assert schedule.ended(0, failed=True) == []
    assert started(schedule) == [[[1]], [[2]]]


def test_when_every_task_dies_it_is_soon_hopeless():
    schedule = Schedule(units(*[1.0] * 80), 2, known())
    deaths = 0
    while not schedule.hopeless:
        for job in schedule.next_jobs():
            schedule.ended(job.job_id, failed_task=0, failed=True)
            deaths += 1
    assert 10 <= deaths <= 12  # several jobs may end before it is asked


def test_one_that_comes_to_an_end_gives_hope():
    schedule = Schedule(units(*[1.0] * 80), 2, known())
    for _ in range(12):
        (job, *_) = schedule.next_jobs()
        schedule.reported(job.job_id, {next(iter(job.open)): 1.0}, [])
        schedule.ended(job.job_id, failed_task=len(job.tasks) - 1, failed=True)
    assert not schedule.hopeless


@pytest.mark.slow
def test_a_cluster_that_grows_gets_more_tasks():
    schedule = Schedule(units(*[0.3] * 20_000), 1, known())
    assert len(started(schedule)[0]) == 8
    schedule.set_slots(64)
    assert len(started(schedule)[0]) == 8 * 64


@pytest.mark.slow
def test_a_job_has_no_more_tasks_than_one_of_them_can_hear_of():
    costs = Costs(in_seconds=True)
    schedule = Schedule(units(*[2.0] * 15_625), 2, costs)
    (tasks,) = started(schedule)
    schedule.reported(0, {unit: 2.0 for (unit,) in tasks[:12]}, [])
    assert [len(tasks) for tasks in started(schedule)] == [256]


@pytest.mark.slow
@given(
    costs=st.lists(st.floats(1e-3, 5.0), min_size=1, max_size=40),
    slots=st.integers(1, 4),
    killers=st.sets(st.integers(0, 39), max_size=3),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=60, deadline=None)
def test_every_unit_ends_once_whatever_dies(costs, slots, killers, seed):
    """A simulated Spark in local mode: a killer ends its job, and what else of it was not reported is undone."""
    rng = np.random.default_rng(seed)
    everything = units(*costs)
    schedule = Schedule(everything, slots, Costs(in_seconds=False))
    done, lost, running = [], [], []
    while not schedule.finished:
        running += schedule.next_jobs()
        job = running.pop(int(rng.integers(len(running))))
        failed = None
        for number, task in enumerate(job.tasks):
            if any(unit.unit_id in killers for unit in task):
                failed = number
                break
            cut = int(rng.integers(1, len(task) + 1))
            ids = [unit.unit_id for unit in task]
            schedule.reported(job.job_id, dict.fromkeys(ids[:cut], 0.1), ids[cut:])
            done += ids[:cut]
        lost += [unit.unit_id for unit in schedule.ended(job.job_id, failed, failed is not None)]
    ids = {unit.unit_id for unit in everything}
    assert sorted(done) == sorted(ids - killers)
    assert sorted(lost) == sorted(ids & killers)


OVERHEAD = 0.015  # seconds that Spark's own work takes around a task, measured in local mode


def simulated(seconds, expected, slots):
    """Return how long a list schedule takes whose tasks are those of `Schedule`."""
    schedule = Schedule(
        [Unit(number, (number,), 0, cost) for number, cost in enumerate(expected)], slots, Costs(in_seconds=True)
    )
    free = [0.0] * slots
    end = 0.0
    while not schedule.finished:
        for job in schedule.next_jobs():
            for task in job.tasks:
                at = heapq.heappop(free) + OVERHEAD
                taken = {}
                left = list(task)
                while left and (not taken or sum(taken.values()) < 2.0):
                    unit = left.pop(0)
                    taken[unit.unit_id] = seconds[unit.unit_id]
                schedule.reported(job.job_id, taken, [unit.unit_id for unit in left])
                at += sum(taken.values())
                end = max(end, at)
                heapq.heappush(free, at)
            schedule.ended(job.job_id)
    return end


@pytest.mark.slow
@pytest.mark.parametrize("slots", [2, 8, 64, 1000])
def test_the_tail_is_within_5_percent_of_the_lower_bound(slots):
    """Times as measured: lognormal around what the model expects, by a fifth."""
    rng = np.random.default_rng(1)
    expected = rng.choice([1.2, 2.0, 4.5, 9.0], size=40 * slots)
    seconds = expected * rng.lognormal(0, 0.2, len(expected))
    bound = max(seconds.sum() / slots, seconds.max())
    assert simulated(seconds, expected, slots) / bound < 1.05


def test_costs_in_seconds_follow_what_is_seen():
    costs = Costs(in_seconds=False)
    assert not costs.known
    assert costs.seconds(3.0) == math.inf
    costs.observe(10.0, 5.0)
    assert costs.seconds(4.0) == 2.0
    timed = Costs(in_seconds=True)
    assert timed.seconds(3.0) == 3.0
    timed.observe(1.0, 2.0)
    assert timed.seconds(3.0) == 6.0


def test_timings_give_the_mean_of_the_same_params_and_a_regression_for_others():
    grid = [{"n_estimators": n, "max_depth": depth} for n in (100, 200, 400) for depth in (2, 3, 4)]

    def seconds(params):
        return 0.01 * params["n_estimators"] * 1.5 ** params["max_depth"]  # not 2^depth, as the prior has it

    timings = [(f'{{"max_depth": {p["max_depth"]}, "n_estimators": {p["n_estimators"]}}}', seconds(p)) for p in grid]
    wanted = {0: grid[3], 1: {"n_estimators": 800, "max_depth": 4}}
    found = timed_costs(wanted, {}, [*timings, (timings[3][0], 3 * seconds(grid[3]))])
    assert found[0] == pytest.approx(2 * seconds(grid[3]))
    assert found[1] == pytest.approx(seconds(wanted[1]), rel=0.25)
    assert timed_costs(wanted, {}, timings[:3]) is None
    assert timed_costs({0: grid[0]}, {}, timings[:1]) == {0: pytest.approx(seconds(grid[0]))}
