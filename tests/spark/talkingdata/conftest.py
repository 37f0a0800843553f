"""The seven tables, tiny and literal: every kind of dirt the real ones have, and every device what it is there for."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from sparksweep.storage import open_store
from sparksweep.talkingdata import SCHEMAS


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


# Device 10: events and apps. 11: events without apps. 12: no events. 13: not in the phone file. 20, 21: test devices.
TABLES = {
    "gender_age_train": [
        (12, "M", 30, "M29-31"),
        (10, "F", 20, "F23-"),
        (13, "M", 40, "M39+"),
        (11, "F", 25, "F24-26"),
    ],
    "gender_age_test": [(21,), (20,)],
    "phone_brand_device_model": [
        (10, "小米", "MI 3"),
        (11, "小米", "note "),  # a trailing space is part of the name
        (20, "samsung", "note"),
        (10, "samsung", "note"),  # a second row of device 10: the first wins
        (12, "HTC", "one"),
        (21, "HTC", "MI 3"),
        (99, "Other", "of no device in train or test"),
    ],
    "events": [
        (1, 10, at("2016-05-02 00:00:00"), 0.0, 0.0),  # a Monday, hour 0
        (2, 10, at("2016-05-02 00:59:59"), 0.0, 0.0),
        (3, 10, at("2016-05-08 23:59:59"), 0.0, 0.0),  # a Sunday, hour 23
        (4, 11, at("2016-05-05 07:30:00"), 0.0, 0.0),  # a Thursday
        (5, 20, at("2016-05-02 10:00:00"), 0.0, 0.0),
        (6, 99, at("2016-05-03 10:00:00"), 0.0, 0.0),  # a device of neither train nor test
    ],
    "app_events": [
        (1, 500, 1, 0),
        (1, -7, 1, 1),
        (3, 500, 1, 1),
        (3, 8, 1, 1),
        (5, 8, 1, 0),
        (5, 9000, 1, 0),
        (6, 77, 1, 1),  # only of the unknown device: no column
        (404, 500, 1, 1),  # of no event
    ],
    "app_labels": [(500, 1), (500, 2), (500, 3), (8, 1), (8, 4), (9000, 5), (77, 6), (12345, 7)],
    "label_categories": [
        (1, "game-Shooting"),
        (2, "Game Shooting"),  # the same once cleaned
        (3, ""),
        (4, "Poker (3D)_Poker/Cards"),
        (5, "unknown"),
        (6, "never met"),
        (7, "nor this"),
    ],
}


@pytest.fixture
def tables(spark):
    """Return the tables as `read_tables` gives them, in another order than that of their lines."""
    frames = {}
    for schema in SCHEMAS:
        lines = [(*row, line) for line, row in enumerate(TABLES[schema.name], start=1)]
        frames[schema.name] = spark.createDataFrame(lines[::-1], schema.spark_schema())
    return frames


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "workspace"))
