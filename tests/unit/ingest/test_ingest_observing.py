"""What the values of rows show, with literal ones and against plain Python."""

from __future__ import annotations

import pickle
from collections import Counter
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparksweep.ingest import Column, Placeholders, Reference, TableSchema, observing
from sparksweep.ingest.observing import Observed

USES = TableSchema(
    "uses",
    (
        Column("event_id", "int32"),
        Column("app_id", "int64"),
        Column("text", "string"),
        Column("place", "float64", nullable=True, placeholders=(0.0, 1.0)),
        Column("time", "timestamp", nullable=True),
    ),
    key=("event_id", "app_id"),
    references=(Reference("event_id", ("events",)), Reference("app_id", ("apps",)), Reference("text", ("texts",))),
)


def batch(*rows):
    columns = list(zip(*rows, strict=True))
    schema = USES.arrow_schema()
    arrays = [pa.array(values, field.type) for values, field in zip([*columns, range(len(rows))], schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def counts(observed, column):
    table = observed.counts[column]
    return dict(zip(table["value"].to_pylist(), table["rows"].to_pylist(), strict=True))


COUNTED = ("app_id", "text")
ROWS = [(4, 7, "", 0.0, None), (4, -8, "a", None, 5_000_000), (6, 7, "a", 1.0, 2_000_000), (5, 7, "", -0.0, None)]


def test_one_batch():
    seen = Observed.of(batch(*ROWS), USES, COUNTED)
    assert seen.empty == {"text": 2, "place": 1, "time": 2}
    assert seen.placeholders == {"place": 3}
    assert seen.spans == {"event_id": (4, 6), "time": (2_000_000, 5_000_000)}
    assert list(seen.counts) == ["app_id", "text"]
    assert counts(seen, "app_id") == {7: 3, -8: 1}
    assert counts(seen, "text") == {"": 2, "a": 2}


@pytest.mark.parametrize(
    ("kind", "values", "placeholders", "n"),
    [
        ("int64", [2**53 + 1, -1, None, 2**53, -1], (-1, 2**53), 3),
        ("int8", [7, -1], (-1,), 1),
        ("string", ["-1", "", "none", None], ("-1", "none"), 2),
        ("timestamp", [datetime(1, 1, 1), datetime(2016, 5, 1), None], ("0001-01-01 00:00:00",), 1),
        ("float64", [104.0, 0.1, None], (104, 0.1), 2),
    ],
)
def test_placeholders_of_each_type(kind, values, placeholders, n):
    schema = TableSchema("t", (Column("x", kind, True, placeholders),))
    rows = pa.RecordBatch.from_pydict({"x": values, "line": range(len(values))}, schema.arrow_schema())
    assert Observed.of(rows, schema, ()).placeholders == {"x": n}


def test_placeholders_of_two_columns():
    pairs = Placeholders(("x", "y"), ((0.0, 0.0), (104.0, 30.0)))
    schema = TableSchema(
        "t", (Column("x", "float64", nullable=True), Column("y", "float64", placeholders=(7.5,))), placeholders=(pairs,)
    )
    rows = {"x": [0.0, 104.0, 104.0, 0.0, None, -0.0], "y": [0.0, 30.0, 0.0, 30.0, 0.0, 0.0], "line": range(6)}
    seen = Observed.of(pa.RecordBatch.from_pydict(rows, schema.arrow_schema()), schema, ())
    assert seen.placeholders == {"y": 0, "(x, y)": 3}
    assert [str(each) for each in schema.all_placeholders] == ["7.5", "(0, 0) or (104, 30)"]


def test_no_value_at_all():
    seen = Observed.of(batch((1, 1, "a", None, None)), USES, COUNTED)
    assert (seen.empty["place"], seen.placeholders["place"], seen.spans) == (1, 0, {"event_id": (1, 1)})


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(ROWS), min_size=1, max_size=12), st.lists(st.integers(1, 11), max_size=3))
def test_parts_together_show_what_the_whole_shows(rows, cuts):
    edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    parts = [Observed.of(batch(*rows[i:j]), USES, COUNTED) for i, j in pairwise(edges)]
    together, whole = Observed.together(parts), Observed.of(batch(*rows), USES, COUNTED)
    assert (together.empty, together.placeholders, together.spans) == (whole.empty, whole.placeholders, whole.spans)
    assert counts(together, "app_id") == counts(whole, "app_id") == Counter(row[1] for row in rows)


@pytest.mark.slow
@pytest.mark.versions
@pytest.mark.parametrize("n_parts", [1, 3])
def test_what_is_sent_is_as_large_as_what_is_counted(n_parts):
    """A table in slices would be sent once for each slice, and a slice with all that it is cut from."""
    numbers = pa.array(np.arange(200_000), pa.int64())
    schema = TableSchema("t", (Column("id", "int64"),), key=("id",))
    batch = pa.RecordBatch.from_arrays([numbers, numbers], schema=schema.arrow_schema())
    size = batch.num_rows // n_parts
    parts = [Observed.of(batch.slice(start, size), schema, ["id"]) for start in range(0, n_parts * size, size)]
    together = Observed.together(parts)
    assert together.counts["id"].num_rows == n_parts * size
    assert len(pickle.dumps(together)) < 1.1 * together.counts["id"].nbytes


def test_of_too_many_values_nothing_is_kept(monkeypatch):
    two, one = Observed.of(batch(*ROWS), USES, COUNTED), Observed.of(batch((9, 9, "a", None, None)), USES, COUNTED)
    assert counts(two, "app_id") == {7: 3, -8: 1}
    assert counts(Observed.together([two, one]), "app_id") == {7: 3, -8: 1, 9: 1}
    monkeypatch.setattr(observing, "MOST_HELD", 2)
    assert counts(Observed.together([two, two]), "app_id") == {7: 6, -8: 2}
    assert Observed.together([two, one]).counts["app_id"] is None
    assert Observed.of(batch(*ROWS, (9, 9, "a", None, None)), USES, COUNTED).counts["app_id"] is None
    monkeypatch.setattr(observing, "MOST_HELD", 3)
    assert Observed.together([replace(two, counts={"app_id": None}), one]).counts["app_id"] is None, "once unknown"


def test_of_too_long_values_nothing_is_kept(monkeypatch):
    schema = TableSchema("texts", (Column("text", "string"),))
    texts = pa.RecordBatch.from_pydict({"text": ["a" * 100, "b" * 100]})
    assert counts(Observed.of(texts, schema, ["text"]), "text") == {"a" * 100: 1, "b" * 100: 1}
    monkeypatch.setattr(observing, "MOST_BYTES", 200)
    assert Observed.of(texts, schema, ["text"]).counts["text"] is None


def test_only_what_is_asked_for_is_counted():
    assert Observed.of(batch(*ROWS), USES, []).counts == {}


@pytest.mark.parametrize("name", ["event_id", "place"])
def test_column_of_a_name(name):
    assert USES.column(name).name == name
