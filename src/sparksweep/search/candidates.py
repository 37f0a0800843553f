"""Candidates as text, key and cost: what the grid says of each fit before it is trained."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

__all__ = ["GridRow", "expected_cost", "grid_table", "params_json", "rounds_of"]

ADDRESS = re.compile(r" at 0x[0-9a-f]+")
# Cost grows with the number of rounds, doubles with each level of depth, shrinks with the share of rows and columns.
ROUNDS = frozenset({"n_estimators", "iterations", "num_iterations", "max_iter"})
DEPTHS = frozenset({"max_depth", "depth"})
SHARES = frozenset({"subsample", "colsample_bytree", "colsample_bylevel", "colsample_bynode", "max_samples"})
MAX_DEPTH = 16  # deeper trees run out of rows first


@dataclass(frozen=True, slots=True)
class GridRow:
    """One fit to be done.

    Attributes
    ----------
    fit_key : str
        See `sparksweep.search.identity`.
    candidate_id, split_id, unit_id : int
        Which fit, and the unit that trains it; units are numbered in the order of candidates.
    params : str
        The candidate as JSON text.
    expected_cost : float
        See `expected_cost`, times the rows trained on.
    """

    fit_key: str
    candidate_id: int
    split_id: int
    unit_id: int
    params: str
    expected_cost: float


def grid_table(rows: Sequence[GridRow]) -> pa.Table:
    """Return the grid as a table, a row a fit."""
    return pa.table(
        {
            "fit_key": pa.array([row.fit_key for row in rows], pa.string()),
            "candidate_id": pa.array([row.candidate_id for row in rows], pa.int32()),
            "split_id": pa.array([row.split_id for row in rows], pa.int32()),
            "unit_id": pa.array([row.unit_id for row in rows], pa.int32()),
            "params": pa.array([row.params for row in rows], pa.string()),
            "expected_cost": pa.array([row.expected_cost for row in rows], pa.float64()),
        }
    )


def params_json(params: Mapping[str, Any]) -> str:
    """Return params as JSON text, keys sorted; what JSON cannot hold is its repr, without addresses."""
    return json.dumps(_json_value(params), sort_keys=True, ensure_ascii=False)


def expected_cost(params: Mapping[str, Any]) -> float:
    """Return what training is expected to cost a row, relative to other candidates on the same data.

    It is rounds x 2^depth x shares of rows and columns, of those that are numbers among `params`: the right order for
    boosted trees and forests. Estimators without such params keep the order of the grid.

    Parameters
    ----------
    params : mapping
        The candidate's params over the estimator's own.
    """
    cost = 1.0
    for name, value in params.items():
        last = name.rpartition("__")[2]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
            continue
        if last in ROUNDS:
            cost *= float(value)
        elif last in DEPTHS:
            cost *= 2.0 ** min(float(value), MAX_DEPTH)
        elif last in SHARES and value <= 1:
            cost *= float(value)
    return cost


def rounds_of(params: Mapping[str, Any]) -> float:
    """Return the rounds or trees that a candidate's own params name, 0 without."""
    found = [value for name, value in params.items() if name.rpartition("__")[2] in ROUNDS - {"max_iter"}]
    return float(sum(value for value in found if isinstance(value, (int, float)) and not isinstance(value, bool)))


def _json_value(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, (list, tuple)):
        return [_json_value(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _json_value(each) for key, each in value.items()}
    return ADDRESS.sub("", repr(value))
