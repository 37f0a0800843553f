"""Set 2, ``weekday``: share of the device's events on each day of the week; always 7 columns, 0 is Monday."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sparksweep.features import FeatureSet, share
from sparksweep.talkingdata.facts import Facts

__all__ = ["weekday"]


def weekday(facts: Facts) -> tuple[FeatureSet, ...]:
    """Return the set ``weekday``."""
    days = pd.DataFrame({"weekday_hour": range(7 * 24), "weekday": np.arange(7 * 24) // 24})
    return (share("weekday", facts.events, "weekday", through=days, keys={day: str(day) for day in range(7)}),)
