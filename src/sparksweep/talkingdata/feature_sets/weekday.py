"""Set 2, ``weekday``: share of the device's events on each day of the week; always 7 columns, 0 is Monday."""

from __future__ import annotations

from pyspark.sql import functions as F

from sparksweep.features import FeatureSet, share
from sparksweep.talkingdata.facts import Facts

__all__ = ["weekday"]


def weekday(facts: Facts) -> tuple[FeatureSet, ...]:
    """Return the set ``weekday``."""
    days_df = facts.events.shown.withColumn("weekday", F.expr("weekday_hour div 24"))
    return (share("weekday", facts.events, "weekday", through=days_df, keys={day: str(day) for day in range(7)}),)
