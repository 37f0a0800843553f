"""Fits on their way to the driver while a job runs: a Spark accumulator that hands over instead of adding up."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyspark import AccumulatorParam
from pyspark.sql import Row

from sparksweep.search.fits import Fit

__all__ = ["Arrivals", "Ended"]

ALIVE_INTERVAL = 1.0  # seconds between looks whether who should report is still there


@dataclass(frozen=True)
class Ended:
    """How a job ended: its rows, or its error."""

    rows: Sequence[Row] = ()
    error: BaseException | None = None


class Arrivals(AccumulatorParam[list[Fit]]):
    """Adds lists of fits on a worker; on the driver hands what arrives to the thread that follows.

    Spark calls it there in the thread that receives all accumulators, which must not be held up.
    """

    def __init__(self) -> None:
        self._arrived: queue.SimpleQueue[list[Fit] | Ended] | None = queue.SimpleQueue()

    def __reduce__(self) -> tuple[Callable[[], Arrivals], tuple[()]]:
        return (_on_worker, ())

    def zero(self, value: list[Fit]) -> list[Fit]:
        """Return no fits."""
        return []

    def addInPlace(self, value1: list[Fit], value2: list[Fit]) -> list[Fit]:  # Spark's name
        """Add up on a worker, hand over on the driver."""
        if self._arrived is None:
            return value1 + value2
        self._arrived.put(value2)
        return value1

    def end(self, ended: Ended) -> None:
        """Say that the job has ended; all that it told is here before, since Spark waits for each update's receipt."""
        if self._arrived is not None:
            self._arrived.put(ended)

    def follow(self, on_fits: Callable[[Sequence[Fit]], None], is_alive: Callable[[], bool]) -> Ended:
        """Call `on_fits` with what arrives, until the job has ended.

        Parameters
        ----------
        on_fits : callable
            Called in this thread.
        is_alive : callable
            Whether the thread that will say `end` is still there.
        """
        if self._arrived is None:
            raise ValueError("only the driver can follow")
        while True:
            alive = is_alive()
            try:
                arrival = self._arrived.get(timeout=ALIVE_INTERVAL)
            except queue.Empty:
                if not alive:
                    return Ended(error=RuntimeError("the thread that ran Spark's job ended without a word"))
                continue
            if isinstance(arrival, Ended):
                return arrival
            on_fits(arrival)


def _on_worker() -> Arrivals:
    arrivals = Arrivals()
    arrivals._arrived = None
    return arrivals
