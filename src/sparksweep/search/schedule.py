"""Which units to give Spark next: a few to learn from, the rest in one job, what was lost once more."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sparksweep.search.costs import Costs
from sparksweep.search.units import Unit, plan_tasks

__all__ = ["MOST_LOSSES", "Job", "Schedule"]

MOST_LOSSES = 3  # a unit is submitted once and, when its task dies, twice more
JOB_TASKS = 8  # tasks of several units a slot and job
MOST_TASKS = 256  # of a job, or more where that is `JOB_TASKS`: each task unpickles the units of its whole job
HOPELESS = 10  # dead tasks in a row, with no unit done between them
LEARNT = 4  # units a slot that must be done before all others may be one job
PATIENCE = 60.0  # seconds without any answer after which units are taken to be long: each gets a task of its own


@dataclass
class Job:
    """One Spark job: its tasks, and the units in them that have not been heard of."""

    job_id: int
    tasks: Sequence[tuple[Unit, ...]]
    open: dict[int, Unit] = field(default_factory=dict)
    alone: bool = False

    def __post_init__(self) -> None:
        self.open = {unit.unit_id: unit for task in self.tasks for unit in task}


class Schedule:
    """The units of one round of a search, from waiting to done or lost.

    Parameters
    ----------
    units : sequence of Unit
        All of them.
    slots : int
        Tasks that run at once; see `set_slots`.
    costs : Costs
        Told of each unit that is done.
    clock : callable
        Seconds, as `time.monotonic`.
    """

    def __init__(
        self, units: Sequence[Unit], slots: int, costs: Costs, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._waiting = sorted(units, key=lambda unit: (-unit.expected_cost, unit.unit_id))
        self._slots = max(1, slots)
        self._costs = costs
        self._clock = clock
        self._suspects: list[Unit] = []
        self._losses: dict[int, int] = {}
        self._jobs: dict[int, Job] = {}
        self._numbers = itertools.count()
        self._begin = clock()
        self._done = 0
        self._losses_in_a_row = 0

    @property
    def finished(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not (self._waiting or self._suspects or self._jobs)

    @property
    def hopeless(self) -> bool:
        """Whether so many tasks have died in a row that the fault lies with no unit."""
        return self._losses_in_a_row >= max(HOPELESS, 2 * self._slots)

    def set_slots(self, slots: int) -> None:
        """Say how many tasks run at once now: a cluster grows and shrinks."""
        self._slots = max(1, slots)

    def losses(self, unit_id: int) -> int:
        """Return how often a unit's task has died."""
        return self._losses.get(unit_id, 0)

    def next_jobs(self) -> list[Job]:
        """Return the jobs to be started now; they count as running from here on."""
        jobs = []
        tasks = self._next_tasks()
        if tasks:
            jobs.append(self._start(tasks, alone=False))
        free = self._slots - sum(job.alone for job in self._jobs.values())
        while self._suspects and free > 0:
            # Alone in its job, a unit that kills its worker takes no other with it: local mode ends a job at the first.
            jobs.append(self._start([(self._suspects.pop(0),)], alone=True))
            free -= 1
        return jobs

    def reported(self, job_id: int, seconds: Mapping[int, float], left: Sequence[int]) -> None:
        """Take in what a task says: the seconds of each unit it did, and the units it gives back."""
        job = self._jobs.get(job_id)
        if job is None:
            return
        if seconds:
            self._losses_in_a_row = 0
        for unit_id, taken in seconds.items():
            unit = job.open.pop(unit_id, None)
            if unit is not None:
                self._costs.observe(unit.expected_cost, taken)
                self._done += 1
        self._waiting += [unit for unit in (job.open.pop(unit_id, None) for unit_id in left) if unit is not None]

    def ended(self, job_id: int, failed_task: int | None = None, failed: bool = False) -> list[Unit]:
        """Take in that a job is over, and return the units that are given up.

        Parameters
        ----------
        job_id : int
            The job.
        failed_task : int, optional
            The task whose worker died, if Spark named it. Its units are tried again alone; all others of the job that
            did not come to an end are not to blame and just wait again.
        failed : bool
            Whether it ended before its time.
        """
        job = self._jobs.pop(job_id)
        self._losses_in_a_row += failed
        named = failed and failed_task is not None and failed_task < len(job.tasks)
        blamed = job.tasks[failed_task] if named else list(job.open.values())  # type: ignore[index]
        lost: list[Unit] = []
        for unit in [each for each in blamed if job.open.pop(each.unit_id, None) is not None]:
            self._losses[unit.unit_id] = self.losses(unit.unit_id) + 1
            (lost if self.losses(unit.unit_id) >= MOST_LOSSES else self._suspects).append(unit)
        self._waiting += job.open.values()
        return lost

    def _next_tasks(self) -> list[tuple[Unit, ...]]:
        if not self._waiting or self._running() > 2 * self._slots:
            return []
        impatient = self._clock() - self._begin > PATIENCE
        if not self._costs.known and not impatient:
            if self._jobs:
                return []
            first, self._waiting = self._waiting[: 2 * self._slots], self._waiting[2 * self._slots :]
            return [(unit,) for unit in first]
        tasks = plan_tasks(self._waiting, self._costs.seconds, self._slots)
        learning = self._costs.known and self._done < LEARNT * self._slots
        if len(tasks) < len(self._waiting) or learning:
            # What units take is known the better the more of them are done, so the rest is planned later.
            tasks = tasks[: JOB_TASKS * self._slots]
        tasks = tasks[: max(MOST_TASKS, JOB_TASKS * self._slots)]
        begun = {unit.unit_id for task in tasks for unit in task}
        self._waiting = [unit for unit in self._waiting if unit.unit_id not in begun]
        return tasks

    def _running(self) -> int:
        return sum(len(job.open) for job in self._jobs.values() if not job.alone)

    def _start(self, tasks: Sequence[tuple[Unit, ...]], alone: bool) -> Job:
        job = Job(next(self._numbers), tasks, alone=alone)
        self._jobs[job.job_id] = job
        return job
