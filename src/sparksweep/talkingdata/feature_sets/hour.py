"""Set 3, ``hour``: share of the device's events in each hour of the day; always 24 columns."""

from __future__ import annotations

from pyspark.sql import functions as F

from sparksweep.features import FeatureSet, share
from sparksweep.talkingdata.facts import Facts

__all__ = ["hour"]


def hour(facts: Facts) -> tuple[FeatureSet, ...]:
    """Return the set ``hour``."""
    hours_df = facts.events.shown.withColumn("hour", F.expr("weekday_hour % 24"))
    return (share("hour", facts.events, "hour", through=hours_df, keys={hour: str(hour) for hour in range(24)}),)
