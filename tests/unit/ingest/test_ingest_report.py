from __future__ import annotations

import json

import pytest

from sparksweep.errors import StorageError
from sparksweep.ingest import IngestReport, TableReport, read_report
from sparksweep.storage import open_store

REPORT = IngestReport(
    source="/data/raw",
    fingerprint={"phone": {"member": "phone.csv", "size": 42, "crc": "00c0ffee"}},
    tables=(
        TableReport("phone", 187_245, 523, 0, 186_722, 186_716, orphans={"device_id": 0}, empty={"brand": 3}),
        TableReport("app_labels", 7, 0, 0, 7),
        TableReport(
            "events",
            9,
            0,
            0,
            9,
            9,
            orphans={"device_id": 4},
            placeholders={"longitude": 2},
            first="2016-04-30 23:52:24",
            last="2016-05-08 00:00:08",
        ),
    ),
    warnings=("phone: 6 values of (device_id) 小米",),
)


def test_report_survives_the_store(tmp_path):
    store = open_store(str(tmp_path))
    store.write_bytes("tables/ingest.json", REPORT.to_json().encode())
    assert read_report(store) == REPORT
    assert "小米" in (tmp_path / "tables" / "ingest.json").read_text(encoding="utf-8")


def test_no_report(tmp_path):
    assert read_report(open_store(str(tmp_path))) is None


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"format": 1}', json.dumps({"format": 3}), '{"format": 3, "tables": [{"a": 1}]}', "\udcff"]
)
def test_damaged_report(tmp_path, text):
    store = open_store(str(tmp_path))
    store.write_bytes("tables/ingest.json", text.encode("utf-8", "surrogateescape"))
    with pytest.raises(StorageError, match=r"ingest\.json: not a report of ours .*; ingest anew with --rebuild"):
        read_report(store)


def test_lines():
    assert REPORT.lines() == [
        "table       rows read  duplicates  rejected     rows  distinct keys  orphans  empty  from                 to",
        "phone         187,245         523         0  186,722        186,716        0      3",
        "app_labels          7           0         0        7                              0",
        "events              9           0         0        9              9        4      0  2016-04-30 23:52:24"
        "  2016-05-08 00:00:08",
        "warning: phone: 6 values of (device_id) 小米",
    ]
