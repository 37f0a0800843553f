"""The scenario's feature sets, one file each, by the names ``features.sets`` uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sparksweep.features import FeatureSet
from sparksweep.talkingdata.facts import Facts
from sparksweep.talkingdata.feature_sets.app import app
from sparksweep.talkingdata.feature_sets.brand_model import brand_model
from sparksweep.talkingdata.feature_sets.category import category
from sparksweep.talkingdata.feature_sets.category_indicator import category_indicator
from sparksweep.talkingdata.feature_sets.category_word import category_word
from sparksweep.talkingdata.feature_sets.hour import hour
from sparksweep.talkingdata.feature_sets.label import label
from sparksweep.talkingdata.feature_sets.weekday import weekday
from sparksweep.talkingdata.feature_sets.weekday_hour import weekday_hour

__all__ = ["BUILDERS", "FEATURE_SETS"]

BUILDERS: Mapping[str, Callable[[Facts], tuple[FeatureSet, ...]]] = {
    "brand_model": brand_model,
    "weekday": weekday,
    "hour": hour,
    "weekday_hour": weekday_hour,
    "app": app,
    "label": label,
    "category": category,
    "category_indicator": category_indicator,
    "category_word": category_word,
}

FEATURE_SETS = tuple(BUILDERS)
"""Names in the order of the scenario; the last is not one of its eight."""
