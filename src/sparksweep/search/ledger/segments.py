"""Segments: the files of a ledger, each of one process, and what one holds, torn and damaged lines told apart."""

from __future__ import annotations

import io
import os
import re
import socket
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import islice
from typing import Any

from sparksweep.errors import StorageError
from sparksweep.search.ledger.records import decode_lines, is_whole
from sparksweep.storage import Store

__all__ = ["SEGMENTS", "Segment", "iterate_segments", "new_series", "read_data", "read_segment", "segment_path"]

SEGMENTS = "segments"
SUFFIX = ".jsonl"
CHUNK = 500  # lines that are parsed in one go, which lets their records share the texts of their keys


@dataclass(frozen=True)
class Segment:
    """One file of a ledger as it was read.

    Attributes
    ----------
    name : str
        Its name in the folder of segments.
    data : bytes
        All of it.
    numbers : list of int
        The lines in it, from 1, that hold `records`.
    records : list of dict
        What can be merged, in order.
    notes : list of str
        What was dropped and why, a line each.
    """

    name: str
    data: bytes = field(repr=False)
    numbers: list[int] = field(repr=False)
    records: list[dict[str, Any]] = field(repr=False)
    notes: list[str]

    @property
    def lines(self) -> Iterator[bytes]:
        """The lines of `records` as they stand, with their line breaks."""
        wanted = set(self.numbers)
        return (line for number, line in enumerate(io.BytesIO(self.data), 1) if number in wanted)


def new_series() -> str:
    """Return what the names of a process's segments start with: no other process has it, and it sorts by time."""
    host = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:40] or "host"
    moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    return f"{moment}-{host}-{os.getpid()}-{uuid.uuid4().hex[:12]}"


def segment_path(series: str, number: int) -> str:
    """Return the path of a series' segment in the ledger's store."""
    return f"{SEGMENTS}/{series}-{number:06d}{SUFFIX}"


def iterate_segments(store: Store) -> Iterator[Segment]:
    """Yield the segments of a ledger, one in memory at a time.

    One that goes while this reads was replaced by another that holds what it held: that one is read too.

    Parameters
    ----------
    store : Store
        The ledger's folder.
    """
    seen: set[str] = set()
    gone = True
    while gone:
        gone = False
        for name in store.list(SEGMENTS):
            if name in seen or not name.endswith(SUFFIX):
                continue
            seen.add(name)
            segment = read_segment(store, name)
            if segment is None:
                gone = True
            else:
                yield segment


def read_segment(store: Store, name: str) -> Segment | None:
    """Return a segment, None when there is none of that name."""
    data = read_data(store, name)
    if data is None:
        return None
    numbers, records, damaged = [], [], []
    lines = enumerate(io.BytesIO(data), 1)
    while chunk := list(islice(lines, CHUNK)):
        whole = [(number, line[:-1]) for number, line in chunk if line.endswith(b"\n") and is_whole(line[:-1])]
        read = set()
        for (number, _), record in zip(whole, decode_lines([line for _, line in whole]), strict=True):
            if record is not None:
                read.add(number)
                numbers.append(number)
                records.append(record)
        damaged += [number for number, line in chunk if number not in read and line.endswith(b"\n")]
    return Segment(name, data, numbers, records, list(_notes(name, damaged, data)))


def read_data(store: Store, name: str) -> bytes | None:
    """Return the bytes of a segment, None when there is none of that name."""
    path = f"{SEGMENTS}/{name}"
    try:
        return store.read_bytes(path)
    except StorageError:
        if store.exists(path):
            raise
        return None


def _notes(name: str, damaged: Sequence[int], data: bytes) -> Iterator[str]:
    if damaged:
        also = f" and {len(damaged) - 1} others are" if len(damaged) > 1 else " is"
        yield f"segment {name}: line {damaged[0]}{also} damaged, skipped"
    if data and not data.endswith(b"\n"):
        yield f"segment {name} ends in a torn line, dropped"
