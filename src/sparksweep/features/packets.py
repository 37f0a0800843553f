"""Numbers on their way through a shuffle, packed by the partition they go to.

Spark shuffles, joins and converts line by line. Here a task deals its lines out to the partitions itself, and all that
go to one of them are one line, of bytes: where millions of numbers go through, Spark moves some hundred lines. No
Spark in here: tasks deal, and tasks unpack.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sparksweep.python_tasks import python_task

__all__ = ["KIND", "PART", "SCHEMA", "Batches", "Deal", "dealt", "unpacked"]

PART, PACKET, KIND = "part", "packet", "kind"
SCHEMA = f"{PART} int, {KIND} int, {PACKET} binary"
"""Of a frame of packets."""

Batches = Iterable[pa.RecordBatch]

_SEED = 42  # of Spark's hash
# An odd constant whose multiples lie evenly spread over 64 bits (2**64 / golden ratio).
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Deal:
    """How lines are dealt out to the partitions of a shuffle by column ``part``.

    Attributes
    ----------
    n : int
        Number of partitions.
    """

    n: int

    @cached_property
    def parts(self) -> NDArray[np.int32]:
        """For each partition a number that Spark puts there, so that none gets two and another nothing."""
        found: dict[int, int] = {}
        numbers = np.arange(32 * self.n, dtype=np.int32)
        while len(found) < self.n:
            for place, number in zip((_spark_hash(numbers) % self.n).tolist(), numbers.tolist(), strict=True):
                found.setdefault(place, number)
            numbers += np.int32(len(numbers))
        return np.array([found[place] for place in range(self.n)], dtype=np.int32)

    def packed(self, batch: pa.RecordBatch, kind: int) -> pa.RecordBatch:
        """Return a line ``part``, ``kind``, ``packet`` for each partition that gets lines of a batch.

        Parameters
        ----------
        batch : RecordBatch
            Lines with the same value in the first column, whole numbers or text, go to the same partition.
        kind : int
            By which whoever unpacks them tells them from others.
        """
        places = _spread(batch.column(0)) % np.uint64(self.n)
        order = np.argsort(places, kind="stable")
        cuts = np.searchsorted(places[order], np.arange(self.n + 1, dtype=np.uint64))
        ordered = batch.take(pa.array(order))
        dealt_to = np.flatnonzero(np.diff(cuts))
        slices = (ordered.slice(cuts[place], cuts[place + 1] - cuts[place]) for place in dealt_to)
        packets = pa.array([each.serialize().to_pybytes() for each in slices], pa.binary())
        kinds = pa.array(np.full(len(dealt_to), kind, dtype=np.int32))
        return pa.RecordBatch.from_arrays([pa.array(self.parts[dealt_to]), kinds, packets], names=[PART, KIND, PACKET])


@python_task
def dealt(task: Callable[[Batches], Batches], deal: Deal, kind: int, batches: Batches) -> Iterator[pa.RecordBatch]:
    """Do a task, and pack what comes of it as packets of one kind."""
    for batch in task(batches):
        if batch.num_rows:
            yield deal.packed(batch, kind)


def unpacked(batches: Batches, schemas: list[pa.Schema]) -> list[pa.Table]:
    """Return what is in packets, as one table for each kind.

    Parameters
    ----------
    batches : iterable of RecordBatch
        ``packet`` and ``kind``: the packet's place among the schemas.
    schemas : list of Schema
        Of each kind.
    """
    found: list[list[pa.RecordBatch]] = [[] for _ in schemas]
    for batch in batches:
        for packet, kind in zip(batch.column(PACKET), batch.column(KIND).to_pylist(), strict=True):
            # A copy: inside the batch its numbers may begin anywhere.
            found[kind].append(pa.ipc.read_record_batch(pa.py_buffer(packet.as_py()), schemas[kind]))
    return [pa.Table.from_batches(each, schema) for each, schema in zip(found, schemas, strict=True)]


def _spread(values: pa.Array) -> NDArray[np.uint64]:
    """Return numbers that lie evenly, the same for the same value."""
    if pa.types.is_integer(values.type):
        numbers: NDArray[Any] = values.to_numpy().astype(np.int64).view(np.uint64)
    else:
        encoded = values.dictionary_encode()
        of_texts = np.array([zlib.crc32(text.encode()) for text in encoded.dictionary.to_pylist()], dtype=np.uint64)
        numbers = of_texts[encoded.indices.to_numpy()]
    return (numbers * _SPREAD) >> np.uint64(32)


def _spark_hash(numbers: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return Spark's hash of whole numbers, by which it chooses their partitions.

    Source: MurmurHash3 (x86, 32 bits) of four bytes, as in Spark's org.apache.spark.unsafe.hash.Murmur3_x86_32.
    """
    k = numbers.view(np.uint32) * np.uint32(0xCC9E2D51)
    k = _rotated(k, 15) * np.uint32(0x1B873593)
    h = _rotated(np.uint32(_SEED) ^ k, 13) * np.uint32(5) + np.uint32(0xE6546B64)
    h ^= np.uint32(4)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = (h ^ (h >> np.uint32(shift))) * np.uint32(factor)
    return (h ^ (h >> np.uint32(16))).view(np.int32)


def _rotated(values: NDArray[np.uint32], by: int) -> NDArray[np.uint32]:
    return (values << np.uint32(by)) | (values >> np.uint32(32 - by))
