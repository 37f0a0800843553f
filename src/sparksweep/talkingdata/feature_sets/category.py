"""Set 7, ``category``: share of the device's app events in apps of a category, by its cleaned text.

A row counts once for every distinct category of its app.
"""

from __future__ import annotations

from sparksweep.features import FeatureSet, share
from sparksweep.talkingdata.facts import Facts

__all__ = ["category"]


def category(facts: Facts) -> tuple[FeatureSet, ...]:
    """Return the set ``category``."""
    return (share("category", facts.apps, "category", through=facts.categories),)
