"""What a fit is expected to cost: relative to others from its params, in seconds from fits that were timed.

From the params alone the cost is rounds x 2^depth x shares of rows and columns (`expected_cost`). One timed fit of the
search turns that into seconds. With a ledger that holds timings of the same estimator on the same data, a candidate
that was timed has the mean of its times; for others a ridge regression of the log of seconds on the logs of the numeric
params (and an indicator for each other value) corrects `expected_cost`.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from sparksweep.search.candidates import expected_cost, params_json

__all__ = ["Costs", "timed_costs"]

LEAST_TIMED = 8  # distinct candidates, for a regression
RIDGE = 1e-2
LEAST_SECONDS = 1e-4


class Costs:
    """Turns units' expected costs into seconds, better with each fit that is done.

    Parameters
    ----------
    in_seconds : bool
        Whether the expected costs are seconds already, from earlier timings.
    """

    def __init__(self, *, in_seconds: bool) -> None:
        self._cost = 0.0
        self._seconds = 0.0
        self._in_seconds = in_seconds

    def observe(self, cost: float, seconds: float) -> None:
        """Take in that a unit of this expected cost took so many seconds."""
        self._cost += cost
        self._seconds += seconds

    @property
    def known(self) -> bool:
        """Whether seconds can be told."""
        return self._in_seconds or self._cost > 0

    def seconds(self, cost: float) -> float:
        """Return the seconds that a unit of this expected cost should take."""
        if self._cost > 0:
            return cost * self._seconds / self._cost
        return cost if self._in_seconds else math.inf


def timed_costs(
    candidates: Mapping[int, Mapping[str, Any]], own: Mapping[str, Any], timings: Iterable[tuple[str, float]]
) -> dict[int, float] | None:
    """Return the expected seconds of each candidate from timings of others, None where there are too few.

    Parameters
    ----------
    candidates : mapping of int to mapping
        Params by candidate id.
    own : mapping
        The estimator's own params.
    timings : iterable of (str, float)
        Params as JSON text and the seconds a fit took.
    """
    by_params: dict[str, list[float]] = defaultdict(list)
    for text, seconds in timings:
        by_params[text].append(max(seconds, LEAST_SECONDS))
    means = {text: math.fsum(times) / len(times) for text, times in by_params.items()}
    texts = {candidate_id: params_json(params) for candidate_id, params in candidates.items()}
    if means and all(text in means for text in texts.values()):
        return {candidate_id: means[text] for candidate_id, text in texts.items()}
    if len(means) < LEAST_TIMED:
        return None
    wanted = [{**json.loads(text)} for text in texts.values()]
    predicted = _regress([json.loads(text) for text in means], list(means.values()), wanted, own)
    return {
        candidate_id: means.get(text, seconds)
        for (candidate_id, text), seconds in zip(texts.items(), predicted, strict=True)
    }


def _regress(
    timed: Sequence[Mapping[str, Any]],
    seconds: Sequence[float],
    wanted: Sequence[Mapping[str, Any]],
    own: Mapping[str, Any],
) -> list[float]:
    """Regress log(seconds / expected_cost) on the params and return the seconds of `wanted`."""
    columns: dict[tuple[str, str], int] = {}
    rows = [_features(params, columns) for params in [*timed, *wanted]]
    matrix = np.zeros((len(rows), len(columns) + 1))
    matrix[:, -1] = 1.0
    for index, row in enumerate(rows):
        for column, value in row.items():
            matrix[index, column] = value
    base = np.log([expected_cost({**own, **params}) for params in [*timed, *wanted]])
    known = matrix[: len(timed)]
    penalty = RIDGE * np.eye(matrix.shape[1])
    penalty[-1, -1] = 0.0  # the intercept is free
    target = np.log(np.asarray(seconds)) - base[: len(timed)]
    weights = np.linalg.lstsq(known.T @ known + penalty, known.T @ target, rcond=None)[0]
    predicted: list[float] = np.exp(matrix[len(timed) :] @ weights + base[len(timed) :]).tolist()
    return predicted


def _features(params: Mapping[str, Any], columns: dict[tuple[str, str], int]) -> dict[int, float]:
    found = {}
    for name, value in params.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            key, number = (name, ""), math.log(value) if value > 0 else -10.0
        else:
            key, number = (name, json.dumps(value, sort_keys=True)), 1.0
        found[columns.setdefault(key, len(columns))] = number
    return found
