"""Prune a ledger: keep what counts, in few segments, while no driver uses it.

New segments are written before old ones are deleted, so a crash at any moment leaves records twice, or records that
should have gone, never too few: what is there twice merges to one, and pruning again ends the work.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sparksweep.errors import UsageError
from sparksweep.search.ledger.leases import BEAT, PRUNING, SILENCE, Lease, find_living, iterate_holders, remove_lease
from sparksweep.search.ledger.merging import Rank, rank_records
from sparksweep.search.ledger.segments import SEGMENTS, iterate_segments, new_series, read_data, segment_path
from sparksweep.storage import Store

__all__ = ["FAILED", "OLD", "SUPERSEDED", "PruneRule", "PruneSummary", "prune_ledger"]

LARGEST = 32 << 20  # bytes of a new segment; it is in memory as a whole

SUPERSEDED = "superseded"
FAILED = "failed"
OLD = "old"


@dataclass(frozen=True)
class PruneRule:
    """Which fits go, besides the records that lose against another of their fit.

    Attributes
    ----------
    failed : bool
        Fits that are not complete.
    ended_before : float
        Fits that ended before this moment, in seconds since 1970.
    """

    failed: bool = False
    ended_before: float = -math.inf

    def reason(self, rank: Rank) -> str:
        """Return why the fit with this record goes, "" when it stays."""
        complete, _, ended, *_ = rank
        if self.failed and not complete:
            return FAILED
        return OLD if ended < self.ended_before else ""


@dataclass(frozen=True)
class PruneSummary:
    """What pruning did, or would do.

    Attributes
    ----------
    n_records : int
        Records there were.
    dropped : mapping of str to int
        Records by why they go: ``superseded`` (another record of the fit counts), ``failed``, ``old``.
    n_segments, n_bytes : (int, int)
        Segments and bytes, before and after.
    notes : list of str
        What was damaged, a line each; it goes too.
    """

    n_records: int
    dropped: Mapping[str, int]
    n_segments: tuple[int, int]
    n_bytes: tuple[int, int]
    notes: list[str]

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.dropped or self.notes) or self.n_segments[1] < self.n_segments[0]


def prune_ledger(
    store: Store,
    rule: PruneRule,
    dry_run: bool = False,
    on_wait: Callable[[str], None] | None = None,
    beat: float = BEAT,
    silence: float = SILENCE,
) -> PruneSummary:
    """Drop what `rule` says and what is superseded or damaged, and join the segments; see `Ledger.prune`."""
    if dry_run:
        return _survey(store, rule)[0]
    _refuse_while_used(store, on_wait, beat, silence)
    with Lease(store, PRUNING, on_wait, beat, silence) as lease:
        _refuse_while_used(store, on_wait, beat, silence)  # one may have begun; whoever does from here on waits
        summary, best = _survey(store, rule)
        if summary.changes:
            old: dict[str, int] = {}
            lines = _kept_lines(store, rule, best, old)
            series = new_series()
            for number, piece in enumerate(_pieces(lines)):
                store.write_bytes(segment_path(series, number), piece)
            _delete(store, lease, old)
    return summary


def _survey(store: Store, rule: PruneRule) -> tuple[PruneSummary, dict[str, Rank]]:
    """Return what pruning comes to, and the rank of each fit's record that counts."""
    best: dict[str, tuple[Rank, int]] = {}
    n_segments = n_records = n_bytes = 0
    notes: list[str] = []
    for segment in iterate_segments(store):
        n_segments += 1
        n_records += len(segment.records)
        n_bytes += len(segment.data)
        notes += segment.notes
        for (rank, record), line in zip(rank_records(segment), segment.lines, strict=True):
            key = record["fit_key"]
            if key not in best or best[key][0] < rank:
                best[key] = (rank, len(line))
    dropped = Counter({SUPERSEDED: n_records - len(best)})
    size = 0
    for rank, length in best.values():
        reason = rule.reason(rank)
        dropped[reason] += bool(reason)
        size += 0 if reason else length
    summary = PruneSummary(
        n_records,
        {reason: count for reason, count in dropped.items() if count},
        (n_segments, math.ceil(size / LARGEST)),
        (n_bytes, size),
        notes,
    )
    return summary, {key: rank for key, (rank, _) in best.items()}


def _kept_lines(store: Store, rule: PruneRule, best: Mapping[str, Rank], old: dict[str, int]) -> Iterator[bytes]:
    """Yield the lines that stay; `old` gets each segment's name and checksum."""
    for segment in iterate_segments(store):
        old[segment.name] = zlib.crc32(segment.data)
        for (rank, record), line in zip(rank_records(segment), segment.lines, strict=True):
            if rank >= best.get(record["fit_key"], rank) and not rule.reason(rank):
                yield line


def _pieces(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield lines joined to segments of at most `LARGEST` bytes, or one line."""
    piece: list[bytes] = []
    size = 0
    for line in lines:
        if piece and size + len(line) > LARGEST:
            yield b"".join(piece)
            piece, size = [], 0
        piece.append(line)
        size += len(line)
    if piece:
        yield b"".join(piece)


def _delete(store: Store, lease: Lease, old: Mapping[str, int]) -> None:
    """Delete segments, except one that has changed since it was read: somebody writes to it without a lease."""
    for name, crc in old.items():
        lease.check()
        data = read_data(store, name)
        if data is not None and zlib.crc32(data) == crc:
            store.delete(f"{SEGMENTS}/{name}")


def _refuse_while_used(store: Store, on_wait: Callable[[str], None] | None, beat: float, silence: float) -> None:
    """Raise when a driver that lives holds a lease; clear away those of the dead."""
    for holder in iterate_holders(store):
        if holder.owner is not None and holder.owner.is_this_process and holder.key == PRUNING:
            continue
        living = find_living(store, holder, on_wait, beat, silence)
        if living is not None:
            what = "being pruned" if living.key == PRUNING else f"in use: sweep {living.key[:8]} is being run"
            raise UsageError(f"{store.root} is {what} by {living}; prune it when that has ended")
        remove_lease(store, holder)
