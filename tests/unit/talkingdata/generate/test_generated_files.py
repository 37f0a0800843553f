"""Names, columns, types, order and quoting of the seven files."""

from __future__ import annotations

import re
import zipfile

import numpy as np
import pandas as pd
import pytest

from sparksweep.talkingdata.generate import TABLES

pytestmark = pytest.mark.slow

ID = r"-?\d{1,19}"
ROWS = {
    "gender_age_train": rf"{ID},[MF],\d{{1,2}},[MF]\d\d(-\d\d|-|\+)",
    "gender_age_test": ID,
    "phone_brand_device_model": rf"{ID},[^,\"\n]+,[^,\"\n]+",
    "events": rf"\d+,{ID},2016-0[45]-\d\d \d\d:\d\d:\d\d,-?\d{{1,3}}\.\d\d,-?\d{{1,2}}\.\d\d",
    "app_events": rf"\d+,{ID},1,[01]",
    "app_labels": rf"{ID},\d{{1,4}}",
    "label_categories": r"\d{1,4},(|[^,\"\n]+|\"[^\"\n]*,[^\"\n]*\")",
}
COLUMNS = {
    "gender_age_train": "device_id,gender,age,group",
    "gender_age_test": "device_id",
    "phone_brand_device_model": "device_id,phone_brand,device_model",
    "events": "event_id,device_id,timestamp,longitude,latitude",
    "app_events": "event_id,app_id,is_installed,is_active",
    "app_labels": "app_id,label_id",
    "label_categories": "label_id,category",
}


def test_each_archive_has_one_member_of_its_name_and_a_fixed_time(archives):
    assert [path.name for path in archives] == [f"{name}.csv.zip" for name in TABLES]
    for name, path in zip(TABLES, archives, strict=True):
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            assert [(entry.filename, entry.date_time, entry.compress_type) for entry in archive.infolist()] == [
                (f"{name}.csv", (1980, 1, 1, 0, 0, 0), zipfile.ZIP_DEFLATED)
            ]


@pytest.mark.parametrize("name", TABLES)
def test_every_line_has_the_columns_and_the_form_of_the_real_file(text, name):
    header, *rows, after_last = text[name].split("\n")
    assert header == COLUMNS[name]
    assert after_last == ""
    assert not [row for row in rows if not re.fullmatch(ROWS[name], row)]


def test_row_counts_are_those_of_the_scale(tables, sizes):
    assert {name: len(table) for name, table in tables.items()} == {
        "gender_age_train": 149,
        "gender_age_test": 224,
        "phone_brand_device_model": 373 + 1 + 1 + 1 + 1,
        "events": sizes.events,
        "app_events": 64_946,
        "app_labels": sizes.label_rows,
        "label_categories": 930,
    }


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("gender_age_train", ["device_id"]),
        ("gender_age_test", ["device_id"]),
        ("events", ["event_id"]),
        ("app_events", ["event_id", "app_id"]),
        ("label_categories", ["label_id"]),
    ],
)
def test_keys_are_unique(tables, name, key):
    assert not tables[name].duplicated(key).any()


@pytest.mark.parametrize(("name", "column"), [("gender_age_train", "device_id"), ("app_labels", "app_id")])
def test_ids_spread_over_the_signed_64_bit_range(tables, name, column):
    ids = tables[name][column].drop_duplicates()
    assert ids.dtype == np.int64
    # Octants of the range hold about as many ids each (6 standard deviations of a binomial).
    counts = np.bincount(((ids.to_numpy() >> 61) + 4).astype(int), minlength=8)
    mean = len(ids) / 8
    assert np.abs(counts - mean).max() < 6 * mean**0.5


def test_containment_of_ids(tables, sizes):
    train, test = set(tables["gender_age_train"]["device_id"]), set(tables["gender_age_test"]["device_id"])
    assert not train & test
    assert set(tables["phone_brand_device_model"]["device_id"]) == train | test
    with_events = set(tables["events"]["device_id"])
    assert len(with_events & train) == sizes.train_with_events
    assert len(with_events & test) == sizes.test_with_events
    assert len(with_events - train - test) == sizes.unknown > 0
    app_events, app_labels = tables["app_events"], tables["app_labels"]
    assert set(app_events["event_id"]) < set(tables["events"]["event_id"])
    assert app_events["event_id"].nunique() == sizes.events_with_apps
    assert set(app_events["app_id"]) < set(app_labels["app_id"])
    assert app_events["app_id"].nunique() == sizes.apps_used
    assert app_labels["app_id"].nunique() == sizes.apps
    used = set(app_labels["label_id"])
    assert used < set(tables["label_categories"]["label_id"])
    assert len(used) == 507
    assert app_labels[app_labels["app_id"].isin(app_events["app_id"])]["label_id"].nunique() == 492


def test_groups_follow_from_gender_and_age_and_none_is_too_small(tables):
    train = tables["gender_age_train"]
    for group, rows in train.groupby("group"):
        assert set(rows["gender"]) == {group[0]}
        low, high = {"-": (1, int(group[1:3])), "+": (int(group[1:3]), 96)}.get(group[3:], (int(group[1:3]), 0))
        assert rows["age"].between(low, high or int(group[4:])).all()
    assert train["group"].nunique() == 12
    assert train["group"].value_counts().min() >= 5


def test_events_are_numbered_but_not_in_the_order_of_time(tables):
    events = tables["events"]
    assert events["event_id"].tolist() == list(range(1, len(events) + 1))
    times = pd.to_datetime(events["timestamp"])
    assert times.between("2016-04-30 23:52:24", "2016-05-08 00:00:08").all()
    assert times.dt.hour.is_monotonic_increasing  # one pass: all days mixed, hour by hour
    assert not times.is_monotonic_increasing
    assert times.dt.weekday.nunique() == 7


def test_app_events_are_sorted_by_event_only(tables):
    app_events = tables["app_events"]
    assert app_events["event_id"].is_monotonic_increasing
    assert not app_events.groupby("event_id")["app_id"].is_monotonic_increasing.all()
    assert set(app_events["is_active"]) == {0, 1}
    assert app_events["is_active"].mean() == pytest.approx(0.4, abs=0.03)


def test_label_categories_ascend_with_gaps(tables):
    ids = tables["label_categories"]["label_id"]
    assert ids.is_monotonic_increasing
    assert (ids.iloc[0], ids.iloc[-1]) == (1, 1021)
