"""Matrices of somebody's own logs, a shop's: cell for cell what pandas computes."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sparksweep.errors import DataError, SessionError, SparksweepError, UsageError
from sparksweep.eventlogs import build_log_matrices, check_expressions, parse_log_schema
from sparksweep.ingest import Tables, ingest_tables, read_tables
from sparksweep.matrix import open_matrix

pytestmark = pytest.mark.spark

SCHEMA = Path(__file__).with_name("shop.yaml").read_text(encoding="utf-8")
SETS = ("segment", "hour", "weekday_shop", "product", "aisle", "word")


@pytest.fixture(scope="module")
def shop():
    """Return the shop's tables as pandas has them: some customers without visits, visits without items, orphans."""
    random = np.random.default_rng(3)
    ids = random.permutation(np.arange(-20, 40)) * 10**12
    customers = pd.DataFrame({"customer_id": ids[:40], "segment": random.choice(["", "b ", "ä"], 40)})
    customers["churned"] = random.choice(["no", "yes"], 40)
    prospects = pd.DataFrame({"customer_id": ids[40:55], "segment": random.choice(["b ", "new"], 15)})
    visits = pd.DataFrame({"visit_id": random.permutation(300), "customer_id": random.choice(ids[5:], 300)})
    minutes = pd.to_timedelta(random.integers(0, 10 * 24 * 60, 300), unit="m")
    visits["time"] = (pd.Timestamp("2026-03-27") + minutes).strftime("%Y-%m-%d %H:%M:%S")
    visits["shop"] = random.choice(["north", "south"], 300)
    items = pd.DataFrame({"visit_id": random.integers(0, 310, 900), "product": random.integers(0, 30, 900)})
    products = pd.DataFrame({"product": np.arange(25), "aisle": random.integers(-2, 3, 25)})
    products["text"] = random.choice(["Fresh  milk", "milk", "Brown Bread", ""], 25)
    return {
        "customers": customers,
        "prospects": prospects,
        "visits": visits,
        "items": items,
        "products": pd.concat([products, products[:3]]),
    }


@pytest.fixture(scope="module")
def ingested(spark, shop, tmp_path_factory):
    """Return the schema, the tables and the store they are in."""
    from sparksweep.storage import open_store

    raw = tmp_path_factory.mktemp("shop")
    for name, table in shop.items():
        with zipfile.ZipFile(raw / f"{name}.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))
    store = open_store(str(tmp_path_factory.mktemp("workspace")))
    schema = parse_log_schema(SCHEMA, "shop.yaml")
    report = ingest_tables(spark, raw, schema.table_schemas(), store)
    assert {table.name: sum(table.orphans.values()) > 0 for table in report.tables} == {
        "customers": False,
        "prospects": False,
        "visits": True,
        "items": True,
        "products": False,
    }
    return schema, read_tables(spark, store, schema.table_schemas()), store


def shares(rows, keys, index, columns):
    """Return the share of each row's lines that have a key; a line counts for each of its keys, once."""
    lines = pd.DataFrame({"row": rows, "key": keys})
    total = lines.groupby("row").size()
    exploded = lines.explode("key").dropna()
    counts = exploded.groupby(["row", "key"]).size().unstack(fill_value=0)
    return (counts.div(total, axis=0)).reindex(index=index, columns=columns).fillna(0).to_numpy(np.float32)


def expected(shop):
    """Return each set's columns and cells, by pandas alone; customers first, then prospects."""
    ids = [*shop["customers"]["customer_id"], *shop["prospects"]["customer_id"]]
    segments = pd.concat([shop["customers"], shop["prospects"]]).set_index("customer_id")["segment"].reindex(ids)
    names = sorted(set(segments))
    found = {"segment": (names, (segments.to_numpy()[:, None] == np.array(names)).astype(np.float32))}
    visits = shop["visits"][shop["visits"]["customer_id"].isin(ids)]
    times = pd.to_datetime(visits["time"])
    hours = list(range(24))
    found["hour"] = (list(map(str, hours)), shares(visits["customer_id"], times.dt.hour, ids, hours))
    texts = times.dt.weekday.astype(str) + "_" + visits["shop"]
    found["weekday_shop"] = (sorted(set(texts)), shares(visits["customer_id"], texts, ids, sorted(set(texts))))
    items = shop["items"].merge(visits[["visit_id", "customer_id"]], on="visit_id")
    numbers = sorted(set(items["product"]))
    found["product"] = (list(map(str, numbers)), shares(items["customer_id"], items["product"], ids, numbers))
    products = shop["products"].drop_duplicates("product").set_index("product")
    aisles = items["product"].map(products["aisle"])
    met = sorted(set(aisles.dropna().astype(int)))
    found["aisle"] = ([str(each) for each in met], shares(items["customer_id"], aisles, ids, met))
    split = products["text"].str.lower().str.split().map(lambda words: sorted(set(words)))
    words = items["product"].map(split)
    known = sorted({word for each in words.dropna() for word in each})
    found["word"] = (known, np.sign(shares(items["customer_id"], words, ids, known)))
    return found


@pytest.mark.parametrize("with_values", [True, False])
def test_every_cell_is_what_pandas_computes(spark, ingested, shop, with_values):
    schema, tables, store = ingested
    (items,) = (each for each in schema.table_schemas() if each.name == "items")
    assert items.owner == "visit_id"
    tables = tables if with_values else Tables(tables)
    assert (tables.known_values("items", "product") is not None) is with_values
    build_log_matrices(spark, tables, schema, SETS, "fraction", store, "matrix/x", {"made": "here"})
    train, test = (open_matrix(store.fetch(f"matrix/x/{part}"), verify=True) for part in ("train", "test"))
    assert train.rows.tolist() == shop["customers"]["customer_id"].tolist()
    assert test.rows.tolist() == shop["prospects"]["customer_id"].tolist()
    assert [train.classes[code] for code in train.y] == shop["customers"]["churned"].tolist()
    assert train.manifest.sources == {"made": "here"}
    columns = train.columns().to_pydict()
    wanted = expected(shop)
    assert list(zip(columns["feature_set"], columns["key"], strict=True)) == [
        (name, key) for name in SETS for key in wanted[name][0]
    ]
    cells = np.hstack([wanted[name][1] for name in SETS])
    found = np.vstack([train.X.toarray(), test.X.toarray()])
    assert found.tobytes() == cells.tobytes()


def test_a_line_without_a_value_is_not_counted_and_a_value_without_a_key_is(spark, ingested, shop):
    text = (
        SCHEMA.replace("concat(weekday(time), '_', shop)", "nullif(shop, 'north')")
        .replace("by: product, through: visits}", 'by: "nullif(product, 3)", through: visits}')
        .replace("key: aisle}", 'key: "nullif(aisle, 0)"}')
    )
    schema, (_, tables, store), sets = (
        parse_log_schema(text, "shop.yaml"),
        ingested,
        ["weekday_shop", "product", "aisle"],
    )
    build_log_matrices(spark, tables, schema, sets, "fraction", store, "matrix/n", {})
    train = open_matrix(store.fetch("matrix/n/train"))
    ids = shop["customers"]["customer_id"]
    south = shop["visits"][shop["visits"]["shop"] == "south"]
    items = shop["items"].merge(shop["visits"][["visit_id", "customer_id"]], on="visit_id")
    others = items[items["product"] != 3]
    aisles = items["product"].map(shop["products"].drop_duplicates("product").set_index("product")["aisle"])
    columns = train.columns().to_pandas().groupby("feature_set")["key"].agg(list)
    wanted = [
        shares(south["customer_id"], south["shop"], ids, ["south"]),
        shares(others["customer_id"], others["product"], ids, list(map(int, columns["product"]))),
        shares(items["customer_id"], aisles.where(aisles != 0), ids, list(map(int, columns["aisle"]))),
    ]
    assert train.X.toarray().tobytes() == np.hstack(wanted).tobytes()
    assert (columns["weekday_shop"], "3" in columns["product"], "0" in columns["aisle"]) == (["south"], False, False)


def test_indicators_of_some_sets(spark, ingested, shop):
    schema, tables, store = ingested
    build_log_matrices(spark, tables, schema, ["aisle", "hour"], "indicator", store, "matrix/y", {})
    train = open_matrix(store.fetch("matrix/y/train"))
    wanted = np.hstack([expected(shop)[name][1] for name in ("aisle", "hour")])[:40]
    assert (train.X.toarray() == np.sign(wanted)).all()


def test_what_rows_have_is_looked_up_in_both_of_their_tables(spark, ingested, shop):
    looked_up = "{kind: bag, table: visits, by: customer_id, lookup: {table: customers, key: upper(segment)}}"
    text = SCHEMA.replace("{kind: one_hot, table: customers, by: segment}", looked_up)
    schema, (_, tables, store) = parse_log_schema(text, "shop.yaml"), ingested
    build_log_matrices(spark, tables, schema, ["segment"], "fraction", store, "matrix/l", {})
    prospects = shop["prospects"][shop["prospects"]["customer_id"].isin(shop["visits"]["customer_id"])]
    test = open_matrix(store.fetch("matrix/l/test"))
    columns = test.columns()["key"].to_pylist()
    found = {(test.rows[row], columns[column]) for row, column in zip(*test.X.nonzero(), strict=True)}
    assert found == set(zip(prospects["customer_id"], prospects["segment"].str.upper(), strict=True))


def test_a_number_as_target_and_no_test_rows(spark, ingested, shop):
    text = SCHEMA.replace("churned: string", "churned: float64").replace("  test: prospects\n", "")
    schema, (_, tables, store) = parse_log_schema(text, "shop.yaml"), ingested
    numbers = np.arange(40) / 8
    spent_df = spark.createDataFrame(shop["customers"].assign(churned=numbers, line=np.arange(1, 41)))
    tables = Tables({**tables, "customers": spent_df})
    built = build_log_matrices(spark, tables, schema, ["hour"], "fraction", store, "matrix/z", {})
    assert list(built) == ["train"]
    train = open_matrix(store.fetch("matrix/z/train"))
    assert train.classes is None
    assert train.y.tolist() == numbers.tolist()


def test_what_is_refused(spark, ingested, store):
    schema, tables, _ = ingested
    with pytest.raises(UsageError, match="no feature set 'hours'; known: segment, hour, "):
        build_log_matrices(spark, tables, schema, ["hours"], "fraction", store, "m", {})
    with pytest.raises(UsageError, match="unknown encoding 'x'"):
        build_log_matrices(spark, tables, schema, ["hour"], "x", store, "m", {})
    text = SCHEMA.replace("by: hour(time)", "by: hour(time) / 2")
    with pytest.raises(UsageError, match="cannot count by counted value, which is double: use text or whole numbers"):
        build_log_matrices(spark, tables, parse_log_schema(text, "x"), ["hour"], "fraction", store, "m", {})
    nobody = Tables({**tables, "visits": tables["visits"].where("visit_id < 0")})
    with pytest.raises(DataError, match="feature sets product: no row of the matrix has anything they count"):
        build_log_matrices(spark, nobody, schema, ["product"], "fraction", store, "m", {})
    spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    try:
        with pytest.raises(SessionError, match="hours and days are those of the files only with"):
            build_log_matrices(spark, tables, schema, ["hour"], "fraction", store, "m", {})
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")


def test_an_expression_that_does_not_suit_a_line(spark, ingested, store):
    schema, tables, _ = ingested
    text = SCHEMA.replace("\"concat(weekday(time), '_', shop)\"", "cast(shop as int)").replace(
        "lower(text)", "cast(text as int)"
    )
    schema = parse_log_schema(text.replace(", words: true", ""), "shop.yaml")
    by_text = SCHEMA.replace("concat(weekday(time), '_', shop)", "cast(substring(shop, 12, 2) as int)")
    before = spark.conf.get("spark.sql.ansi.enabled")
    spark.conf.set("spark.sql.ansi.enabled", "true")  # Spark 4's default
    try:
        check_expressions(spark, schema)
        check_expressions(spark, parse_log_schema(by_text, "shop.yaml"))
        assert spark.conf.get("spark.sql.ansi.enabled") == "true"
        for name, what in (("weekday_shop", "feature set weekday_shop"), ("word", "keys of feature sets word")):
            with pytest.raises(SparksweepError) as caught:
                build_log_matrices(spark, tables, schema, [name], "fraction", store, "m", {})
            assert re.fullmatch(
                f"{what}: Spark could not make it: .*NumberFormatException: .*; see the lines above", str(caught.value)
            )
    finally:
        spark.conf.set("spark.sql.ansi.enabled", before)


@pytest.mark.parametrize("by", ["regexp_replace(shop, '(', '')", "date_format(time, 'YYYY')"])
def test_an_expression_that_suits_no_line(spark, by):
    text = SCHEMA.replace("concat(weekday(time), '_', shop)", by)
    with pytest.raises(UsageError) as caught:
        check_expressions(spark, parse_log_schema(text, "shop.yaml"))
    (line,) = str(caught.value).split("\n")
    assert line.startswith(f"feature_sets.weekday_shop.by: {by!r}: ")
    assert "Exception: " in line


@pytest.mark.parametrize(
    ("by", "text"),
    [
        ("hour('now')", "'now'"),
        ("weekday(cast('today UTC' as date))", "'today UTC'"),
        ("month(to_date('Tomorrow'))", "'Tomorrow'"),
        ("if(time > 'yesterday', 1, 0)", "'yesterday'"),
        ("hour(lower('NOW'))", "'lower(NOW)'"),
        ("datediff(time, left('now', 3))", "'left(now, 3)'"),
        ("year(nullif(time, 'now'))", "'now'"),
        ("hour(time) + datediff(time, '2020-01-01') + if(time > '2020', 1, 0)", None),
        ("if(shop = 'now' or length('today') > 3, month(to_date('2020', 'yyyy')), month(to_date(shop)))", None),
    ],
)
def test_the_clock_is_no_part_of_an_expression(spark, by, text):
    schema = parse_log_schema(SCHEMA.replace("hour(time), keys: [0,", f'"{by}", keys: [0,'), "shop.yaml")
    if text is None:
        return check_expressions(spark, schema)
    with pytest.raises(UsageError) as caught:
        check_expressions(spark, schema)
    assert str(caught.value) == (
        f"feature_sets.hour.by: {by!r}: {text} is made a time, and may be that of the clock; write it so that it "
        "begins with a digit"
    )


def test_keys_are_whole_numbers(spark):
    text = SCHEMA.replace("by: hour(time),", "by: \"date_format(time, 'HH')\",").replace(
        "words: true}", "words: true}, keys: [1]"
    )
    with pytest.raises(UsageError) as caught:
        check_expressions(spark, parse_log_schema(text, "shop.yaml"))
    assert str(caught.value).split("\n") == [
        "feature_sets.hour.by: \"date_format(time, 'HH')\" is text, and keys are whole numbers; use "
        "cast(date_format(time, 'HH') as int), or leave keys out",
        "feature_sets.word.lookup.key: 'lower(text)' is text, and keys are whole numbers; use "
        "cast(lower(text) as int), or leave keys out",
    ]


def test_expressions_are_tried_without_a_row(spark):
    check_expressions(spark, parse_log_schema(SCHEMA, "shop.yaml"))
    text = (
        SCHEMA.replace("by: hour(time)", "by: hour(time) / 2")
        .replace("key: aisle}", "key: aisle > 1}")
        .replace("by: segment}", "by: 'length(segment) +'}")
        .replace("concat(weekday(time), '_', shop)", "weekday(time, shop)")
    )
    with pytest.raises(UsageError) as caught:
        check_expressions(spark, parse_log_schema(text, "shop.yaml"))
    segment, hour, weekday, aisle = str(caught.value).split("\n")
    assert segment.startswith("feature_sets.segment.by: 'length(segment) +': ")
    assert hour == "feature_sets.hour.by: 'hour(time) / 2' is double; it must be text or a whole number"
    assert weekday.startswith("feature_sets.weekday_shop.by: 'weekday(time, shop)': ")
    assert aisle == "feature_sets.aisle.lookup.key: 'aisle > 1' is boolean; it must be text or a whole number"
