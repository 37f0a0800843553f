"""Whole ingests of tiny archives: what comes out, and what is left when one is wrong."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparksweep.errors import ArchiveError, DataError, SparksweepError, StorageError, UsageError
from sparksweep.ingest import (
    Column,
    Reference,
    TableReport,
    TableSchema,
    held_tables,
    ingest_tables,
    progress,
    read_report,
    read_tables,
    source_fingerprint,
    tables,
)
from sparksweep.ingest.writing import write_parquet
from sparksweep.storage import open_store

pytestmark = pytest.mark.spark

EVENTS = TableSchema(
    "events",
    (Column("event_id", "int32"), Column("device_id", "int64"), Column("timestamp", "timestamp")),
    key=("event_id",),
)
PHONE = TableSchema(
    "phone",
    (Column("device_id", "int64"), Column("brand", "string"), Column("age", "int8", nullable=True)),
    key=("device_id",),
    repeated_key="first",
    drop_duplicates=True,
)
PAIRS = TableSchema(
    "pairs",
    (Column("event_id", "int32"), Column("app_id", "int64")),
    key=("event_id", "app_id"),
    repeated_key="warn",
)
OTHERS = TableSchema("others", (Column("event_id", "int32"),), key=("event_id",), apart_from=("events",))

GOOD_EVENTS = "event_id,device_id,timestamp\n1,-9223372036854775808,2016-05-01 00:55:25\n2,7,2016-05-01 23:59:59\n"
GOOD_PHONE = "device_id,brand,age\n1,小米,\n2,b ,5\n"


@pytest.fixture
def ingest(spark, source, store):
    def run(*schemas, **options):
        return ingest_tables(spark, source, schemas, store, **options)

    return run


@pytest.fixture(params=["by the task", "by Spark"])
def looked_at(request, monkeypatch):
    """Who drops equal rows and finds repeated keys: of small tables the task that reads them."""
    if request.param == "by Spark":
        monkeypatch.setattr(held_tables, "MOST_HELD_BYTES", 0)


def rows(frame):
    return sorted((tuple(row) for row in frame.collect()), key=lambda row: row[-1])


def counts_of(report):
    return replace(report, first=None, last=None, spans={}, keys_proved=False)


def workspace_files(store):
    """Return the names under tables/, hidden ones included."""
    folder = Path(store.root) / "tables"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_tables_are_typed_and_numbered(spark, store, add, ingest):
    add("events", GOOD_EVENTS)
    add("phone", GOOD_PHONE)
    ingest(EVENTS, PHONE)
    tables = read_tables(spark, store, [EVENTS, PHONE])
    assert rows(tables["events"]) == [
        (1, -9223372036854775808, datetime(2016, 5, 1, 0, 55, 25), 1),
        (2, 7, datetime(2016, 5, 1, 23, 59, 59), 2),
    ]
    assert rows(tables["phone"]) == [(1, "小米", None, 1), (2, "b ", 5, 2)]
    stored = spark.read.parquet(store.uri("tables/events.parquet"))
    assert [(field.name, field.dataType.simpleString()) for field in stored.schema] == [
        ("event_id", "int"),
        ("device_id", "bigint"),
        ("timestamp", "timestamp"),
        ("line", "bigint"),
    ]


VISITS = TableSchema("visits", (Column("id", "int32"), Column("n", "int8"), Column("at", "timestamp")), key=("id", "n"))


def test_times_that_stand_for_none_and_never(spark, store, add, ingest):
    """Before 1900 and after 2262 the ways to store a time differ; those of a bundle are a list."""
    times = ["0001-01-01 00:00:00", "1582-10-09 12:00:00", "1899-12-31 23:59:59", "9999-12-31 23:59:59"]
    add("events", "event_id,device_id,timestamp\n" + "".join(f"{n},1,{time}\n" for n, time in enumerate(times)))
    add("visits", "id,n,at\n" + "".join(f"1,{n},{time}\n" for n, time in enumerate(times)))
    report = ingest(EVENTS, VISITS)
    assert [(table.first, table.last) for table in report.tables] == [(times[0], times[-1])] * 2
    tables = read_tables(spark, store, [EVENTS, VISITS])
    for name, column in (("events", "timestamp"), ("visits", "at")):
        ordered_df = tables[name].orderBy("line").selectExpr(f"CAST({column} AS STRING)")
        assert [row[0] for row in ordered_df.collect()] == times
    by_pyarrow = pq.read_table(store.fetch("tables/events.parquet")).sort_by("line")["timestamp"]
    assert by_pyarrow.type == pa.timestamp("us", "UTC")
    assert [str(time)[:19] for time in by_pyarrow.to_pylist()] == times


@pytest.mark.parametrize("name", ["a[1-3]", "{b,c}", "d*e?", "f\\g", "h#i%20j:k ä"])
def test_workspace_whose_name_looks_like_a_pattern(spark, source, add, tmp_path, name):
    add("events", GOOD_EVENTS)
    store = open_store(str(tmp_path / name))
    ingest_tables(spark, source, [EVENTS], store)
    assert read_tables(spark, store, [EVENTS])["events"].count() == 2


@pytest.mark.usefixtures("looked_at")
def test_report_counts_and_is_kept(source, store, add, ingest):
    add("events", GOOD_EVENTS)
    add("phone", "device_id,brand,age\n1,a,\n1,a,\n2,,3\n1,a,\n2,,3\n3,a,1\n")
    said = []
    report = ingest(EVENTS, PHONE, on_progress=said.append)
    events, phone = report.tables
    assert (events.first, events.last) == ("2016-05-01 00:55:25", "2016-05-01 23:59:59")
    assert (events.spans["event_id"], events.keys_proved) == ((1, 2), True)
    assert counts_of(events) == TableReport("events", 2, 0, 0, 2, 2)
    assert counts_of(phone) == TableReport("phone", 6, 3, 0, 3, 3, empty={"brand": 2, "age": 3})
    assert [line.split(", ")[0] for line in sorted(said)] == ["events: 2 rows read", "phone: 6 rows read"]
    assert report.source == str(source)
    assert report.fingerprint == source_fingerprint(source, [EVENTS, PHONE])
    assert report.warnings == (
        "phone: 3 rows are equal to an earlier one; they are dropped",
        "phone: 2 rows have an empty brand",
        "phone: 3 rows have an empty age",
    )
    assert read_report(store) == report
    assert workspace_files(store) == ["events.parquet", "ingest.json", "phone.parquet", "value_counts.parquet"]


def test_how_far_it_is_while_archives_are_read(add, ingest, monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL", 0.02)
    add("events", GOOD_EVENTS + "".join(f"{n},{n * 7919 % 10007},2016-05-01 00:00:00\n" for n in range(3, 100_000)))
    said = []
    ingest(EVENTS, on_progress=said.append)
    form = r"(\d+\.\d) of (\d+\.\d) MB read at \d+\.\d MB/s(, about \d+ s to go)?: events \1 of \2 MB"
    found = [re.fullmatch(form, line) for line in said[:-1]]
    assert None not in found
    assert found[-1][1] == found[-1][2] != "0.0", "all is read before all is written"


@pytest.mark.usefixtures("looked_at")
def test_first_of_equal_rows_is_kept(spark, store, add, ingest):
    add("phone", "device_id,brand,age\n2,,3\n1,a,\n1,a,\n2,,3\n1,a,\n3,A,1\n")
    ingest(PHONE)
    assert rows(read_tables(spark, store, [PHONE])["phone"]) == [(2, "", 3, 1), (1, "a", None, 2), (3, "A", 1, 6)]


def test_equal_rows_stay_where_the_schema_does_not_drop_them(spark, store, add, ingest):
    add("pairs", "event_id,app_id\n1,5\n1,5\n2,5\n")
    report = ingest(PAIRS)
    assert report.tables[0].rows == 3
    assert rows(read_tables(spark, store, [PAIRS])["pairs"]) == [(1, 5, 1), (1, 5, 2), (2, 5, 3)]
    assert report.warnings == (
        "pairs: 1 values of (event_id, app_id) on several lines, such as event_id 1, app_id 5 on data lines 1, 2; "
        "all are kept, and listed in pairs.repeated_keys.csv",
    )
    assert report.tables[0].distinct_keys == 2
    assert store.read_bytes("tables/pairs.repeated_keys.csv").decode() == "event_id,app_id,line\n1,5,1\n1,5,2\n"


def test_rows_of_one_owner_are_a_line_of_the_file_and_lines_of_the_table(spark, store, add, ingest):
    add("uses", "event_id,app_id,n\n2,5,\n2,6,1\n1,5,\n2,7,2\n")
    uses = TableSchema(
        "uses",
        (Column("event_id", "int32"), Column("app_id", "int64"), Column("n", "int8", nullable=True)),
        key=("event_id", "app_id"),
    )
    ingest(uses)
    kept = [tuple(row) for row in read_tables(spark, store, [uses]).bundles("uses").orderBy("line").collect()]
    apps = [np.frombuffer(row[1], "<i8").tolist() for row in kept]
    assert apps == [[5, 6], [5], [7]], "numbers as bytes"
    assert [(row[0], *row[2:]) for row in kept] == [(2, [None, 1], 1), (1, [None], 3), (2, [2], 4)]
    table = read_tables(spark, store, [uses])["uses"]
    assert table.schema == uses.spark_schema()
    assert rows(table) == [(2, 5, None, 1), (2, 6, 1, 2), (1, 5, None, 3), (2, 7, 2, 4)]


@pytest.mark.usefixtures("looked_at")
def test_conflicting_rows_are_a_warning_after_equal_ones_are_dropped(store, add, ingest):
    add("phone", "device_id,brand,age\n1,a,7\n1,a,7\n3,x,7\n2,小米,7\n2,c,7\n3,y,7\n3,z,7\n")
    report = ingest(PHONE)
    assert report.warnings == (
        "phone: 1 rows are equal to an earlier one; they are dropped",
        "phone: 2 values of (device_id) on several lines, such as device_id 3 on data lines 3, 6, 7; "
        "features take the first of each, and all are listed in phone.repeated_keys.csv",
    )
    assert (report.tables[0].rows, report.tables[0].distinct_keys) == (6, 3)
    assert store.read_bytes("tables/phone.repeated_keys.csv").decode() == (
        "device_id,brand,age,line\n3,x,7,3\n3,y,7,6\n3,z,7,7\n2,小米,7,4\n2,c,7,5\n"
    )
    add("phone", "device_id,brand,age\n1,a,7\n")
    assert ingest(PHONE).warnings == ()
    assert "phone.repeated_keys.csv" not in workspace_files(store), "it was of the tables before"


def test_repeated_keys_that_are_null_and_ids_beside_nulls_are_listed_as_they_are(store, add, ingest):
    odd = TableSchema(
        "odd",
        (Column("first", "int64", nullable=True), Column("id", "int64", nullable=True)),
        key=("first",),
        repeated_key="warn",
    )
    add("odd", "first,id\n,9223372036854775807\n5,1\n,\n5,2\n6,3\n")
    report = ingest(odd)
    assert report.tables[0].distinct_keys == 3
    assert store.read_bytes("tables/odd.repeated_keys.csv").decode() == (
        "first,id,line\n,9223372036854775807,1\n,,3\n5,1,2\n5,2,4\n"
    )


@pytest.mark.usefixtures("looked_at")
def test_what_is_listed_of_repeated_keys(store, add, ingest):
    columns = (Column("at", "timestamp", nullable=True), Column("x", "float64", nullable=True), Column("n", "int8"))
    places = TableSchema("places", columns, key=("at", "x"), repeated_key="warn", drop_duplicates=True)
    time = "2016-05-01 00:55:25"
    lines = [
        f"{time},1e10,1",
        f"{time},10000000000,1",
        f"{time},-0.0,2",
        ",,3",
        f"{time},1e10,-2",
        ",,4",
        f"{time},0,5",
    ]
    add("places", "at,x,n\n" + "".join(f"{line}\n" for line in lines))
    report = ingest(places)
    assert (report.tables[0].rows, report.tables[0].distinct_keys) == (6, 3)
    assert store.read_bytes("tables/places.repeated_keys.csv").decode() == (
        f"at,x,n,line\n{time},10000000000.0,1,1\n{time},10000000000.0,-2,5\n{time},0.0,2,3\n{time},0.0,5,7\n,,3,4\n,,4,6\n"
    )


LABELS = TableSchema("labels", (Column("label", "int32"), Column("text", "string")), key=("label",))
APPS = TableSchema(
    "apps",
    (Column("app_id", "int64"), Column("label", "int32")),
    drop_duplicates=True,
    references=(Reference("label", ("labels",)),),
)
USES = TableSchema(
    "uses",
    (
        Column("event_id", "int32"),
        Column("app_id", "int64"),
        Column("place", "float64", nullable=True, placeholders=(0.0, 1.0)),
    ),
    key=("event_id", "app_id"),
    references=(Reference("event_id", ("events",)), Reference("app_id", ("apps", "more_apps"))),
)
MORE_APPS = TableSchema("more_apps", (Column("app_id", "int64"),), key=("app_id",))


@pytest.fixture
def related(add):
    """Five tables that refer to each other, without orphans."""
    add("events", GOOD_EVENTS)
    add("labels", "label,text\n5,a\n-3,b\n")
    add("apps", "app_id,label\n70,5\n70,5\n-80,-3\n")
    add("more_apps", "app_id\n90\n60\n")
    add("uses", "event_id,app_id,place\n1,70,2.5\n1,90,0.5\n2,70,-1\n2,-80,3\n")
    return (EVENTS, LABELS, APPS, MORE_APPS, USES)


def test_rows_that_refer_to_something(spark, store, related, ingest):
    report = ingest(*related)
    assert report.warnings == ("apps: 1 rows are equal to an earlier one; they are dropped",)
    assert [table.orphans for table in report.tables] == [{}, {}, {"label": 0}, {}, {"event_id": 0, "app_id": 0}]
    tables = read_tables(spark, store, [USES, APPS])
    known = tables.known_values("uses", "app_id")
    assert sorted(known.to_pylist()) == [-80, 70, 90]
    assert known.type == pa.int64()
    assert [tables.known_values("uses", "event_id"), tables.known_values("apps", "label")] == [None, None]


@pytest.mark.usefixtures("looked_at")
def test_orphans_and_placeholders(add, related, ingest):
    add("apps", "app_id,label\n70,5\n70,6\n70,6\n-80,-3\n")
    add("uses", "event_id,app_id,place\n0,70,0\n1,71,0\n1,90,1\n2,71,\n2,72,-0.0\n")
    report = ingest(*related)
    assert report.warnings == (
        "apps: 1 rows are equal to an earlier one; they are dropped",
        "apps: 2 rows have a label that is not in labels (1 values, such as 6)",
        "uses: 1 rows have an event_id that is not in events (1 values, such as 0)",
        "uses: 3 rows have an app_id that is not in apps or more_apps (2 values, such as 71)",
        "uses: 1 rows have an empty place",
        "uses: 4 rows have 0 or 1 as place, which stands for none",
    )
    assert counts_of(report.tables[-1]) == TableReport(
        "uses", 5, 0, 0, 5, 5, {"event_id": 1, "app_id": 3}, {"place": 1}, {"place": 4}
    )


def test_an_empty_text_that_refers_to_nothing_is_shown(add, ingest):
    shops = TableSchema("shops", (Column("shop", "string"),), key=("shop",))
    sales = TableSchema("sales", (Column("shop", "string"),), references=(Reference("shop", ("shops",)),))
    add("shops", "shop\nnorth\n")
    add("sales", 'shop\nnorth\n""\n')
    warnings = ingest(shops, sales).warnings
    assert "sales: 1 rows have a shop that is not in shops (1 values, such as '')" in warnings


@pytest.mark.usefixtures("looked_at")
def test_rows_that_refer_to_a_gap_between_rows_that_were_dropped(add, ingest):
    """As many rows read as there are numbers from the first to the last is no proof that none is missing."""
    labels = replace(LABELS, drop_duplicates=True)
    uses = TableSchema(
        "uses", (Column("label", "int32"), Column("n", "int8")), key=("label", "n"), references=APPS.references
    )
    add("labels", "label,text\n1,a\n1,a\n3,c\n4,d\n5,e\n")
    add("uses", "label,n\n2,1\n3,1\n")
    assert ingest(labels, uses).tables[1].orphans == {"label": 1}


def test_a_table_is_brought_here_whether_it_is_bundled_or_not(spark, store, add, ingest):
    add("pairs", "event_id,app_id\n1,5\n1,6\n2,5\n")
    add("events", GOOD_EVENTS)
    ingest(PAIRS, EVENTS)
    tables = read_tables(spark, store, [PAIRS, EVENTS])
    assert tables.collect("pairs", ["app_id"]).to_pydict() == {"app_id": [5, 6, 5], "line": [1, 2, 3]}
    assert tables.collect("events", ["event_id"]).to_pydict() == {"event_id": [1, 2], "line": [1, 2]}
    assert list(tables) == ["pairs", "events"]
    assert ("pairs" in tables, "x" in tables) == (True, False)


def test_strict_makes_warnings_errors(store, related, ingest):
    with pytest.raises(DataError) as caught:
        ingest(*related, strict=True)
    assert str(caught.value) == "apps: 1 rows are equal to an earlier one"
    assert workspace_files(store) == []


def test_unsorted_unique_keys_are_fine(add, ingest):
    add("events", "event_id,device_id,timestamp\n2,1,2016-05-01 00:00:00\n1,1,2016-05-01 00:00:00\n")
    assert ingest(EVENTS).warnings == ()


CUSTOMERS = TableSchema("customers", (Column("id", "int64"),), key=("id",))
PRODUCTS = TableSchema("products", (Column("id", "string"),), key=("id",))


def test_keys_of_one_name_that_are_numbers_here_and_text_there(source, add, ingest):
    add("customers", "id\n2\n1\n")
    add("products", "id\n1\nb\n2\n")
    add("events", GOOD_EVENTS)
    report = ingest(CUSTOMERS, PRODUCTS, EVENTS)
    assert ([table.distinct_keys for table in report.tables], report.warnings) == ([2, 3, 2], ())
    add("events", GOOD_EVENTS + "3,8,2016-05-02 00:00:00\n")
    again = ingest(CUSTOMERS, PRODUCTS, EVENTS, known=report)  # where the others are looked at by Spark
    assert ([table.distinct_keys for table in again.tables], again.warnings) == ([2, 3, 3], ())
    add("products", "id\n1\nb\n1\n")
    with pytest.raises(DataError, match=r"products\.csv\.zip: id 1 on data lines 1, 3; id must name one row"):
        ingest(CUSTOMERS, PRODUCTS, EVENTS, known=report)


def test_columns_of_two_kinds_that_should_be_looked_up_in_each_other(add, ingest):
    add("customers", "id\n2\n1\n")
    add("products", "id\n1\nb\n2\n")
    linked = replace(PRODUCTS, references=(Reference("id", ("customers",)),))
    with pytest.raises(UsageError, match=r"products\.id is string and customers\.id bigint; make them one type"):
        ingest(CUSTOMERS, linked)


@pytest.mark.parametrize("ids", [(1, 7, 7, 7, 7, 8), (7, 1, 7, 8, 7, 7)])
def test_repeated_key(store, source, add, ingest, ids):
    add("events", "event_id,device_id,timestamp\n" + "".join(f"{n},1,2016-05-01 00:00:00\n" for n in ids))
    lines = [line for line, n in enumerate(ids, start=1) if n == 7][:3]
    with pytest.raises(DataError) as caught:
        ingest(EVENTS)
    assert str(caught.value) == (
        f"{source}/events.csv.zip: event_id 7 on data lines {', '.join(map(str, lines))}; "
        "event_id must name one row (repeated: 1), mend the file"
    )
    assert workspace_files(store) == []


def test_key_in_two_tables_that_are_apart(store, source, add, ingest):
    add("events", GOOD_EVENTS)
    add("others", "event_id\n9\n2\n1\n")
    with pytest.raises(DataError) as caught:
        ingest(EVENTS, OTHERS)
    assert str(caught.value) == (
        f"{source}/others.csv.zip: event_id 2 on data line 2 is on data line 2 of events.csv too; "
        "it can only be in one of them, mend the files"
    )
    assert workspace_files(store) == []


def test_bad_value_comes_back_from_the_task_as_our_own_error(store, source, add, ingest):
    add("events", GOOD_EVENTS.replace("2,7,", "2,9223372036854775808,"))
    add("phone", GOOD_PHONE)
    with pytest.raises(DataError) as caught:
        ingest(EVENTS, PHONE)
    assert str(caught.value) == (
        f"{source}/events.csv.zip: data line 2, column device_id: '9223372036854775808' does not fit in 64 bits (int64)"
    )
    assert workspace_files(store) == []


def test_empty_table(add, ingest):
    add("events", "event_id,device_id,timestamp\n")
    with pytest.raises(DataError, match=r"events\.csv has a header and no row"):
        ingest(EVENTS)


def test_damaged_archive(store, add, ingest):
    path = add("events", GOOD_EVENTS * 1)
    data = bytearray(path.read_bytes())
    data[50] ^= 255
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match="the zip is damaged or not whole"):
        ingest(EVENTS)
    assert workspace_files(store) == []


def test_archive_rules_hold_before_spark_starts_to_read(source, add, ingest):
    add("events", GOOD_EVENTS)
    with pytest.raises(ArchiveError, match=r"phone\.csv\.zip, pairs\.csv\.zip missing"):
        ingest(EVENTS, PHONE, PAIRS)


def test_new_ingest_replaces_the_old_one(spark, store, add, ingest):
    add("events", GOOD_EVENTS)
    ingest(EVENTS)
    add("events", GOOD_EVENTS + "3,8,2016-05-02 00:00:00\n")
    assert ingest(EVENTS).tables[0].rows == 3
    assert read_tables(spark, store, [EVENTS])["events"].count() == 3


def test_failed_ingest_leaves_the_old_tables(spark, store, add, ingest):
    add("events", GOOD_EVENTS)
    before = ingest(EVENTS)
    add("events", GOOD_EVENTS + "x\n")
    with pytest.raises(DataError):
        ingest(EVENTS)
    assert read_report(store) == before
    assert read_tables(spark, store, [EVENTS])["events"].count() == 2
    assert workspace_files(store) == ["events.parquet", "ingest.json", "value_counts.parquet"]


def test_report_is_written_last_and_removed_first(store, add, ingest, monkeypatch):
    add("events", GOOD_EVENTS)
    ingest(EVENTS)

    def refuse(source, target):
        raise StorageError("no")

    monkeypatch.setattr(store, "rename", refuse)
    with pytest.raises(StorageError):
        ingest(EVENTS)
    assert read_report(store) is None


def test_leftovers_of_a_killed_ingest_are_cleared(store, add, ingest):
    store.write_bytes("tables/.drafts/earlier/events.parquet/part-0.parquet", b"half a file")
    add("events", GOOD_EVENTS)
    ingest(EVENTS)
    assert workspace_files(store) == ["events.parquet", "ingest.json", "value_counts.parquet"]
    assert not store.exists("tables/.drafts")


def test_who_was_taken_for_dead_leaves_the_tables_of_another(store, add, ingest, monkeypatch):
    """... who deleted what it had written so far, and whose tables have their names now."""
    add("events", GOOD_EVENTS)
    ingest(EVENTS)
    before = read_report(store)
    add("events", GOOD_EVENTS.replace("1,100", "1,101"))

    def write_and_sleep(*arguments):
        outcomes = write_all(*arguments)
        store.delete("tables/.drafts")
        return outcomes

    write_all = tables._write_all
    monkeypatch.setattr(tables, "_write_all", write_and_sleep)
    with pytest.raises(StorageError, match="another command took this one for dead"):
        ingest(EVENTS)
    assert read_report(store) == before


def test_place_that_cannot_be_written(store, add, ingest):
    add("events", GOOD_EVENTS)
    store.write_bytes("tables", b"a file where the folder should be")
    with pytest.raises(StorageError, match="tables"):
        ingest(EVENTS)


def test_a_table_of_another_schema_is_read_again(add, ingest):
    add("pairs", "event_id,app_id\n1,5\n1,6\n")
    before = ingest(PAIRS)
    assert before.tables[0].keys_proved
    other = replace(PAIRS, key=("event_id",))
    assert ingest(other, known=before).warnings == ingest(other).warnings != ()


def test_fingerprint_follows_the_content(source, add):
    add("events", GOOD_EVENTS)
    first = source_fingerprint(source, [EVENTS])
    assert json.loads(json.dumps(first)) == first
    add("events", GOOD_EVENTS.replace("7", "8"))
    assert source_fingerprint(source, [EVENTS]) != first


def test_tables_not_there_yet(spark, store, add, ingest):
    add("events", GOOD_EVENTS)
    ingest(EVENTS)
    with pytest.raises(DataError, match=r"tables: phone not ingested yet; run sparksweep ingest first"):
        read_tables(spark, store, [EVENTS, PHONE])


def test_failure_in_a_worker_is_one_line(spark, store):
    def fail(batches):
        yield from batches
        raise ZeroDivisionError("by our own fault")

    frame = spark.range(3).mapInArrow(fail, "id long")
    with pytest.raises(SparksweepError) as caught:
        write_parquet(frame, store, "x.parquet")
    assert str(caught.value) == (
        f"{store.root}/x.parquet: Spark could not make it: ZeroDivisionError: by our own fault; see the lines above"
    )


def test_failure_in_the_jvm_is_one_line(spark, store):
    frame = spark.range(3).selectExpr("if(id > 1, raise_error('oh'), 'x') AS x")
    with pytest.raises(SparksweepError) as caught:
        write_parquet(frame, store, "x.parquet")
    # Spark 4 has a class of its own for it, and a number.
    assert re.fullmatch(
        re.escape(f"{store.root}/x.parquet: Spark could not make it: ")
        + r"(java\.lang\.RuntimeException: oh|org\.apache\.spark\.SparkRuntimeException: \[\w+\] oh[^\n]*)"
        + "; see the lines above",
        str(caught.value),
    )


def test_folder_that_spark_cannot_make(spark, store):
    store.write_bytes("file", b"")
    with pytest.raises(StorageError, match=r"file/x\.parquet: cannot be written: .*; see to the disk") as caught:
        write_parquet(spark.range(3), store, "file/x.parquet")
    assert "\n" not in str(caught.value)


def test_only_what_changed_is_read_again(add, related, ingest):
    before = ingest(*related)
    said = []
    assert ingest(*related, known=before, on_progress=said.append) == before
    assert said == []
    add("events", "event_id,device_id,timestamp\n1,7,2016-05-01 00:55:25\n")
    add("more_apps", "app_id\n60\n")
    report = ingest(*related, known=before, on_progress=said.append)
    assert [line.split(", ")[0] for line in sorted(said)] == ["events: 1 rows read", "more_apps: 1 rows read"]
    # What is kept is looked at in the new light: two rows of uses name an event, one an app that is gone.
    assert report.tables[-1].orphans == {"event_id": 2, "app_id": 1}
    assert report == ingest(*related), "as if all had been read"


def test_what_only_the_check_asks_for_is_checked_and_nothing_read(add, related, ingest):
    """Other references, of columns that were counted and of others; then a key that no longer may be repeated."""
    add("apps", "app_id,label\n70,5\n70,5\n70,6\n-80,-3\n")
    add("uses", "event_id,app_id,place\n0,70,0\n1,71,0\n1,90,1\n2,71,\n2,72,-0.0\n")
    *others, uses = related
    fewer, without = replace(uses, references=uses.references[:1]), replace(uses, references=())
    known, said = ingest(*others, without), []
    for asked in (uses, fewer, replace(fewer, repeated_key="error")):
        known = ingest(*others, asked, known=known, on_progress=said.append)
        assert said == []
        assert known == ingest(*others, asked), "as if all had been read"
    columns = (*uses.columns[:2], replace(uses.columns[2], placeholders=()))
    report = ingest(*others, replace(uses, columns=columns), known=known, on_progress=said.append)
    assert report.tables[-1].placeholders == {}
    assert [line.split(", ")[0] for line in said] == ["uses: 5 rows read"], (
        "what stands for none is seen while it is read"
    )


def test_rows_that_do_not_fit_are_left_out_where_some_may_be(spark, store, source, add, ingest):
    add("pairs", "event_id,app_id\n1,5\n1,x\n1,6\n2,\n")
    add("phone", "device_id,brand,age\n1,a,\n1,a,\n2,b,500\n")
    with pytest.raises(DataError, match="data line 2, column app_id: 'x' is not a whole number"):
        ingest(PAIRS)
    with pytest.raises(DataError, match="more than 1 rows do not fit, the first: data line 2"):
        ingest(PAIRS, PHONE, max_rejected=1)
    report = ingest(PAIRS, PHONE, max_rejected=2)
    assert rows(read_tables(spark, store, [PAIRS])["pairs"]) == [(1, 5, 1), (1, 6, 3)]
    assert rows(read_tables(spark, store, [PHONE])["phone"]) == [(1, "a", None, 1)]
    counts = [(each.rows_read, each.rejected, each.duplicates_dropped, each.rows) for each in report.tables]
    assert counts == [(4, 2, 0, 2), (3, 1, 1, 1)]
    assert report.warnings[0] == (
        "pairs: 2 rows do not fit and are left out; the first are listed in pairs.rejected.csv"
    )
    assert store.read_bytes("tables/phone.rejected.csv").decode() == (
        "line,problem\n3,\"data line 3, column age: '500' does not fit in 8 bits (int8)\"\n"
    )
    # Of tables that lack more rows than may be left out now, the archives are read again.
    assert ingest(PAIRS, PHONE, known=report, max_rejected=2) is report
    with pytest.raises(DataError, match="more than 1 rows do not fit"):
        ingest(PAIRS, PHONE, known=report, max_rejected=1)
    add("pairs", "event_id,app_id\n1,5\n")
    again = ingest(PAIRS, PHONE, known=report, max_rejected=2)
    assert [(each.rejected, each.rows) for each in again.tables] == [(0, 1), (1, 1)]
    assert [name for name in store.list("tables") if "rejected" in name] == ["phone.rejected.csv"]
