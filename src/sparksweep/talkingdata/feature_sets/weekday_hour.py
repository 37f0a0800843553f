"""Set 4, ``weekday_hour``: share of the device's events in each hour of the week; always 168 columns."""

from __future__ import annotations

from sparksweep.features import FeatureSet, share
from sparksweep.talkingdata.facts import Facts

__all__ = ["weekday_hour"]


def weekday_hour(facts: Facts) -> tuple[FeatureSet, ...]:
    """Return the set ``weekday_hour``; ``3_07`` is Thursday from seven to eight, column 3 * 24 + 7."""
    keys = {day * 24 + hour: f"{day}_{hour:02d}" for day in range(7) for hour in range(24)}
    return (share("weekday_hour", facts.events, "weekday_hour", keys=keys),)
