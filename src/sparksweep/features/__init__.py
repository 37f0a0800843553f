"""Feature sets as pieces over counts: frames in, sparse entries out, one matrix at the end.

A feature set says what it counts and how its columns are named (`sets`, made by `pieces`); its columns are numbered by
a vocabulary (`vocabulary`); its entries are made by tasks, a block of rows at a time (`entries`); the driver stacks the
sets into matrices (`stacking`), which are written part by part (`parts`).
"""

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
