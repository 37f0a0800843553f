"""Feature sets side by side, as one sparse matrix for each part of the rows.

Spark leaves the entries of every set as Parquet parts, a line a block of rows; the driver puts them where they belong
in the matrices' arrays. It never holds more than those and a batch of blocks.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from scipy.sparse import csr_matrix

from sparksweep.features.counting import broadcast
from sparksweep.features.entries import SCHEMA, TYPES, Membership, row_entries
from sparksweep.features.sets import Encoding, FeatureSet
from sparksweep.features.vocabulary import Vocabulary, build_vocabulary, column_of_things, columns_table
from sparksweep.ingest.writing import write_parquet
from sparksweep.matrix import CsrBuilder
from sparksweep.storage import Store

__all__ = ["Stack", "stack"]

# Blocks that are read from one file at a time.
_BATCH = 64


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
    vocabularies = build_vocabulary(feature_sets)
    columns = columns_table(vocabularies)
    with ExitStack() as keep:
        keep.enter_context(_scratch(store, scratch))
        frames = [
            keep.enter_context(_entries(sets, group, columns.num_rows, encoding))
            for sets, group in _by_counts(feature_sets, vocabularies)
        ]
        write_parquet(reduce(DataFrame.unionByName, frames), store, scratch)
        files = sorted(store.fetch(scratch).glob("*.parquet"))
        return Stack(_matrices(files, sizes, columns.num_rows), columns)


def _by_counts(
    feature_sets: Sequence[FeatureSet], vocabularies: Sequence[Vocabulary]
) -> Iterable[tuple[list[FeatureSet], list[Vocabulary]]]:
    """Return the sets, with their columns, that are over the same counts together."""
    groups: dict[int, tuple[list[FeatureSet], list[Vocabulary]]] = {}
    for each, vocabulary in zip(feature_sets, vocabularies, strict=True):
        sets, group = groups.setdefault(id(each.counts), ([], []))
        sets.append(each)
        group.append(vocabulary)
    return groups.values()


@contextmanager
def _entries(
    feature_sets: Sequence[FeatureSet], vocabularies: Sequence[Vocabulary], n_columns: int, encoding: Encoding
) -> Iterator[DataFrame]:
    """Give the entries of sets over the same counts, which are gone through once."""
    counts = feature_sets[0].counts
    is_share = np.zeros(n_columns, dtype=bool)
    for each, vocabulary in zip(feature_sets, vocabularies, strict=True):
        is_share[vocabulary.start : vocabulary.stop] = each.is_share and encoding == "fraction"
    membership = Membership(column_of_things(vocabularies, len(counts.things), n_columns), is_share)
    with broadcast(counts.frame.sparkSession, membership) as sent:
        yield counts.frame.mapInArrow(partial(row_entries, sent), SCHEMA)


@contextmanager
def _scratch(store: Store, path: str) -> Iterator[None]:
    store.delete(path)
    try:
        yield
    finally:
        store.delete(path)


def _matrices(files: Sequence[Path], sizes: Mapping[str, int], n_columns: int) -> dict[str, csr_matrix]:
    starts = np.cumsum([0, *sizes.values()])
    builders = [CsrBuilder(part, n_columns) for part in np.split(_row_sizes(files, int(starts[-1])), starts[1:-1])]
    for rows, sizes_of_rows, columns, values in _read(files, list(TYPES)):
        cuts = np.searchsorted(rows, starts)
        entry_cuts = np.concatenate([[0], np.cumsum(sizes_of_rows)])[cuts]
        for builder, start, lines, places in zip(builders, starts, _slices(cuts), _slices(entry_cuts), strict=False):
            builder.put(rows[lines] - start, sizes_of_rows[lines], columns[places], values[places])
    return {name: builder.finish() for name, builder in zip(sizes, builders, strict=True)}


def _slices(cuts: NDArray[np.int64]) -> list[slice]:
    return [slice(start, stop) for start, stop in itertools.pairwise(cuts)]


def _row_sizes(files: Sequence[Path], n_rows: int) -> NDArray[np.int64]:
    total = np.zeros(n_rows, dtype=np.int64)
    for rows, sizes in _read(files, ["rows", "sizes"]):
        total[rows] += sizes  # in a block each row is there once
    return total


def _read(files: Sequence[Path], names: Sequence[str]) -> Iterator[list[NDArray[Any]]]:
    """Yield some arrays of each block."""
    for file in files:
        with pq.ParquetFile(file) as opened:
            for batch in opened.iter_batches(_BATCH, columns=list(names)):
                for block in zip(*(batch[name] for name in names), strict=True):
                    yield [
                        np.frombuffer(array.as_buffer(), TYPES[name]) for array, name in zip(block, names, strict=True)
                    ]
