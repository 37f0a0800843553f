"""``sparksweep ledger``: what a person reads of it."""

from __future__ import annotations

import math

import pytest

from sparksweep.cli import main
from sparksweep.search.ledger import open_ledger

MORNING = 1_764_061_200.0  # 2025-11-25 09:00:00 UTC
TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1, in fit\nValueError: depth must be positive\n'


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "ws").mkdir()
    return tmp_path / "ws"


@pytest.fixture
def say(workspace, capsys):
    """Run a command on the workspace and return its code and lines."""

    def run(*arguments):
        code = main(["ledger", *map(str, arguments), "--workspace", str(workspace)])
        captured = capsys.readouterr()
        return code, captured.out.splitlines() or captured.err.splitlines()

    return run


@pytest.fixture
def filled(workspace):
    common = {
        "estimator": "xgboost.sklearn.XGBClassifier",
        "data": "d" * 64,
        "sweep_key": "e" * 64,
        "params": '{"max_depth": 4}',
        "candidate_id": 2,
        "split_id": 1,
        "host": "worker-1",
        "pid": 77,
        "thread_count": 1,
        "fit_error": None,
    }
    failed = {
        **common,
        "fit_key": "aa11" + "0" * 60,
        "status": "failed",
        "attempt": 1,
        "started": MORNING,
        "ended": MORNING + 90,
        "fit_error": TRACEBACK,
    }
    again = {**failed, "attempt": 2, "started": MORNING + 3600, "ended": MORNING + 3690, "host": "worker-2"}
    complete = {
        **common,
        "fit_key": "aa22" + "0" * 60,
        "status": "complete",
        "attempt": 1,
        "started": MORNING,
        "ended": MORNING + 1800,
        "test_neg_log_loss": -2.123456789012345,
        "train_neg_log_loss": math.nan,
        "fit_time": 1799.5,
    }
    other = {**complete, "fit_key": "bb33", "estimator": "sklearn.svm.SVC", "sweep_key": "f", "ended": MORNING + 9000}
    ledger = open_ledger(workspace / "ledger")
    for part in ([failed, complete], [again, other]):
        with ledger.writer() as writer:
            writer.write(part)
    return ledger


def test_an_empty_workspace(say, workspace):
    assert say("list") == (0, [f"no fits in {workspace}/ledger"])
    assert say("list", "--failed") == (0, [f"no fit in {workspace}/ledger is incomplete"])
    assert say("prune") == (0, [f"nothing to prune in {workspace}/ledger: 0 records, each the one that counts"])
    code, lines = say("show", "aa")
    assert code == 2
    assert lines == [
        f"sparksweep: error: no fit in {workspace}/ledger has a key that starts with 'aa'; see fits.parquet of a run"
    ]


@pytest.mark.usefixtures("filled")
def test_list_is_a_line_for_each_estimator_and_matrix(say, workspace):
    (workspace / "ledger" / "segments" / "x.jsonl").write_bytes(b"torn")
    code, lines = say("list")
    assert code == 0
    assert lines[0].startswith(f"{workspace}/ledger: 3 fits, 4 records, 3 segments, ")
    assert [line.split("  ") for line in lines[1:4]] == [line.split("  ") for line in LISTED]
    assert lines[4:] == [
        "note: segment x.jsonl ends in a torn line, dropped",
        "1 fits are not complete and will be tried again; see: sparksweep ledger list --failed "
        f"--workspace {workspace}",
    ]


LISTED = [
    "estimator                      data          sweeps  complete  failed  timeout  lost  fit hours"
    "  first started (UTC)  last ended (UTC)",
    "xgboost.sklearn.XGBClassifier  dddddddddddd  1       1         1       0        0     0.53     "
    "  2025-11-25 09:00:00  2025-11-25 10:01:30",
    "sklearn.svm.SVC                dddddddddddd  1       1         0       0        0     2.50     "
    "  2025-11-25 09:00:00  2025-11-25 11:30:00",
]


def test_list_says_who_uses_the_ledger(say, filled):
    with filled.lease("0123456789abcdef"):
        assert any(
            line.startswith("lease: 0123456789ab is held by process ") and line.endswith(" UTC")
            for line in say("list")[1]
        )


@pytest.mark.usefixtures("filled")
def test_list_failed_says_why(say):
    assert say("list", "--failed") == (
        0,
        [
            "fit           status  attempt  ended (UTC)          host      params            reason",
            'aa1100000000  failed  2        2025-11-25 10:01:30  worker-2  {"max_depth": 4}'
            "  ValueError: depth must be positive",
        ],
    )


@pytest.mark.usefixtures("filled")
def test_show_has_every_attempt_with_the_whole_traceback(say):
    code, lines = say("show", "aa1")
    assert code == 0
    assert lines == [
        "fit aa11" + "0" * 60,
        "estimator: xgboost.sklearn.XGBClassifier",
        'params: {"max_depth": 4}',
        "candidate_id: 2",
        "split_id: 1",
        "data: " + "d" * 64,
        "sweep_key: " + "e" * 64,
        "attempt 1: failed, 2025-11-25 09:00:00 to 2025-11-25 09:01:30 UTC on worker-1, process 77, thread_count 1",
        *(f"  {line}" for line in TRACEBACK.splitlines()),
        "attempt 2: failed, 2025-11-25 10:00:00 to 2025-11-25 10:01:30 UTC on worker-2, process 77, thread_count 1",
        *(f"  {line}" for line in TRACEBACK.splitlines()),
    ]


@pytest.mark.usefixtures("filled")
def test_show_has_the_scores_to_the_last_digit(say):
    lines = say("show", "aa2")[1]
    assert lines[-3:] == ["  test_neg_log_loss: -2.123456789012345", "  train_neg_log_loss: nan", "  fit_time: 1799.5"]


@pytest.mark.usefixtures("filled")
def test_a_key_that_starts_two_fits_asks_for_more(say):
    code, lines = say("show", "aa")
    assert code == 2
    assert lines == [
        "sparksweep: error: 2 fits have keys that start with 'aa': give more digits of one"
        " (aa110000000000, aa220000000000)"
    ]


def test_prune_says_what_it_would_do_and_what_it_did(say, filled):
    code, would = say("prune", "--failed", "--dry-run")
    assert code == 0
    assert would[0].startswith("would drop 2 of 4 records (1 superseded, 1 failed); 2 segments of 2.")
    assert len(filled.read().records) == 3
    code, did = say("prune", "--failed")
    assert code == 0
    assert did == [would[0].replace("would drop", "dropped").replace("would become", "became")]
    assert len(filled.read().records) == 2
    assert say("prune", "--older-than", "1")[1][0].startswith("dropped 2 of 2 records (2 old); 1 segments of ")
    assert filled.read().n_segments == 0


def test_prune_beside_a_run_is_code_2(say, filled):
    with filled.lease("0123456789abcdef"):
        code, lines = say("prune")
    assert code == 2
    assert lines[0].startswith(f"sparksweep: error: {filled.uri} is in use: sweep 01234567 is being run by process")


def test_a_ledger_that_cannot_be_pruned_is_code_1(say, workspace):
    (workspace / "ledger").write_text("")
    code, lines = say("prune")
    assert code == 1
    assert lines[0].startswith("sparksweep: error: cannot make the folder")
