"""What a search hears while its jobs run: a Spark accumulator that hands over instead of adding up, and jobs' ends."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import dataclass

from pyspark import AccumulatorParam

from sparksweep.search.worker import Report

__all__ = ["Arrivals", "JobEnded"]


@dataclass(frozen=True)
class JobEnded:
    """That a job is over, and its error if it failed. What its tasks reported has arrived before."""

    job_id: int
    error: BaseException | None = None


class Arrivals(AccumulatorParam[list[Report]]):
    """Adds lists of reports on a worker; on the driver hands what arrives to the thread that waits for it.

    Spark calls it there in the thread that receives all accumulators, which must not be held up.
    """

    def __init__(self) -> None:
        self._arrived: queue.SimpleQueue[list[Report] | JobEnded] | None = queue.SimpleQueue()

    def __reduce__(self) -> tuple[Callable[[], Arrivals], tuple[()]]:
        return (_on_worker, ())

    def zero(self, value: list[Report]) -> list[Report]:
        """Return no reports."""
        return []

    def addInPlace(self, value1: list[Report], value2: list[Report]) -> list[Report]:  # Spark's name
        """Add up on a worker, hand over on the driver."""
        if self._arrived is None:
            return value1 + value2
        self._arrived.put(value2)
        return value1

    def end(self, ended: JobEnded) -> None:
        """Say that a job is over; Spark waits for the receipt of each report before that."""
        if self._arrived is not None:
            self._arrived.put(ended)

    def wait(self, seconds: float) -> tuple[list[Report], list[JobEnded]]:
        """Return all that has arrived, after waiting for the first so many seconds at most."""
        if self._arrived is None:
            raise ValueError("only the driver can wait")
        reports: list[Report] = []
        ended: list[JobEnded] = []
        try:
            arrival = self._arrived.get(timeout=seconds)
            while True:
                if isinstance(arrival, JobEnded):
                    ended.append(arrival)
                else:
                    reports += arrival
                arrival = self._arrived.get_nowait()
        except queue.Empty:
            return reports, ended


def _on_worker() -> Arrivals:
    arrivals = Arrivals()
    arrivals._arrived = None
    return arrivals
