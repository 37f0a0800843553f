"""Runs units as Spark tasks: the data travels as one broadcast, fits come back as rows, progress as it happens.

Rows come back with the job, as a typed DataFrame. What is done is also told by an accumulator, which reaches the driver
a few tens of milliseconds after a task's end: so progress is seen, and a failure that ends the search ends it at once.
"""

from __future__ import annotations

import copy
import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from pyspark import Broadcast, InheritableThread
from pyspark.sql import DataFrame, Row, SparkSession
from scipy.sparse import issparse

from sparksweep.errors import SearchError
from sparksweep.search.arrivals import Arrivals, Ended
from sparksweep.search.evaluate import SearchData, Work
from sparksweep.search.failures import fit_exception, job_error
from sparksweep.search.fits import ROW_SCHEMA, Fit, from_row
from sparksweep.search.pickling import seal
from sparksweep.search.worker import Cargo, Sealed, run_refit, run_tasks

__all__ = ["SparkFits", "task_frame"]

log = logging.getLogger(__name__)

CANCEL_SECONDS = 15.0  # how long to wait for cancelled tasks; Spark kills their workers after 2
CANCEL_INTERVAL = 0.1


def task_frame(session: SparkSession, n_tasks: int) -> DataFrame:
    """Return a frame with one row in each of `n_tasks` partitions: ``id``, the task's number.

    Only a range is partitioned like this by construction; a shuffle puts several rows in one partition.
    """
    return session.range(n_tasks, numPartitions=n_tasks)


class SparkFits:
    """The fits of one search on Spark; `close` it, whatever happens, to destroy its broadcasts.

    Parameters
    ----------
    session : SparkSession
        Classic, not Connect.
    data : SearchData
        Travels when the first fit is run.
    """

    def __init__(self, session: SparkSession, data: SearchData) -> None:
        self._session = session
        self._data = data
        self._shipped: list[Broadcast[Any]] = []

    def close(self) -> None:
        """Destroy the broadcasts, and their files with them."""
        while self._shipped:
            _destroy(self._shipped.pop())

    def run(self, work: Work, on_fits: Callable[[Sequence[Fit]], None]) -> list[Fit]:
        """Run the tasks of `work`.

        Parameters
        ----------
        work : Work
            Its tasks are started in their order.
        on_fits : callable
            Called here, in the driver, with fits as they are done; twice with the same if Spark ran its task twice.

        Returns
        -------
        list of Fit
            By candidate, then split.

        Raises
        ------
        SearchError
            Spark lost a task.
        Exception
            What a fit raised, if it ends the search.
        """
        cargo = self._ship(work)
        done = Arrivals()
        accumulator = self._session.sparkContext.accumulator([], done)
        frame = task_frame(self._session, len(work.tasks)).mapInPandas(
            partial(run_tasks, cargo=cargo, done=accumulator), ROW_SCHEMA
        )

        def watch(fits: Sequence[Fit]) -> None:
            _raise_ending(fits)
            on_fits(fits)

        rows = self._collect(frame, work, done, watch, f"sparksweep: {len(work.tasks)} tasks of fits")
        fits = [from_row(row.asDict()) for row in rows]
        _raise_ending(fits)
        return sorted(fits, key=lambda fit: (fit.candidate_id, fit.split_id))

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
            Spark lost the task, or the fitted estimator cannot be pickled.
        Exception
            What ``fit`` raised.
        """
        cargo = self._ship(replace(work, tasks=()))
        frame = task_frame(self._session, 1).mapInPandas(
            partial(run_refit, cargo=cargo, candidate_id=candidate_id), f"{ROW_SCHEMA}, model binary"
        )
        (row,) = self._collect(frame, replace(work, tasks=()), Arrivals(), lambda _: None, "sparksweep: refit")
        fit = from_row(row.asDict())
        _raise_ending([fit])
        return fit, Sealed(bytes(row["model"])).open()

    def _ship(self, work: Work) -> Cargo:
        if not self._shipped:
            self._broadcast(_ready(self._data), "X and y")
        while len(self._shipped) > 1:
            _destroy(self._shipped.pop())
        self._broadcast(seal(work, "the estimator, its parameters and the scorers"), "what is to be fitted")
        return Cargo(*self._shipped)

    def _broadcast(self, value: Any, what: str) -> None:
        try:
            self._shipped.append(self._session.sparkContext.broadcast(value))
        except Exception as error:
            raise SearchError(f"{what} cannot be sent to Spark's workers: {type(error).__name__}: {error}") from error

    def _collect(
        self,
        frame: DataFrame,
        work: Work,
        done: Arrivals,
        on_fits: Callable[[Sequence[Fit]], None],
        description: str,
    ) -> list[Row]:
        """Run the job in a thread, tell of fits in this one, and cancel the job if this one is interrupted."""
        context = self._session.sparkContext
        group = f"sparksweep-{uuid.uuid4().hex[:8]}"

        def job() -> None:
            try:
                context.setJobGroup(group, description, interruptOnCancel=True)
                done.end(Ended(rows=frame.collect()))
            except BaseException as error:
                done.end(Ended(error=error))

        thread = InheritableThread(target=job)
        thread.daemon = True
        thread.start()
        try:
            ended = done.follow(on_fits, thread.is_alive)
        except BaseException:
            self._cancel(group, thread)
            raise
        thread.join()
        if ended.error is not None:
            raise job_error(ended.error, work.tasks, work.candidates) from ended.error
        return list(ended.rows)

    def _cancel(self, group: str, thread: threading.Thread) -> None:
        """Cancel the job until its thread has ended: right after its start there is nothing to cancel yet."""
        for _ in range(int(CANCEL_SECONDS / CANCEL_INTERVAL)):
            try:
                self._session.sparkContext.cancelJobGroup(group)
            except Exception as error:  # the session was stopped, and its jobs with it
                log.debug("Spark's job group %s could not be cancelled: %s", group, error)
            thread.join(CANCEL_INTERVAL)
            if not thread.is_alive():
                return
        log.warning("Spark's job group %s did not end within %.0f s of being cancelled", group, CANCEL_SECONDS)


def _raise_ending(fits: Sequence[Fit]) -> None:
    """Raise what the first of these fits that ends the search raised."""
    for fit in fits:
        if fit.exception is not None:
            raise fit_exception(fit)


def _ready(data: SearchData) -> SearchData:
    """Return the data as it is best pickled: arrays straight from memory, anything else by pyspark's pickler."""
    return SearchData(_plain_or_sealed(data.X, "X"), _plain_or_sealed(data.y, "y"), data.splits)


def _plain_or_sealed(value: Any, what: str) -> Any:
    value = _in_memory(value)
    is_array = issparse(value) or (type(value) is np.ndarray and not value.dtype.hasobject)
    return value if value is None or is_array else seal(value, what)


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
