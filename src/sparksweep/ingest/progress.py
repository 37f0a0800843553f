"""How far an ingest is: told each time an archive has been read, and now and then while one is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from sparksweep.errors import StorageError
from sparksweep.ingest.counted_files import CountedFile, count_of
from sparksweep.ingest.source import SourceFile
from sparksweep.storage.scratch import scratch_folder

__all__ = ["ReadProgress"]

INTERVAL = 30.0  # seconds between two lines while archives are read
LEAST_SECONDS = 0.001
# Of all bytes, before the pace so far says anything of the rest: the first, small files tell how a worker starts.
LEAST_READ = 0.1


class ReadProgress:
    """Counts the bytes of archives that are read; any number of threads may tell it. In its context lines appear.

    What a task counts reaches the driver when the task ends, and a task reads an archive. So in the middle of one only
    tasks on this machine say how far they are, each by a file (`sparksweep.ingest.counted_files`).

    Parameters
    ----------
    sizes : mapping of str to int
        Bytes of each archive, by table.
    slots : int
        How many are read at once.
    say : callable
        Takes a line of text.
    here : bool
        Whether tasks run on this machine.
    """

    def __init__(self, sizes: Mapping[str, int], slots: int, say: Callable[[str], None], here: bool = False) -> None:
        self._left = dict(sizes)
        self._total = sum(sizes.values())
        self._slots = slots
        self._say = say
        self._here = here
        self._seconds = 0.0
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="ingest progress", daemon=True)
        self._counters: dict[str, Path] = {}
        self._keep = ExitStack()

    def __enter__(self) -> ReadProgress:
        if self._here:
            with suppress(StorageError):  # what cannot be told is no reason to fail
                folder = self._keep.enter_context(scratch_folder())
                self._counters = {table: Path(folder, table) for table in self._left}
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watcher.join()
        self._keep.close()

    def counted(self, table: str, file: SourceFile) -> SourceFile:
        """Return a table's archive as a task is to read it."""
        return CountedFile(file, self._counters[table]) if self._counters else file

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
        seconds_left = rest * spent / done / readers if rest and done > LEAST_READ * self._total else 0.0
        to_go = f", about {seconds_left:,.0f} s to go" if seconds_left >= 1 else ""
        self._say(f"{table}: {rows:,} rows read, {pace} ({_share(done, self._total)}{to_go})")

    def _watch(self) -> None:
        while not self._ended.wait(INTERVAL):
            line = self._now()
            if line:
                self._say(line)

    def _now(self) -> str:
        """Return how far the archives are that are being read, or wait for their turn; "" where there are none."""
        with self._lock:
            left, seconds = dict(self._left), time.monotonic() - self._began
        if not left:
            return ""
        whole = self._total - sum(left.values())
        if not self._counters:
            names = ", ".join(f"{name} ({size / 1e6:,.1f} MB)" for name, size in left.items())
            return f"{_share(whole, self._total)} read in {seconds:,.0f} s; not yet at their end: {names}"
        read = {name: min(count_of(self._counters[name]), size) for name, size in left.items()}
        done = whole + sum(read.values())
        pace, rest = done / seconds, self._total - done
        to_go = f", about {rest / pace:,.0f} s to go" if done and rest else ""
        names = ", ".join(f"{name} {_share(read[name], size)}" for name, size in left.items())
        return f"{_share(done, self._total)} read at {pace / 1e6:,.1f} MB/s{to_go}: {names}"


def _share(done: int, total: int) -> str:
    return f"{done / 1e6:,.1f} of {total / 1e6:,.1f} MB"
