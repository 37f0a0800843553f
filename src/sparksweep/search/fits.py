"""One fit as a record: what a worker reports, what the ledger keeps of it, how it stands in the table ``fits_``."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa

__all__ = [
    "ALL_ROWS",
    "COMPLETE",
    "FAILED",
    "LOST",
    "TIMEOUT",
    "Fit",
    "fits_table",
    "from_record",
    "lost_fit",
    "to_record",
]

COMPLETE = "complete"
FAILED = "failed"
TIMEOUT = "timeout"
LOST = "lost"
ALL_ROWS = -1  # the refit's split: every row is trained on


@dataclass(frozen=True, slots=True)
class Fit:
    """One candidate trained and scored on one split.

    Attributes
    ----------
    candidate_id, split_id : int
        Which fit; `ALL_ROWS` is the refit's split.
    status : str
        `COMPLETE`; `FAILED` where training or any of the scores failed; `TIMEOUT` where it took longer than it may;
        `LOST` where Spark lost its task again and again.
    test_scores, train_scores : mapping of str to (float or None)
        By scorer; None where it failed. Empty where training failed before the scorers' names were known, and
        `train_scores` where they are not wanted.
    score_errors : mapping of str to str
        Tracebacks of failed scores by ``test_<scorer>`` or ``train_<scorer>``, in the order they happened.
    multimetric : bool
        Whether the scorer gave a mapping.
    fit_time, score_time : float
        Seconds.
    n_test : int
        Rows scored.
    fit_error : str or None
        Traceback of a failed training.
    started, ended : float
        Seconds since 1970, UTC.
    host, pid : str, int
        Where it ran.
    thread_count, attempt : int
        Threads it had, and which try it was, from 1.
    exception : bytes or None
        The pickled exception that ends the whole search; in flight only, never kept.
    """

    candidate_id: int
    split_id: int
    status: str
    test_scores: Mapping[str, float | None]
    train_scores: Mapping[str, float | None]
    score_errors: Mapping[str, str]
    multimetric: bool
    fit_time: float
    score_time: float
    n_test: int
    fit_error: str | None
    started: float
    ended: float
    host: str
    pid: int
    thread_count: int
    attempt: int
    exception: bytes | None = None


def lost_fit(candidate_id: int, split_id: int, threads: int, attempt: int, reason: str) -> Fit:
    """Return the fit of which nothing is known but that Spark lost it."""
    now = time.time()
    return Fit(
        candidate_id=candidate_id,
        split_id=split_id,
        status=LOST,
        test_scores={},
        train_scores={},
        score_errors={},
        multimetric=False,
        fit_time=0.0,
        score_time=0.0,
        n_test=0,
        fit_error=f"lost {attempt} times: {reason}",
        started=now,
        ended=now,
        host="",
        pid=0,
        thread_count=threads,
        attempt=attempt,
    )


_PLAIN = [
    field.name
    for field in fields(Fit)
    if field.name not in ("split_id", "test_scores", "train_scores", "score_errors", "exception")
]


def to_record(fit: Fit, scorers: Mapping[str, str]) -> dict[str, Any]:
    """Return a fit as the ledger keeps it, to which its key is to be added.

    Parameters
    ----------
    scorers : mapping of str to str
        What each score was computed by, as `Identity.scorer_identities` says it.
    """
    record = {name: getattr(fit, name) for name in _PLAIN}
    record["split_id"] = None if fit.split_id == ALL_ROWS else fit.split_id
    record["scorers"] = {name: scorers.get(name, "") for name in fit.test_scores}
    record |= {f"test_{name}": score for name, score in fit.test_scores.items()}
    record |= {f"train_{name}": score for name, score in fit.train_scores.items()}
    record["score_errors"] = dict(fit.score_errors)
    return record


def from_record(record: Mapping[str, Any], candidate_id: int, split_id: int) -> Fit:
    """Return the fit that a record of the ledger describes, as one of this search's candidates and splits."""
    names = list(record["scorers"])
    return Fit(
        **{name: record[name] for name in _PLAIN if name != "candidate_id"},
        candidate_id=candidate_id,
        split_id=split_id,
        test_scores={name: record[f"test_{name}"] for name in names},
        train_scores={name: record[f"train_{name}"] for name in names if f"train_{name}" in record},
        score_errors=record["score_errors"],
    )


def fits_table(fits: Sequence[Fit], keys: Mapping[tuple[int, int], tuple[str, str]]) -> pa.Table:
    """Return fits as a table with a typed column for each scorer.

    Parameters
    ----------
    fits : sequence of Fit
        In the order of the rows.
    keys : mapping of (candidate_id, split_id) to (fit_key, params as JSON text)
        What the grid says of each fit.

    Returns
    -------
    pyarrow.Table
        A failed score is null, a refit's split is null, times are in UTC.
    """
    tests = _names(fit.test_scores for fit in fits)
    trains = _names(fit.train_scores for fit in fits)
    columns: dict[str, pa.Array] = {
        "fit_key": pa.array([keys[fit.candidate_id, fit.split_id][0] for fit in fits], pa.string()),
        "candidate_id": pa.array([fit.candidate_id for fit in fits], pa.int32()),
        "split_id": pa.array([None if fit.split_id == ALL_ROWS else fit.split_id for fit in fits], pa.int32()),
        "params": pa.array([keys[fit.candidate_id, fit.split_id][1] for fit in fits], pa.string()),
        "status": pa.array([fit.status for fit in fits], pa.string()),
    }
    columns |= {f"test_{name}": _floats(fit.test_scores.get(name) for fit in fits) for name in tests}
    columns |= {f"train_{name}": _floats(fit.train_scores.get(name) for fit in fits) for name in trains}
    columns |= {
        "fit_time": _floats(fit.fit_time for fit in fits),
        "score_time": _floats(fit.score_time for fit in fits),
        "n_test": pa.array([fit.n_test for fit in fits], pa.int64()),
        "fit_error": pa.array([_reason(fit) for fit in fits], pa.string()),
        "started": _moments(fit.started for fit in fits),
        "ended": _moments(fit.ended for fit in fits),
        "host": pa.array([fit.host for fit in fits], pa.string()),
        "pid": pa.array([fit.pid for fit in fits], pa.int32()),
        "thread_count": pa.array([fit.thread_count for fit in fits], pa.int32()),
        "attempt": pa.array([fit.attempt for fit in fits], pa.int32()),
    }
    return pa.table(columns)


def _reason(fit: Fit) -> str | None:
    """Return why a fit is not `COMPLETE`: its training's traceback, else those of its scores."""
    return fit.fit_error or "\n".join(fit.score_errors.values()) or None


def _names(scores: Any) -> list[str]:
    return list(dict.fromkeys(name for each in scores for name in each))


def _floats(values: Any) -> pa.Array:
    return pa.array(list(values), pa.float64(), from_pandas=False)  # NaN is a score, null is none


def _moments(values: Any) -> pa.Array:
    moments = [datetime.fromtimestamp(value, timezone.utc) for value in values]
    return pa.array(moments, pa.timestamp("us", tz="UTC"))
