"""Folders as Kaggle gives them go through unchanged: names, quoting, types and dirt as counted in the real files."""

from __future__ import annotations

import csv
import io
import zipfile

import pytest

from sparksweep.ingest import ingest_tables, read_tables
from sparksweep.talkingdata import SCHEMAS

pytestmark = pytest.mark.spark

# As in the real files: UTF-8, comma, LF, quotes only where needed. The lines below stand there (ids, brands, texts), or
# are made in the form of those that do.
FILES = {
    "gender_age_train": (
        "device_id,gender,age,group\n"
        "-8076087639492063270,M,35,M32-38\n-2897161552818060146,M,35,M32-38\n9223372036854775807,F,1,F23-\n"
        "-9223372036854775808,F,96,F43+\n"
    ),
    "gender_age_test": "device_id\n1002079943728939269\n-1547860181818787117\n",
    "phone_brand_device_model": (
        "device_id,phone_brand,device_model\n"
        "-8890648629457979026,小米,红米\n1277779817574759137,小米,MI 2\n5137427614288105724,三星,Galaxy S4\n"
        "-8076087639492063270,HTC,Desire 820 \n1277779817574759137,小米,MI 2\n"
        '-8076087639492063270,OPPO,"Find 7, 轻装版"\n'
    ),
    "events": (
        "event_id,device_id,timestamp,longitude,latitude\n"
        "1,29182687948017175,2016-05-01 00:55:25,121.38,31.24\n2,-8076087639492063270,2016-04-30 23:52:24,0.00,0.00\n"
        "3,-1547860181818787117,2016-05-08 00:00:08,-180.00,-34.05\n"
        "4,29182687948017175,2016-05-01 00:55:26,104.00,30.00\n5,29182687948017175,2016-05-01 00:55:27,104.00,0.00\n"
    ),
    "app_events": (
        "event_id,app_id,is_installed,is_active\n"
        "2,5927333115845830913,1,1\n2,-5720078949152207372,1,0\n3,5927333115845830913,1,0\n"
    ),
    "app_labels": (
        "app_id,label_id\n7324884708820027918,251\n-4494216993218550286,251\n5927333115845830913,549\n5927333115845830913,549\n"
    ),
    "label_categories": (
        "label_id,category\n"
        '1,\n2,game-game type\n251,Finance\n549,Property Industry 1.0\n704,"Custom, label"\n1021,poker game_doudizhu\n'
        "1022,Moneymaker's (P2P/net loan)\n"
    ),
}
TYPES = {"int8": int, "int32": int, "int64": int, "float64": float, "string": str, "timestamp": str}


def typed(name, text):
    """Return the rows as the standard library reads them, with their line."""
    (schema,) = [each for each in SCHEMAS if each.name == name]
    lines = list(csv.reader(io.StringIO(text)))[1:]
    kinds = [TYPES[column.type] for column in schema.columns]
    return [
        (*(kind(value) for kind, value in zip(kinds, line, strict=True)), number)
        for number, line in enumerate(lines, start=1)
    ]


@pytest.fixture
def kaggle(tmp_path):
    """Return a folder with the seven zips, and the one more that the competition has."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for name, text in {**FILES, "sample_submission": "device_id,F23-\n1,0.0833\n"}.items():
        with zipfile.ZipFile(folder / f"{name}.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}.csv", text)
            archive.writestr(f"__MACOSX/._{name}.csv", b"\0\5\26\7")
    return folder


def test_seven_zips_of_kaggles_form_become_the_same_rows(spark, kaggle, store):
    report = ingest_tables(spark, kaggle, SCHEMAS, store)
    tables = read_tables(spark, store, SCHEMAS)
    for name, text in FILES.items():
        frame = tables[name]
        shown = frame.selectExpr(*(f"CAST({c} AS STRING)" if c == "timestamp" else f"`{c}`" for c in frame.columns))
        rows = sorted((tuple(row) for row in shown.collect()), key=lambda row: row[-1])
        expected = typed(name, text)
        if name in ("phone_brand_device_model", "app_labels"):  # the second of two equal rows is dropped
            expected = [row for row in expected if row[:-1] not in [each[:-1] for each in expected[: row[-1] - 1]]]
        assert rows == expected, name
    counts = {table.name: (table.rows_read, table.duplicates_dropped, table.rejected) for table in report.tables}
    assert counts["phone_brand_device_model"] == (6, 1, 0)
    assert counts["app_labels"] == (4, 1, 0)
    assert sum(rejected for _, _, rejected in counts.values()) == 0
    told = [each for each in report.warnings if "several lines" in each or "for none" in each]
    assert told == [
        "phone_brand_device_model: 1 values of (device_id) on several lines, such as device_id -8076087639492063270 on "
        "data lines 4, 6; features take the first of each, and all are listed in "
        "phone_brand_device_model.repeated_keys.csv",
        "events: 2 rows have (0, 0) or (1, 1) or (104, 30) as (longitude, latitude), which stands for none",
    ]
