"""Lines dealt out to partitions: all of one value in one place, and nothing lost on the way."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparksweep.features.packets import KIND, PACKET, PART, Deal, dealt, unpacked

NUMBERS, TEXTS = pa.schema([("id", pa.int64()), ("n", pa.int8())]), pa.schema([("id", pa.string()), ("n", pa.int8())])
VALUES = {NUMBERS: st.integers(-(2**63), 2**63 - 1), TEXTS: st.text(max_size=3)}


def batch(lines, schema):
    return pa.RecordBatch.from_pylist([dict(zip(("id", "n"), line, strict=True)) for line in lines], schema)


def lines_of(table):
    return list(zip(*table.to_pydict().values(), strict=True))


@pytest.mark.parametrize("schema", VALUES, ids=["numbers", "texts"])
@given(st.data(), st.integers(1, 9))
def test_lines_of_one_value_go_to_one_partition_and_none_is_lost(schema, data, n):
    lines = data.draw(st.lists(st.tuples(VALUES[schema], st.integers(0, 5)), max_size=20))
    deal = Deal(n)
    packets = [deal.packed(batch(part, schema), 0) for part in (lines[:7], lines[7:])]
    parts = {}
    for each in packets:
        assert each.schema.names == [PART, KIND, PACKET]
        assert len(set(each[PART].to_pylist())) == each.num_rows <= n
        for part, place in zip(each[PART].to_pylist(), range(each.num_rows), strict=True):
            (table,) = unpacked([each.slice(place, 1)], [schema])
            assert table.num_rows
            for value, _ in lines_of(table):
                assert parts.setdefault(value, part) == part
    (together,) = unpacked(packets, [schema])
    assert Counter(lines_of(together)) == Counter(lines)
    assert set(parts.values()) <= set(deal.parts.tolist())


def test_kinds_are_kept_apart():
    numbers, texts = Deal(2).packed(batch([(7, 1)], NUMBERS), 0), Deal(2).packed(batch([("x", 2)], TEXTS), 1)
    found = unpacked([texts, numbers, numbers], [NUMBERS, TEXTS])
    assert [lines_of(table) for table in found] == [[(7, 1), (7, 1)], [("x", 2)]]
    assert [table.num_rows for table in unpacked([], [NUMBERS, TEXTS])] == [0, 0]


def test_a_task_that_yields_nothing_leaves_no_packet():
    assert list(dealt(iter, Deal(3), 0, [batch([], NUMBERS)])) == []


def test_partitions_get_about_as_much_each():
    """Also of numbers that are alike, such as those of every eighth thing."""
    for numbers in (np.arange(80_000), np.arange(80_000) * 8, np.arange(80_000) << 32):
        packets = Deal(8).packed(
            pa.RecordBatch.from_arrays([pa.array(numbers), pa.array(numbers)], names=["id", "n"]), 0
        )
        sizes = [len(packet) for packet in packets[PACKET].to_pylist()]
        assert len(sizes) == 8
        assert max(sizes) < 1.2 * min(sizes)


@pytest.mark.parametrize("n", [1, 2, 8, 32, 200])
def test_each_partition_has_a_number(n):
    parts = Deal(n).parts
    assert len(set(parts.tolist())) == n
