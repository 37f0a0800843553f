"""Runs units as Spark tasks: the data travels as one broadcast, reports of fits come back by an accumulator.

An accumulator's update reaches the driver a few tens of milliseconds after its task's end, once for each task that
succeeds, and needs no connection of our own; the rows of a job would come when all of it is done. The refit's model is
a row.
"""

from __future__ import annotations

import copy
import logging
import pickle
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np
from pyspark import Broadcast, StorageLevel
from pyspark.sql import DataFrame, SparkSession
from scipy.sparse import issparse

from sparksweep.errors import SearchError
from sparksweep.search.arrivals import Arrivals, JobEnded
from sparksweep.search.costs import Costs
from sparksweep.search.evaluate import SearchData, Work
from sparksweep.search.failures import Lost, fit_exception, job_error, lost_task
from sparksweep.search.fits import Fit, lost_fit
from sparksweep.search.node_data import NodeFile, lay_down, node_folders, pack, remove, sweep_abandoned
from sparksweep.search.pickling import dumps
from sparksweep.search.schedule import MOST_LOSSES, Job, Schedule
from sparksweep.search.spark_jobs import SparkJobs, task_frame
from sparksweep.search.units import TASK_SECONDS, Unit
from sparksweep.search.worker import Cargo, Report, Terms, run_refit, run_tasks
from sparksweep.session import container_memory, executor_slots, is_local, local_folders, task_slots

__all__ = ["Isolation", "OnFits", "SparkFits"]

log = logging.getLogger(__name__)

OnFits = Callable[[Sequence[Fit]], None]
SLOTS_INTERVAL = 5.0  # seconds between looks at how many tasks run at once
WAIT = 1.0  # seconds between looks at what is to be started; arrivals are seen at once
BUDGET = 2 * TASK_SECONDS  # after which a task of several units gives back the rest
LARGE_HEADER = 1 << 20
CHUNK_BYTES = 64 << 20  # of a broadcast: Java holds each whole while it sends it
CLEAN_TASKS_PER_SLOT = 2
CLEAN_SECONDS = 3.0
REFIT_ROW = "part int, parts int, content binary"


@dataclass(frozen=True)
class Isolation:
    """What holds fits in check.

    Attributes
    ----------
    fit_timeout : float or None
        Seconds that a unit may take.
    fit_memory : int or None
        Bytes that a fit may take; None for its share of the container.
    isolate : bool
        Whether fits run in a process of their own; without, there is no limit of either kind.
    """

    fit_timeout: float | None = None
    fit_memory: int | None = None
    isolate: bool = True


class SparkFits:
    """The fits of one search on Spark; `close` it, whatever happens, to leave nothing behind.

    Parameters
    ----------
    session : SparkSession
        Classic, not Connect.
    data : SearchData
        Travels when the first fit is run.
    isolation : Isolation
        Limits of a fit.
    """

    def __init__(self, session: SparkSession, data: SearchData, isolation: Isolation) -> None:
        self._session = session
        self._data = data
        self._name = ""
        self._isolation = isolation
        self._laid_down: NodeFile | None = None
        self._chunks: list[Broadcast[bytes]] = []
        self._work: list[Broadcast[bytes]] = []

    def close(self) -> None:
        """Destroy the broadcasts, and remove the data from the nodes."""
        if self._name:
            self._clean_nodes()
        for broadcast in [*self._work, *self._chunks]:
            _destroy(broadcast)
        if self._laid_down is not None:
            self._laid_down.close()

    def run(self, work: Work, units: Sequence[Unit], costs: Costs, on_fits: OnFits) -> None:
        """Train and score units.

        Parameters
        ----------
        work : Work
            What is done.
        units : sequence of Unit
            Each is reported once, whatever happens to its tasks.
        costs : Costs
            What they may take.
        on_fits : callable
            Called here, in the driver's main thread, with fits as they are done, and with none now and then.

        Raises
        ------
        SearchError
            Spark cannot run the fits.
        Exception
            What a fit raised, if it ends the search.
        """
        cargo = self._ship(work)
        arrivals = Arrivals()
        accumulator = self._session.sparkContext.accumulator([], arrivals)
        schedule = Schedule(units, task_slots(self._session), costs)
        jobs = SparkJobs(self._session)
        started: dict[int, Job] = {}
        slots_known = time.monotonic()
        with jobs.running(), _to_the_last(partial(self._take_rest, arrivals, schedule, on_fits)):
            while not schedule.finished:
                if time.monotonic() - slots_known > SLOTS_INTERVAL:
                    schedule.set_slots(task_slots(self._session))
                    slots_known = time.monotonic()
                for job in schedule.next_jobs():
                    started[job.job_id] = job
                    frame = task_frame(self._session, len(job.tasks)).mapInPandas(
                        partial(
                            run_tasks,
                            cargo=cargo,
                            tasks=job.tasks,
                            job_id=job.job_id,
                            budget=BUDGET,
                            done=accumulator,
                        ),
                        "nothing int",
                    )
                    what = f"sparksweep: {sum(map(len, job.tasks))} units in {len(job.tasks)} tasks"
                    jobs.start(frame.collect, what, partial(_tell_end, arrivals, job.job_id))
                reports, ended = arrivals.wait(WAIT)
                self._take(reports, schedule, on_fits)
                if not reports:
                    on_fits(())
                for end in ended:
                    self._end(end, started.pop(end.job_id), schedule, work, on_fits)

    def refit(self, work: Work, candidate_id: int) -> tuple[Fit, Any]:
        """Train a candidate of `work` on all rows, as a Spark task.

        Returns
        -------
        Fit
            How long it took, and where.
        object
            The fitted estimator.

        Raises
        ------
        SearchError
            Spark lost the task, its process died, or the fitted estimator cannot be pickled.
        Exception
            What ``fit`` raised.
        """
        cargo = self._ship(replace(work, raise_errors=True))
        ends: list[tuple[list[Any], BaseException | None]] = []
        arrivals = Arrivals()
        frame = task_frame(self._session, 1).mapInPandas(
            partial(run_refit, cargo=cargo, candidate_id=candidate_id), REFIT_ROW
        )
        frame.persist(StorageLevel.DISK_ONLY)  # what is fetched part by part is trained once

        def on_end(rows: list[Any], error: BaseException | None) -> None:
            ends.append((rows, error))
            arrivals.end(JobEnded(0))

        jobs = SparkJobs(self._session)
        try:
            with jobs.running():
                jobs.start(partial(_fetch_parts, frame), "sparksweep: refit", on_end)
                while not ends:
                    arrivals.wait(WAIT)
        finally:
            _unpersist(frame)
        (rows, error), *_ = ends
        if error is not None:
            raise job_error(error, "the refit") from error
        if not rows or len(rows) < rows[0]["parts"]:
            raise SearchError("the refit was lost: its model did not arrive whole; give the driver more memory")
        fit: Fit
        fit, model = pickle.loads(b"".join(row["content"] for row in sorted(rows, key=itemgetter("part"))))
        if fit.exception is not None:
            raise fit_exception(fit)
        return fit, pickle.loads(model)

    def _take(self, reports: Sequence[Report], schedule: Schedule, on_fits: OnFits) -> None:
        fits: list[Fit] = []
        for report in reports:
            units = {unit_id: schedule.losses(unit_id) for unit_id in report.seconds}
            tried = 1 + max(units.values(), default=0)
            fits += report.fits if tried == 1 else [replace(fit, attempt=tried) for fit in report.fits]
            schedule.reported(report.job_id, report.seconds, report.left)
        if fits:
            on_fits(fits)
        for fit in fits:
            if fit.exception is not None:
                raise fit_exception(fit)

    def _take_rest(self, arrivals: Arrivals, schedule: Schedule, on_fits: OnFits) -> None:
        """Keep what has arrived although the search is ending."""
        try:
            self._take(arrivals.wait(0)[0], schedule, on_fits)
        except Exception as error:  # what ends the search is told
            log.debug("the last fits could not be kept: %s", error)

    def _end(self, end: JobEnded, job: Job, schedule: Schedule, work: Work, on_fits: OnFits) -> None:
        """Take in a job's end: what its dead tasks left undone is tried again, what cannot be is lost."""
        if end.error is None:
            lost, why = schedule.ended(end.job_id), Lost(None, "its task ended without a word")
        else:
            found = lost_task(end.error)
            if found is None:
                raise job_error(end.error, _first_of(job, work)) from end.error
            why = found
            lost = schedule.ended(end.job_id, found.task, failed=True)
            if schedule.hopeless:
                raise job_error(end.error, "task after task") from end.error
            log.warning("%s; what was lost with it is tried again", found.reason)
        fits = [
            lost_fit(candidate_id, unit.split_id, work.threads, MOST_LOSSES, why.reason)
            for unit in lost
            for candidate_id in unit.candidate_ids
        ]
        if fits:
            on_fits(fits)
        if work.raise_errors and fits:
            raise SearchError(f"{_first_of(job, work)} was lost {MOST_LOSSES} times: {why.reason}")

    def _ship(self, work: Work) -> Cargo:
        if not self._name:
            self._ship_data()
        while self._work:
            _destroy(self._work.pop())
        payload = dumps(work, what="the estimator, its parameters or the scorers")
        self._work.append(self._broadcast(payload, "what is to be fitted"))
        return Cargo(self._chunks, self._work[0], self._terms(work))

    def _ship_data(self) -> None:
        """Bring the data to where fits run: in local mode it is laid down here, on a cluster it travels in chunks."""
        parcel = pack(_ready(self._data), partial(dumps, what="X, y or what goes with them"))
        if len(parcel.header) > LARGE_HEADER:
            log.warning(
                "X is no array of numbers: %.0f MB of it travel as a pickle, of which each worker has a copy",
                len(parcel.header) / 1e6,
            )
        name = parcel.digest()
        if is_local(self._session):
            folders = node_folders(self._session.sparkContext.applicationId, local_folders(self._session))
            sweep_abandoned(folders)
            self._laid_down = lay_down(name, parcel.pieces, folders)
        if self._laid_down is None or self._laid_down.file is None:
            self._chunks += [self._broadcast(chunk, "X and y") for chunk in parcel.chunks(CHUNK_BYTES)]
        self._name = name

    def _terms(self, work: Work) -> Terms:
        scorers = work.scoring.names if work.scoring.each is not None else None
        return Terms(
            work=uuid.uuid4().hex,
            data=self._name,
            owner=self._session.sparkContext.applicationId,
            modules=_modules(work),
            threads=work.threads,
            scorers=None if scorers is None else tuple(scorers),
            return_train_score=work.return_train_score,
            raise_errors=work.raise_errors,
            fit_timeout=self._isolation.fit_timeout,
            fit_memory=self._isolation.fit_memory,
            container=container_memory(self._session),
            slots=executor_slots(self._session),
            isolate=self._isolation.isolate,
        )

    def _broadcast(self, value: bytes, what: str) -> Broadcast[bytes]:
        try:
            return self._session.sparkContext.broadcast(value)
        except Exception as error:
            raise SearchError(f"{what} cannot be sent to Spark's workers: {type(error).__name__}: {error}") from error

    def _clean_nodes(self) -> None:
        """Remove the data's file from every node that a few tasks reach; YARN or the next search sees to the rest."""
        owner = self._session.sparkContext.applicationId
        try:
            if is_local(self._session):
                remove(self._name, node_folders(owner, local_folders(self._session)))
            else:
                n_tasks = CLEAN_TASKS_PER_SLOT * task_slots(self._session)
                remove_here = partial(_remove_here, name=self._name, owner=owner)
                tasks = self._session.sparkContext.parallelize(range(n_tasks), n_tasks).mapPartitions(remove_here)
                ended = threading.Event()
                jobs = SparkJobs(self._session)
                with jobs.running():
                    jobs.start(tasks.collect, "sparksweep: tidy up", lambda rows, error: ended.set())
                    ended.wait(CLEAN_SECONDS)  # the cluster may be gone, or others may have all of it
        except Exception as error:  # the session may have been stopped under the search
            log.debug("the data could not be removed from the nodes: %s", error)


@contextmanager
def _to_the_last(on_error: Callable[[], None]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        on_error()
        raise


def _fetch_parts(frame: DataFrame) -> list[Any]:
    """Return all rows of a persisted frame of one partition; of many a few at a time, so that no JVM holds them all."""
    rows = frame.where("part = 0").collect()
    if rows and rows[0]["parts"] > 1:
        rows += frame.where("part > 0").repartition(rows[0]["parts"] - 1, "part").toLocalIterator()
    return rows


def _unpersist(frame: DataFrame) -> None:
    try:
        frame.unpersist()
    except Exception as error:  # the session may have been stopped under the search
        log.debug("the refit's parts could not be removed: %s", error)


def _remove_here(numbers: Any, name: str, owner: str) -> Iterator[Any]:
    remove(name, node_folders(owner))
    yield from ()


def _tell_end(arrivals: Arrivals, job_id: int, rows: list[Any], error: BaseException | None) -> None:
    arrivals.end(JobEnded(job_id, error))


def _first_of(job: Job, work: Work) -> str:
    unit = next(iter(job.open.values()), None) or job.tasks[0][0]
    return f"candidate {unit.candidate_ids[0]} {work.candidates[unit.candidate_ids[0]]} on split {unit.split_id}"


def _modules(work: Work) -> tuple[str, ...]:
    """Return the modules that the estimators come from."""
    params = [work.estimator, *work.estimator.get_params(deep=True).values()]
    for candidate in work.candidates.values():
        params += candidate.values()
    found = {type(each).__module__ for each in params if hasattr(each, "get_params") and not isinstance(each, type)}
    return tuple(sorted(found - {"__main__"}))


def _ready(data: SearchData) -> SearchData:
    return replace(data, X=_in_memory(data.X), y=_in_memory(data.y))


def _in_memory(value: Any) -> Any:
    """Return memory maps as the arrays that they are: their pickles would come back as maps without a file."""
    if isinstance(value, np.memmap):
        return np.asarray(value)
    if issparse(value) and value.format in ("csr", "csc"):
        plain = copy.copy(value)
        for name in ("data", "indices", "indptr"):
            setattr(plain, name, np.asarray(getattr(value, name)))
        return plain
    return value


def _destroy(broadcast: Broadcast[Any]) -> None:
    try:
        broadcast.destroy()
    except Exception as error:  # the session may have been stopped under the search, and its files with it
        log.debug("a broadcast could not be destroyed: %s", error)
