"""Which keys feature sets have and which columns of the matrix these are; train and test share it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
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
from sparksweep.features.coding import met_keys
from sparksweep.features.counting import Counts
from sparksweep.features.sets import KEY, FeatureSet
from sparksweep.ingest.spark_failures import spark_failures

__all__ = ["Vocabulary", "build_vocabulary", "column_of_codes", "columns_table"]

_SET, _CODE = "feature_set", "code"


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
    is_fixed : bool
        A column stays, whether a row has an entry in it or not.
    """

    feature_set: str
    keys: tuple[str, ...]
    start: int
    codes: NDArray[Any]
    columns: NDArray[Any]
    is_fixed: bool = False

    @property
    def stop(self) -> int:
        """Index after the last column."""
        return self.start + len(self.keys)


def build_vocabulary(feature_sets: Sequence[FeatureSet]) -> list[Vocabulary]:
    """Return the columns that feature sets can have, stacked in this order; some may turn out to be of no row.

    Parameters
    ----------
    feature_sets : sequence of FeatureSet
        All sets of the matrix.

    Raises
    ------
    UsageError
        The keys of a set are neither text nor whole numbers.
    SparksweepError
        Spark failed to make them.
    """
    order = [_order(each) for each in feature_sets]
    vocabularies: list[Vocabulary] = []
    for each, sort_key, members in zip(feature_sets, order, _members(feature_sets), strict=True):
        start = vocabularies[-1].stop if vocabularies else 0
        texts = {str(key): text for key, text in (each.keys or {}).items()}
        # Python sorts: its order of texts is that of code points, whatever the settings of Spark.
        keys = list(texts) or sorted(set(members[KEY]), key=sort_key)
        members = members[members[KEY].isin(keys)]  # of fixed keys some may be missing
        columns = start + pd.Index(keys, dtype=object).get_indexer(pd.Index(members[KEY]))
        shown = tuple(texts.get(key, key) for key in keys)
        vocabularies.append(
            Vocabulary(each.name, shown, start, members[_CODE].to_numpy(dtype=int), columns, each.keys is not None)
        )
    return vocabularies


def columns_table(vocabularies: Sequence[Vocabulary]) -> pa.Table:
    """Return ``index`` int32, ``feature_set`` and ``key`` string, a row a column of the matrix."""
    names = [each.feature_set for each in vocabularies for _ in each.keys]
    texts = [text for each in vocabularies for text in each.keys]
    index = pa.array(np.arange(len(texts), dtype=np.int32))
    columns = [index, pa.array(names, pa.string()), pa.array(texts, pa.string())]
    return pa.Table.from_arrays(columns, names=["index", "feature_set", "key"])


def column_of_codes(vocabularies: Sequence[Vocabulary], starts: Sequence[int], shape: tuple[int, int]) -> csr_matrix:
    """Return which columns things are for.

    Parameters
    ----------
    vocabularies : sequence of Vocabulary
        Of all sets.
    starts : sequence of int
        For each of them, how far the codes of its counts are moved.
    shape : (int, int)
        Number of codes of all counts, and of columns.

    Returns
    -------
    csr_matrix of int64
        1 where a thing is for a column.
    """
    codes = np.concatenate([each.codes + start for each, start in zip(vocabularies, starts, strict=True)])
    columns = np.concatenate([each.columns for each in vocabularies])
    return csr_matrix((np.ones(len(codes), dtype=np.int64), (codes, columns)), shape=shape, dtype=np.int64)


def _members(feature_sets: Sequence[FeatureSet]) -> list[pd.DataFrame]:
    """Return ``code`` and ``key``, a text, of each set, each pair once: one job for all frames that need one."""
    frames = [
        _met_df(each.members, each.counts).withColumn(_SET, F.lit(number))
        for number, each in enumerate(feature_sets)
        if isinstance(each.members, DataFrame)
    ]
    with spark_failures(f"keys of feature sets {', '.join(each.name for each in feature_sets)}"):
        found = reduce(DataFrame.unionByName, frames).toPandas() if frames else pd.DataFrame()
    return [
        found.loc[found[_SET] == number, [_CODE, KEY]]
        if isinstance(each.members, DataFrame)
        else _coded(each.members, each.counts)
        for number, each in enumerate(feature_sets)
    ]


def _met_df(members_df: DataFrame, counts: Counts) -> DataFrame:
    """Return the pairs of things that are there: of others there may be more than the driver can hold."""
    named_df = members_df.where(F.col(KEY).isNotNull())
    texts_df = named_df.select(F.col(counts.by).cast("string"), F.col(KEY).cast("string"))
    return texts_df.mapInArrow(partial(met_keys, counts.sent), f"{_CODE} int, {KEY} string").distinct()


def _coded(members: pd.DataFrame | None, counts: Counts) -> pd.DataFrame:
    if members is None:
        return pd.DataFrame({_CODE: np.arange(len(counts.things)), KEY: counts.things.cast(pa.string()).to_pandas()})
    own = members.dropna(subset=[KEY])
    codes = pc.index_in(pa.array(own[counts.by], counts.things.type), value_set=counts.things)
    is_counted = codes.is_valid().to_numpy(zero_copy_only=False)  # what no row has needs no column
    coded = pd.DataFrame({_CODE: codes.drop_null().to_numpy(), KEY: own.loc[is_counted, KEY].astype(str).to_numpy()})
    return coded.drop_duplicates()


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
