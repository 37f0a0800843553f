"""The scenario: TalkingData mobile users, their phones, events and apps.

The names are resolved when first used, so that the generator needs no Spark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparksweep.lazy_names import lazy_names

if TYPE_CHECKING:
    from sparksweep.talkingdata.feature_sets import FEATURE_SETS, tables_of
    from sparksweep.talkingdata.matrices import build_matrices
    from sparksweep.talkingdata.schemas import GROUPS, SCHEMAS

__all__ = ["FEATURE_SETS", "GROUPS", "SCHEMAS", "build_matrices", "tables_of"]

__getattr__ = lazy_names(
    __name__,
    {
        "FEATURE_SETS": ".feature_sets",
        "GROUPS": ".schemas",
        "SCHEMAS": ".schemas",
        "build_matrices": ".matrices",
        "tables_of": ".feature_sets",
    },
)
