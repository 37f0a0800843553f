from __future__ import annotations

from sparksweep.ingest.progress import ReadProgress


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
