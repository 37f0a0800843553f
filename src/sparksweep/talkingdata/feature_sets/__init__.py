"""The scenario's feature sets, one file each, by the names ``features.sets`` uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

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

__all__ = ["BUILDERS", "FEATURE_SETS", "tables_of"]

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

_DEVICES = ("gender_age_train", "gender_age_test")
_APPS = (*_DEVICES, "events", "app_events")
_CATEGORIES = (*_APPS, "app_labels", "label_categories")
_TABLES: Mapping[str, tuple[str, ...]] = {
    "brand_model": (*_DEVICES, "phone_brand_device_model"),
    "weekday": (*_DEVICES, "events"),
    "hour": (*_DEVICES, "events"),
    "weekday_hour": (*_DEVICES, "events"),
    "app": _APPS,
    "label": (*_APPS, "app_labels"),
    "category": _CATEGORIES,
    "category_indicator": _CATEGORIES,
    "category_word": _CATEGORIES,
}


def tables_of(sets: Iterable[str]) -> list[str]:
    """Return the names of the tables that feature sets are made of, sorted: a change of another changes nothing."""
    return sorted({table for name in sets for table in _TABLES[name]})
