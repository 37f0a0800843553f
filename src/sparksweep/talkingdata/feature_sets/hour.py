"""Set 3, ``hour``: share of the device's events in each hour of the day; always 24 columns."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sparksweep.features import FeatureSet, share
from sparksweep.talkingdata.facts import Facts

__all__ = ["hour"]


def hour(facts: Facts) -> tuple[FeatureSet, ...]:
    """Return the set ``hour``."""
    hours = pd.DataFrame({"weekday_hour": range(7 * 24), "hour": np.arange(7 * 24) % 24})
    return (share("hour", facts.events, "hour", through=hours, keys={hour: str(hour) for hour in range(24)}),)
