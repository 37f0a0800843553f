"""Set 8, ``category_indicator``: 1 for each category of the apps that the device was seen with."""

from __future__ import annotations

from sparksweep.features import FeatureSet, bag
from sparksweep.talkingdata.facts import Facts

__all__ = ["category_indicator"]


def category_indicator(facts: Facts) -> tuple[FeatureSet, ...]:
    """Return the set ``category_indicator``."""
    return (bag("category_indicator", facts.apps, "category", through=facts.categories),)
