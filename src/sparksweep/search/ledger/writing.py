"""Write records so that they are on the disk when the call returns, whatever happens afterwards."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from uuid import uuid4

from sparksweep.errors import StorageError
from sparksweep.search.ledger.records import Record, encode_record
from sparksweep.search.ledger.segments import SEGMENTS, new_series, segment_path
from sparksweep.storage import Log, Store

__all__ = ["LedgerWriter"]

JOINED = 50  # small segments of an object store that are joined to one, so that a reader need not open thousands


class LedgerWriter:
    """Appends to segments that are this process's alone; a context manager. `Ledger.writer` makes it.

    Where files can grow there is one segment, begun anew after an error: what a failed append left of a line stays
    alone at its segment's end. On object stores each `write` makes a small one.

    Parameters
    ----------
    store : Store
        The ledger's folder.

    Raises
    ------
    StorageError
        The ledger cannot be written.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._series, self._number, self._pid = new_series(), 0, os.getpid()
        self._path = ""
        self._written = 0  # bytes in the open segment that are on the disk
        self._small: list[tuple[str, bytes]] = []
        self._log: Log | None = None
        self._rolls = not self._begin()
        if self._rolls:
            probe = f"{SEGMENTS}/.probe-{uuid4().hex[:8]}"
            store.write_bytes(probe, b"")
            store.delete(probe)

    def __enter__(self) -> LedgerWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, records: Iterable[Record]) -> None:
        """Add records; when this returns they are on the disk.

        Raises
        ------
        StorageError
            They may be there in part. The same records may be written again: they go to a new segment, and what is
            there twice merges to one.
        ValueError, TypeError
            A record is none; nothing is written.
        """
        data = b"".join([encode_record(record) for record in records])
        if not data:
            return
        with self._lock:
            self._leave_to_parent()
            if self._rolls:
                self._roll(data)
            else:
                self._append(data)

    def close(self) -> None:
        """End the open segment; one that nothing was written to goes."""
        with self._lock:
            if os.getpid() == self._pid:
                self._end()

    def _append(self, data: bytes) -> None:
        if self._log is None and not self._begin():
            raise StorageError(f"cannot write {self._store.shown(SEGMENTS)}: its files no longer grow")
        assert self._log is not None
        try:
            self._log.append(data)
        except BaseException:  # an interrupt too may leave half a line
            self._end()
            raise
        self._written += len(data)

    def _begin(self) -> bool:
        """Open a new segment; return False where files do not grow."""
        self._path, self._number = segment_path(self._series, self._number), self._number + 1
        self._written = 0
        self._log = self._store.open_log(self._path)
        return self._log is not None

    def _end(self) -> None:
        """Close the open segment for good."""
        log, self._log = self._log, None
        if log is None:
            return
        with suppress(StorageError):  # all that counts in it is on the disk already
            log.close()
        if not self._written:
            with suppress(StorageError):
                self._store.delete(self._path)

    def _roll(self, data: bytes) -> None:
        """Write a segment of its own, and now and then one that replaces many."""
        path, self._number = segment_path(self._series, self._number), self._number + 1
        self._store.write_bytes(path, data)
        self._small.append((path, data))
        if len(self._small) < JOINED:
            return
        small, self._small = self._small, []
        joined, self._number = segment_path(self._series, self._number), self._number + 1
        with suppress(StorageError):  # the small ones hold all
            self._store.write_bytes(joined, b"".join(data for _, data in small))
            for path, _ in small:
                self._store.delete(path)

    def _leave_to_parent(self) -> None:
        """In a forked process begin segments of its own."""
        if os.getpid() != self._pid:
            self._log, self._small, self._pid = None, [], os.getpid()
            self._series, self._number = new_series(), 0
