"""The scenario: TalkingData mobile users, their phones, events and apps.

The names are resolved when first used, so that the generator needs no Spark.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparksweep.talkingdata.feature_sets import FEATURE_SETS, tables_of
    from sparksweep.talkingdata.matrices import build_matrices
    from sparksweep.talkingdata.schemas import GROUPS, SCHEMAS

__all__ = ["FEATURE_SETS", "GROUPS", "SCHEMAS", "build_matrices", "tables_of"]

_FILES = {
    "FEATURE_SETS": "sparksweep.talkingdata.feature_sets",
    "GROUPS": "sparksweep.talkingdata.schemas",
    "SCHEMAS": "sparksweep.talkingdata.schemas",
    "build_matrices": "sparksweep.talkingdata.matrices",
    "tables_of": "sparksweep.talkingdata.feature_sets",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its file at first use."""
    if name not in _FILES:
        raise AttributeError(f"module 'sparksweep.talkingdata' has no attribute {name!r}")
    value = getattr(import_module(_FILES[name]), name)
    globals()[name] = value
    return value
