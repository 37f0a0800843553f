"""Draws with exact totals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparksweep.talkingdata.generate.draws import (
    choose,
    distinct,
    pick,
    pick_rows,
    proportional,
    settle,
    stratified,
    stream,
)

weights_of = st.lists(st.floats(0.01, 100), min_size=1, max_size=30).map(np.array)
some = settings(max_examples=40, deadline=None)


@some
@given(weights_of, st.integers(0, 5000), st.integers(0, 3))
def test_proportional_shares_add_up_and_keep_the_floor(weights, extra, low):
    total = low * len(weights) + extra
    shares = proportional(weights, total, low)
    assert shares.sum() == total
    assert shares.min() >= low
    if not low:
        assert np.abs(shares - weights / weights.sum() * total).max() < 1 + 1e-9


def test_proportional_refuses_what_cannot_be():
    with pytest.raises(ValueError, match="5 is less than 2 for each of 3 shares"):
        proportional(np.ones(3), 5, low=2)


@some
@given(st.lists(st.integers(0, 50), min_size=1, max_size=30), st.integers(0, 10_000))
def test_settle_reaches_the_total_within_the_limits(counts, total):
    low, high = 1, 40
    total = int(np.clip(total, low * len(counts), high * len(counts)))
    settled = settle(stream(0, "test"), np.array(counts), total, low, high)
    assert settled.sum() == total
    assert settled.min() >= low
    assert settled.max() <= high


def test_settle_refuses_what_cannot_be():
    with pytest.raises(ValueError, match="counts within their limits add up to 6, not to 7"):
        settle(stream(0, "test"), np.array([1, 1]), 7, 0, 3)


def test_settle_moves_nothing_that_its_limits_hold():
    counts = np.array([1, 2, 30])
    assert settle(stream(0, "test"), counts, 40, np.array([1, 2, 16]), np.array([1, 2, 90])).tolist() == [1, 2, 37]


@some
@given(st.lists(st.integers(-5, 5), max_size=30))
def test_distinct_is_unique(values):
    assert distinct(np.array(values, np.int64)).tolist() == sorted(set(values))


def test_choose_takes_by_weight_without_repeats_and_zeros_last():
    rng = stream(0, "test")
    taken = [choose(rng, np.array([0.0, 1.0, 8.0, 0.0, 1.0]), 2).tolist() for _ in range(300)]
    assert all(a < b for a, b in taken)
    assert not {0, 3} & {index for pair in taken for index in pair}
    assert sum(2 in pair for pair in taken) > 270  # 1 - 0.1 * 1/9 of all, at least
    assert choose(rng, np.array([0.0, 1.0, 1.0]), 5).tolist() == [0, 1, 2]


def test_pick_follows_the_weights():
    drawn = pick(stream(0, "test"), np.array([1.0, 0.0, 3.0]), 4000)
    assert np.bincount(drawn, minlength=3)[1] == 0
    assert np.mean(drawn == 2) == pytest.approx(0.75, abs=0.03)


def test_pick_rows_uses_the_column_of_each_class():
    weights = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    drawn = pick_rows(stream(0, "test"), weights, np.array([0, 1] * 500))
    assert set(drawn[::2]) == {0}
    assert set(drawn[1::2]) == {1, 2}


def test_stratified_draws_one_of_each_step():
    drawn = stratified(stream(0, "test"), 50)
    assert np.floor(np.sort(drawn) * 50).tolist() == list(range(50))
    assert np.any(np.diff(drawn) < 0)


def test_streams_differ_by_seed_purpose_and_part():
    draws = [stream(*key).random() for key in ((0, "a"), (1, "a"), (0, "b"), (0, "a", 1))]
    assert len(set(draws)) == 4
    assert stream(0, "a").random() == draws[0]
