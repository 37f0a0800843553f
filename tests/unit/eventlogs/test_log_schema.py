"""A schema of event logs: what it becomes, and what is said of a wrong one."""

from __future__ import annotations

import copy
from datetime import date, datetime

import pytest
import yaml

from sparksweep.errors import ConfigError
from sparksweep.eventlogs import parse_log_schema
from sparksweep.ingest import Column, Reference, TableSchema

SHOP = {
    "tables": {
        "customers": {
            "columns": {"customer_id": "int64", "segment": "string", "churned": "string"},
            "key": ["customer_id"],
        },
        "prospects": {"columns": {"customer_id": "int64", "segment": "string"}, "key": ["customer_id"]},
        "visits": {
            "columns": {
                "visit_id": "int32",
                "customer_id": "int64",
                "time": "timestamp",
                "place": {"type": "float64", "nullable": True, "placeholders": [0]},
            },
            "key": ["visit_id"],
            "references": {"customer_id": ["customers", "prospects"]},
        },
        "items": {
            "columns": {"visit_id": "int32", "product": "int32"},
            "references": {"visit_id": ["visits"], "product": ["products"]},
        },
        "products": {"columns": {"product": "int32", "text": "string"}, "drop_duplicates": True},
    },
    "rows": {"train": "customers", "test": "prospects", "key": "customer_id", "target": "churned"},
    "feature_sets": {
        "segment": {"kind": "one_hot", "table": "customers", "by": "segment"},
        "hour": {"kind": "share", "table": "visits", "by": "hour(time)", "keys": list(range(24))},
        "product": {"kind": "share", "table": "items", "by": "product", "through": "visits"},
        "word": {
            "kind": "bag",
            "table": "items",
            "by": "product",
            "through": "visits",
            "lookup": {"table": "products", "key": "lower(text)", "words": True},
        },
    },
}


def parsed(settings):
    return parse_log_schema(yaml.safe_dump(settings, sort_keys=False), "shop.yaml")


def changed(path, value):
    """Return the schema with one key changed; ``...`` removes it."""
    settings = copy.deepcopy(SHOP)
    *folders, last = path.split("/")
    place = settings
    for name in folders:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return settings


def test_tables_as_ingest_knows_them():
    customers, prospects, visits, items, products = parsed(SHOP).table_schemas()
    assert customers == TableSchema(
        "customers",
        (Column("customer_id", "int64"), Column("segment", "string"), Column("churned", "string")),
        key=("customer_id",),
        listed=("segment",),
    )
    assert (prospects.apart_from, prospects.listed) == (("customers",), ("segment",)), "a set of customers counts both"
    assert visits.columns[3] == Column("place", "float64", nullable=True, placeholders=(0.0,))
    assert visits.references == (Reference("customer_id", ("customers", "prospects")),)
    assert (items.key, items.apart_from, products.drop_duplicates) == ((), (), True)
    assert (visits.listed, items.listed) == ((), ("product",)), "what sets count as it is, not by an expression"


@pytest.mark.parametrize(
    ("kind", "given", "taken"),
    [
        ("int64", [-1, 2**53 + 1], (-1, 2**53 + 1)),
        ("float64", [0, 1e3], (0, 1000.0)),
        ("string", ["-1", "", "none"], ("-1", "", "none")),
        ("timestamp", [datetime(1970, 1, 1), "0001-01-01 00:00:00"], ("1970-01-01 00:00:00", "0001-01-01 00:00:00")),
    ],
)
def test_placeholders_are_of_their_columns_type(kind, given, taken):
    schema = parsed(changed("tables/visits/columns/place", {"type": kind, "placeholders": given}))
    assert schema.table_schemas()[2].columns[3] == Column("place", kind, placeholders=taken)


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        ("int8", 300, "300 does not fit in 8 bits (int8)"),
        ("int32", -1.5, "-1.5 is not a whole number (int32)"),
        ("int64", "-1", "'-1' is no number"),
        ("float64", True, "True is no number"),
        ("string", -1, "-1 is no text; put it in quotes"),
        ("timestamp", date(1970, 1, 1), "'1970-01-01' is not a time of the form YYYY-MM-DD hh:mm:ss"),
    ],
)
def test_placeholders_that_their_column_cannot_hold(kind, value, problem):
    with pytest.raises(ConfigError) as caught:
        parsed(changed("tables/visits/columns/place", {"type": kind, "placeholders": [value]}))
    assert caught.value.problems == (f"shop.yaml: tables.visits.columns.place.placeholders: {problem}",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{columns: {no: int32}}", "got False; where a name is yes, no, on or off, put it in quotes"),
        ("{columns: {x: int32}, if(x > 2, 1)}", "unknown key; put an expression with a comma in quotes"),
    ],
)
def test_traps_of_yaml_are_told(text, problem):
    settings = {key: value for key, value in SHOP.items() if key != "tables"}
    with pytest.raises(ConfigError) as caught:
        parse_log_schema(f"{yaml.safe_dump(settings)}tables:\n  traps: {text}\n", "shop.yaml")
    assert any(line.endswith(problem) for line in caught.value.problems), caught.value.problems


def test_another_set_does_not_make_other_tables():
    fewer = parsed(changed("feature_sets/segment", ...)).table_schemas()[0]
    assert (fewer.listed, fewer.digest) == ((), parsed(SHOP).table_schemas()[0].digest)


def test_what_only_the_data_check_looks_at_does_not_make_other_rows():
    visits, items = parsed(SHOP).table_schemas()[2:4]
    for path, value in (
        ("tables/visits/references", {}),
        ("tables/visits/repeated_key", "warn"),
        ("tables/visits/columns/place/placeholders", [0, 1]),
    ):
        settings = changed(path, value)
        settings["feature_sets"] = {"segment": SHOP["feature_sets"]["segment"]}
        other = parsed(settings).table_schemas()[2]
        assert other.digest != visits.digest
        assert other.rows_digest == visits.rows_digest
        assert (other.reading_digest == visits.reading_digest) == ("placeholders" not in path)
    for path, value in (
        ("tables/visits/columns/place/nullable", False),
        ("tables/visits/drop_duplicates", True),
        ("tables/items/key", ["visit_id", "product"]),
    ):
        others = parsed(changed(path, value)).table_schemas()[2:4]
        assert [each.rows_digest for each in others] != [visits.rows_digest, items.rows_digest]


def test_tables_that_sets_are_made_of():
    schema = parsed(SHOP)
    assert schema.tables_of(["segment"]) == ["customers", "prospects"]
    assert schema.tables_of(["hour", "word"]) == ["customers", "items", "products", "prospects", "visits"]


def test_without_test_rows():
    assert parsed(changed("rows/test", ...)).tables_of(["segment"]) == ["customers"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("tables/visits/columns/time", "date", "tables.visits.columns.time: input should be "),
        (
            "tables/customers/columns/segment",
            {"type": "string", "nullable": True},
            "tables.customers.columns.segment: nullable is nothing for string: an empty field is the empty text; count "
            "by nullif(segment, '') where it is none",
        ),
        (
            "tables/visits/columns/time",
            {"type": "timestamp", "placeholders": [0]},
            "tables.visits.columns.time.placeholders: '0' is not a time of the form YYYY-MM-DD hh:mm:ss",
        ),
        ("tables/visits/colums", {}, "tables.visits.colums: unknown key"),
        ("tables/visits/key", ["visit"], "tables.visits.key: no column 'visit'; did you mean 'visit_id'? (known: "),
        ("tables/visits/columns/a b", "int32", "tables.visits.columns: 'a b' is no name (letters, digits and _)"),
        (
            "tables/items/references",
            {"product": ["product"]},
            "tables.items.references.product: no table 'product'; did you mean 'products'? (known: customers, ",
        ),
        (
            "tables/items/references",
            {"product": ["visits"]},
            "tables.items.references.product: table visits: no column 'product' (known: ",
        ),
        ("rows/train", "customer", "rows.train: no table 'customer'; did you mean 'customers'? (known: "),
        ("rows/key", "segment", "rows.key: customers.segment is string; it must be whole numbers"),
        ("rows/target", ..., "rows.target: is missing"),
        ("rows/target", "churn", "rows.target: table customers: no column 'churn'; did you mean 'churned'? (known: "),
        ("tables/customers/key", [], "tables.customers.key: must be [customer_id], repeated_key error: its lines are "),
        ("feature_sets/hour/kind", "one-hot", "feature_sets.hour.kind: input should be 'one_hot', 'share' or 'bag', "),
        ("feature_sets/hour/by", "hours(time)", "feature_sets.hour.by: 'hours(time)': 'hours' is no function that is "),
        ("feature_sets/hour/table", "visit", "feature_sets.hour.table: no table 'visit'; did you mean 'visits'? "),
        (
            "tables/prospects/columns",
            {"customer_id": "int64"},
            "feature_sets.segment.by: prospects has no column segment, and what is of customers is of prospects too; "
            "add it there, or leave the set out",
        ),
        (
            "tables/prospects/columns/segment",
            "int8",
            "feature_sets.segment.by: customers.segment is string and prospects.segment is int8, and what is of "
            "customers is of prospects too; give them one type",
        ),
        (
            "feature_sets/segment/by",
            "concat(segment, churned)",
            "feature_sets.segment.by: prospects has no column churned, ",
        ),
        (
            "feature_sets/segment/table",
            "prospects",
            "feature_sets.segment.table: prospects has the test rows alone; name customers, and both are counted",
        ),
        (
            "feature_sets/word/lookup",
            {"table": "customers", "by": "customer_id", "key": "churned"},
            "feature_sets.word.lookup.key: prospects has no column churned, ",
        ),
        (
            "feature_sets/word/lookup",
            {"table": "prospects", "by": "customer_id", "key": "segment"},
            "feature_sets.word.lookup.table: prospects has the test rows alone; name customers, and both are counted",
        ),
        ("feature_sets/hour/keys", [1, 1], "feature_sets.hour.keys: some are given twice"),
        (
            "feature_sets/product/through",
            ...,
            "feature_sets.product.table: items has no customer_id; name a table that has it as through",
        ),
        ("feature_sets/product/through", "items", "feature_sets.product.through: items has no customer_id"),
        ("feature_sets/product/through", "item", "feature_sets.product.through: no table 'item'"),
        (
            "feature_sets/product/kind",
            "one_hot",
            "feature_sets.product.kind: one_hot is of a table that has customer_id; use bag",
        ),
        (
            "feature_sets/word/lookup/key",
            "words(text)",
            "feature_sets.word.lookup.key: 'words(text)': 'words' is no function that is allowed",
        ),
        ("feature_sets/word/lookup/by", "id", "feature_sets.word.lookup.by: table products: no column 'id' (known: "),
        (
            "feature_sets/word/by",
            "product + 1",
            "feature_sets.word.lookup.by: is missing: 'product + 1' is no column's",
        ),
        ("feature_sets/word/lookup/table", "x", "feature_sets.word.lookup.table: no table 'x' (known: "),
        ("feature_sets", {}, "feature_sets: dictionary should have at least 1 item"),
        ("feature_sets/hour/keys", [True], "feature_sets.hour.keys.0: input should be a valid integer, got True"),
        ("tables/visits/columns/Time", "int32", "tables.visits.columns: 'Time' is taken (case does not count)"),
        ("tables/items/columns/row", "int32", "tables.items.columns: 'row' is taken (case does not count)"),
        ("tables/value_counts", {"columns": {"a": "int8"}}, "tables.value_counts: this name is taken; rename the file"),
        (
            "tables/customers/columns/customer_id",
            {"type": "int64", "nullable": True},
            "rows.key: customers.customer_id is ",
        ),
        (
            "tables/visits/columns/customer_id",
            "float64",
            "feature_sets.hour.table: visits.customer_id is float64 and customers.customer_id is int64; both must be ",
        ),
        (
            "tables/visits/columns/customer_id",
            "string",
            "tables.visits.references.customer_id: visits.customer_id is string and customers.customer_id is int64; ",
        ),
        (
            "tables/items/columns/visit_id",
            "string",
            "feature_sets.product.through: items.visit_id is string and visits.visit_id is int32; both must be ",
        ),
        (
            "tables/products/columns/product",
            "string",
            "feature_sets.word.lookup.by: products.product is string and items.product is int32; both must be ",
        ),
    ],
)
def test_a_wrong_schema_is_told_key_by_key(path, value, line):
    with pytest.raises(ConfigError) as caught:
        parsed(changed(path, value))
    assert any(problem.startswith(f"shop.yaml: {line}") for problem in caught.value.problems), caught.value.problems


def test_all_problems_at_once():
    settings = changed("rows/target", "churn")
    settings["feature_sets"]["hour"]["by"] = "tiem"
    with pytest.raises(ConfigError) as caught:
        parsed(settings)
    assert len(caught.value.problems) == 2


def test_no_mapping():
    with pytest.raises(ConfigError, match=r"shop\.yaml: must be a mapping with tables, rows, feature_sets"):
        parse_log_schema("- a\n", "shop.yaml")
