"""All nine sets of generated data, cell for cell, beside the same computed by pandas and plain dictionaries.

Nothing of sparksweep is used for the expected side: the definitions are written out a second time.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from sparksweep.ingest import ingest_tables, read_tables
from sparksweep.matrix import open_matrix
from sparksweep.storage import open_store
from sparksweep.talkingdata import FEATURE_SETS, SCHEMAS, build_matrices
from sparksweep.talkingdata.generate import generate

pytestmark = pytest.mark.spark

CLOCK = {"weekday": 7, "hour": 24, "weekday_hour": 168}


class Raw:
    """The zips as pandas reads them, brought down to what the sets count."""

    def __init__(self, folder):
        def read(name):
            return pd.read_csv(folder / f"{name}.csv.zip", keep_default_na=False)

        self.train, self.test = read("gender_age_train"), read("gender_age_test")
        self.phones = read("phone_brand_device_model").drop_duplicates("device_id").set_index("device_id")
        events, devices = read("events"), {*self.train["device_id"], *self.test["device_id"]}
        times = pd.to_datetime(events["timestamp"])
        events = events.assign(weekday=times.dt.dayofweek, hour=times.dt.hour)
        events["weekday_hour"] = events["weekday"] * 24 + events["hour"]
        self.events = events[events["device_id"].isin(devices)]
        self.phones = self.phones[self.phones.index.isin(devices)]
        self.apps = read("app_events").merge(self.events[["event_id", "device_id"]], on="event_id")
        self.labels = read("app_labels").groupby("app_id")["label_id"].agg(set).to_dict()
        texts = read("label_categories").set_index("label_id")["category"].map(cleaned)
        self.categories = {app: {texts[label] for label in found} - {""} for app, found in self.labels.items()}

    def keys_of_app(self, name):
        """Return the function from an app to the keys it counts for."""
        return {
            "app": lambda app: {app},
            "label": lambda app: self.labels.get(app, set()),
            "category_word": lambda app: {word for text in self.categories.get(app, ()) for word in text.split()},
        }.get(name, lambda app: self.categories.get(app, set()))

    def expected(self, name):
        """Return the texts of a set's keys in order, and ``{device: {text: value}}``."""
        if name in ("brand", "model"):
            column = self.phones[{"brand": "phone_brand", "model": "device_model"}[name]]
            return sorted(set(column)), {device: {text: 1.0} for device, text in column.items()}
        frame, by = (self.events, name) if name in CLOCK else (self.apps, "app_id")
        keys_of = (lambda key: {key}) if name in CLOCK else self.keys_of_app(name)
        counts, total = {}, frame.groupby("device_id").size().to_dict()
        for (device, thing), n in frame.groupby(["device_id", by]).size().items():
            for key in keys_of(thing):
                cells = counts.setdefault(device, {})
                cells[key] = cells.get(key, 0) + n
        keys = range(CLOCK[name]) if name in CLOCK else sorted({key for cells in counts.values() for key in cells})
        text = {key: f"{key // 24}_{key % 24:02d}" if name == "weekday_hour" else str(key) for key in keys}
        ones = name in ("category_indicator", "category_word")
        return list(text.values()), {
            device: {text[key]: 1.0 if ones else n / total[device] for key, n in cells.items()}
            for device, cells in counts.items()
        }


def cleaned(text):
    return re.sub(" +", " ", re.sub(r"[()_/]", " ", text.lower().replace("game-", "game "))).strip(" ")


def test_what_cannot_be_computed_is_null_on_all_versions(spark):
    """Spark 4 would end the command by default, so that one experiment had two meanings."""
    assert spark.sql("select cast('none' as int), 1 / 0").first() == (None, None)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    generate(folder, 0.002, seed=5)
    return folder


@pytest.fixture(scope="module")
def workspace(spark, raw, tmp_path_factory):
    store = open_store(str(tmp_path_factory.mktemp("workspace")))
    ingest_tables(spark, raw, SCHEMAS, store)
    return store


@pytest.mark.parametrize(
    ("sets", "encoding"), [(FEATURE_SETS, "fraction"), (("category_word", "label", "brand_model", "hour"), "indicator")]
)
def test_every_cell_is_what_pandas_computes(spark, raw, workspace, sets, encoding):
    tables = read_tables(spark, workspace, SCHEMAS)
    build_matrices(spark, tables, sets, encoding, workspace, f"matrix/{encoding}", {})
    kaggle = Raw(raw)
    names = [name for each in sets for name in (("brand", "model") if each == "brand_model" else (each,))]
    expected = {name: kaggle.expected(name) for name in names}
    columns = [(name, text) for name, (texts, _) in expected.items() for text in texts]
    place = {column: index for index, column in enumerate(columns)}
    for part, frame in (("train", kaggle.train), ("test", kaggle.test)):
        matrix = open_matrix(workspace.fetch(f"matrix/{encoding}/{part}"), verify=True)
        found = matrix.columns().to_pydict()
        assert list(zip(found["feature_set"], found["key"], strict=True)) == columns
        assert matrix.rows.tolist() == frame["device_id"].tolist()
        dense = np.zeros(matrix.X.shape, np.float32)
        for row, device in enumerate(frame["device_id"]):
            for name, (_, cells) in expected.items():
                for text, value in cells.get(device, {}).items():
                    dense[row, place[name, text]] = 1.0 if encoding == "indicator" else value
        np.testing.assert_array_equal(matrix.X.toarray(), dense)
        assert matrix.X.nnz == np.count_nonzero(dense)
        assert np.count_nonzero(dense.any(axis=0)) > 100
        if part == "train":
            assert [matrix.classes[code] for code in matrix.y] == frame["group"].tolist()
