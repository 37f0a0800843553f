"""What a search takes from its ledger and adds to it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sparksweep.errors import SearchError, StorageError
from sparksweep.search import keeping
from sparksweep.search.fits import COMPLETE, FAILED, Fit, from_record, to_record
from sparksweep.search.identity import Identity
from sparksweep.search.keeping import FitKeeper
from sparksweep.search.ledger import open_ledger
from sparksweep.search.scoring import build_scoring


def identity(scoring="accuracy"):
    estimator = LogisticRegression()
    scorers = build_scoring(estimator, scoring, raise_errors=False)
    return Identity(estimator, "data", {}, {}, scorers, 1, False)


def fit(candidate_id=0, split_id=0, **changes):
    values = {
        "candidate_id": candidate_id,
        "split_id": split_id,
        "status": COMPLETE,
        "test_scores": {"score": 0.5},
        "train_scores": {},
        "score_errors": {},
        "multimetric": False,
        "fit_time": 2.0,
        "score_time": 1.0,
        "n_test": 3,
        "fit_error": None,
        "started": 1.5,
        "ended": 2.5,
        "host": "here",
        "pid": 7,
        "thread_count": 1,
        "attempt": 1,
    }
    return Fit(**{**values, **changes})


@pytest.fixture
def ledger(tmp_path):
    return open_ledger(tmp_path / "ledger")


def kept(ledger, *fits, scoring="accuracy"):
    with FitKeeper(ledger, identity(scoring), "sweep") as keeper:
        return keep(keeper, *fits)


def keep(keeper, *fits):
    places = [(each.candidate_id, each.split_id) for each in fits]
    keys = {place: f"{place[0]:02x}{place[1]:02x}" for place in places}
    return keeper.keep(fits, keys, dict.fromkeys([place[0] for place in places], '{"C": 1}'))


def reused(ledger, keys, scorers=None, scoring="accuracy"):
    with FitKeeper(ledger, identity(scoring), "sweep") as keeper:
        return list(keeper.reusable(keys, scorers))


@pytest.mark.parametrize(
    "given",
    [
        fit(test_scores={"score": math.nan}),
        fit(test_scores={"a": 1 / 3, "b": -0.0}, train_scores={"a": math.inf, "b": 5e-324}, multimetric=True),
        fit(status=FAILED, test_scores={"a": None, "b": 1.0}, score_errors={"test_a": "why\nso"}, multimetric=True),
        fit(status=FAILED, test_scores={}, fit_error="Traceback\n  é"),
        fit(test_scores={"score": np.float64(0.1)}, split_id=4),
    ],
)
def test_a_fit_comes_back_as_it_was(ledger, given):
    with ledger.writer() as writer:
        writer.write([{"fit_key": "ab", "params": "{}", **to_record(given, {"score": "x"})}])
    (record,) = ledger.read().records.values()
    assert repr(from_record(record, given.candidate_id, given.split_id)) == repr(given).replace(
        "np.float64(0.1)", "0.1"
    )


def test_complete_fits_of_the_same_scorers_are_reused_wherever_they_stand(ledger):
    kept(ledger, fit(0, 0), fit(0, 1, status=FAILED, test_scores={}, fit_error="x"))
    (found,) = reused(ledger, {(3, 2): "0000", (3, 1): "0001", (9, 9): "0909"})
    assert (found.candidate_id, found.split_id, found.test_scores) == (3, 2, {"score": 0.5})
    assert reused(ledger, {(0, 0): "0000"}, scoring="f1_macro") == []
    several = fit(1, 0, test_scores={"a": 1.0, "b": 2.0}, multimetric=True)
    kept(ledger, several, scoring={"a": "accuracy", "b": "f1_macro"})
    assert reused(ledger, {(1, 0): "0100"}, ["a"], scoring={"a": "accuracy"}) == []
    assert len(reused(ledger, {(1, 0): "0100"}, ["a", "b"], scoring={"a": "accuracy", "b": "f1_macro"})) == 1
    assert reused(ledger, {(1, 0): "0100"}, ["a", "b"], scoring={"a": "f1_macro", "b": "accuracy"}) == []


def test_attempts_are_counted_over_all_runs(ledger):
    kept(ledger, fit(status=FAILED, attempt=2, fit_error="x", test_scores={}))
    with FitKeeper(ledger, identity(), "sweep") as keeper:
        assert list(keeper.reusable({(0, 0): "0000", (1, 0): "0100"}, None)) == []
        assert [each.attempt for each in keep(keeper, fit(), fit(1))] == [3, 1]


def test_timings_are_of_this_estimator_on_this_data(ledger):
    kept(ledger, fit(), fit(1, -1), fit(2, status=FAILED, fit_error="x", test_scores={}))
    with ledger.writer() as writer:
        other = {**to_record(fit(), {}), "fit_key": "ff", "params": "{}", "estimator": "other", "data": "data"}
        writer.write([other])
    with FitKeeper(ledger, identity(), "sweep") as keeper:
        assert list(keeper.timings()) == [('{"C": 1}', 3.0)]
        keeper.forget_records()
        assert list(keeper.timings()) == []


class Failing:
    def __init__(self, writer, times):
        self.writer = writer
        self.times = times

    def write(self, records):
        if self.times:
            self.times -= 1
            raise StorageError("cannot write: no space left on device")
        self.writer.write(records)

    def close(self):
        self.writer.close()


def test_a_full_disk_is_said_once_and_tried_again(ledger, caplog):
    with FitKeeper(ledger, identity(), "sweep") as keeper:
        keeper._writer = Failing(keeper._writer, 2)
        for number in range(3):
            keep(keeper, fit(number))
            assert len(ledger.read().records) == (3 if number == 2 else 0)
    assert caplog.text.count("the ledger cannot be written for now, fits are kept in memory") == 1


def test_what_could_not_be_written_to_the_end_is_said(ledger, caplog):
    with FitKeeper(ledger, identity(), "sweep") as keeper:
        keeper._writer = Failing(keeper._writer, 9)
        keep(keeper, fit())
    assert "1 fits are not in the ledger" in caplog.text


def test_what_ends_the_search_is_not_kept(ledger):
    kept(ledger, fit(status=FAILED, test_scores={}, fit_error="x", exception=b"pickled"))
    assert len(ledger.read().records) == 0


def test_who_was_taken_over_keeps_nothing(ledger, monkeypatch):
    monkeypatch.setattr(keeping, "LEASE_INTERVAL", -1.0)
    with FitKeeper(ledger, identity(), "sweep") as keeper:
        keep(keeper, fit())
        monkeypatch.setattr(keeper._lease, "_successor", "another")
        with pytest.raises(SearchError, match="taken over by another"):
            keep(keeper, fit(1))
    assert len(ledger.read().records) == 1


def test_a_ledger_that_cannot_be_written_is_refused_at_the_start(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"), FitKeeper(open_ledger(tmp_path / "file"), identity(), "sweep"):
        pass
