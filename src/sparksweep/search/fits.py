"""One fit as a record: what a worker reports, how it travels to the driver, how it stands in the table ``fits_``.

On the way a score is null where it failed and where it is NaN, since Arrow makes no difference; which of the two it
is stands in the error columns, never in the null.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa

__all__ = ["ALL_ROWS", "COMPLETE", "FAILED", "Fit", "fits_table", "from_row", "to_row"]

COMPLETE = "complete"
FAILED = "failed"
ALL_ROWS = -1  # the refit's split: every row is trained on


@dataclass(frozen=True)
class Fit:
    """One candidate trained and scored on one split.

    Attributes
    ----------
    candidate_id, split_id : int
        Which fit; `ALL_ROWS` is the refit's split.
    status : str
        `COMPLETE`, or `FAILED` where training or any of the scores failed.
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


# A mapping travels as two lists, so that its order and its types are kept.
ROW_SCHEMA = (
    "candidate_id int, split_id int, status string, scorers array<string>, test_scores array<double>, "
    "train_scores array<double>, score_error_names array<string>, score_errors array<string>, multimetric boolean, "
    "fit_time double, score_time double, n_test long, fit_error string, started double, ended double, host string, "
    "pid int, thread_count int, attempt int, exception binary"
)
_PLAIN = [
    field.name
    for field in fields(Fit)
    if field.name not in ("test_scores", "train_scores", "score_errors", "exception")
]


def to_row(fit: Fit) -> dict[str, Any]:
    """Return a fit as the values of one row of `ROW_SCHEMA`."""
    row = {name: getattr(fit, name) for name in _PLAIN}
    row["scorers"] = list(fit.test_scores)
    row["test_scores"] = list(fit.test_scores.values())
    row["train_scores"] = list(fit.train_scores.values())
    row["score_error_names"] = list(fit.score_errors)
    row["score_errors"] = list(fit.score_errors.values())
    row["exception"] = fit.exception
    return row


def from_row(row: Mapping[str, Any]) -> Fit:
    """Return the fit that a row of `ROW_SCHEMA` describes; a null score without an error is NaN."""
    errors = dict(zip(row["score_error_names"], row["score_errors"], strict=True))
    return Fit(
        **{name: row[name] for name in _PLAIN},
        test_scores=_scores(row, "test", errors),
        train_scores=_scores(row, "train", errors),
        score_errors=errors,
        exception=None if row["exception"] is None else bytes(row["exception"]),
    )


def _scores(row: Mapping[str, Any], side: str, errors: Mapping[str, str]) -> dict[str, float | None]:
    values = row[f"{side}_scores"]
    found: dict[str, float | None] = {}
    for scorer, value in zip(row["scorers"] if values else [], values, strict=True):
        failed = row["fit_error"] is not None or f"{side}_{scorer}" in errors
        found[scorer] = None if failed else math.nan if value is None else value
    return found


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
    """Return why a fit is `FAILED`: its training's traceback, else those of its scores."""
    return fit.fit_error or "\n".join(fit.score_errors.values()) or None


def _names(scores: Any) -> list[str]:
    return list(dict.fromkeys(name for each in scores for name in each))


def _floats(values: Any) -> pa.Array:
    return pa.array(list(values), pa.float64(), from_pandas=False)  # NaN is a score, null is none


def _moments(values: Any) -> pa.Array:
    moments = [datetime.fromtimestamp(value, timezone.utc) for value in values]
    return pa.array(moments, pa.timestamp("us", tz="UTC"))
