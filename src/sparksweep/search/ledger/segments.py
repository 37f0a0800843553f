"""Segments: the files of a ledger, each of one process, and what one holds, torn and damaged lines told apart."""

from __future__ import annotations

import io
import os
import re
import socket
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from sparksweep.errors import StorageError
from sparksweep.search.ledger.records import decode_lines, is_whole
from sparksweep.storage import Store

__all__ = ["SEGMENTS", "Segment", "iterate_segments", "new_series", "read_data", "read_segment", "segment_path"]

SEGMENTS = "segments"
SUFFIX = ".jsonl"


@dataclass(frozen=True)
class Segment:
    """One file of a ledger as it was read.

    Attributes
    ----------
    name : str
        Its name in the folder of segments.
    size : int
        Bytes.
    crc : int
        CRC-32 of all of them, to know later whether it has grown.
    lines : list of bytes
        Those that can be merged, as they stand, without their line breaks.
    records : list of dict
        What `lines` hold.
    notes : list of str
        What was dropped and why, a line each.
    """

    name: str
    size: int
    crc: int
    lines: list[bytes] = field(repr=False)
    records: list[dict[str, Any]] = field(repr=False)
    notes: list[str]


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
    numbers, lines, damaged = [], [], []
    for number, line in enumerate(io.BytesIO(data), 1):
        if is_whole(line[:-1]) and line.endswith(b"\n"):
            numbers.append(number)
            lines.append(line[:-1])
        elif line.endswith(b"\n"):
            damaged.append(number)
    found = list(decode_lines(lines))
    damaged += [number for number, record in zip(numbers, found, strict=True) if record is None]
    records = [record for record in found if record is not None]
    lines = [line for line, record in zip(lines, found, strict=True) if record is not None]
    return Segment(name, len(data), zlib.crc32(data), lines, records, list(_notes(name, sorted(damaged), data)))


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
