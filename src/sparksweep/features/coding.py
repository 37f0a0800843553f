"""What tasks do to a log: number its things, bundle and count them, batch by batch. No Spark in here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sparksweep.python_tasks import python_task

__all__ = ["bundle_codes", "count_bundles", "count_things"]

# Pairs that are gathered before equal ones are counted: some 250 MB while it is done.
_GATHERED = 1 << 22

Batches = Iterable[pa.RecordBatch]


class SentThings(Protocol):
    """The things, sorted, as Spark broadcasts them."""

    @property
    def value(self) -> pa.Array:
        """The array."""


@python_task
def count_things(sent: SentThings, batches: Batches) -> Iterator[pa.RecordBatch]:
    """Count equal lines of ``row`` and a thing.

    Parameters
    ----------
    sent : SentThings
        All things there are.
    batches : iterable of RecordBatch
        ``row`` int32 and the thing, none null.

    Yields
    ------
    RecordBatch
        ``row`` int32, ``code`` int32, ``n`` int64; the code is the thing's place among all.
    """
    things = sent.value
    pairs = ((_ints(batch.column(0)), _codes(batch.column(1), things)) for batch in batches)
    yield from _counted(pairs, len(things))


@python_task
def bundle_codes(sent: SentThings, batches: Batches) -> Iterator[pa.RecordBatch]:
    """Put neighbours of one owner into one line.

    Parameters
    ----------
    sent : SentThings
        All things there are.
    batches : iterable of RecordBatch
        The owner, never null, and the thing, or a list of things; those that are null are left out.

    Yields
    ------
    RecordBatch
        The owner, and ``codes`` list of int32 of its things; an owner whose lines do not stand together, or not in one
        batch, has several.
    """
    things = sent.value
    for batch in batches:
        owners, values = _one_by_one(batch.column(0), batch.column(1))
        if len(owners) == 0:
            continue
        codes = _codes(values, things)
        changes = pc.not_equal(owners.slice(1), owners.slice(0, len(owners) - 1)).to_numpy(zero_copy_only=False)
        starts = np.concatenate([[0], np.flatnonzero(changes) + 1]).astype(np.int32)
        offsets = pa.array(np.append(starts, np.int32(len(codes))))
        lists = pa.ListArray.from_arrays(offsets, pa.array(codes))
        yield pa.RecordBatch.from_arrays([owners.take(pa.array(starts)), lists], names=[batch.schema.names[0], "codes"])


@python_task
def count_bundles(n_things: int, batches: Batches) -> Iterator[pa.RecordBatch]:
    """Count equal pairs in lines of ``row`` int32 and ``codes`` list of int32; yields what `count_things` does."""
    yield from _counted(map(_unbundled, batches), n_things)


def _one_by_one(owners: pa.Array, values: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return owner and thing, a line a thing."""
    if pa.types.is_list(values.type):
        owners, values = owners.take(pc.list_parent_indices(values)), pc.list_flatten(values)
    if values.null_count:
        known = values.is_valid()
        owners, values = owners.filter(known), values.filter(known)
    return owners, values


def _unbundled(batch: pa.RecordBatch) -> tuple[NDArray[Any], NDArray[Any]]:
    lists = batch.column(1)
    sizes = np.diff(lists.offsets.to_numpy())
    return np.repeat(_ints(batch.column(0)), sizes), _ints(lists.flatten())


def _counted(pairs: Iterable[tuple[NDArray[Any], NDArray[Any]]], n_things: int) -> Iterator[pa.RecordBatch]:
    gathered: list[NDArray[np.int64]] = []
    n_gathered = 0
    for rows, codes in pairs:
        gathered.append(rows.astype(np.int64) * n_things + codes)
        n_gathered += len(codes)
        if n_gathered >= _GATHERED:
            yield _count(gathered, n_things)
            gathered, n_gathered = [], 0
    if n_gathered:
        yield _count(gathered, n_things)


def _count(gathered: list[NDArray[np.int64]], n_things: int) -> pa.RecordBatch:
    places, n = np.unique(np.concatenate(gathered), return_counts=True)
    rows, codes = np.divmod(places, n_things)
    arrays = [pa.array(rows.astype(np.int32)), pa.array(codes.astype(np.int32)), pa.array(n.astype(np.int64))]
    return pa.RecordBatch.from_arrays(arrays, names=["row", "code", "n"])


def _codes(values: pa.Array, things: pa.Array) -> NDArray[Any]:
    codes = pc.index_in(values.cast(things.type), value_set=things)
    if codes.null_count:
        unknown = values.filter(codes.is_null())[0]
        raise ValueError(f"{unknown} is none of the {len(things)} things that there can be")
    return _ints(codes)


def _ints(values: pa.Array) -> NDArray[Any]:
    if values.null_count:
        raise ValueError("a null where a whole number should be")
    numbers: NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return numbers
