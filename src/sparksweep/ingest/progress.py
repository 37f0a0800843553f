"""How far an ingest is, told each time an archive has been read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

__all__ = ["ReadProgress"]

LEAST_SECONDS = 0.001
# Of all bytes, before the pace so far says anything of the rest: the first, small files tell how a worker starts.
LEAST_READ = 0.1


class ReadProgress:
    """Counts the bytes of archives that were read; any number of threads may tell it.

    It speaks of whole archives: what a task counts reaches the driver when the task ends, and a task reads an archive.

    Parameters
    ----------
    sizes : mapping of str to int
        Bytes of each archive, by table.
    slots : int
        How many are read at once.
    say : callable
        Takes a line of text.
    """

    def __init__(self, sizes: Mapping[str, int], slots: int, say: Callable[[str], None]) -> None:
        self._left = dict(sizes)
        self._total = sum(sizes.values())
        self._slots = slots
        self._say = say
        self._seconds = 0.0
        self._lock = threading.Lock()

    def tell(self, table: str, rows: int, seconds: float) -> None:
        """Say that a table was read, how fast it came in, and how long the others will take at the pace of all so far.

        Parameters
        ----------
        table : str
            Its name.
        rows : int
            Of its file.
        seconds : float
            That its task took.
        """
        with self._lock:
            size = self._left.pop(table)
            self._seconds += max(seconds, LEAST_SECONDS)
            rest, readers = sum(self._left.values()), min(self._slots, len(self._left))
            done, spent = self._total - rest, self._seconds
        pace = f"{size / 1e6:,.1f} MB at {size / 1e6 / max(seconds, LEAST_SECONDS):,.1f} MB/s"
        to_go = (
            f", about {rest * spent / done / readers:,.0f} s to go" if rest and done > LEAST_READ * self._total else ""
        )
        self._say(f"{table}: {rows:,} rows read, {pace} ({done / 1e6:,.1f} of {self._total / 1e6:,.1f} MB{to_go})")
