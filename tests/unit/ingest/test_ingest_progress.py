from __future__ import annotations

from sparksweep.ingest import progress


def test_bytes_a_second_and_the_time_to_go(monkeypatch):
    now, said = [100.0], []
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    reading = progress.ReadProgress({"events": 60_000_000, "apps": 240_000_000, "empty": 0}, said.append)
    now[0] += 10
    reading.tell("events", 3_252_950)
    now[0] += 40
    reading.tell("apps", 32_473_067)
    reading.tell("empty", 0)
    assert said == [
        "events: 3,252,950 rows read (60.0 of 300.0 MB in 10 s, 6.0 MB/s, about 40 s to go)",
        "apps: 32,473,067 rows read (300.0 of 300.0 MB in 50 s, 6.0 MB/s)",
        "empty: 0 rows read (300.0 of 300.0 MB in 50 s, 6.0 MB/s)",
    ]


def test_nothing_that_has_a_size_was_read_yet():
    said = []
    progress.ReadProgress({"empty": 0, "apps": 10}, said.append).tell("empty", 0)
    assert said[0].endswith("0.0 MB/s)")
