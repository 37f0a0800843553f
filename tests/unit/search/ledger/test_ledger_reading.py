"""What counts of several records of a fit, and what of a damaged file is still there."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparksweep.errors import StorageError
from sparksweep.search.ledger import open_ledger
from sparksweep.search.ledger.merging import merge_segments
from sparksweep.search.ledger.records import encode_record
from sparksweep.search.ledger.segments import Segment
from sparksweep.storage import LocalStore

pytestmark = pytest.mark.slow


def build_segment(name, records):
    return Segment(name, b"", [], [dict(record) for record in records], [])


def test_no_folder_is_an_empty_ledger(ledger):
    contents = ledger.read()
    assert (contents.records, contents.n_segments, contents.n_records, contents.notes) == ({}, 0, 0, [])


def test_an_empty_folder_and_foreign_files_are_an_empty_ledger(ledger, segments):
    segments.mkdir(parents=True)
    (segments / "README.txt").write_text("not ours")
    (segments / ".x.jsonl.new-0123abcd").write_text("half")
    assert ledger.read().n_segments == 0


@pytest.mark.parametrize(
    ("one", "two", "winner"),
    [
        ({"status": "complete", "attempt": 1}, {"status": "failed", "attempt": 2}, 0),
        ({"status": "complete", "attempt": 1}, {"status": "lost", "attempt": 9, "ended": 99.0}, 0),
        ({"status": "failed", "attempt": 1, "ended": 99.0}, {"status": "timeout", "attempt": 2}, 1),
        ({"status": "failed", "attempt": 2, "ended": 11.0}, {"status": "lost", "attempt": 2, "ended": 12.0}, 1),
        ({"status": "complete", "attempt": 2}, {"status": "complete", "attempt": 1, "ended": 99.0}, 0),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("apart", [False, True])
def test_which_of_two_records_counts(build_record, one, two, winner, swapped, apart):
    records = [build_record(**one, mark=0), build_record(**two, mark=1)]
    records = records[::-1] if swapped else records
    parts = [[records[0]], [records[1]]] if apart else [records]
    merged = merge_segments(build_segment(f"{place}.jsonl", part) for place, part in enumerate(parts))
    assert merged.records["0a"]["mark"] == winner
    assert merged.n_records == 2


def test_of_equal_records_the_later_segment_and_line_counts(build_record):
    a, b, c = (build_record(mark=mark) for mark in "abc")
    segments = [build_segment("1.jsonl", [a, b]), build_segment("2.jsonl", [c])]
    for order in itertools.permutations(segments):
        assert merge_segments(order).records["0a"]["mark"] == "c"
    assert merge_segments(segments[:1]).records["0a"]["mark"] == "b"


RECORDS = st.lists(
    st.tuples(
        st.sampled_from(["0a", "0b", "0c"]),
        st.sampled_from(["complete", "failed", "timeout", "lost"]),
        st.integers(1, 3),
        st.sampled_from([1.0, 2.0, 3.0]),
    ),
    max_size=12,
)


@given(st.lists(RECORDS, max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_segments_does_not_matter(parts, random):
    marks = itertools.count()
    names = ("fit_key", "status", "attempt", "ended")
    segments = [
        build_segment(f"{place}.jsonl", [{**dict(zip(names, each, strict=True)), "mark": next(marks)} for each in part])
        for place, part in enumerate(parts)
    ]
    expected = merge_segments(segments).records
    random.shuffle(segments)
    assert merge_segments(segments).records == expected
    assert merge_segments(segments + segments).records == expected
    for key, record in expected.items():
        rivals = [each for segment in segments for each in segment.records if each["fit_key"] == key]
        complete = [each for each in rivals if each["status"] == "complete"]
        assert record["attempt"] == max(each["attempt"] for each in complete or rivals)
        assert (record["status"] == "complete") == bool(complete)


def test_a_segment_torn_at_any_byte_of_its_last_line_loses_that_line_only(ledger, segments, build_record):
    segments.mkdir(parents=True)
    first, last = encode_record(build_record("01")), encode_record(build_record("02"))
    for cut in range(len(last)):
        (segments / "x.jsonl").write_bytes(first + last[:cut])
        contents = ledger.read()
        assert list(contents.records) == ["01"]
        assert contents.notes == (["segment x.jsonl ends in a torn line, dropped"] if cut else [])
    (segments / "x.jsonl").write_bytes(first + last)
    assert list(ledger.read().records) == ["01", "02"]


@pytest.mark.parametrize(
    "damage", [b"\x00" * 40, b"", b"{}", b'{"fit_key": "02"}', b"\xff\xfe", b'"' * 10, b"[" * 5000]
)
def test_a_damaged_line_in_the_middle_is_skipped_and_noted(ledger, segments, build_record, damage):
    segments.mkdir(parents=True)
    first, last = encode_record(build_record("01")), encode_record(build_record("03"))
    (segments / "x.jsonl").write_bytes(first + damage + b"\n" + last)
    contents = ledger.read()
    assert list(contents.records) == ["01", "03"]
    assert contents.notes == ["segment x.jsonl: line 2 is damaged, skipped"]


def test_many_damaged_lines_are_one_note(ledger, segments, build_record):
    segments.mkdir(parents=True)
    (segments / "x.jsonl").write_bytes(b"bad\n" * 1000 + encode_record(build_record("01")) + b"torn")
    contents = ledger.read()
    assert list(contents.records) == ["01"]
    assert contents.notes == [
        "segment x.jsonl: line 1 and 999 others are damaged, skipped",
        "segment x.jsonl ends in a torn line, dropped",
    ]


def test_a_segment_that_is_replaced_while_it_is_read_is_read_in_its_new_form(tmp_path, build_record):
    class Pruned(LocalStore):
        """Joins a and b to c right after they were listed."""

        def list(self, path):
            names = super().list(path)
            if "b.jsonl" in names:
                self.write_bytes(
                    "segments/c.jsonl", b"".join(self.read_bytes(f"segments/{name}.jsonl") for name in "ab")
                )
                self.delete("segments/a.jsonl")
                self.delete("segments/b.jsonl")
            return names

    store = Pruned(tmp_path)
    store.write_bytes("segments/a.jsonl", encode_record(build_record("01")))
    store.write_bytes("segments/b.jsonl", encode_record(build_record("02")))
    assert sorted(open_ledger(store).read().records) == ["01", "02"]


def test_a_folder_that_may_not_be_read_is_one_line(ledger, segments, monkeypatch):
    segments.mkdir(parents=True)
    (segments / "x.jsonl").mkdir()
    with pytest.raises(StorageError, match=r"^cannot read .*x\.jsonl: Is a directory; .*$"):
        ledger.read()


def test_history_has_every_attempt_once(ledger, build_record):
    with ledger.writer() as writer:
        writer.write([build_record("0ab", "failed", 2), build_record("0ab", "failed", 1), build_record("0b")])
    with ledger.writer() as writer:
        writer.write([build_record("0ab", "complete", 3), build_record("0ab", "failed", 1)])
    assert [record["attempt"] for record in ledger.history("0a")] == [1, 2, 3]
    assert ledger.history("0ab") == ledger.history("0a")
    assert ledger.history("1") == []


def test_a_sweep_of_15625_fits_is_read_quickly_and_leanly(ledger, segments, build_record):
    segments.mkdir(parents=True)
    params = json.dumps({"max_depth": 4, "learning_rate": 0.1, "subsample": 0.8, "note": "x" * 250})
    with open(segments / "x.jsonl", "wb") as file:
        for number in range(15_625):
            others = {"host": "worker-1", "estimator": "xgboost.XGBClassifier", "data": "d" * 64, "sweep_key": "e" * 64}
            record = build_record(f"{number:064x}", params=params, test_score=number / 7, fit_error=None, **others)
            file.write(encode_record(record))
    began = time.process_time()  # others may be using the machine too
    contents = ledger.read()
    seconds = time.process_time() - began
    assert len(contents.records) == 15_625
    assert contents.n_bytes > 10_000_000
    assert seconds < 1.5
    one, two = list(contents.records.values())[:2]
    assert one["data"] is two["data"]
    assert next(iter(one)) is next(iter(two))


def test_a_ledger_on_this_machine_needs_no_spark(ledger):
    code = (
        "import sys\nfrom sparksweep.search.ledger import open_ledger\n"
        "with open_ledger(sys.argv[1]).lease('0a'): open_ledger(sys.argv[1]).read()\nprint('pyspark' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, ledger.uri], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
