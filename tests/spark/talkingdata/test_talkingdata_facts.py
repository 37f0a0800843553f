from __future__ import annotations

from datetime import datetime, timezone

import pytest
from pyspark.sql import functions as F

from sparksweep.talkingdata import FEATURE_SETS, build_matrices, tables_of
from sparksweep.talkingdata.facts import clean_category, gather_facts, with_hour_of_week

pytestmark = pytest.mark.spark

# Rows are numbered in the order of the files: train 12, 10, 13, 11, then test 21, 20.


def count_lines(counts):
    """Return (row, thing, n), each (row, thing) once."""
    summed_df = counts.frame.groupBy("row", "code").agg(F.sum("n").alias("n"))
    return sorted((row["row"], counts.things[row["code"]].as_py(), row["n"]) for row in summed_df.collect())


def lines(frame, *columns):
    return sorted(tuple(row) for row in frame.select(*columns).collect())


def test_first_row_of_the_phone_file_wins(tables):
    with gather_facts(tables) as facts:
        found = lines(facts.phones, "row", "phone_brand", "device_model")
    assert found == [
        (0, "HTC", "one"),
        (1, "小米", "MI 3"),
        (3, "小米", "note "),
        (4, "HTC", "MI 3"),
        (5, "samsung", "note"),
    ]


def test_events_by_hour_of_the_week(tables):
    with gather_facts(tables) as facts:
        found = count_lines(facts.events)
    assert found == [(1, 0, 2), (1, 167, 1), (3, 3 * 24 + 7, 1), (5, 10, 1)]


def test_app_events_of_known_devices(tables):
    with gather_facts(tables) as facts:
        found = count_lines(facts.apps)
    assert found == [(1, -7, 1), (1, 8, 1), (1, 500, 2), (5, 8, 1), (5, 9000, 1)]


def test_labels_and_categories_of_apps(tables):
    with gather_facts(tables) as facts:
        labels = lines(facts.labels, "app_id", "label_id")
        categories = lines(facts.categories, "app_id", "category")
    assert labels == [(8, 1), (8, 4), (500, 1), (500, 2), (500, 3), (9000, 5)]
    assert categories == [
        (8, "game shooting"),
        (8, "poker 3d poker cards"),
        (500, "game shooting"),
        (9000, "unknown"),
    ]


def test_a_label_without_a_text_is_no_category(tables):
    tables["label_categories"] = tables["label_categories"].where("label_id != 4")
    with gather_facts(tables) as facts:
        assert lines(facts.categories, "app_id", "category")[0] == (8, "game shooting")


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_hours_are_those_of_the_file_in_any_time_zone(spark, zone):
    times = {
        "1970-01-01 00:00:00": 3 * 24,
        "2016-02-29 12:00:00": 12,
        "2016-05-01 23:59:59": 167,
        "2016-05-02 00:00:00": 0,
    }
    instants = [(datetime.fromisoformat(text).replace(tzinfo=timezone.utc), hour) for text, hour in times.items()]
    before = spark.conf.get("spark.sql.session.timeZone")
    try:
        spark.conf.set("spark.sql.session.timeZone", zone)
        found = with_hour_of_week(spark.createDataFrame(instants, "timestamp timestamp, hour int")).collect()
    finally:
        spark.conf.set("spark.sql.session.timeZone", before)
    assert [row["weekday_hour"] for row in found] == [row["hour"] for row in found]


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Game-Shooting", "game shooting"),
        ("videogame-x", "videogame x"),
        ("non-game", "non-game"),
        ("poker game_doudizhu", "poker game doudizhu"),
        ("IM (Instant Messaging) / chat", "im instant messaging chat"),
        ("  Property  Industry 1.0 ", "property industry 1.0"),
        ("(_/)", ""),
        ("", ""),
        ("a\tb", "a\tb"),  # only spaces are spaces
        ("Straße's, & Co", "straße's, & co"),
    ],
)
def test_clean_category(spark, text, cleaned):
    frame = spark.createDataFrame([(text,)], "text string")
    assert frame.select(clean_category(F.col("text"))).first()[0] == cleaned


class Recording(dict):
    """Tables that note which of them are asked for."""

    def __init__(self, tables):
        super().__init__(tables)
        self.asked = set()

    def __getitem__(self, name):
        self.asked.add(name)
        return super().__getitem__(name)


@pytest.mark.parametrize("name", FEATURE_SETS)
def test_tables_that_a_set_is_made_of(spark, tables, name, store):
    recording = Recording(tables)
    build_matrices(spark, recording, [name], "fraction", store, "matrix/x", {})
    assert tables_of([name]) == sorted(recording.asked)
