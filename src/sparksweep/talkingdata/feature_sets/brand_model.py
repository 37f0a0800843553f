"""Set 1, ``brand_model``: one-hot of the phone's brand, then one-hot of its model, byte for byte."""

from __future__ import annotations

from sparksweep.features import FeatureSet, one_hot
from sparksweep.talkingdata.facts import Facts

__all__ = ["brand_model"]


def brand_model(facts: Facts) -> tuple[FeatureSet, ...]:
    """Return the sets ``brand`` and ``model``; a device without a line in the phone file has neither."""
    return (one_hot("brand", facts.brands), one_hot("model", facts.models))
