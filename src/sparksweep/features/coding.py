"""What tasks do to a log: number its rows and things, bundle, join and count them, in batches. No Spark in here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sparksweep.features.packets import unpacked
from sparksweep.features.rows import Rows
from sparksweep.python_tasks import python_task

__all__ = [
    "COUNTED",
    "bundle_codes",
    "count_bundles",
    "count_owned",
    "count_things",
    "first_things",
    "met_keys",
    "owner_rows",
]

COUNTED = pa.schema([("row", pa.int32()), ("code", pa.int32()), ("n", pa.int64())])
"""Of what is counted."""

# Pairs that are gathered before equal ones are counted: some 250 MB while it is done.
_GATHERED = 1 << 22
# Lines of a log that are looked at together, for each time a hash of all rows may be made; and bytes, at most.
_LOOKED_AT = 1 << 18
_LOOKED_AT_BYTES = 1 << 26
# Bundles whose codes are taken apart at a time.
_BUNDLES = 1 << 15

Batches = Iterable[pa.RecordBatch]


class SentRows(Protocol):
    """The rows, as Spark broadcasts them."""

    @property
    def value(self) -> Rows:
        """The rows."""


class SentThings(Protocol):
    """The things, sorted, as Spark broadcasts them."""

    @property
    def value(self) -> pa.Array:
        """The array."""


def count_things(rows: SentRows, things: SentThings, batches: Batches) -> Iterator[pa.RecordBatch]:
    """Count equal lines of a row and a thing.

    Parameters
    ----------
    rows : SentRows
        The rows of the matrices; a line with another id is left out.
    things : SentThings
        All things there are.
    batches : iterable of RecordBatch
        The id and the thing; a line without one of them is left out.

    Yields
    ------
    RecordBatch
        ``row`` int32, ``code`` int32, ``n`` int64; the code is the thing's place among all.
    """
    pairs = (_row_codes(batch, rows.value, things.value) for batch in _together(batches))
    yield from _counted(pairs, len(things.value))


def first_things(rows: SentRows, things: SentThings, batches: Batches) -> Iterator[pa.RecordBatch]:
    """Return what the first line of each row says, of lines that are looked at together; there may be earlier ones.

    Parameters
    ----------
    rows : SentRows
        The rows of the matrices; a line with another id is left out.
    things : SentThings
        All things there are.
    batches : iterable of RecordBatch
        The id, the thing and the number of the line.

    Yields
    ------
    RecordBatch
        ``row`` int32, ``code`` int32, ``n`` int64: the line. The code of no thing is the number of things.
    """
    for batch in _together(batches):
        ids, values, lines = _with_id(batch)
        numbers, known = rows.value.find(ids)
        places, lines = np.flatnonzero(known), _ints(lines)[known]
        order = np.lexsort((lines, numbers))
        _, begins = np.unique(numbers[order], return_index=True)
        first = order[begins]
        codes = _codes(values.take(pa.array(places[first])), things.value, none=len(things.value))
        yield _batch(row=numbers[first], code=codes, n=lines[first])


@python_task
def owner_rows(rows: SentRows, batches: Batches) -> Iterator[pa.RecordBatch]:
    """Turn lines of an owner and an id into lines of the owner and ``row`` int32; those of no row are left out."""
    for batch in _together(batches):
        owners, ids = map(_small, batch.columns)
        both = pc.and_(owners.is_valid(), ids.is_valid())
        owners, ids = owners.filter(both), ids.filter(both)
        numbers, known = rows.value.find(_ints(ids))
        yield pa.RecordBatch.from_arrays(
            [owners.filter(pa.array(known)), pa.array(numbers)], names=[batch.schema.names[0], "row"]
        )


@python_task
def met_keys(things: SentThings, batches: Batches) -> Iterator[pa.RecordBatch]:
    """Turn lines of a thing and a key, both text, into ``code`` int32 and the key; what nobody has is left out."""
    texts = things.value.cast(pa.string())
    for batch in _together(batches):
        values, keys = map(_small, batch.columns)
        codes = pc.index_in(values, value_set=texts)
        yield pa.RecordBatch.from_arrays([codes, keys], names=["code", "key"]).filter(codes.is_valid())


def bundle_codes(things: SentThings, batches: Batches) -> Iterator[pa.RecordBatch]:
    """Put neighbours of one owner into one line.

    Parameters
    ----------
    things : SentThings
        All things there are.
    batches : iterable of RecordBatch
        The owner, never null, and the thing, which may be null; or bytes: things of one owner, numbers little-endian.

    Yields
    ------
    RecordBatch
        The owner, and ``codes``: int32 of its things, as bytes; an owner whose lines do not stand together, or not in
        one batch, has several.
    """
    for batch in batches:
        owners, values = map(_small, batch.columns)
        if pa.types.is_binary(values.type):
            values, ends = _unpacked(values, things.value.type)
        else:
            known = values.is_valid()
            owners, values = owners.filter(known), values.filter(known)
            changes = pc.not_equal(owners.slice(1), owners.slice(0, max(len(owners) - 1, 0)))
            starts = np.append(0, np.flatnonzero(changes.to_numpy(zero_copy_only=False)) + 1)[: len(owners)]
            owners, ends = owners.take(pa.array(starts)), np.append(starts, len(values))
        codes = _codes(values, things.value).astype("<i4")
        offsets = pa.py_buffer((ends * codes.itemsize).astype(np.int32))
        bundles = pa.Array.from_buffers(pa.binary(), len(owners), [None, offsets, pa.py_buffer(codes)])
        yield pa.RecordBatch.from_arrays([owners, bundles], names=[batch.schema.names[0], "codes"])


def count_owned(n_things: int, owner: pa.DataType, batches: Batches) -> Iterator[pa.RecordBatch]:
    """Count the things of each row: what its owners have.

    Parameters
    ----------
    n_things : int
        How many things there are.
    owner : DataType
        Of owners.
    batches : iterable of RecordBatch
        Packets (`sparksweep.features.packets`): of kind 0 lines of `owner_rows`, of kind 1 those of `bundle_codes`; all
        that there are of their owners.

    Yields
    ------
    RecordBatch
        What `count_things` does.
    """
    kinds = [pa.schema([("owner", owner), ("row", pa.int32())]), pa.schema([("owner", owner), ("codes", pa.binary())])]
    owners, bundles = unpacked(batches, kinds)
    owners, bundles = owners.combine_chunks(), bundles.combine_chunks()
    if bundles.num_rows and owners.num_rows:
        places = pc.index_in(bundles["owner"], value_set=owners["owner"].chunk(0))
        rows = owners["row"].take(places)
        owned = pa.table({"row": rows, "codes": bundles["codes"]}).filter(rows.is_valid())
        yield from count_bundles(n_things, owned.to_batches(_BUNDLES))


def count_bundles(n_things: int, batches: Batches) -> Iterator[pa.RecordBatch]:
    """Count equal pairs in lines of ``row`` int32 and ``codes``, int32 as bytes; yields what `count_things` does."""
    yield from _counted(map(_unbundled, batches), n_things)


def _unpacked(bundles: pa.Array, kind: pa.DataType) -> tuple[pa.Array, NDArray[Any]]:
    """Return the numbers that are kept as bytes, and where those of each bundle end, beginning with 0."""
    if len(bundles) == 0:  # Arrow may leave out the buffers of nothing
        return pa.array([], kind), np.zeros(1, np.int32)
    width = kind.byte_width
    offsets = np.frombuffer(bundles.buffers()[1], np.int32)[bundles.offset : bundles.offset + len(bundles) + 1]
    data = bundles.buffers()[2]
    size = int(offsets[-1] - offsets[0])
    values = np.frombuffer(data, kind.to_pandas_dtype(), size // width, int(offsets[0])) if size else np.array([])
    return pa.array(values, kind), (offsets - offsets[0]) // width


def _small(values: pa.Array) -> pa.Array:
    """Return texts and bytes with the offsets that all else has, which Spark can be told to make larger."""
    small = {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}.get(values.type)
    return values if small is None else values.cast(small)


def _together(batches: Batches) -> Iterator[pa.RecordBatch]:
    """Put small batches together."""
    gathered: list[pa.RecordBatch] = []
    for batch in batches:
        gathered.append(batch)
        n_lines, n_bytes = sum(each.num_rows for each in gathered), sum(each.nbytes for each in gathered)
        if n_lines >= _LOOKED_AT or n_bytes >= _LOOKED_AT_BYTES:
            whole, gathered = _one_batch(gathered), []
            yield whole
    if gathered:
        yield _one_batch(gathered)


def _one_batch(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    columns = [pa.concat_arrays([batch.column(place) for batch in batches]) for place in range(batches[0].num_columns)]
    return pa.RecordBatch.from_arrays(columns, names=batches[0].schema.names)


def _row_codes(batch: pa.RecordBatch, rows: Rows, things: pa.Array) -> tuple[NDArray[Any], NDArray[Any]]:
    ids, values = _with_id(batch)
    numbers, known = rows.find(ids)
    owned = values.filter(pa.array(known))
    there = owned.is_valid()
    return numbers[there.to_numpy(zero_copy_only=False)], _codes(owned.filter(there), things)


def _with_id(batch: pa.RecordBatch) -> list[Any]:
    """Return the ids as numbers and the other columns, without the lines that have no id."""
    ids, *others = batch.columns
    if ids.null_count:
        known = ids.is_valid()
        ids, others = ids.filter(known), [each.filter(known) for each in others]
    return [_ints(ids), *others]


def _unbundled(batch: pa.RecordBatch) -> tuple[NDArray[Any], NDArray[Any]]:
    codes, ends = _unpacked(batch.column(1), pa.int32())
    return np.repeat(_ints(batch.column(0)), np.diff(ends)), _ints(codes)


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
    return _batch(row=rows, code=codes, n=n)


def _batch(row: NDArray[Any], code: NDArray[Any], n: NDArray[Any]) -> pa.RecordBatch:
    arrays = [pa.array(row.astype(np.int32)), pa.array(code.astype(np.int32)), pa.array(n.astype(np.int64))]
    return pa.RecordBatch.from_arrays(arrays, schema=COUNTED)


def _codes(values: pa.Array, things: pa.Array, none: int | None = None) -> NDArray[Any]:
    """Return the place of each value among the things; of a null `none`, if there may be nulls."""
    codes = pc.index_in(values.cast(things.type), value_set=things)
    unknown = pc.and_(codes.is_null(), values.is_valid()) if none is not None else codes.is_null()
    if pc.any(unknown).as_py():
        value = values.filter(unknown)[0]
        raise ValueError(f"{value} is none of the {len(things)} things that there can be")
    return _ints(codes if none is None else codes.fill_null(none))


def _ints(values: pa.Array) -> NDArray[Any]:
    if values.null_count:
        raise ValueError("a null where a whole number should be")
    numbers: NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return numbers
