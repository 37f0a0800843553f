"""Feature sets side by side, as one sparse matrix for each part of the rows.

Spark leaves the entries of every set as sorted Parquet parts; the driver merges them, a window of rows at a time,
straight into the matrices' arrays. It never holds more than those and a window.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from scipy.sparse import csr_matrix

from sparksweep.features.counting import cached
from sparksweep.features.entries import entries
from sparksweep.features.merging import Entries, merge_parts
from sparksweep.features.sets import Encoding, FeatureSet
from sparksweep.features.vocabulary import Vocabulary, build_vocabulary, columns_table, keyed_members, numbers_frame
from sparksweep.ingest.writing import write_parquet
from sparksweep.matrix import CsrBuilder
from sparksweep.storage import Store

__all__ = ["Stack", "stack"]


@dataclass(frozen=True)
class Stack:
    """The finished matrices.

    Attributes
    ----------
    matrices : dict of str to csr_matrix
        By part: float32, shape (rows of the part, columns); a row without entries is an empty row.
    columns : pyarrow.Table
        ``index`` int32, ``feature_set`` and ``key`` string; the same for all parts.
    """

    matrices: dict[str, csr_matrix]
    columns: pa.Table


def stack(
    feature_sets: Sequence[FeatureSet], encoding: Encoding, sizes: Mapping[str, int], store: Store, scratch: str
) -> Stack:
    """Compute feature sets and stack them, left to right in the order given.

    Parameters
    ----------
    feature_sets : sequence of FeatureSet
        Their rows are numbered through all parts.
    encoding : {"fraction", "indicator"}
        Shares as they are, or 1 where one is above 0.
    sizes : mapping of str to int
        Number of rows of each part, in the order in which rows are numbered.
    store : Store
        Where executors and driver can both reach.
    scratch : str
        A folder in the store for the entries; removed at the end.

    Raises
    ------
    StorageError
        The entries cannot be written or read.
    """
    with ExitStack() as keep:
        keep.enter_context(_scratch(store, scratch))
        groups = _by_counts(feature_sets)
        members = [keep.enter_context(cached(keyed_members(group))) for group in groups]
        vocabularies = build_vocabulary(feature_sets, members)
        columns = columns_table(vocabularies)
        write_parquet(_all_entries(groups, members, vocabularies, encoding), store, scratch)
        files = sorted(store.fetch(scratch).glob("*.parquet"))
        return Stack(_matrices(files, sizes, columns.num_rows), columns)


def _by_counts(feature_sets: Sequence[FeatureSet]) -> list[dict[int, FeatureSet]]:
    """Return the sets by number, those over the same counts together."""
    groups: dict[int, dict[int, FeatureSet]] = {}
    for number, each in enumerate(feature_sets):
        groups.setdefault(id(each.counts), {})[number] = each
    return list(groups.values())


def _all_entries(
    groups: Sequence[Mapping[int, FeatureSet]],
    members: Sequence[DataFrame],
    vocabularies: Sequence[Vocabulary],
    encoding: Encoding,
) -> DataFrame:
    """Return the entries of all sets: one job, in which each log's counts are gone through once."""
    numbers_df = numbers_frame(members[0].sparkSession, vocabularies)
    frames = []
    for group, members_df in zip(groups, members, strict=True):
        shares = [vocabularies[number] for number, each in group.items() if each.is_share and encoding == "fraction"]
        counts = next(iter(group.values())).counts
        frames.append(entries(counts, members_df, numbers_df, _is_column_of(shares)))
    return reduce(DataFrame.unionByName, frames)


def _is_column_of(vocabularies: Sequence[Vocabulary]) -> Column:
    column = F.col("column")
    inside = [(column >= each.start) & (column < each.stop) for each in vocabularies]
    return reduce(or_, inside, F.lit(False))


@contextmanager
def _scratch(store: Store, path: str) -> Iterator[None]:
    store.delete(path)
    try:
        yield
    finally:
        store.delete(path)


def _matrices(files: Sequence[Path], sizes: Mapping[str, int], n_columns: int) -> dict[str, csr_matrix]:
    n_rows = sum(sizes.values())
    n_entries = sum(pq.read_metadata(file).num_rows for file in files)
    builders = [CsrBuilder(size, n_columns, n_entries * size // max(n_rows, 1)) for size in sizes.values()]
    for window in merge_parts(files, n_rows, n_columns):
        for builder, (start, part) in zip(builders, _by_part(window, sizes.values()), strict=True):
            builder.append(part.rows - start, part.columns, part.values)
    return {name: builder.finish() for name, builder in zip(sizes, builders, strict=True)}


def _by_part(window: Entries, sizes: Iterable[int]) -> Iterator[tuple[int, Entries]]:
    start = 0
    for size in sizes:
        part, window = window.cut(window.before(start + size))
        yield start, part
        start += size
