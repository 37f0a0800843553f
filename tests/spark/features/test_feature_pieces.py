"""Each rule of the pieces on frames of a few rows."""

from __future__ import annotations

import numpy as np
import pytest

from sparksweep.errors import UsageError
from sparksweep.features import bag, counted, one_hot, share, words

pytestmark = pytest.mark.spark


@pytest.fixture
def things(spark):
    """Row 0 has two of app 7 and one of app -3, row 2 has one of app 10; nulls are no apps."""
    return spark.createDataFrame([(0, 7), (0, -3), (0, 7), (2, 10), (2, None), (1, None)], "row int, app bigint")


def test_one_hot_has_a_column_a_key_byte_for_byte(spark, built, rows):
    phones = spark.createDataFrame([(0, "b "), (1, "b"), (2, None)], "row int, model string")
    with counted(phones, "row", "model", rows) as counts:
        names, parts = built([one_hot("model", counts)])
    assert names == ["model:b", "model:b "]
    assert parts["train"] == [{"model:b ": 1.0}, {"model:b": 1.0}, {}]


def test_texts_are_sorted_by_code_point(spark, built, rows):
    # UTF-16, Java's own order, would put the last one before the fullwidth sign.
    texts = ["", "10", "9", "Z", "a", "é", "小米", "\uff5e", "😀"]
    phones = spark.createDataFrame(list(enumerate(reversed(texts))), "row int, model string")
    with counted(phones, "row", "model", rows) as counts:
        names, _ = built([one_hot("m", counts)], sizes={"train": len(texts)})
    assert names == [f"m:{text}" for text in texts]


def test_share_is_the_part_of_the_total(things, built, rows):
    with counted(things, "row", "app", rows) as counts:
        names, parts = built([share("app", counts, "app")])
    assert names == ["app:-3", "app:7", "app:10"]  # by value, not as texts
    third, two_thirds = float(np.float32(1 / 3)), float(np.float32(2 / 3))
    assert parts["train"] == [{"app:7": two_thirds, "app:-3": third}, {}, {"app:10": 1.0}]


def test_share_is_divided_in_float64_and_kept_as_float32(spark, built, rows):
    many = spark.createDataFrame([(0, app) for app in [1] * 41 + [2] * 6], "row int, app bigint")
    with counted(many, "row", "app", rows) as counts:
        _, parts = built([share("app", counts, "app")])
    assert parts["train"][0] == {"app:1": float(np.float32(41 / 47)), "app:2": float(np.float32(6 / 47))}


def test_thing_counts_for_each_of_its_distinct_keys(spark, things, built, rows):
    labels = spark.createDataFrame(
        [(7, "x"), (7, "y"), (7, "x"), (10, "x"), (10, None), (99, "never met")], "app bigint, label string"
    )
    with counted(things, "row", "app", rows) as counts:
        names, parts = built([share("label", counts, "label", through=labels)])
    assert names == ["label:x", "label:y"]
    two_thirds = float(np.float32(2 / 3))  # app -3 has no label: it is in the total only
    assert parts["train"] == [{"label:x": two_thirds, "label:y": two_thirds}, {}, {"label:x": 1.0}]


def test_keys_of_what_nobody_has_stay_away_from_the_driver(spark, things, built, rows, monkeypatch):
    labels = spark.range(2000).selectExpr("id AS app", "concat('l', id % 5) AS label")
    codes = spark.range(2000).selectExpr("CAST(id AS INT) AS app", "id % 3 AS code")
    brought, to_pandas = [], type(labels).toPandas
    monkeypatch.setattr(type(labels), "toPandas", lambda frame: brought.append(to_pandas(frame)) or brought[-1])
    with counted(things, "row", "app", rows) as counts, counted(things.limit(3), "row", "app", rows) as fewer:
        sets = [bag("label", counts, "label", through=labels), bag("code", counts, "code", through=codes)]
        names, parts = built([*sets, bag("fewer", fewer, "label", through=labels)])
    assert names == ["label:l0", "label:l2", "code:1", "fewer:l2"]
    assert [sorted(each) for each in parts["train"]] == [["code:1", "fewer:l2", "label:l2"], [], ["code:1", "label:l0"]]
    assert max(len(each) for each in brought) == 5, "a line a set and a thing that is there"


def test_bag_is_one_for_each_key_met(spark, things, built, rows):
    labels = spark.createDataFrame([(7, "x"), (7, "y"), (-3, "x")], "app bigint, label string")
    with counted(things, "row", "app", rows) as counts:
        _, parts = built([bag("label", counts, "label", through=labels)])
    assert parts["train"] == [{"label:x": 1.0, "label:y": 1.0}, {}, {}]


def test_indicator_turns_shares_into_ones(things, built, rows):
    with counted(things, "row", "app", rows) as counts:
        _, parts = built([share("app", counts, "app")], "indicator")
    assert parts["train"] == [{"app:7": 1.0, "app:-3": 1.0}, {}, {"app:10": 1.0}]


def test_fixed_keys_are_there_whether_met_or_not(things, built, rows):
    keys = {10: "ten", 7: "seven", 5: "five"}
    with counted(things, "row", "app", rows) as counts:
        names, parts = built([share("app", counts, "app", keys=keys)])
    assert names == ["app:ten", "app:seven", "app:five"]
    assert parts["train"] == [{"app:seven": float(np.float32(2 / 3))}, {}, {"app:ten": 1.0}]


def test_words_are_what_stands_between_spaces(spark):
    texts = spark.createDataFrame([(1, "a  b a"), (2, ""), (3, " c "), (1, "b")], "app bigint, text string")
    assert sorted(map(tuple, words(texts, "text").collect())) == [(1, "a"), (1, "b"), (3, "c")]


def test_sets_are_stacked_in_the_order_given(spark, things, built, rows):
    phones = spark.createDataFrame([(0, "p"), (1, "q")], "row int, model string")
    with counted(things, "row", "app", rows) as counts, counted(phones, "row", "model", rows) as models:
        sets = [bag("later", counts, "app"), one_hot("model", models), share("app", counts, "app")]
        names, parts = built(sets)
    assert names == ["later:-3", "later:7", "later:10", "model:p", "model:q", "app:-3", "app:7", "app:10"]
    # Sets over the same counts are computed together; each keeps its own kind of value.
    assert parts["train"][0] == {
        "later:-3": 1.0,
        "later:7": 1.0,
        "model:p": 1.0,
        "app:-3": float(np.float32(1 / 3)),
        "app:7": float(np.float32(2 / 3)),
    }


def test_rows_go_to_their_parts(things, built, rows):
    with counted(things, "row", "app", rows) as counts:
        names, parts = built([bag("app", counts, "app")], sizes={"train": 2, "test": 2})
    assert names == ["app:-3", "app:7", "app:10"]  # one vocabulary for both
    assert parts == {"train": [{"app:-3": 1.0, "app:7": 1.0}, {}], "test": [{"app:10": 1.0}, {}]}


def test_set_without_any_key_has_no_columns(spark, things, built, rows):
    labels = spark.createDataFrame([], "app bigint, label string")
    with counted(things, "row", "app", rows) as counts:
        names, parts = built([share("label", counts, "label", through=labels), bag("app", counts, "app")])
    assert names == ["app:-3", "app:7", "app:10"]
    assert parts["train"][2] == {"app:10": 1.0}


def test_keys_must_be_text_or_whole_numbers(spark, built, rows):
    prices = spark.createDataFrame([(0, 0.5)], "row int, price double")
    with (
        pytest.raises(UsageError, match="cannot count by price, which is double: use text or whole numbers"),
        counted(prices, "row", "price", rows),
    ):
        pass
    things = spark.createDataFrame([(0, 7)], "row int, app bigint")
    with counted(things, "row", "app", rows) as counts:
        priced = share("price", counts, "price", through=spark.createDataFrame([(7, 0.5)], "app bigint, price double"))
        with pytest.raises(UsageError, match="feature set price: keys of type double; use text or whole numbers"):
            built([priced])
