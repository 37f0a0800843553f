"""Feature sets as pieces over counts: frames in, sparse entries out, one matrix at the end.

A feature set says what it counts and how its columns are named (`sets`, made by `pieces`); its columns are numbered by
a vocabulary (`vocabulary`); its entries are made by tasks, a block of rows at a time (`entries`); the driver stacks the
sets into matrices (`stacking`), which are written part by part (`parts`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparksweep.lazy_names import lazy_names

if TYPE_CHECKING:
    from sparksweep.features.counting import Counts, counted, counted_by_owner
    from sparksweep.features.parts import Part, check_encoding, send_rows, write_parts
    from sparksweep.features.pieces import bag, one_hot, share, words
    from sparksweep.features.rows import Rows
    from sparksweep.features.sets import Encoding, FeatureSet
    from sparksweep.features.stacking import Stack, stack

__all__ = [
    "Counts",
    "Encoding",
    "FeatureSet",
    "Part",
    "Rows",
    "Stack",
    "bag",
    "check_encoding",
    "counted",
    "counted_by_owner",
    "one_hot",
    "send_rows",
    "share",
    "stack",
    "words",
    "write_parts",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Counts": ".counting",
        "Encoding": ".sets",
        "FeatureSet": ".sets",
        "Part": ".parts",
        "Rows": ".rows",
        "Stack": ".stacking",
        "bag": ".pieces",
        "check_encoding": ".parts",
        "counted": ".counting",
        "counted_by_owner": ".counting",
        "one_hot": ".pieces",
        "send_rows": ".parts",
        "share": ".pieces",
        "stack": ".stacking",
        "words": ".pieces",
        "write_parts": ".parts",
    },
)
