"""What is trained together: families of candidates, units (a family on one split), and the tasks that hold units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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


def plan_families(candidates: Mapping[int, Mapping[str, Any]]) -> list[tuple[int, ...]]:
    """Group candidates that one training can serve; so far each candidate stands alone."""
    return [(candidate_id,) for candidate_id in candidates]


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
