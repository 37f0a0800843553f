from __future__ import annotations

import json

import pytest

from sparksweep.errors import StorageError
from sparksweep.ingest import IngestReport, TableReport, read_report
from sparksweep.storage import open_store

REPORT = IngestReport(
    source="/data/raw",
    fingerprint={"phone": {"member": "phone.csv", "size": 42, "crc": "00c0ffee"}},
    tables=(TableReport("phone", 187_245, 523, 0, 186_722), TableReport("app_events", 7, 0, 0, 7)),
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
    "text", ["{", "[]", '{"format": 2}', json.dumps({"format": 1}), '{"format": 1, "tables": [{"a": 1}]}', "\udcff"]
)
def test_damaged_report(tmp_path, text):
    store = open_store(str(tmp_path))
    store.write_bytes("tables/ingest.json", text.encode("utf-8", "surrogateescape"))
    with pytest.raises(StorageError, match=r"ingest\.json: not a report of ours .*; ingest anew with --rebuild"):
        read_report(store)


def test_lines():
    assert REPORT.lines() == [
        "table         rows read   duplicates   rejected         rows",
        "phone           187,245          523          0      186,722",
        "app_events            7            0          0            7",
        "warning: phone: 6 values of (device_id) 小米",
    ]
