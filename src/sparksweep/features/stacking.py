"""Feature sets side by side, as one sparse matrix for each part of the rows.

One Spark job counts all logs, brings what is of one row together and leaves the entries as Parquet parts, a line a
block of rows; the driver puts them where they belong in the matrices' arrays. It never holds more than those and a
batch of blocks. Which columns there are is known only then: what was counted with some row, of all there could be.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
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

from sparksweep.errors import UsageError
from sparksweep.features.counting import Counts, broadcast
from sparksweep.features.entries import SCHEMA, TYPES, Membership, row_entries
from sparksweep.features.packets import PART
from sparksweep.features.sets import Encoding, FeatureSet
from sparksweep.features.vocabulary import Vocabulary, build_vocabulary, column_of_codes, columns_table
from sparksweep.ingest.writing import write_parquet
from sparksweep.matrix import CsrBuilder
from sparksweep.storage import Store
from sparksweep.storage.drafts import draft

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
    feature_sets: Sequence[FeatureSet], encoding: Encoding, sizes: Mapping[str, int], store: Store, folder: str
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
    folder : str
        A folder in the store; the entries are there for a while.

    Raises
    ------
    StorageError
        The entries cannot be written or read.
    UsageError
        The counts were made with different settings of Spark's shuffle.
    """
    vocabularies = build_vocabulary(feature_sets)
    columns = columns_table(vocabularies)
    counts = list({id(each.counts): each.counts for each in feature_sets}.values())
    n_partitions, *others = {each.n_partitions for each in counts}
    if others:
        raise UsageError("counts that were made with different spark.sql.shuffle.partitions do not fit together")
    membership = _membership(feature_sets, encoding, vocabularies, counts, columns.num_rows)
    counts_df = reduce(DataFrame.union, (each.packets(kind) for kind, each in enumerate(counts)))
    with draft(store, folder) as entries, broadcast(counts_df.sparkSession, membership) as sent:
        write_parquet(_by_row(counts_df, n_partitions).mapInArrow(partial(row_entries, sent), SCHEMA), store, entries)
        files = sorted(store.fetch(entries).glob("*.parquet"))
        matrices = _matrices(files, sizes, columns.num_rows)
    return _without_unmet(Stack(matrices, columns), vocabularies)


def _membership(
    feature_sets: Sequence[FeatureSet],
    encoding: Encoding,
    vocabularies: Sequence[Vocabulary],
    counts: Sequence[Counts],
    n_columns: int,
) -> Membership:
    places = {id(each): place for place, each in enumerate(counts)}
    kinds = [places[id(each.counts)] for each in feature_sets]
    widths = [len(each.keys) for each in vocabularies]
    starts = np.cumsum([0, *(each.n_codes for each in counts)])
    return Membership(
        column_of_codes(vocabularies, starts[kinds].tolist(), (int(starts[-1]), n_columns)),
        np.repeat([each.is_share and encoding == "fraction" for each in feature_sets], widths),
        np.repeat(kinds, widths),
        starts,
        np.array([each.is_first for each in counts]),
    )


def _by_row(counts_df: DataFrame, n_partitions: int) -> DataFrame:
    """Return the counts with all lines of a row in one partition."""
    return counts_df.repartition(n_partitions, PART)


def _matrices(files: Sequence[Path], sizes: Mapping[str, int], n_columns: int) -> dict[str, csr_matrix]:
    starts = np.cumsum([0, *sizes.values()])
    builders = [CsrBuilder(part, n_columns) for part in np.split(_row_sizes(files, int(starts[-1])), starts[1:-1])]
    for rows, sizes_of_rows, columns, values in _read(files, list(TYPES)):
        cuts = np.searchsorted(rows, starts)
        entry_cuts = np.concatenate([[0], np.cumsum(sizes_of_rows)])[cuts]
        for builder, start, lines, places in zip(builders, starts, _slices(cuts), _slices(entry_cuts), strict=False):
            builder.put(rows[lines] - start, sizes_of_rows[lines], columns[places], values[places])
    return {name: builder.finish() for name, builder in zip(sizes, builders, strict=True)}


def _without_unmet(stacked: Stack, vocabularies: Sequence[Vocabulary]) -> Stack:
    """Drop the columns in which no row has an entry, but for those that must be there."""
    kept = np.concatenate([np.full(len(each.keys), each.is_fixed) for each in vocabularies])
    for matrix in stacked.matrices.values():
        kept[matrix.indices] = True
    n_kept = int(kept.sum())
    for matrix in stacked.matrices.values():
        numbers = (np.cumsum(kept) - 1).astype(matrix.indices.dtype)
        np.take(numbers, matrix.indices, out=matrix.indices, mode="clip")  # in place: they are the most there is
    matrices = {
        name: csr_matrix((matrix.data, matrix.indices, matrix.indptr), shape=(matrix.shape[0], n_kept))
        for name, matrix in stacked.matrices.items()
    }
    columns = stacked.columns.filter(pa.array(kept))
    return Stack(matrices, columns.set_column(0, "index", pa.array(np.arange(n_kept, dtype=np.int32))))


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
