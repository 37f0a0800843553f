"""Spark jobs of a search: each in a thread of its own, whose end is told and which can be cancelled."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pyspark import InheritableThread
from pyspark.sql import DataFrame, SparkSession

__all__ = ["SparkJobs", "task_frame"]

log = logging.getLogger(__name__)

CANCEL_SECONDS = 4.0  # how long to wait for cancelled tasks; Spark kills their workers after 2
CANCEL_INTERVAL = 0.1


def task_frame(session: SparkSession, n_tasks: int) -> DataFrame:
    """Return a frame with one row in each of `n_tasks` partitions: ``id``, the task's number.

    Only a range is partitioned like this by construction; a shuffle puts several rows in one partition.
    """
    return session.range(n_tasks, numPartitions=n_tasks)


class SparkJobs:
    """Jobs that run side by side; use `running` as a context, at whose end none is left.

    Parameters
    ----------
    session : SparkSession
        Where they run.
    """

    def __init__(self, session: SparkSession) -> None:
        self._context = session.sparkContext
        self._group = f"sparksweep-{uuid.uuid4().hex[:8]}"
        self._threads: list[threading.Thread] = []

    def start(
        self,
        action: Callable[[], list[Any]],
        description: str,
        on_end: Callable[[list[Any], BaseException | None], None],
    ) -> None:
        """Run a job in the background.

        Parameters
        ----------
        action : callable
            Runs the job, or a few, and returns rows.
        description : str
            Shown by Spark's pages.
        on_end : callable
            Given the rows and None, or no rows and the error; called in the job's thread.
        """

        def job() -> None:
            try:
                self._context.setJobGroup(self._group, description, interruptOnCancel=True)
                rows = action()
            except BaseException as error:
                on_end([], error)
            else:
                on_end(list(rows), None)

        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = InheritableThread(target=job)
        thread.daemon = True
        thread.start()
        self._threads.append(thread)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Cancel at the block's end what still runs."""
        try:
            yield
        finally:
            self._cancel()

    def _cancel(self) -> None:
        """Cancel until all threads have ended: right after its start there is nothing of a job to cancel yet."""
        for _ in range(int(CANCEL_SECONDS / CANCEL_INTERVAL)):
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            if not self._threads:
                return
            try:
                self._context.cancelJobGroup(self._group)
            except Exception as error:  # the session was stopped, and its jobs with it
                log.debug("Spark's job group %s could not be cancelled: %s", self._group, error)
            self._threads[0].join(CANCEL_INTERVAL)
        log.warning("Spark's job group %s did not end within %.0f s of being cancelled", self._group, CANCEL_SECONDS)
