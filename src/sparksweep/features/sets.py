"""What a feature set is, before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from pyspark.sql import DataFrame

from sparksweep.features.counting import Counts

__all__ = ["CELL_RULES", "KEY", "Encoding", "FeatureSet"]

Encoding = Literal["fraction", "indicator"]

CELL_RULES = 1
"""Number of the rules by which tables become cells: one more whenever a cell may become another, so that matrices made
by earlier rules are made anew."""

KEY = "key"
"""Name of the column that holds the keys."""


@dataclass(frozen=True)
class FeatureSet:
    """Columns of a matrix that have one meaning, one column a key.

    Attributes
    ----------
    name : str
        As ``columns.parquet`` shows it.
    counts : Counts
        What each row of the matrix has, and how often.
    members : DataFrame, optional
        ``counts.by`` and ``key``: a counted thing counts once for each of its distinct keys, so that shares may add up
        to more than 1; a thing without a key, or with a null, counts in the total only.
        Default: each thing is its own key.
    is_share : bool
        The value is the share of the row's things that have the key; else it is 1 for a key that is met.
    keys : mapping of int to str, optional
        All keys there are, in order, with their texts, whether they are met or not. Default: those that are met,
        sorted (text by code point, whole numbers by value).
    """

    name: str
    counts: Counts
    members: DataFrame | pd.DataFrame | None
    is_share: bool
    keys: Mapping[int, str] | None = None
