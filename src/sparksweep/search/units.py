"""What is trained together: families of candidates, units (a family on one split), and the tasks that hold units."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["TASK_SECONDS", "Unit", "plan_families", "plan_tasks", "plan_units"]

TASK_SECONDS = 1.0  # of several units; a single one may take longer
LEAST_TASK_SECONDS = 0.1  # what Spark does around a task takes about a tenth of it
SHARES_LEFT = 3


@dataclass(frozen=True)
class Unit:
    """One family of candidates on one split.

    Attributes
    ----------
    unit_id : int
        Number in the order of families, then splits.
    candidate_ids : tuple of int
        The family.
    split_id : int
        The split.
    expected_cost : float
        Relative to other units; it has no unit of measure.
    """

    unit_id: int
    candidate_ids: tuple[int, ...]
    split_id: int
    expected_cost: float


def plan_families(
    candidates: Mapping[int, Mapping[str, Any]], staged: Callable[[Mapping[str, Any]], str | None] = lambda params: None
) -> list[tuple[int, ...]]:
    """Group candidates that one training can serve: those that differ only in a staged parameter.

    Parameters
    ----------
    candidates : mapping of int to mapping
        Params by candidate id.
    staged : callable
        Gives the staged parameter of a candidate's params, or None where it has none; then it stands alone.

    Returns
    -------
    list of tuple of int
        In the order of their first candidates; inside a family by stage, equal stages in the order of candidates.
    """
    families: dict[Hashable, list[int]] = {}
    stages: dict[int, int] = {}
    for candidate_id, params in candidates.items():
        name = staged(params)
        key: Hashable = candidate_id
        if name is not None and name in params:
            stages[candidate_id] = params[name]
            key = (name, _same_params({other: params[other] for other in sorted(params) if other != name}))
        families.setdefault(key, []).append(candidate_id)
    return [tuple(sorted(family, key=lambda each: stages.get(each, 0))) for family in families.values()]


def plan_units(
    families: Sequence[tuple[int, ...]], train_sizes: Sequence[int], costs: Mapping[int, float], first_id: int = 0
) -> list[Unit]:
    """Return every family on every split.

    Parameters
    ----------
    families : sequence of tuple of int
        Candidate ids.
    train_sizes : sequence of int
        Train rows of each split.
    costs : mapping of int to float
        Expected cost a row of each candidate; a family costs what its costliest does, which trains the others too.
    first_id : int
        Id of the first unit.
    """
    pairs = [(family, split_id) for family in families for split_id in range(len(train_sizes))]
    return [
        Unit(unit_id, family, split_id, train_sizes[split_id] * max(costs[candidate_id] for candidate_id in family))
        for unit_id, (family, split_id) in enumerate(pairs, start=first_id)
    ]


def plan_tasks(units: Sequence[Unit], seconds: Callable[[float], float], slots: int) -> list[tuple[Unit, ...]]:
    """Return the units of each Spark task, longest expected first, since Spark starts tasks in this order.

    Small units share a task, so that what Spark does around each is not felt: at most `TASK_SECONDS` of them, and less
    towards the end, where tasks of a third of an equal share of what remains keep all slots busy to the last (guided
    self-scheduling, Polychronopoulos and Kuck 1987).

    Parameters
    ----------
    units : sequence of Unit
        To be done.
    seconds : callable
        Turns a unit's expected cost into seconds; infinite where they are not known, then each unit has its own task.
    slots : int
        Tasks that run at once.
    """
    ranked = sorted(units, key=lambda unit: (-unit.expected_cost, unit.unit_id))
    remaining = math.fsum(seconds(unit.expected_cost) for unit in ranked)
    tasks: list[tuple[Unit, ...]] = []
    task: list[Unit] = []
    held = 0.0
    for unit in ranked:
        share = remaining / (SHARES_LEFT * slots)
        takes = seconds(unit.expected_cost)
        if task and held + takes > min(TASK_SECONDS, max(LEAST_TASK_SECONDS, share)):
            tasks.append(tuple(task))
            remaining -= held
            task, held = [], 0.0
        task.append(unit)
        held += takes
    return [*tasks, tuple(task)] if task else tasks


def _same_params(value: Any) -> Hashable:
    """Return what two values share only if a fit cannot tell them apart.

    Numbers of two types differ, since 1, 1.0 and True mean different things to many an estimator, and so do 0.0 and
    -0.0; NaN is NaN. Objects are the same if they are one object, as those of one grid are; equal ones may differ in
    what their ``__eq__`` does not look at.
    """
    if isinstance(value, np.generic) and not value.dtype.hasobject:
        return (type(value), str(value.dtype), value.tobytes())
    if type(value) in (bool, int, float, complex, str, bytes, type(None)):
        return (type(value), repr(value))
    if type(value) in (list, tuple):
        return (type(value), tuple(_same_params(item) for item in value))
    if type(value) is dict:
        return (dict, tuple((_same_params(key), _same_params(item)) for key, item in value.items()))
    return ("object", id(value))
