"""What a search tells while it runs."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from sparksweep.search.fits import Fit
from sparksweep.search.progress import Progress, ProgressSnapshot


def arrived(candidate_id, split_id, score, status="complete"):
    return Fit(candidate_id, split_id, status, {"score": score}, {}, {}, False, 0, 0, 1, None, 0, 0, "", 0, 1, 1)


def watched(n_splits=2, scorer=None, error_score=math.nan, clock=lambda: 0.0):
    told = []
    return Progress(told.append, n_splits, scorer, error_score, clock), told


def test_the_best_is_of_candidates_with_all_their_splits():
    progress, told = watched()
    progress.expect(4, 4.0)
    for fit in (arrived(0, 0, 0.5), arrived(0, 1, 1.0), arrived(1, 0, None, "failed"), arrived(1, 1, 9.0)):
        progress.add([fit], {}, 0)
    assert [(now.done, now.failed, now.total, now.best_score) for now in told] == [
        (1, 0, 4, None),
        (2, 0, 4, 0.75),
        (3, 1, 4, 0.75),
        (4, 1, 4, 0.75),
    ]
    assert told[-1].best_candidate == 0


def test_error_score_and_the_deciding_scorer():
    progress, told = watched(1, "score", 0.25)
    progress.add([arrived(0, 0, None, "failed")], {}, 0)
    progress.add([arrived(1, 0, 0.125)], {}, 0)
    assert [now.best_score for now in told] == [0.25, 0.25]
    other, told = watched(1, "absent", "raise")
    other.add([arrived(0, 0, 3.0)], {}, 0)
    assert told[-1].best_score is None


def test_what_is_left_follows_the_expected_cost_not_the_count():
    seconds = iter([0.0, 10.0, 20.0])
    progress, told = watched(1, clock=lambda: next(seconds))
    progress.expect(3, 8.0)
    progress.add([arrived(0, 0, 0.0)], {(0, 0): 4.0}, 300)
    progress.add([arrived(1, 0, 0.0)], {(1, 0): 3.0}, 100)
    assert [now.seconds_left for now in told] == pytest.approx([10.0, 20 / 7])
    assert [now.rounds_per_second for now in told] == [30.0, 20.0]


def test_reused_fits_count_as_done_and_cost_nothing():
    progress, told = watched(1)
    progress.expect(2, 1.0)
    progress.reuse([arrived(0, 0, 0.5)])
    assert (told[-1].done, told[-1].reused, told[-1].seconds_left, told[-1].best_score) == (1, 1, None, 0.5)
    progress.refitting()
    assert told[-1].refitting


def test_a_snapshot_is_a_line_for_people():
    now = ProgressSnapshot(
        total=12,
        done=5,
        reused=2,
        failed=1,
        best_score=-2.4,
        best_candidate=3,
        seconds=9.0,
        seconds_left=61.2,
        rounds_per_second=123.4,
    )
    assert str(now) == (
        "5 of 12 fits done, 2 reused, 1 failed, best -2.40000 (candidate 3), 123 rounds/s, 0:01:01 left"
    )
    assert str(replace(now, done=12, refitting=True)).endswith(
        "best -2.40000 (candidate 3), refit of the best on all rows"
    )
    bare = replace(now, reused=0, failed=0, best_score=None, seconds_left=None, rounds_per_second=None)
    assert str(bare) == "5 of 12 fits done"
