"""Equal rows and repeated keys of a table that is held, beside what plain Python finds."""

from __future__ import annotations

import math

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from sparksweep.ingest import Column, TableSchema, held_tables
from sparksweep.ingest.held_tables import MOST_HELD_BYTES, hold, is_held
from sparksweep.ingest.repeated_keys import RepeatedKeys
from sparksweep.ingest.repeated_keys import texts as texts_of

NAMES = ("id", "text", "x", "n")
SCHEMA = TableSchema(
    "table",
    (
        Column("id", "int64", nullable=True),
        Column("text", "string"),
        Column("x", "float64", nullable=True),
        Column("n", "int8"),
    ),
    key=("id", "text"),
    drop_duplicates=True,
)
ROWS = st.lists(
    st.tuples(
        st.sampled_from([None, 2**63 - 1, 2**63 - 2, -5]),
        st.sampled_from(["", "a", "小米"]),
        st.sampled_from([None, 0.0, -0.0, 1e300, math.nan, -math.nan]),
        st.integers(0, 1),
    ),
    max_size=12,
)


def batches(rows, step=5):
    lines = [dict(zip((*NAMES, "line"), (*row, 10 * n), strict=True)) for n, row in enumerate(rows, start=1)]
    schema = SCHEMA.arrow_schema()
    return [pa.RecordBatch.from_pylist(lines[start : start + step], schema) for start in range(0, len(lines), step)]


def alike(row):
    """Return a row with one form of zero, and one of what is no number."""
    key, text, x, n = row
    return key, text, x if x is None else math.nan if math.isnan(x) else x + 0.0, n


@given(ROWS)
@example([(None, "a", None, 0), *((key, "", None, n) for key in (5, None) for n in (0, 1))])
def test_what_is_left_and_which_keys_are_repeated(rows):
    table, held = hold(iter(batches(rows)), SCHEMA)
    first = {}
    for n, row in enumerate(rows, start=1):
        first.setdefault(repr(alike(row)), (*alike(row), 10 * n))
    left = list(first.values())
    assert repr([tuple(row.values()) for row in table.to_pylist()]) == repr(left)
    assert held.rows == len(left)

    of_key = {}
    for row in left:
        of_key.setdefault(row[:2], []).append(row)
    repeated = {key: those for key, those in of_key.items() if len(those) > 1}
    if not repeated:
        assert held.repeated is None
        return
    listed = [row for those in repeated.values() for row in those]  # keys in the order of their first lines
    assert (held.repeated.n_keys, held.repeated.n_rows) == (len(repeated), len(listed))
    assert repr([tuple(row.values()) for row in held.repeated.rows.to_pylist()]) == repr(listed)
    said = RepeatedKeys.of(texts_of(held.repeated.rows), SCHEMA.key, held.repeated[:2])
    assert said.lines == tuple(row[-1] for row in listed[: len(next(iter(repeated.values())))][:3])
    shown = said.rows.astype(object).where(said.rows.notna(), None)
    texts = [tuple(shown_as(value) for value in row) for row in listed]
    assert [tuple(row) for row in shown.itertuples(index=False)] == texts


def shown_as(value):
    return None if value is None or value != value else str(value)


def test_columns_of_any_name():
    schema = TableSchema("t", (Column("line_min", "int8"), Column("0", "int8")), key=("0",), drop_duplicates=True)
    lines = pa.RecordBatch.from_pydict(
        {"line_min": [1, 1, 2], "0": [5, 5, 5], "line": [1, 2, 3]}, schema.arrow_schema()
    )
    table, held = hold([lines], schema)
    assert table.to_pydict() == {"line_min": [1, 2], "0": [5, 5], "line": [1, 3]}
    assert (held.repeated.n_keys, held.repeated.rows["line"].to_pylist()) == (1, [1, 3])


def test_of_many_repeated_rows_the_first_are_told(monkeypatch):
    monkeypatch.setattr(held_tables, "MOST_LISTED", 3)
    rows = [(2, "a", None, 0), (1, "a", None, 0), (1, "a", None, 1), (2, "a", 0.5, 0), (2, "a", 0.5, 1)]
    _, held = hold(batches(rows), SCHEMA)
    assert held.repeated[:2] == (2, 5)
    assert held.repeated.rows["line"].to_pylist() == [10, 40, 50]
    assert held.repeated.rows.nbytes < 300


def test_a_table_without_a_key():
    table, held = hold(batches([(1, "a", None, 0)] * 3), TableSchema("t", SCHEMA.columns, drop_duplicates=True))
    assert (table.num_rows, held) == (1, (1, None))


def test_which_tables_are_held():
    assert is_held(SCHEMA, MOST_HELD_BYTES)
    assert not is_held(SCHEMA, MOST_HELD_BYTES + 1)
    assert not is_held(TableSchema("t", SCHEMA.columns, key=("n",)), 1)
