"""Pruning keeps what counts, whatever happens on the way, and never runs beside a driver."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import pytest

from sparksweep.errors import SearchError, StorageError, UsageError
from sparksweep.search.ledger import open_ledger, pruning
from sparksweep.search.ledger.owners import Owner
from sparksweep.storage import LocalStore

pytestmark = pytest.mark.slow

NOW = time.time()
DAY = 24 * 3600.0
FAST = {"beat": 0.1, "silence": 1.0}


def write_each(ledger, *parts):
    """Write a segment for each list of records."""
    for part in parts:
        with ledger.writer() as writer:
            writer.write(part)


@pytest.fixture
def filled(ledger, build_record):
    """Five fits: two complete (one at the third attempt), one failed twice, one old, one old and failed."""
    write_each(
        ledger,
        [build_record("01", ended=NOW), build_record("02", "failed", 1, NOW), build_record("03", "failed", 1, NOW)],
        [build_record("02", "timeout", 2, NOW), build_record("04", ended=NOW - 3 * DAY)],
        [build_record("02", "complete", 3, NOW), build_record("03", "lost", 2, NOW)],
        [build_record("05", "failed", 1, NOW - 3 * DAY)],
    )
    return ledger


@pytest.mark.parametrize(
    ("options", "kept", "dropped"),
    [
        ({}, ["01", "02", "03", "04", "05"], {"superseded": 3}),
        ({"failed": True}, ["01", "02", "04"], {"superseded": 3, "failed": 2}),
        ({"older_than": DAY}, ["01", "02", "03"], {"superseded": 3, "old": 2}),
        ({"failed": True, "older_than": DAY}, ["01", "02"], {"superseded": 3, "failed": 2, "old": 1}),
        ({"failed": True, "older_than": 0}, [], {"superseded": 3, "failed": 2, "old": 3}),
    ],
)
def test_what_goes_and_what_stays(filled, options, kept, dropped):
    before = filled.read()
    would = filled.prune(dry_run=True, **options)
    assert filled.read() == before
    assert len(list((LocalStore(filled.uri)).list("segments"))) == 4
    did = filled.prune(**options)
    assert did == would
    assert (did.n_records, did.dropped) == (8, dropped)
    after = filled.read()
    assert after.records == {key: before.records[key] for key in kept}
    assert (after.n_segments, after.n_records, after.n_bytes) == (len(kept) and 1, len(kept), did.n_bytes[1])
    assert did.n_segments == (4, after.n_segments)
    again = filled.prune(**options)
    assert not again.changes


def test_pruning_again_touches_nothing(filled):
    filled.prune()
    names = LocalStore(filled.uri).list("segments")
    assert not filled.prune().changes
    assert LocalStore(filled.uri).list("segments") == names


def test_an_empty_ledger_is_pruned_to_nothing(ledger):
    assert not ledger.prune().changes
    assert not ledger.prune(dry_run=True).changes


def test_damage_and_empty_segments_go(ledger, build_record):
    write_each(ledger, [build_record("01", ended=NOW)])
    store = LocalStore(ledger.uri)
    store.write_bytes("segments/empty.jsonl", b"")
    store.write_bytes("segments/torn.jsonl", b'{"fit_key"')
    summary = ledger.prune()
    assert summary.notes == ["segment torn.jsonl ends in a torn line, dropped"]
    assert summary.n_segments == (3, 1)
    assert ledger.read().notes == []
    assert list(ledger.read().records) == ["01"]


def test_a_large_ledger_becomes_several_segments(ledger, build_record, monkeypatch):
    monkeypatch.setattr(pruning, "LARGEST", 1000)
    records = [build_record(f"{number:02x}", ended=NOW, text="x" * 150) for number in range(20)]
    write_each(ledger, *([record] for record in records), [build_record("ff", ended=NOW, text="x" * 5000)])
    before = ledger.read().records
    ledger.prune()
    assert ledger.read().records == before
    assert 1 < ledger.read().n_segments <= 11


class Crash(BaseException):
    pass


@pytest.mark.parametrize("moment", range(6))
def test_a_crash_at_any_step_keeps_what_counts(filled, monkeypatch, moment):
    """One write and four deletions are the steps; a crash comes before one of them, then pruning is run again."""
    before = filled.read().records
    steps = iter(range(100))

    def crashing(method):
        def call(self, path, *data):
            if path.startswith("segments/") and next(steps) == moment:
                raise Crash
            return method(self, path, *data)

        return call

    for name in ("write_bytes", "delete"):
        monkeypatch.setattr(LocalStore, name, crashing(getattr(LocalStore, name)))
    if moment < 5:
        with pytest.raises(Crash):
            filled.prune(failed=True)
    else:
        filled.prune(failed=True)
        assert next(steps) == 5
    monkeypatch.undo()
    complete = {key: record for key, record in before.items() if record["status"] == "complete"}
    after = filled.read().records
    assert {key: after[key] for key in complete} == complete
    filled.prune(failed=True)
    assert filled.read().records == complete
    assert filled.read().n_segments == 1


def test_a_disk_that_is_full_keeps_all(filled, monkeypatch):
    before = filled.read()

    def fail(self, path, data):
        if path.startswith("segments/"):
            raise StorageError("cannot write x: No space left on device")
        original(self, path, data)

    original = LocalStore.write_bytes
    monkeypatch.setattr(LocalStore, "write_bytes", fail)
    with pytest.raises(StorageError, match="No space left"):
        filled.prune()
    assert filled.read() == before


def test_pruning_is_refused_while_a_driver_of_this_machine_lives(filled):
    before = filled.read()
    with filled.lease("0123456789ab"):
        began = time.monotonic()
        with pytest.raises(UsageError, match=r"^\S+ is in use: sweep 01234567 is being run by process \d+ on [^\n]*$"):
            filled.prune()
        assert time.monotonic() - began < 10  # of the 30 s for which one far away may be silent
        assert filled.prune(dry_run=True).changes
    assert filled.read() == before
    assert filled.prune().changes


def lay_down(ledger, owner, key="0123456789ab"):
    store = LocalStore(ledger.uri)
    store.write_bytes(f"leases/{key}.000001.claim", json.dumps(owner.facts()).encode())
    return store, f"leases/{key}.{owner.token}.beat"


def test_pruning_is_refused_while_a_driver_of_another_machine_beats(filled):
    store, beat = lay_down(filled, replace(Owner(), machine="another", host="head-1"))
    threading.Timer(0.4, store.write_bytes, (beat, b"1")).start()
    lines = []
    with pytest.raises(UsageError, match=r"in use: sweep 01234567 is being run by process \d+ on head-1"):
        filled.prune(on_wait=lines.append, **FAST)
    assert len(lines) == 1
    assert lines[0].startswith("looking for up to 1 s whether process")


@pytest.mark.parametrize("change", [{"machine": "another"}, {"began": "1 ticks"}])
def test_leases_of_the_dead_do_not_keep_it_from_pruning_and_go(filled, change):
    lay_down(filled, replace(Owner(), **change))
    assert filled.prune(**FAST).changes
    assert filled.holders() == []
    assert LocalStore(filled.uri).list("leases") == []


def test_who_lost_the_ledger_while_it_stood_still_deletes_nothing(filled, monkeypatch):
    """It stands still after it has written; a sweep takes the ledger from it and begins."""
    before = filled.read()
    delete = pruning._delete

    def stand_still(store, lease, old):
        store.delete("leases")
        delete(store, lease, old)

    monkeypatch.setattr(pruning, "_delete", stand_still)
    with pytest.raises(SearchError, match="taken over"):
        filled.prune()
    after = filled.read()
    assert after.records == before.records
    assert after.n_segments == before.n_segments + 1


def test_a_segment_that_grows_without_a_lease_stays(filled, build_record, monkeypatch):
    delete = pruning._delete
    with filled.writer() as writer:
        writer.write([build_record("06", ended=NOW)])

        def write_more(store, lease, old):
            writer.write([build_record("07", ended=NOW)])
            delete(store, lease, old)

        monkeypatch.setattr(pruning, "_delete", write_more)
        filled.prune()
    assert {"06", "07"} <= filled.read().records.keys()
    assert filled.read().n_segments == 2


def test_a_ledger_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "ledger").write_text("")
    with pytest.raises(StorageError, match="a file stands where"):
        open_ledger(tmp_path / "ledger").prune()
