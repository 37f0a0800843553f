"""Which keys feature sets have and which columns of the matrix these are; train and test share it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from scipy.sparse import csr_matrix

from sparksweep.errors import UsageError
from sparksweep.features.counting import Counts
from sparksweep.features.sets import KEY, FeatureSet

__all__ = ["Vocabulary", "build_vocabulary", "column_of_things", "columns_table"]

_SET = "feature_set"
_THING = "thing"


@dataclass(frozen=True)
class Vocabulary:
    """The columns of one feature set.

    Attributes
    ----------
    feature_set : str
        Name of the set.
    keys : tuple of str
        The keys' texts in the order of the columns.
    start : int
        Index of the first column in the matrix.
    codes, columns : ndarray of int, shape (n_members,)
        Which things count for which columns, pair by pair.
    """

    feature_set: str
    keys: tuple[str, ...]
    start: int
    codes: NDArray[Any]
    columns: NDArray[Any]

    @property
    def stop(self) -> int:
        """Index after the last column."""
        return self.start + len(self.keys)


def build_vocabulary(feature_sets: Sequence[FeatureSet]) -> list[Vocabulary]:
    """Return the columns of feature sets, stacked in this order.

    Parameters
    ----------
    feature_sets : sequence of FeatureSet
        All sets of the matrix.

    Raises
    ------
    UsageError
        The keys of a set are neither text nor whole numbers.
    """
    order = [_order(each) for each in feature_sets]
    vocabularies: list[Vocabulary] = []
    for each, sort_key, members in zip(feature_sets, order, _members(feature_sets), strict=True):
        start = vocabularies[-1].stop if vocabularies else 0
        texts = {str(key): text for key, text in (each.keys or {}).items()}
        # Python sorts: its order of texts is that of code points, whatever the settings of Spark.
        keys = list(texts) or sorted(set(members[KEY]), key=sort_key)
        members = members[members[KEY].isin(keys)]  # of fixed keys some may be missing
        numbers = pd.Index(keys, dtype=object).get_indexer(pd.Index(members[KEY]))
        shown = tuple(texts.get(key, key) for key in keys)
        vocabularies.append(Vocabulary(each.name, shown, start, _codes(each, members), start + numbers))
    return vocabularies


def columns_table(vocabularies: Sequence[Vocabulary]) -> pa.Table:
    """Return ``index`` int32, ``feature_set`` and ``key`` string, a row a column of the matrix."""
    names = [each.feature_set for each in vocabularies for _ in each.keys]
    texts = [text for each in vocabularies for text in each.keys]
    index = pa.array(np.arange(len(texts), dtype=np.int32))
    columns = [index, pa.array(names, pa.string()), pa.array(texts, pa.string())]
    return pa.Table.from_arrays(columns, names=["index", "feature_set", "key"])


def column_of_things(vocabularies: Sequence[Vocabulary], n_things: int, n_columns: int) -> csr_matrix:
    """Return which columns of the matrix the things of the same counts are for: int64, shape (n_things, n_columns)."""
    codes = np.concatenate([each.codes for each in vocabularies])
    columns = np.concatenate([each.columns for each in vocabularies])
    ones = np.ones(len(codes), dtype=np.int64)
    return csr_matrix((ones, (codes, columns)), shape=(n_things, n_columns), dtype=np.int64)


def _members(feature_sets: Sequence[FeatureSet]) -> list[pd.DataFrame]:
    """Return ``thing`` and ``key`` of each set, as texts, each pair once: one job for all frames that need one."""
    by_spark = {id(each.members): each for each in feature_sets if isinstance(each.members, DataFrame)}
    numbers = {place: number for number, place in enumerate(by_spark)}
    frames = [
        _texts(each.members, each.counts.by).withColumn(_SET, F.lit(numbers[place]))
        for place, each in by_spark.items()
        if isinstance(each.members, DataFrame)
    ]
    found = reduce(DataFrame.unionByName, frames).toPandas().drop_duplicates() if frames else pd.DataFrame()
    return [_own(each, found, numbers) for each in feature_sets]


def _texts(members_df: DataFrame, by: str) -> DataFrame:
    named_df = members_df.where(F.col(KEY).isNotNull())
    return named_df.select(F.col(by).cast("string").alias(_THING), F.col(KEY).cast("string").alias(KEY))


def _own(feature_set: FeatureSet, found: pd.DataFrame, numbers: Mapping[int, int]) -> pd.DataFrame:
    members = feature_set.members
    if members is None:
        return _themselves(feature_set.counts)
    if isinstance(members, DataFrame):
        return found[found[_SET] == numbers[id(members)]]
    known = members.dropna(subset=[KEY])
    return pd.DataFrame({_THING: known[feature_set.counts.by].astype(str), KEY: known[KEY].astype(str)})


def _themselves(counts: Counts) -> pd.DataFrame:
    met = counts.things.take(pa.array(counts.met)).cast(pa.string()).to_pandas()
    return pd.DataFrame({_THING: met, KEY: met})


def _codes(feature_set: FeatureSet, members: pd.DataFrame) -> NDArray[Any]:
    things = feature_set.counts.things.cast(pa.string())
    codes: NDArray[Any] = pc.index_in(pa.array(members[_THING], pa.string()), value_set=things).to_numpy()
    return codes


def _order(feature_set: FeatureSet) -> Callable[[str], int | str]:
    """Return by what the texts of a set's keys are sorted."""
    members = feature_set.members
    if isinstance(members, pd.DataFrame):
        return int if pd.api.types.is_integer_dtype(members[KEY]) else str
    kind = feature_set.counts.kind if members is None else members.schema[KEY].dataType
    if isinstance(kind, T.IntegralType):
        return int
    if isinstance(kind, T.StringType):
        return str
    raise UsageError(f"feature set {feature_set.name}: keys of type {kind.simpleString()}; use text or whole numbers")
