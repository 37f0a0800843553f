from __future__ import annotations

import re
import tempfile
import threading
import time

import pytest

from sparksweep.ingest import Column, TableSchema
from sparksweep.ingest import progress as module
from sparksweep.ingest.archive import open_member
from sparksweep.ingest.counted_files import CountedFile, count_of
from sparksweep.ingest.progress import ReadProgress
from sparksweep.ingest.source import LocalFile


def test_bytes_a_second_and_the_time_to_go():
    said = []
    progress = ReadProgress(
        {"events": 60_000_000, "apps": 240_000_000, "labels": 60_000_000, "empty": 0}, 2, said.append
    )
    progress.tell("events", 3_252_950, 10.0)
    progress.tell("labels", 100, 20.0)
    progress.tell("empty", 0, 0.0)
    progress.tell("apps", 32_473_067, 80.0)
    assert said == [
        # 300 MB to go at 6 MB/s, by two readers
        "events: 3,252,950 rows read, 60.0 MB at 6.0 MB/s (60.0 of 360.0 MB, about 25 s to go)",
        # 240 MB to go at 4 MB/s, by two readers, of which one has an empty file
        "labels: 100 rows read, 60.0 MB at 3.0 MB/s (120.0 of 360.0 MB, about 30 s to go)",
        "empty: 0 rows read, 0.0 MB at 0.0 MB/s (120.0 of 360.0 MB, about 60 s to go)",
        "apps: 32,473,067 rows read, 240.0 MB at 3.0 MB/s (360.0 of 360.0 MB)",
    ]


def test_nothing_that_has_a_size_was_read_yet():
    said = []
    ReadProgress({"empty": 0, "apps": 10}, 2, said.append).tell("empty", 0, 0.0)
    assert said == ["empty: 0 rows read, 0.0 MB at 0.0 MB/s (0.0 of 0.0 MB)"]


def test_a_tenth_must_be_read_before_the_rest_is_foretold():
    said = []
    progress = ReadProgress({"small": 1_000_000, "apps": 9_000_000, "events": 10_000_000}, 1, said.append)
    progress.tell("small", 7, 5.0)
    progress.tell("apps", 9, 5.0)
    assert said == [
        "small: 7 rows read, 1.0 MB at 0.2 MB/s (1.0 of 20.0 MB)",
        "apps: 9 rows read, 9.0 MB at 1.8 MB/s (10.0 of 20.0 MB, about 10 s to go)",
    ]


def test_less_than_a_second_is_not_worth_a_word():
    said = []
    ReadProgress({"events": 9_000_000, "labels": 1_000_000}, 1, said.append).tell("events", 7, 4.5)
    assert said == ["events: 7 rows read, 9.0 MB at 2.0 MB/s (9.0 of 10.0 MB)"]


@pytest.fixture
def lines(monkeypatch):
    """Return a list of lines, and make them come often; ``waited()`` waits for the next."""
    monkeypatch.setattr(module, "INTERVAL", 0.01)

    class Lines(list):
        come = threading.Event()

        def say(self, line):
            self.append(line)
            self.come.set()

        def waited(self):
            self.come.clear()
            assert self.come.wait(10)
            return self[-1]

    return Lines()


def test_while_an_archive_is_read(lines, tmp_path):
    path = tmp_path / "apps.csv.zip"
    path.write_bytes(bytes(8_000_000))
    with ReadProgress({"apps": 8_000_000, "events": 2_000_000}, 2, lines.say, here=True) as progress:
        assert lines.waited() == "0.0 of 10.0 MB read at 0.0 MB/s: apps 0.0 of 8.0 MB, events 0.0 of 2.0 MB"
        with progress.counted("apps", LocalFile(str(path))).open() as stream:
            stream.read(6_000_000)
            lines.waited()
            pace, files = r"at \d+\.\d MB/s, about \d+ s to go", r"apps 6\.0 of 8\.0 MB, events 0\.0 of 2\.0 MB"
            assert re.fullmatch(rf"6\.0 of 10\.0 MB read {pace}: {files}", lines.waited())
        progress.tell("events", 7, 2.0)
        lines.waited()
        assert re.match(r"8\.0 of 10\.0 MB read at .* to go: apps 6\.0 of 8\.0 MB$", lines.waited())
    assert "ingest progress" not in [thread.name for thread in threading.enumerate()]


def test_while_an_archive_is_read_elsewhere(lines):
    file = LocalFile("apps.csv.zip")
    with ReadProgress({"apps": 240_000_000, "events": 60_000_000}, 2, lines.say) as progress:
        assert progress.counted("apps", file) is file
        progress.tell("events", 7, 10.0)
        lines.waited()
        assert lines.waited() == "60.0 of 300.0 MB read in 0 s; not yet at their end: apps (240.0 MB)"


def test_nothing_is_said_when_all_is_read(lines):
    with ReadProgress({"apps": 10}, 2, lines.say) as progress:
        progress.tell("apps", 1, 1.0)
        time.sleep(0.05)  # a line may have been on its way
        lines.come.clear()
        assert not lines.come.wait(0.05)
        assert progress._now() == ""


def test_without_a_place_for_counters_whole_archives_are_told(lines, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with ReadProgress({"apps": 240_000_000}, 2, lines.say, here=True):
        assert lines.waited() == "0.0 of 240.0 MB read in 0 s; not yet at their end: apps (240.0 MB)"


def test_a_counted_file_is_read_as_itself(make_zip, tmp_path):
    file, schema = make_zip(text="event_id\n1\n" * 1000), TableSchema("events", (Column("event_id", "int32"),))
    counted = CountedFile(file, tmp_path / "counter")
    assert (str(counted), counted.size, count_of(counted.counter)) == (str(file), file.size, 0)
    for _ in range(2):  # as often as it is opened
        with open_member(counted, schema) as stream:
            assert stream.read() == b"event_id\n1\n" * 1000
        assert file.size <= count_of(counted.counter) < file.size + 1000


def test_a_count_that_cannot_be_kept_is_no_reason_to_fail(make_zip, tmp_path):
    with CountedFile(make_zip(text="a"), tmp_path / "gone" / "counter").open() as stream:
        assert stream.read(2) == b"PK"
