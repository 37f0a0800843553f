from __future__ import annotations

import subprocess
import sys

import pytest

import sparksweep.talkingdata as scenario


def test_tables_are_kaggles():
    assert {schema.archive: ",".join(schema.column_names) for schema in scenario.SCHEMAS} == {
        "gender_age_train.csv.zip": "device_id,gender,age,group",
        "gender_age_test.csv.zip": "device_id",
        "phone_brand_device_model.csv.zip": "device_id,phone_brand,device_model",
        "events.csv.zip": "event_id,device_id,timestamp,longitude,latitude",
        "app_events.csv.zip": "event_id,app_id,is_installed,is_active",
        "app_labels.csv.zip": "app_id,label_id",
        "label_categories.csv.zip": "label_id,category",
    }


def test_ids_are_64_bit_integers():
    kinds = {
        column.type
        for schema in scenario.SCHEMAS
        for column in schema.columns
        if column.name in ("device_id", "app_id")
    }
    assert kinds == {"int64"}


def test_groups_are_twelve_and_sorted():
    assert len(scenario.GROUPS) == 12
    assert list(scenario.GROUPS) == sorted(scenario.GROUPS)


def test_feature_sets_are_in_the_scenarios_order():
    assert scenario.FEATURE_SETS == (
        "brand_model",
        "weekday",
        "hour",
        "weekday_hour",
        "app",
        "label",
        "category",
        "category_indicator",
        "category_word",
    )


def test_the_package_itself_brings_no_spark():
    code = "import sys, sparksweep.talkingdata; sys.exit('pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_unknown_name():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        scenario.nothing  # noqa: B018
