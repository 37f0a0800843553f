"""Of several records of one fit, the one that counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sparksweep.search.ledger.segments import Segment

__all__ = ["LedgerContents", "Rank", "merge_segments", "rank_records"]

# Complete or not, attempt, ended, name of the segment, place in it: the greatest counts.
Rank = tuple[bool, int, float, str, int]

SHARED = 200  # a text up to this length, as a host or a digest is, is kept once


@dataclass(frozen=True)
class LedgerContents:
    """What a ledger holds, merged.

    Attributes
    ----------
    records : dict of str to dict
        By fit_key the record that counts: ``complete`` beats any other status, else the latest attempt, of equal
        attempts the one that ended later.
    n_segments, n_records, n_bytes : int
        Files read, records in them, their bytes.
    notes : list of str
        What was dropped and why, a line each.
    """

    records: dict[str, dict[str, Any]] = field(repr=False)
    n_segments: int
    n_records: int
    n_bytes: int
    notes: list[str]


def rank_records(segment: Segment) -> Iterator[tuple[Rank, dict[str, Any]]]:
    """Yield each record of a segment with what it is compared by."""
    for place, record in enumerate(segment.records):
        yield (
            (record["status"] == "complete", record["attempt"], record["ended"], segment.name, place),
            record,
        )


def merge_segments(segments: Iterable[Segment]) -> LedgerContents:
    """Return the merged contents of segments, whatever their order."""
    best: dict[str, tuple[Rank, dict[str, Any]]] = {}
    texts: dict[str, str] = {}
    notes: list[str] = []
    n_segments = n_records = n_bytes = 0
    for segment in segments:
        n_segments += 1
        n_records += len(segment.records)
        n_bytes += len(segment.data)
        notes += segment.notes
        for rank, record in rank_records(segment):
            key = record["fit_key"]
            if key not in best or best[key][0] < rank:
                best[key] = (rank, _with_shared_texts(record, texts))
    records = {key: record for key, (_, record) in best.items()}
    return LedgerContents(records, n_segments, n_records, n_bytes, notes)


def _with_shared_texts(record: dict[str, Any], texts: dict[str, str]) -> dict[str, Any]:
    """Return the record with each short text that another has too as the very same object."""
    for name, value in record.items():
        if type(value) is str and len(value) <= SHARED:
            record[name] = texts.setdefault(value, value)
    return record
