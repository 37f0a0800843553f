"""How far an ingest is, told each time an archive has been read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

__all__ = ["ReadProgress"]


class ReadProgress:
    """Counts the bytes of archives that were read; any number of threads may tell it.

    It speaks of whole archives: what a task counts reaches the driver when the task ends, and a task reads an archive.

    Parameters
    ----------
    sizes : mapping of str to int
        Bytes of each archive, by table.
    say : callable
        Takes a line of text.
    """

    def __init__(self, sizes: Mapping[str, int], say: Callable[[str], None]) -> None:
        self._left = dict(sizes)
        self._total = sum(sizes.values())
        self._say = say
        self._begin = time.monotonic()
        self._lock = threading.Lock()

    def tell(self, table: str, rows: int) -> None:
        """Say that a table was read, how fast they come in, and how long the others will take at that rate."""
        with self._lock:
            del self._left[table]
            rest = sum(self._left.values())
            seconds = max(time.monotonic() - self._begin, 0.001)
        done = self._total - rest
        rate = done / seconds
        pace = f"{done / 1e6:,.1f} of {self._total / 1e6:,.1f} MB in {seconds:,.0f} s, {rate / 1e6:,.1f} MB/s"
        left = f", about {rest / rate:,.0f} s to go" if rest and rate else ""
        self._say(f"{table}: {rows:,} rows read ({pace}{left})")
