"""For how much text a command's session is opened: on one machine Java's compilers are chosen by it."""

from __future__ import annotations

import pytest

from sparksweep.ingest import IngestReport, source_fingerprint
from sparksweep.pipeline import job, matrices, tables
from sparksweep.pipeline.job import start_job
from sparksweep.talkingdata import SCHEMAS
from sparksweep.talkingdata.generate import generate


class Opened(Exception):
    """A session would be opened now."""


@pytest.fixture
def demo(tmp_path, monkeypatch):
    """Return the job of the demo on generated zips, which ends with the first session."""

    def open_session(name, conf, text_bytes):
        raise Opened(text_bytes)

    monkeypatch.setattr(job, "open_session", open_session)
    generate(tmp_path / "raw", scale=0.001, seed=0)
    return start_job("demo", str(tmp_path / "workspace"), [f"data.source={tmp_path}/raw"], lambda line: None)


@pytest.mark.slow
@pytest.mark.parametrize("stage", [tables.ensure_tables, matrices.ensure_matrices])
def test_ingest_says_how_much_there_is_to_read(demo, tmp_path, stage):
    text = sum(each["size"] for each in source_fingerprint(tmp_path / "raw", SCHEMAS).values())
    with pytest.raises(Opened) as opened:
        stage(demo)
    assert opened.value.args == (text,)
    assert text > 1_000_000


@pytest.mark.slow
def test_features_of_tables_that_are_there_say_how_much_there_was(demo, tmp_path, monkeypatch):
    fingerprint = source_fingerprint(tmp_path / "raw", SCHEMAS)
    report = IngestReport(str(tmp_path / "raw"), fingerprint, (), ())
    monkeypatch.setattr(tables, "read_report", lambda store: report)
    with pytest.raises(Opened) as opened:
        matrices.ensure_matrices(demo)
    assert opened.value.args == (sum(each["size"] for each in fingerprint.values()),)


@pytest.mark.slow
def test_a_changed_source_says_how_much_there_is_now(demo, tmp_path, monkeypatch):
    now = source_fingerprint(tmp_path / "raw", SCHEMAS)
    before = {name: {**each, "size": 1, "crc": "0"} for name, each in now.items()}
    report = IngestReport(str(tmp_path / "raw"), before, (), ())
    monkeypatch.setattr(tables, "read_report", lambda store: report)
    with pytest.raises(Opened) as opened:
        tables.ensure_tables(demo)
    assert opened.value.args == (sum(each["size"] for each in now.values()),)


@pytest.mark.slow
def test_nobody_knows_how_much_unless_it_is_said(demo):
    with pytest.raises(Opened) as opened:
        demo.spark()
    assert opened.value.args == (None,)
