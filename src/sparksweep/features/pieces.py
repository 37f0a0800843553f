"""The pieces feature sets are made of: one-hot, share, bag, and the words of a text."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparksweep.features.counting import Counts
from sparksweep.features.sets import KEY, FeatureSet

__all__ = ["bag", "one_hot", "share", "words"]


def one_hot(name: str, counts: Counts) -> FeatureSet:
    """Return the set with a 1 in the column of the row's key, byte for byte.

    Parameters
    ----------
    name : str
        Of the set.
    counts : Counts
        By the column that names the matrix's columns; each row has at most one thing.
    """
    return bag(name, counts, counts.by)


def share(
    name: str,
    counts: Counts,
    key: str,
    through: DataFrame | pd.DataFrame | None = None,
    keys: Mapping[int, str] | None = None,
) -> FeatureSet:
    """Return the set with the share of the row's things that have a key: count / total, in float64, kept as float32.

    Parameters
    ----------
    name : str
        Of the set.
    counts : Counts
        What each row has.
    key : str
        The column that names the matrix's columns: ``counts.by``, or one of `through`.
    through : DataFrame, optional
        ``counts.by`` and `key`: which keys a counted thing has, none, one or several; Spark's, or pandas's where it is
        known here.
    keys : mapping of int to str, optional
        All keys there are with their texts; default are those that are met.
    """
    return FeatureSet(name, counts, _members(counts, key, through), True, keys)


def bag(
    name: str,
    counts: Counts,
    key: str,
    through: DataFrame | pd.DataFrame | None = None,
    keys: Mapping[int, str] | None = None,
) -> FeatureSet:
    """Return the set with a 1 for each key that one of the row's things has; parameters are those of `share`."""
    return FeatureSet(name, counts, _members(counts, key, through), False, keys)


def words(frame: DataFrame, text: str, word: str = "word") -> DataFrame:
    """Return the frame with the words of a text, one a line as column `word`, in place of the text.

    Words are what stands between spaces; an empty text has none.
    """
    others = [column for column in frame.columns if column != text]
    split_df = frame.select(*others, F.explode(F.split(F.col(text), " +")).alias(word))
    return split_df.where(F.col(word) != "").distinct()


def _members(counts: Counts, key: str, through: DataFrame | pd.DataFrame | None) -> DataFrame | pd.DataFrame | None:
    if through is None:
        return None
    if isinstance(through, pd.DataFrame):
        return through[[counts.by, key]].rename(columns={key: KEY})
    return through.select(counts.by, F.col(key).alias(KEY))
