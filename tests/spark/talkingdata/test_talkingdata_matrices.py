"""The nine sets cell by cell, on tables small enough to do by hand."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from sparksweep.errors import DataError, StorageError, UsageError
from sparksweep.features.sets import CELL_RULES
from sparksweep.ingest import Tables, ingest_tables, read_tables
from sparksweep.matrix import open_matrix
from sparksweep.talkingdata import FEATURE_SETS, SCHEMAS, build_matrices

pytestmark = pytest.mark.spark


@pytest.fixture
def build(spark, tables, store):
    """Return a function that builds matrices and gives names and cells: ``{device: {"set:key": value}}`` a part."""

    def run(sets, encoding="fraction"):
        manifests = build_matrices(spark, Tables(tables), sets, encoding, store, "matrix/x", {"made": "of literals"})
        cells, names = {}, None
        for part, manifest in manifests.items():
            matrix = open_matrix(store.fetch(f"matrix/x/{part}"), verify=True)
            assert matrix.manifest == manifest
            columns = matrix.columns().to_pydict()
            names = [f"{name}:{key}" for name, key in zip(columns["feature_set"], columns["key"], strict=True)]
            assert columns["index"] == list(range(len(names)))
            cells[part] = {
                int(device): {names[column]: matrix.X[row, column].item() for column in matrix.X[row].indices}
                for row, device in enumerate(matrix.rows)
            }
        return names, cells["train"], cells["test"]

    return run


# By the number of the rules, the digests of the matrices of all nine sets, train and test. Where this is red and the
# cells are meant to be others, `CELL_RULES` must grow: else matrices made before stay as they are.
DIGESTS = {
    1: {
        "fraction": (
            "11ee3105ba31e72993ebbcd7385796777e59757e7b15d2ceacb843a8aa5a325f",
            "2779b7020b580b6fcf824eaa843a8d792acbdb3595b5fac9754d59a882c3bdbd",
        ),
        "indicator": (
            "53cd4b969094c749668e9eee6ed62160e2e8fad3cab099e0bcfd2d89fb52246d",
            "1550e5f509abcad32f8542e8217f32be6dad8ac33bb6bc48e2c6f0d90b8fab0f",
        ),
    }
}


@pytest.mark.slow
@pytest.mark.parametrize("adaptive", ["true", "false"])
@pytest.mark.parametrize("partitions", [1, 2, 200])
def test_neither_partitions_nor_adaptive_execution_show_in_any_cell(spark, tables, store, partitions, adaptive):
    settings = {"spark.sql.shuffle.partitions": str(partitions), "spark.sql.adaptive.enabled": adaptive}
    before = {name: spark.conf.get(name) for name in settings}
    try:
        for name, value in settings.items():
            spark.conf.set(name, value)
        found = {
            encoding: tuple(
                manifest.digest
                for manifest in build_matrices(
                    spark, Tables(tables), FEATURE_SETS, encoding, store, f"matrix/{encoding}", {}
                ).values()
            )
            for encoding in DIGESTS[CELL_RULES]
        }
    finally:
        for name, value in before.items():
            spark.conf.set(name, value)
    assert found == DIGESTS[CELL_RULES]


def single(value):
    return float(np.float32(value))


def test_brand_model(build):
    names, train, test = build(["brand_model"])
    assert names == [
        "brand:HTC",
        "brand:samsung",
        "brand:小米",
        "model:MI 3",
        "model:note",
        "model:note ",
        "model:one",
    ]
    assert train == {
        12: {"brand:HTC": 1, "model:one": 1},
        10: {"brand:小米": 1, "model:MI 3": 1},
        13: {},
        11: {"brand:小米": 1, "model:note ": 1},
    }
    assert test == {21: {"brand:HTC": 1, "model:MI 3": 1}, 20: {"brand:samsung": 1, "model:note": 1}}


def test_rows_are_in_the_order_of_the_files(build):
    _, train, test = build(["brand_model"])
    assert (list(train), list(test)) == ([12, 10, 13, 11], [21, 20])


def test_weekday(build):
    names, train, test = build(["weekday"])
    assert names == [f"weekday:{day}" for day in range(7)]
    assert train == {12: {}, 10: {"weekday:0": single(2 / 3), "weekday:6": single(1 / 3)}, 13: {}, 11: {"weekday:3": 1}}
    assert test == {21: {}, 20: {"weekday:0": 1}}


def test_hour(build):
    names, train, test = build(["hour"])
    assert names == [f"hour:{hour}" for hour in range(24)]
    assert train == {12: {}, 10: {"hour:0": single(2 / 3), "hour:23": single(1 / 3)}, 13: {}, 11: {"hour:7": 1}}
    assert test == {21: {}, 20: {"hour:10": 1}}


def test_weekday_hour(build):
    names, train, test = build(["weekday_hour"])
    assert names == [f"weekday_hour:{day}_{hour:02d}" for day in range(7) for hour in range(24)]
    assert train[10] == {"weekday_hour:0_00": single(2 / 3), "weekday_hour:6_23": single(1 / 3)}
    assert train[11] == {"weekday_hour:3_07": 1}
    assert test == {21: {}, 20: {"weekday_hour:0_10": 1}}


def test_app(build):
    names, train, test = build(["app"])
    assert names == ["app:-7", "app:8", "app:500", "app:9000"]
    assert train == {12: {}, 10: {"app:-7": 0.25, "app:8": 0.25, "app:500": 0.5}, 13: {}, 11: {}}
    assert test == {21: {}, 20: {"app:8": 0.5, "app:9000": 0.5}}


def test_label(build):
    names, train, test = build(["label"])
    assert names == [f"label:{label}" for label in range(1, 6)]
    assert train[10] == {"label:1": 0.75, "label:2": 0.5, "label:3": 0.5, "label:4": 0.25}
    assert test[20] == {"label:1": 0.5, "label:4": 0.5, "label:5": 0.5}


CATEGORIES = ["game shooting", "poker 3d poker cards", "unknown"]


def test_category(build):
    names, train, test = build(["category"])
    assert names == [f"category:{text}" for text in CATEGORIES]
    # App 500 has "game shooting" by two labels, and counts once for it.
    assert train[10] == {"category:game shooting": 0.75, "category:poker 3d poker cards": 0.25}
    assert test[20] == {f"category:{text}": 0.5 for text in CATEGORIES}


def test_category_indicator(build):
    names, train, test = build(["category_indicator"])
    assert names == [f"category_indicator:{text}" for text in CATEGORIES]
    assert train[10] == {f"category_indicator:{text}": 1 for text in CATEGORIES[:2]}
    assert test == {21: {}, 20: {f"category_indicator:{text}": 1 for text in CATEGORIES}}


def test_category_word(build):
    names, train, test = build(["category_word"])
    words = ["3d", "cards", "game", "poker", "shooting", "unknown"]
    assert names == [f"category_word:{word}" for word in words]
    assert train[10] == {f"category_word:{word}": 1 for word in words[:-1]}
    assert test[20] == {f"category_word:{word}": 1 for word in words}


def test_sets_are_stacked_in_the_order_asked_for(build):
    names, train, _ = build(["category", "weekday", "brand_model"])
    assert [name.split(":")[0] for name in names] == ["category"] * 3 + ["weekday"] * 7 + ["brand"] * 3 + ["model"] * 4
    assert train[10] == {
        "category:game shooting": 0.75,
        "category:poker 3d poker cards": 0.25,
        "weekday:0": single(2 / 3),
        "weekday:6": single(1 / 3),
        "brand:小米": 1,
        "model:MI 3": 1,
    }


def test_indicator_has_the_same_places_and_only_ones(build):
    names, *shares = build(FEATURE_SETS)
    indicator_names, *indicators = build(FEATURE_SETS, "indicator")
    assert indicator_names == names
    for share, indicator in zip(shares, indicators, strict=True):
        assert indicator == {device: dict.fromkeys(cells, 1.0) for device, cells in share.items()}


def test_train_has_classes_and_test_has_none(spark, tables, store):
    manifests = build_matrices(spark, Tables(tables), ["weekday"], "fraction", store, "matrix/x", {"zip": 7})
    train, test = (open_matrix(store.fetch(f"matrix/x/{part}")) for part in ("train", "test"))
    assert train.classes == ["F23-", "F24-26", "M29-31", "M39+"]
    assert train.y.tolist() == [2, 0, 3, 1]
    assert train.y.dtype == np.int32
    assert (test.y, test.classes) == (None, None)
    assert train.X.dtype == np.float32
    assert train.rows.dtype == np.int64
    assert manifests["train"].sources == {"zip": 7}
    assert sorted(path.name for path in Path(store.root, "matrix/x").iterdir()) == ["test", "train"]


def test_group_that_is_none_of_the_twelve(spark, tables, store):
    bad = spark.createDataFrame([(1, "M", 30, "M29-31", 1), (2, "M", 3, "M 3", 2)], tables["gender_age_train"].schema)
    with pytest.raises(
        DataError, match=r"gender_age_train\.csv: data line 2, column group: 'M 3' is none of F23-, F24-26"
    ):
        build_matrices(spark, Tables({**tables, "gender_age_train": bad}), ["hour"], "fraction", store, "matrix/x", {})


@pytest.mark.parametrize(
    ("sets", "encoding", "message"),
    [
        (["hour", "minute", "era"], "fraction", r"unknown feature set 'minute', 'era'; known: brand_model, weekday"),
        (["hour"], "tfidf", "unknown encoding 'tfidf'; known: fraction, indicator"),
        ([], "fraction", "no feature set given; known: brand_model, weekday"),
    ],
)
def test_unknown_names(spark, tables, store, sets, encoding, message):
    with pytest.raises(UsageError, match=message):
        build_matrices(spark, Tables(tables), sets, encoding, store, "matrix/x", {})


def test_sets_that_no_device_shows_anything_of(spark, tables, store):
    nothing = {**tables, "app_events": tables["app_events"].where("false")}
    with pytest.raises(
        DataError, match=r"feature sets app, label: no row of the matrix .* there is no column; look at"
    ):
        build_matrices(spark, Tables(nothing), ["app", "label"], "fraction", store, "matrix/x", {})
    assert not store.exists("matrix/x/train")


def test_matrices_that_cannot_be_written(spark, tables, store):
    store.write_bytes("matrix", b"a file where the folder should be")
    with pytest.raises(StorageError, match="matrix"):
        build_matrices(spark, Tables(tables), ["brand_model"], "fraction", store, "matrix/x", {})


def test_from_zips_to_matrices(spark, tmp_path, store):
    raw = tmp_path / "raw"
    raw.mkdir()
    texts = {
        "gender_age_train": "device_id,gender,age,group\n-9223372036854775808,M,30,M29-31\n5,F,20,F23-\n",
        "gender_age_test": "device_id\n9223372036854775807\n",
        "phone_brand_device_model": "device_id,phone_brand,device_model\n5,小米,note \n5,小米,note \n",
        "events": "event_id,device_id,timestamp,longitude,latitude\n"
        "1,9223372036854775807,2016-05-01 00:55:25,121.38,31.24\n2,5,2016-05-07 12:00:00,0.00,0.00\n",
        "app_events": "event_id,app_id,is_installed,is_active\n2,5927333115845830913,1,1\n",
        "app_labels": "app_id,label_id\n5927333115845830913,1\n5927333115845830913,1\n",
        "label_categories": 'label_id,category\n1,"a, b"\n2,\n',
    }
    for name, text in texts.items():
        with zipfile.ZipFile(raw / f"{name}.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}.csv", text)
    report = ingest_tables(spark, raw, SCHEMAS, store)
    assert [table.duplicates_dropped for table in report.tables] == [0, 0, 1, 0, 0, 1, 0]
    build_matrices(spark, read_tables(spark, store, SCHEMAS), FEATURE_SETS, "fraction", store, "matrix/x", {})
    train, test = (open_matrix(store.fetch(f"matrix/x/{part}")) for part in ("train", "test"))
    assert train.rows.tolist() == [-9223372036854775808, 5]
    assert test.rows.tolist() == [9223372036854775807]
    columns = train.columns().to_pydict()
    names = [f"{name}:{key}" for name, key in zip(columns["feature_set"], columns["key"], strict=True)]
    assert [names[column] for column in train.X[0].indices] == []
    assert [names[column] for column in train.X[1].indices] == [
        "brand:小米",
        "model:note ",
        "weekday:5",
        "hour:12",
        "weekday_hour:5_12",
        "app:5927333115845830913",
        "label:1",
        "category:a, b",
        "category_indicator:a, b",
        "category_word:a,",
        "category_word:b",
    ]
    assert [names[column] for column in test.X[0].indices] == ["weekday:6", "hour:0", "weekday_hour:6_00"]
    assert set(train.X.data) == {1.0}
