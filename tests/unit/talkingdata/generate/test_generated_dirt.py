"""The dirt of the real files is there at any scale."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from sparksweep.talkingdata.generate import TABLES, generate

pytestmark = pytest.mark.slow


def test_some_devices_have_their_phone_row_twice_and_some_two_different_ones(tables, sizes):
    phones = tables["phone_brand_device_model"]
    train = set(tables["gender_age_train"]["device_id"])
    repeated = phones[phones.duplicated()]
    conflicting = phones[phones.duplicated("device_id") & ~phones.duplicated()]
    assert (sum(repeated["device_id"].isin(train)), sum(~repeated["device_id"].isin(train))) == sizes.repeated == (1, 1)
    assert sum(conflicting["device_id"].isin(train)) == sizes.conflicting[0] == 1
    assert len(conflicting) == sum(sizes.conflicting) == 2


def test_a_model_ends_with_a_space_and_one_has_two_brands(tables):
    phones = tables["phone_brand_device_model"]
    assert any(model != model.strip() for model in phones["device_model"])
    assert phones.groupby("device_model")["phone_brand"].nunique().max() > 1


def test_most_brands_and_some_models_are_not_ascii(tables):
    phones = tables["phone_brand_device_model"]
    assert "小米" in set(phones["phone_brand"])
    assert not phones["phone_brand"].map(str.isascii).all()
    assert 0 < phones["device_model"].map(str.isascii).mean() < 1


def test_placeholder_coordinates_take_their_shares(tables):
    places = tables["events"][["longitude", "latitude"]].apply(tuple, axis=1)
    assert (places == (0.0, 0.0)).mean() == pytest.approx(0.298, abs=0.1)
    assert (places == (1.0, 1.0)).mean() == pytest.approx(0.0235, abs=0.01)
    assert (places == (104.0, 30.0)).mean() == pytest.approx(0.009, abs=0.005)
    real = tables["events"].loc[~places.isin([(0.0, 0.0), (1.0, 1.0)]), ["longitude", "latitude"]]
    assert (real["longitude"].between(73, 135) & real["latitude"].between(18, 54)).mean() > 0.98


def test_some_label_rows_come_twice_and_never_side_by_side_only(tables, sizes):
    labels = tables["app_labels"]
    assert labels.duplicated().sum() == sizes.label_repeats > 0
    changes = (labels["app_id"] != labels["app_id"].shift()).sum()
    assert changes > labels["app_id"].nunique()  # the repeats stand apart from the app's other rows


def test_category_texts_have_the_statistics_of_the_real_ones(tables, text):
    categories = tables["label_categories"]["category"]
    cleaned = {" ".join(re.sub(r"[()_/]", " ", c.lower().replace("game-", "game ")).split()) for c in categories}
    counts = categories.value_counts()
    having = {mark: int(categories.str.contains(mark, regex=False).sum()) for mark in "()/_,'&-\""}
    assert having == {"(": 24, ")": 24, "/": 10, "_": 2, ",": 7, "'": 5, "&": 1, "-": 66, '"': 0}
    assert (counts[""], counts["unknown"], len(counts), (counts > 1).sum()) == (3, 26, 836, 61)
    assert (categories.str.lower().nunique(), len(cleaned)) == (827, 827)
    assert categories.str.startswith("game-").sum() == 39
    assert categories.map(str.isascii).all()
    assert (categories.map(len).loc[lambda n: n > 0].min(), categories.map(len).max()) == (1, 69)
    assert text["label_categories"].count('"') == 2 * 7
    assert list(tables["label_categories"].loc[categories == "", "label_id"]) == [1, 248, 264]


def test_an_empty_category_and_equal_ones_are_in_use(tables):
    used = tables["label_categories"].merge(tables["app_labels"][["label_id"]].drop_duplicates())
    assert (used["category"] == "").any()
    assert used["category"].value_counts().drop("")["unknown"] > 1


def test_events_per_device_have_a_heavy_tail(tables):
    counts = tables["events"].groupby("device_id").size()
    assert counts.min() == 1
    assert counts.median() < 25 < counts.mean() < 80 < counts.max()


@pytest.mark.parametrize("seed", [0, 26])
def test_the_smallest_scale_is_whole_with_any_seed(tmp_path, seed):
    tables = {name: pd.read_csv(path) for name, path in zip(TABLES, generate(tmp_path, 0.001, seed), strict=True)}
    assert tables["gender_age_train"]["group"].value_counts().min() >= 5
    assert len(tables["app_events"]) == 32_473
    assert tables["phone_brand_device_model"]["device_id"].duplicated().sum() >= 2
