"""What tasks do to batches, with literal ones and against plain Python."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from sparksweep.features import coding, entries
from sparksweep.features.coding import (
    COUNTED,
    bundle_codes,
    count_bundles,
    count_owned,
    count_things,
    first_things,
    met_keys,
    owner_rows,
)
from sparksweep.features.entries import Membership, row_entries
from sparksweep.features.packets import Deal
from sparksweep.features.rows import Rows


def sent(value):
    return SimpleNamespace(value=value)


THINGS = sent(pa.array(["a", "b", "c"]))
# Ids 0 to 9, of which 3 is no row: their rows are their numbers, but for 0 and 9, which change places.
ROWS = sent(Rows.of_parts([np.array([9, 1, 2]), np.array([-33, 4, 5, 6, 7, 8, 0])]))


def batch(**columns):
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def pairs(lines, name="row", kind="string"):
    rows, things = zip(*lines, strict=True) if lines else ((), ())
    return batch(**{name: pa.array(rows, pa.int32()), "thing": pa.array(things, pa.type_for_alias(kind))})


def found(batches):
    return [tuple(line.values()) for each in batches for line in each.to_pylist()]


def test_equal_things_of_a_row_are_counted():
    batches = [pairs([(5, "b"), (9, "c"), (5, "b"), (3, "a")]), pairs([]), pairs([(5, "a"), (5, "b"), (5, None)])]
    assert found(count_things(ROWS, THINGS, batches)) == [(0, 2, 1), (5, 0, 1), (5, 1, 3)]


def test_small_batches_are_looked_at_together(monkeypatch):
    monkeypatch.setattr(coding, "_LOOKED_AT", 3)
    lines = [(7, 1), (3, 0), (9, 1), (0, 2), (8, 0), (1, 1), (2, 0)]
    batches = [batch(owner=pa.array([owner]), key=pa.array([key])) for owner, key in lines]
    looked_at = list(owner_rows(sent(Rows.of_parts([np.arange(3)])), [batches[0].slice(1), *batches]))
    assert [each.num_rows for each in looked_at] == [3, 3, 1]
    assert found(looked_at) == lines


def test_large_batches_are_not(monkeypatch):
    monkeypatch.setattr(coding, "_LOOKED_AT_BYTES", 40)
    batches = [batch(owner=pa.array([n]), key=pa.array([n])) for n in (0, 1, 2)] + [
        batch(owner=pa.array([0, 1, 2, 0]), key=pa.array([1, 1, 1, 1]))
    ]
    looked_at = list(owner_rows(sent(Rows.of_parts([np.arange(3)])), batches))
    assert [each.num_rows for each in looked_at] == [3, 4]


def test_no_batches():
    assert found(count_things(ROWS, THINGS, [])) == []
    assert found(count_bundles(3, [])) == []
    assert found(bundle_codes(THINGS, [pairs([])])) == []


def test_rows_of_no_ids():
    nobody = sent(Rows.of_parts([np.array([], np.int64)]))
    assert found(count_things(nobody, THINGS, [pairs([(5, "b")])])) == []


def test_what_first_lines_say():
    lines = batch(
        id=pa.array([5, 3, None, 9, 9], pa.int64()),
        thing=pa.array(["c", "z", "a", None, "a"]),
        line=pa.array([4, 5, 6, 7, 8], pa.int64()),
    )
    assert found(first_things(ROWS, THINGS, [lines])) == [(0, 3, 7), (5, 2, 4)]


def test_of_lines_that_are_looked_at_together_the_first_of_a_row_is_said(monkeypatch):
    monkeypatch.setattr(coding, "_LOOKED_AT", 4)
    lines = [(9, "a", 8), (5, "b", 9), (9, None, 2), (5, "a", 3), (9, "c", 1), (9, "b", 5)]
    batches = [
        batch(id=pa.array([id]), thing=pa.array([thing], pa.string()), line=pa.array([n])) for id, thing, n in lines
    ]
    assert found(first_things(ROWS, THINGS, batches)) == [(0, 3, 2), (5, 0, 3), (0, 2, 1)]


@pytest.mark.slow
@pytest.mark.versions
def test_rows_of_owners():
    owners = batch(owner=pa.array([7, 8, None, 9, 7], pa.int64()), id=pa.array([9, 3, 1, 1, None], pa.int32()))
    assert found(owner_rows(ROWS, [owners])) == [(7, 0), (9, 1)]


def test_keys_of_things_that_are_there():
    numbers = sent(pa.array([-5, 7]))
    lines = batch(
        thing=pa.array(["7", "8", None, "-5", "7"]), key=pa.array(["x", "y", "z", "x", "y"], pa.large_string())
    )
    assert found(met_keys(numbers, [lines, lines.slice(3)])) == [(1, "x"), (0, "x"), (1, "y"), (0, "x"), (1, "y")]
    assert found(met_keys(numbers, [])) == []


def packed(*bundles, kind="<i8"):
    return pa.array([None if each is None else np.array(each, kind).tobytes() for each in bundles], pa.binary())


def unpacked(batches):
    return [(owner, np.frombuffer(codes, "<i4").tolist()) for owner, codes in found(batches)]


def test_bundles_of_numbers_come_as_their_codes():
    numbers = sent(pa.array([-5, 7, 1 << 40]))
    lines = batch(owner=pa.array([7, 8, 7, 7], pa.int64()), thing=packed([7, -5], [], [1 << 40], [-5]))
    assert unpacked(bundle_codes(numbers, [lines])) == [(7, [1, 0]), (8, []), (7, [2]), (7, [0])]
    assert unpacked(bundle_codes(numbers, [lines.slice(2), lines.slice(1, 1)])) == [(7, [2]), (7, [0]), (8, [])]
    nothing = batch(
        owner=pa.array([], pa.int64()), thing=pa.Array.from_buffers(pa.binary(), 0, [None, *[pa.py_buffer(b"")] * 2])
    )
    assert unpacked(bundle_codes(numbers, [nothing, lines.slice(3)])) == [(7, [0])]
    with pytest.raises(ValueError, match="6 is none of the 3 things"):
        found(bundle_codes(numbers, [batch(owner=pa.array([1]), thing=packed([6]))]))


def test_things_come_in_another_integer_type():
    numbers = sent(pa.array([3, 70000], pa.int32()))
    assert found(count_things(ROWS, numbers, [pairs([(1, 70000)], kind="int64")])) == [(1, 1, 1)]


def test_what_is_none_of_the_things_is_not_counted_as_one():
    with pytest.raises(ValueError, match="d is none of the 3 things that there can be"):
        found(count_things(ROWS, THINGS, [pairs([(1, "a"), (1, "d")])]))


def test_neighbours_of_one_owner_are_one_line():
    lines = [(7, "a"), (7, "c"), (8, None), (8, "b"), (8, None), (7, "a")]
    batches = [pairs(lines, "owner"), pairs([(7, "b")], "owner"), pairs([(7, None)], "owner")]
    assert unpacked(bundle_codes(THINGS, batches)) == [(7, [0, 2]), (8, [1]), (7, [0]), (7, [1])]


def test_bundles_of_a_sliced_batch():
    whole = batch(row=pa.array([1, 2, 3], pa.int32()), codes=packed([0, 0], [1, 2, 1], [], kind="<i4"))
    assert found(count_bundles(3, [whole.slice(1)])) == [(2, 1, 2), (2, 2, 1)]


@pytest.mark.parametrize("kind", [pa.int32(), pa.string()])
def test_what_owners_have_is_counted_for_their_rows(kind):
    """Owner 1 stands in two places, 2 belongs to the same row, 9 to none, and nobody has anything of 4."""
    name = pa.array([1, 2, 3, 4]).cast(kind)
    owners = batch(owner=name, row=pa.array([0, 0, 5, 6], pa.int32()))
    bundles = batch(owner=pa.array([1, 2, 1, 9, 3]).cast(kind), codes=packed([0, 1, 0], [0], [0], [2], [1], kind="<i4"))
    sides = [Deal(2).packed(bundles, 1), Deal(2).packed(owners, 0)]
    assert sorted(found(count_owned(3, kind, sides))) == [(0, 0, 4), (0, 1, 1), (5, 1, 1)]
    assert found(count_owned(3, kind, sides[:1])) == found(count_owned(3, kind, sides[1:])) == []


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 4), st.sampled_from("abc")), max_size=12), max_size=5),
    st.integers(1, 6),
)
def test_counts_are_those_of_plain_python_however_they_are_gathered(batches, gathered):
    rows = sent(Rows.of_parts([np.arange(5)]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coding, "_GATHERED", gathered)
        direct, bundled = Counter(), Counter()
        for row, code, n in found(count_things(rows, THINGS, map(pairs, batches))):
            direct[row, "abc"[code]] += n
        for row, code, n in found(count_bundles(3, bundle_codes(THINGS, map(pairs, batches)))):
            bundled[row, "abc"[code]] += n
    assert direct == bundled == Counter(line for lines in batches for line in lines)


def decoded(block):
    """Return what a block of entries says, a line a row: row, size, columns, values."""
    rows, sizes, columns, values = (
        np.frombuffer(array, kind).tolist() for array, kind in zip(block, entries.TYPES.values(), strict=True)
    )
    ends = np.cumsum(sizes).tolist()
    return [
        (row, size, columns[end - size : end], values[end - size : end])
        for row, size, end in zip(rows, sizes, ends, strict=True)
    ]


def counts_of(*lines, kind=0):
    rows, codes, n = zip(*lines, strict=True)
    counts = [pa.array(rows, pa.int32()), pa.array(codes, pa.int32()), pa.array(n, pa.int64())]
    return Deal(2).packed(pa.RecordBatch.from_arrays(counts, schema=COUNTED), kind)


def test_entries_of_rows(monkeypatch):
    # Thing 0 is for columns 1 (a share) and 3, thing 1 for column 1 too, thing 2 for none.
    columns = csr_matrix(np.array([[0, 1, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]]))
    kinds, starts = np.zeros(4, int), np.array([0, 3])
    membership = sent(Membership(columns, np.array([True, True, False, False]), kinds, starts, np.array([False])))
    counts = counts_of((9, 0, 1), (2, 2, 5), (9, 1, 3), (9, 2, 4), (9, 0, 2), (4, 0, 1))
    expected = [(2, 0, [], []), (4, 2, [1, 3], [1.0, 1.0]), (9, 2, [1, 3], [float(np.float32(6 / 10)), 1.0])]
    assert [decoded(block) for block in found(row_entries(membership, [counts]))] == [expected]
    for size in (1, 2, 3):
        monkeypatch.setattr(entries, "_BLOCK", size)
        blocks = [decoded(block) for block in found(row_entries(membership, [counts]))]
        assert len(blocks) > 1
        assert [line for block in blocks for line in block] == expected


def test_entries_of_several_counts():
    # Codes 0 and 1 are phones, of which the first line counts, and 2 says that a line has none; 3 and 4 are apps.
    columns = csr_matrix(np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))
    kinds, starts, is_first = np.array([0, 0, 1, 1]), np.array([0, 3, 5]), np.array([True, False])
    membership = sent(Membership(columns, np.array([False, False, True, True]), kinds, starts, is_first))
    phones, apps = (
        [(5, 1, 70), (6, 2, 8), (5, 0, 60), (6, 0, 9), (8, 1, 2)],
        [(5, 0, 1), (5, 1, 2), (5, 0, 1), (7, 0, 1)],
    )
    batches = [counts_of(*phones[:2]), counts_of(*apps, kind=1), counts_of(*phones[2:])]
    assert [decoded(block) for block in found(row_entries(membership, batches))] == [
        [(5, 3, [0, 2, 3], [1.0, 0.5, 0.5]), (6, 0, [], []), (7, 1, [2], [1.0]), (8, 1, [1], [1.0])]
    ]


def test_entries_of_an_empty_partition():
    nothing = Membership(csr_matrix((1, 1)), np.array([True]), np.array([0]), np.array([0, 1]), np.array([False]))
    assert found(row_entries(sent(nothing), [])) == []
