"""Only one command at a time makes a workspace's tables and matrices; others wait, and then find them made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sparksweep.pipeline.job import Job
from sparksweep.search.ledger import MAKING, Lease

__all__ = ["making"]


@contextmanager
def making(job: Job) -> Iterator[None]:
    """Give the right to make tables and matrices; waits for another command that has it.

    Whoever gets it looks again at what is there: it may have been made meanwhile.

    Raises
    ------
    ConfigError
        The job's search section is wrong, so that nothing should be made for it.
    StorageError
        The workspace cannot be written.
    """
    job.check_search()
    with Lease(job.store, MAKING, job.say):
        yield
