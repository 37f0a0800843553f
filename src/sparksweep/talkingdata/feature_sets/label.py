"""Set 6, ``label``: share of the device's app events in apps that have a label.

A row counts for every label of its app, so the shares may add up to more than 1; a row of an app without labels counts
in the denominator only.
"""

from __future__ import annotations

from sparksweep.features import FeatureSet, share
from sparksweep.talkingdata.facts import Facts

__all__ = ["label"]


def label(facts: Facts) -> tuple[FeatureSet, ...]:
    """Return the set ``label``."""
    return (share("label", facts.apps, "label_id", through=facts.labels),)
