"""Set 5, ``app``: share of the device's app events, its rows of app_events, in each app."""

from __future__ import annotations

from sparksweep.features import FeatureSet, share
from sparksweep.talkingdata.facts import Facts

__all__ = ["app"]


def app(facts: Facts) -> tuple[FeatureSet, ...]:
    """Return the set ``app``."""
    return (share("app", facts.apps, "app_id"),)
