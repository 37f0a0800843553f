from __future__ import annotations

import re
from datetime import datetime, timezone

import numpy as np
import pandas as pd
import pytest
from tests.spark.counted_lines import counted_lines

from sparksweep.features import Part, send_rows
from sparksweep.ingest import Tables
from sparksweep.talkingdata import FEATURE_SETS, tables_of
from sparksweep.talkingdata.facts import clean_category, gather_facts, with_hour_of_week
from sparksweep.talkingdata.feature_sets import BUILDERS

pytestmark = pytest.mark.spark

# Rows are numbered in the order of the files: train 12, 10, 13, 11, then test 21, 20.


@pytest.fixture(scope="module")
def parts(spark):
    """The rows, as executors have them."""
    devices = {"train": [12, 10, 13, 11], "test": [21, 20]}
    with send_rows(spark, {name: Part(np.array(ids)) for name, ids in devices.items()}) as rows:
        yield rows


@pytest.fixture
def facts(tables, parts):
    with gather_facts(Tables(tables), parts) as found:
        yield found


def count_lines(counts):
    """Return (row, thing, n), each (row, thing) once."""
    return sorted((row, counts.things[code].as_py(), n) for row, code, n in counted_lines(counts))


def lines(frame):
    return sorted(frame.itertuples(index=False, name=None))


def test_lines_of_the_phone_file(facts):
    # Device 10 has two lines, of which the first counts; what a task does not see together is looked at again later.
    first_lines = [line for line in count_lines(facts.brands) if line != (1, "samsung", 4)]
    assert first_lines == [
        (0, "HTC", 5),
        (1, "小米", 1),
        (3, "小米", 2),
        (4, "HTC", 6),
        (5, "samsung", 3),
    ]
    assert [(row, model) for row, model, line in count_lines(facts.models) if line == 1] == [(1, "MI 3")]


def test_events_by_hour_of_the_week(facts):
    assert count_lines(facts.events) == [(1, 0, 2), (1, 167, 1), (3, 3 * 24 + 7, 1), (5, 10, 1)]


def test_app_events_of_known_devices(facts):
    assert count_lines(facts.apps) == [(1, -7, 1), (1, 8, 1), (1, 500, 2), (5, 8, 1), (5, 9000, 1)]


def test_labels_and_categories_of_apps(facts):
    assert lines(facts.labels) == [(8, 1), (8, 4), (77, 6), (500, 1), (500, 2), (500, 3), (9000, 5), (12345, 7)]
    assert lines(facts.categories) == [
        (8, "game shooting"),
        (8, "poker 3d poker cards"),
        (77, "never met"),
        (500, "game shooting"),
        (9000, "unknown"),
        (12345, "nor this"),
    ]


def test_a_label_without_a_text_is_no_category(facts, tables):
    tables["label_categories"] = tables["label_categories"].where("label_id != 4")
    assert (8, "game shooting") in lines(facts.categories)
    assert 4 in set(facts.labels["label_id"])
    assert "poker 3d poker cards" not in set(facts.categories["category"])


@pytest.mark.parametrize("adaptive", ["true", "false"])
def test_joins_of_each_set(spark, facts, adaptive):
    """Spark joins nothing: what belongs to an event is shuffled once, in packets, and joined by who counts it."""
    before = spark.conf.get("spark.sql.adaptive.enabled")
    try:
        spark.conf.set("spark.sql.adaptive.enabled", adaptive)
        counts = {name: [feature_set.counts for feature_set in BUILDERS[name](facts)] for name in FEATURE_SETS}
        frames = {id(each): each.packets(0) for of_set in counts.values() for each in of_set}
        plans = {place: frame._jdf.queryExecution().executedPlan().toString() for place, frame in frames.items()}
    finally:
        spark.conf.set("spark.sql.adaptive.enabled", before)
    for name, of_set in counts.items():
        of_apps = name in ("app", "label", "category", "category_indicator", "category_word")
        for plan in (plans[id(each)] for each in of_set):
            assert not re.search(r"Join|CartesianProduct", plan), name
            assert plan.count("Exchange") == plan.count("Exchange hashpartitioning(part") == of_apps, name


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
def test_clean_category(text, cleaned):
    assert clean_category(pd.Series([text, "x"])).tolist() == [cleaned, "x"]


class Recording(dict):
    """Tables that note which of them are asked for."""

    def __init__(self, tables):
        super().__init__(tables)
        self.asked = set()

    def __getitem__(self, name):
        self.asked.add(name)
        return super().__getitem__(name)


@pytest.mark.parametrize("name", FEATURE_SETS)
def test_tables_that_a_set_is_made_of(tables, parts, name):
    recording = Recording(tables)
    with gather_facts(Tables(recording), parts) as facts:
        BUILDERS[name](facts)
    assert tables_of([name]) == sorted({"gender_age_train", "gender_age_test"} | recording.asked)
