from __future__ import annotations

import itertools
from functools import reduce

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparksweep.ingest import key_runs as module
from sparksweep.ingest.key_runs import KeyRun


def proved(batches, names):
    """Tell what runs of keys prove, which must not depend on which neighbours are put together first."""
    runs = []
    for rows in batches:
        columns = [pa.array(column) for column in zip(*rows, strict=True)]
        runs.append(KeyRun.of(pa.RecordBatch.from_arrays(columns, names=list(names)), names))
    from_left = reduce(KeyRun.followed_by, runs)
    from_right = reduce(lambda later, earlier: earlier.followed_by(later), reversed(runs))
    assert from_left.proved is from_right.proved
    return from_left.proved


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        ([[1, 2], [3, 9]], True),
        ([[1, 2], [2, 3]], False),  # repeated over the border of two batches
        ([[1, 1], [2]], False),
        ([[1, 2], [9, 9]], False),
        ([[3, 2], [1]], False),  # unique, but not in order: nothing proved
        ([[3], [2]], False),
    ],
)
def test_key_of_one_column(batches, expected):
    assert proved([[(value,) for value in batch] for batch in batches], ("id",)) is expected


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        ([[(1, 5), (1, 4)], [(2, 5)]], True),
        ([[(1, 5), (1, 4)], [(1, 3), (2, 5)]], True),  # one value over the border
        ([[(1, 5), (1, 4)], [(1, 5), (2, 5)]], False),  # repeated over the border
        ([[(1, 5)], [(1, 4)], [(1, 5)]], False),  # over two borders
        ([[(1, 5)], [(1, 4)], [(1, 3)]], True),
        ([[(0, 5), (1, 5)], [(1, 4)], [(1, 5), (2, 5)]], False),  # over two borders, between other keys
        ([[(1, 5), (1, 5)], [(2, 5)]], False),
        ([[(1, 5), (2, 5), (2, 5)]], False),
        ([[(2, 5), (1, 5)]], False),  # falls
    ],
)
def test_key_of_two_columns(batches, expected):
    assert proved(batches, ("event_id", "app_id")) is expected


def test_no_key_proves_nothing():
    assert not KeyRun.of(pa.RecordBatch.from_pydict({"id": [1, 2]}), ()).proved


@pytest.mark.parametrize("values", [["a", "b"], [1, None], [1.0, 2.0]])
def test_text_nulls_and_floats_prove_nothing(values):
    assert not proved([[(value,) for value in values]], ("id",))


def test_extreme_values():
    low, high = -(2**63), 2**63 - 1
    assert proved([[(low,), (0,)], [(high,)]], ("id",))
    assert proved([[(low, high), (low, low)], [(high, high), (high, low)]], ("a", "b"))


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30),
    st.lists(st.integers(1, 29), max_size=4),
)
def test_never_proves_what_is_false_and_always_what_is_sorted(rows, cuts):
    rows = sorted(rows)
    borders = [0, *sorted({cut for cut in cuts if cut < len(rows)}), len(rows)]
    batches = [rows[start:stop] for start, stop in itertools.pairwise(borders)]
    assert proved(batches, ("a", "b")) is (len(set(rows)) == len(rows))


def test_too_many_rows_of_one_value_prove_nothing(monkeypatch):
    """Their digests would all travel to the driver."""
    monkeypatch.setattr(module, "_MOST_DIGESTS", 3)
    rows = [(1, app) for app in range(4)]
    assert proved([rows[:3]], ("a", "b"))
    assert not proved([rows], ("a", "b"))
    assert not proved([rows[:2], rows[2:]], ("a", "b"))


def test_equal_digests_leave_the_question_open(monkeypatch):
    monkeypatch.setattr(module, "_SPREAD", np.int64(0))  # now (1, 5) and (2, 5) have one digest
    assert not proved([[(1, 5), (2, 5), (3, 0)]], ("a", "b"))
