"""A ledger by its path or URI, and all that can be done with it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sparksweep.errors import UsageError
from sparksweep.search.ledger.leases import BEAT, SILENCE, Holder, Lease, iterate_holders
from sparksweep.search.ledger.merging import LedgerContents, merge_segments
from sparksweep.search.ledger.pruning import PruneRule, PruneSummary, prune_ledger
from sparksweep.search.ledger.segments import iterate_segments
from sparksweep.search.ledger.writing import LedgerWriter
from sparksweep.storage import Store, open_store

__all__ = ["Ledger", "open_ledger"]


def open_ledger(place: str | Path | Store | Ledger) -> Ledger:
    """Return the ledger in a folder, which need not exist: then it is empty.

    Parameters
    ----------
    place : str, Path, Store or Ledger
        Path or URI of the ledger's folder, a store that is this folder, or the ledger itself.

    Raises
    ------
    StorageError
        Spark's Java side knows no file system for the URI.
    SessionError
        The URI needs Spark, and no session is running.
    UsageError
        It is nothing of these.
    """
    if isinstance(place, Ledger):
        return place
    if not isinstance(place, (str, Path, Store)):
        raise UsageError(f"a ledger is a folder's path or URI, got {place!r}")
    return Ledger(place if isinstance(place, Store) else open_store(str(place)))


class Ledger:
    """The records of fits in a folder. `open_ledger` makes it.

    Parameters
    ----------
    store : Store
        The folder.

    Attributes
    ----------
    uri : str
        The folder, as shown to people.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.uri = store.root

    def read(self) -> LedgerContents:
        """Return all records, merged by fit_key; damage is skipped and noted, never raised.

        Raises
        ------
        StorageError
            The folder may not be read.
        """
        return merge_segments(iterate_segments(self._store))

    def history(self, fit_key: str) -> list[dict[str, Any]]:
        """Return every record of the fits whose key starts with `fit_key`, by key, attempt and end."""
        found = {}
        for segment in iterate_segments(self._store):
            for line, record in zip(segment.lines, segment.records, strict=True):
                if record["fit_key"].startswith(fit_key):
                    found[line] = record  # the same line may stand in two segments
        return sorted(found.values(), key=lambda record: (record["fit_key"], record["attempt"], record["ended"]))

    def writer(self) -> LedgerWriter:
        """Return a writer to this process's own segments.

        Raises
        ------
        StorageError
            The folder cannot be made or written.
        """
        return LedgerWriter(self._store)

    def lease(
        self,
        sweep_key: str,
        on_wait: Callable[[str], None] | None = None,
        beat: float = BEAT,
        silence: float = SILENCE,
    ) -> Lease:
        """Return the context in which this process alone trains the fits of a sweep.

        Parameters
        ----------
        sweep_key : str
            Digest of the sweep.
        on_wait : callable, optional
            Takes a line that says who is being waited for.
        beat, silence : float
            Seconds from heartbeat to heartbeat, and without one until another takes over.
        """
        return Lease(self._store, sweep_key, on_wait, beat, silence)

    def prune(
        self,
        failed: bool = False,
        older_than: float | None = None,
        dry_run: bool = False,
        on_wait: Callable[[str], None] | None = None,
        beat: float = BEAT,
        silence: float = SILENCE,
    ) -> PruneSummary:
        """Drop the records that another of their fit supersedes, and what is damaged; join the segments.

        Parameters
        ----------
        failed : bool
            Drop the fits that are not complete too.
        older_than : float, optional
            Drop the fits that ended more than this many seconds ago too.
        dry_run : bool
            Change nothing.
        on_wait : callable, optional
            Takes a line before this has to wait to see whether a driver lives.
        beat, silence : float
            As of `lease`.

        Raises
        ------
        UsageError
            A driver is using the ledger.
        StorageError
            The ledger cannot be written.
        """
        ended_before = -math.inf if older_than is None else time.time() - older_than
        return prune_ledger(self._store, PruneRule(failed, ended_before), dry_run, on_wait, beat, silence)

    def holders(self) -> list[Holder]:
        """Return who holds the leases there are, those of processes that have died included."""
        return list(iterate_holders(self._store))
