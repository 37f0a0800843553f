"""Neighbours of one owner as one line, and what tasks say."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql.pandas.types import to_arrow_schema

from sparksweep.errors import DataError, SparksweepError
from sparksweep.ingest import Column, TableSchema, bundles
from sparksweep.ingest.bundles import bundled, flat_rows
from sparksweep.ingest.tasks import Outcome, outcome_of

COLUMNS = (Column("event_id", "int32"), Column("app_id", "int64"), Column("name", "string"))
USES = TableSchema("uses", COLUMNS, key=("event_id", "app_id"))


def batch(rows):
    owners, apps, names = zip(*rows, strict=True)
    lines = np.arange(5, 5 + len(rows))
    return pa.RecordBatch.from_arrays(
        [pa.array(owners, pa.int32()), pa.array(apps, pa.int64()), pa.array(names, pa.string()), pa.array(lines)],
        schema=USES.arrow_schema(),
    )


def test_neighbours_are_one_line():
    rows = [(3, 1, "a"), (3, -2, ""), (1, 1, "b"), (3, 9, "c")]
    found = bundled(batch(rows), USES)
    assert found.to_pydict() == {
        "event_id": [3, 1, 3],
        "app_id": [np.array(apps, "<i8").tobytes() for apps in ([1, -2], [1], [9])],
        "name": [["a", ""], ["b"], ["c"]],
        "line": [5, 7, 8],
    }
    assert [each.type for each in found.columns[1:3]] == [pa.binary(), pa.list_(pa.string())]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(-(2**63), 2**63 - 1), st.sampled_from(["", "x"])), min_size=1),
    st.data(),
)
def test_every_row_comes_back_with_its_line(rows, data):
    whole = bundled(batch(rows), USES)
    cut = data.draw(st.integers(0, whole.num_rows))
    found = pa.Table.from_batches(flat_rows(USES, [whole.slice(cut), whole.slice(0, cut)])).sort_by("line")
    assert found.schema == USES.arrow_schema()
    assert list(zip(*found.to_pydict().values(), strict=True)) == [(*row, 5 + n) for n, row in enumerate(rows)]


def test_rows_are_made_some_at_a_time(monkeypatch):
    monkeypatch.setattr(bundles, "_FLAT_ROWS", 4)
    rows = [(owner, n, "") for owner, size in enumerate([3, 3, 1, 9, 1, 1]) for n in range(size)]
    found = list(flat_rows(USES, [bundled(batch(rows), USES)]))
    assert [each.num_rows for each in found] == [3, 4, 11]
    assert [row["line"] for each in found for row in each.to_pylist()] == list(range(5, 5 + len(rows)))


def test_many_rows_of_one_owner_are_several_bundles(monkeypatch):
    monkeypatch.setattr(bundles, "_MOST_ROWS", 2)
    found = bundled(batch([(3, n, "") for n in range(5)] + [(4, 9, "")]), USES)
    assert found.to_pydict()["event_id"] == [3, 3, 3, 4]
    assert found.to_pydict()["line"] == [5, 7, 9, 10]


def test_numbers_that_may_be_missing_are_a_list():
    columns = (COLUMNS[0], Column("app_id", "int64", nullable=True), Column("n", "int8"), Column("x", "float64"))
    uses = TableSchema("uses", columns, key=("event_id", "app_id"))
    values = [pa.array([4, 4], pa.int32()), pa.array([None, 7]), pa.array([-1, 2], pa.int8()), pa.array([0.5, -0.0])]
    rows = pa.RecordBatch.from_arrays([*values, pa.array([1, 2])], schema=uses.arrow_schema())
    kept = bundled(rows, uses)
    assert kept.to_pydict()["app_id"] == [[None, 7]]
    assert kept.to_pydict()["n"] == [b"\xff\x02"]
    assert pa.Table.from_batches(flat_rows(uses, [kept])).to_batches()[0].equals(rows)


def test_times_are_a_list_of_microseconds():
    """Spark 3.3 takes no list of times from Python."""
    uses = TableSchema("uses", (*COLUMNS[:2], Column("at", "timestamp")), key=("event_id", "app_id"))
    times = pa.array([-62_135_596_800_000_000, 5], uses.arrow_schema().field("at").type)
    values = [pa.array([4, 4], pa.int32()), pa.array([6, 7]), times, pa.array([1, 2])]
    rows = pa.RecordBatch.from_arrays(values, schema=uses.arrow_schema())
    kept = bundled(rows, uses)
    assert kept.to_pydict()["at"] == [[-62_135_596_800_000_000, 5]]
    assert kept.schema.field("at").type == to_arrow_schema(uses.stored_schema()).field("at").type
    assert next(flat_rows(uses, [kept])).equals(rows)


@pytest.mark.parametrize(
    ("key", "options", "owner"),
    [
        (("event_id", "app_id"), {}, "event_id"),
        (("event_id",), {}, None),
        ((), {}, None),
        (("name", "app_id"), {}, None),
        (("event_id", "app_id"), {"drop_duplicates": True}, None),
    ],
)
def test_whose_rows_are_bundled(key, options, owner):
    assert TableSchema("uses", COLUMNS, key=key, **options).owner == owner


def test_columns_without_a_dictionary():
    columns = (*COLUMNS, Column("at", "timestamp"), Column("x", "float64"), Column("n", "int8"))
    assert TableSchema("uses", columns).plain_columns == ["app_id", "at", "line", "x"]
    assert TableSchema("uses", columns, key=("event_id",)).plain_columns == ["app_id", "at", "event_id", "line", "x"]
    owned = TableSchema("uses", columns, key=("event_id", "app_id"))
    assert owned.plain_columns == ["app_id", "at", "event_id", "line", "n", "x"]


def test_rows_without_an_owner_cannot_be_bundled():
    columns = (Column("event_id", "int32", nullable=True), *COLUMNS[1:])
    assert TableSchema("uses", columns, key=("event_id", "app_id")).owner is None


def test_what_was_said_of_a_table():
    first, again, other = Outcome("a", 3), Outcome("a", 3), Outcome("b", problem=DataError("bad"))
    assert outcome_of("a", [first, other, again]) is again
    assert outcome_of("b", [first, other]) is other


def test_a_problem_that_was_seen_once_stays_one():
    problem = Outcome("a", 2, problem=DataError("bad"))
    assert outcome_of("a", [problem, Outcome("a", 3)]) is problem


def test_an_outcome_that_spark_has_lost():
    with pytest.raises(SparksweepError, match="b: Spark did not say what became of it; run it again"):
        outcome_of("b", [Outcome("a", 3)])
