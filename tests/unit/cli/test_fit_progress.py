"""Lines of a log that tell how far the fits are."""

from __future__ import annotations

from sparksweep.cli.fit_progress import LOG_INTERVAL, LogLines
from sparksweep.search.progress import ProgressSnapshot


def snapshot(done):
    return ProgressSnapshot(12, done, 0, 0, None, None, 1.0, None, None)


def test_a_line_each_interval_from_the_first_fits_on_and_one_at_the_end(capsys):
    now = [0.0]
    lines = LogLines(clock=lambda: now[0])
    for seconds, done in (
        (100, 0),
        (110, 3),
        (100 + LOG_INTERVAL, 5),
        (101 + LOG_INTERVAL, 12),
        (102 + LOG_INTERVAL, 12),
    ):
        now[0] = seconds
        lines(snapshot(done))
    assert capsys.readouterr().out == "5 of 12 fits done\n12 of 12 fits done\n"
