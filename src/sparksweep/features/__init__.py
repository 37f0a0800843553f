"""Feature sets as pieces over counts: frames in, sparse entries out, one matrix at the end.

A feature set says what it counts and how its columns are named (`sets`, made by `pieces`); its columns are numbered by
a vocabulary (`vocabulary`); its entries are made by tasks, a block of rows at a time (`entries`); the driver stacks the
sets into matrices (`stacking`), which are written part by part (`parts`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparksweep.lazy_names import lazy_names

if TYPE_CHECKING:
    from sparksweep.features.counting import (
        Counts,
        cached,
        counted,
        counted_by_owner,
        first_lines,
        in_one_partition,
        numbered,
    )
    from sparksweep.features.parts import Part, check_encoding, write_parts
    from sparksweep.features.pieces import bag, one_hot, share, words
    from sparksweep.features.sets import Encoding, FeatureSet
    from sparksweep.features.stacking import Stack, stack

__all__ = [
    "Counts",
    "Encoding",
    "FeatureSet",
    "Part",
    "Stack",
    "bag",
    "cached",
    "check_encoding",
    "counted",
    "counted_by_owner",
    "first_lines",
    "in_one_partition",
    "numbered",
    "one_hot",
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
        "Stack": ".stacking",
        "bag": ".pieces",
        "cached": ".counting",
        "check_encoding": ".parts",
        "counted": ".counting",
        "counted_by_owner": ".counting",
        "first_lines": ".counting",
        "in_one_partition": ".counting",
        "numbered": ".counting",
        "one_hot": ".pieces",
        "share": ".pieces",
        "stack": ".stacking",
        "words": ".pieces",
        "write_parts": ".parts",
    },
)
