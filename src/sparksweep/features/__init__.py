"""Feature sets as pieces over counts: frames in, sparse entries out, one matrix at the end.

A feature set says what it counts and how its columns are named (`sets`, made by `pieces`); its columns are numbered by
a vocabulary (`vocabulary`); its entries are made by Spark, sorted by row (`entries`); a driver stacks the sets into
matrices, a window of rows at a time (`stacking`).
"""

from sparksweep.features.counting import Counts, cached, counted, in_one_partition, numbered
from sparksweep.features.pieces import bag, one_hot, share, words
from sparksweep.features.sets import Encoding, FeatureSet
from sparksweep.features.stacking import Stack, stack

__all__ = [
    "Counts",
    "Encoding",
    "FeatureSet",
    "Stack",
    "bag",
    "cached",
    "counted",
    "in_one_partition",
    "numbered",
    "one_hot",
    "share",
    "stack",
    "words",
]
