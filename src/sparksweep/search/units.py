"""What is trained together: families of candidates, units (a family on one split), and the tasks that hold units."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Unit", "plan_families", "plan_tasks", "plan_units"]


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


def plan_tasks(units: Sequence[Unit]) -> list[tuple[Unit, ...]]:
    """Return the units of each Spark task, longest expected first, since Spark starts tasks in this order.

    A task holds one unit. To put several small ones in a task, their cost in seconds must be known, and without timings
    of the same estimator on the same data it is not: the same parameters take 5 ms on one table and an hour on another.
    """
    ranked = sorted(units, key=lambda unit: (-unit.expected_cost, unit.unit_id))
    return [(unit,) for unit in ranked]


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
