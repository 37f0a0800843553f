"""Which keys feature sets have and which columns of the matrix these are; train and test share it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from sparksweep.errors import UsageError
from sparksweep.features.sets import KEY, FeatureSet

__all__ = ["SET", "Vocabulary", "build_vocabulary", "columns_table", "keyed_members", "numbers_frame"]

SET = "feature_set"
"""Name of the column that holds the number of a feature set."""


@dataclass(frozen=True)
class Vocabulary:
    """The columns of one feature set.

    Attributes
    ----------
    feature_set : str
        Name of the set.
    keys : mapping of str to str
        Keys in the order of the columns, as Spark casts them to text, with the texts that are shown.
    start : int
        Index of the first column in the matrix.
    """

    feature_set: str
    keys: Mapping[str, str]
    start: int

    @property
    def stop(self) -> int:
        """Index after the last column."""
        return self.start + len(self.keys)


def keyed_members(feature_sets: Mapping[int, FeatureSet]) -> DataFrame:
    """Return the members of sets over the same counts, as one frame.

    Parameters
    ----------
    feature_sets : mapping of int to FeatureSet
        By their number.

    Returns
    -------
    DataFrame
        The column the counts are by, ``feature_set`` int, ``key`` string (none null).
    """
    frames = [
        each.members.where(F.col(KEY).isNotNull()).select(
            each.counts.by, F.lit(number).alias(SET), F.col(KEY).cast("string").alias(KEY)
        )
        for number, each in feature_sets.items()
    ]
    return reduce(DataFrame.unionByName, frames)


def build_vocabulary(feature_sets: Sequence[FeatureSet], members_dfs: Sequence[DataFrame]) -> list[Vocabulary]:
    """Return the columns of feature sets, stacked in this order.

    Parameters
    ----------
    feature_sets : sequence of FeatureSet
        All sets of the matrix.
    members_dfs : sequence of DataFrame
        From `keyed_members`; together of all sets.

    Raises
    ------
    UsageError
        The keys of a set are neither text nor whole numbers.
    """
    order = [_order(each) for each in feature_sets]
    # One job for all sets. Python sorts: its order of texts is that of code points, whatever the settings of Spark.
    met_df = reduce(DataFrame.unionByName, [frame.select(SET, KEY).distinct() for frame in members_dfs])
    met: list[list[str]] = [[] for _ in feature_sets]
    for number, key in met_df.collect():
        met[number].append(key)
    vocabularies: list[Vocabulary] = []
    for each, keys, sort_key in zip(feature_sets, met, order, strict=True):
        start = vocabularies[-1].stop if vocabularies else 0
        fixed = {str(key): text for key, text in (each.keys or {}).items()}
        vocabularies.append(Vocabulary(each.name, fixed or {key: key for key in sorted(keys, key=sort_key)}, start))
    return vocabularies


def numbers_frame(spark: SparkSession, vocabularies: Sequence[Vocabulary]) -> DataFrame:
    """Return ``feature_set`` int, ``key`` string, ``column`` int: a line a column of the matrix."""
    fields = [T.StructField(SET, T.IntegerType()), T.StructField(KEY, T.StringType())]
    schema = T.StructType([*fields, T.StructField("column", T.IntegerType())])
    # From pandas, since a list would go through Python workers first.
    sets = np.repeat(np.arange(len(vocabularies), dtype=np.int32), [len(each.keys) for each in vocabularies])
    keys = [key for each in vocabularies for key in each.keys]
    numbers_pdf = pd.DataFrame({SET: sets, KEY: keys, "column": np.arange(len(keys), dtype=np.int32)})
    return spark.createDataFrame(numbers_pdf, schema)


def columns_table(vocabularies: Sequence[Vocabulary]) -> pa.Table:
    """Return ``index`` int32, ``feature_set`` and ``key`` string, a row a column of the matrix."""
    names = [each.feature_set for each in vocabularies for _ in each.keys]
    texts = [text for each in vocabularies for text in each.keys.values()]
    index = pa.array(np.arange(len(texts), dtype=np.int32))
    columns = [index, pa.array(names, pa.string()), pa.array(texts, pa.string())]
    return pa.Table.from_arrays(columns, names=["index", "feature_set", "key"])


def _order(feature_set: FeatureSet) -> Callable[[str], int | str]:
    """Return by what the texts of a set's keys are sorted."""
    kind = feature_set.members.schema[KEY].dataType
    if isinstance(kind, T.IntegralType):
        return int
    if isinstance(kind, T.StringType):
        return str
    raise UsageError(f"feature set {feature_set.name}: keys of type {kind.simpleString()}; use text or whole numbers")
