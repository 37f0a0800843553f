"""Parquet parts of entries become the matrices of train and test, however Spark has spread their lines over files."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.sparse import csr_matrix

from sparksweep.features import Stack, stacking
from sparksweep.features.entries import TYPES
from sparksweep.features.vocabulary import Vocabulary, columns_table

# Row: its columns with their values, in the pieces that two frames made of it.
PHONES = [(0, {1: 1.0}), (2, {0: 1.0}), (4, {1: 1.0})]
APPS = [(0, {2: 0.5, 4: 0.5}), (3, {3: 1.0}), (4, {2: 1.0})]
EXPECTED = {
    "train": [[0, 1, 0.5, 0, 0.5], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0]],
    "test": [[0, 0, 0, 1, 0], [0, 1, 1, 0, 0]],
}


def encoded(block):
    arrays = {
        "rows": [row for row, _ in block],
        "sizes": [len(cells) for _, cells in block],
        "columns": [column for _, cells in block for column in cells],
        "values": [value for _, cells in block for value in cells.values()],
    }
    return {name: np.array(array, TYPES[name]).tobytes() for name, array in arrays.items()}


@pytest.fixture
def write(tmp_path):
    def part(number, blocks):
        path = tmp_path / f"part-{number}.parquet"
        pq.write_table(pa.Table.from_pylist([encoded(block) for block in blocks]), path)
        return path

    return part


@pytest.mark.slow
@pytest.mark.versions
@pytest.mark.parametrize(
    "parts",
    [
        [[PHONES], [APPS]],
        [[APPS], [PHONES]],
        [[PHONES, APPS]],  # one file of two frames: rows occur twice
        [[APPS[:1], PHONES[1:]], [APPS[1:], PHONES[:1]]],
    ],
)
@pytest.mark.parametrize("batch", [1, 64])
def test_any_spread_over_files_gives_the_same_matrices(write, monkeypatch, parts, batch):
    monkeypatch.setattr(stacking, "_BATCH", batch)
    files = [write(number, blocks) for number, blocks in enumerate(parts)]
    matrices = stacking._matrices(files, {"train": 3, "test": 2}, 5)
    assert {name: matrix.toarray().tolist() for name, matrix in matrices.items()} == EXPECTED
    assert all(matrix.has_sorted_indices for matrix in matrices.values())


def test_columns_of_no_row_are_dropped_unless_they_are_fixed():
    none = np.array([], dtype=int)
    vocabularies = [
        Vocabulary("app", ("x", "y", "z"), 0, none, none),
        Vocabulary("hour", ("0", "1"), 3, none, none, is_fixed=True),
    ]
    train, test = csr_matrix([[0, 2.0, 0, 0, 0], [0, 0, 0, 0, 0.5]]), csr_matrix([[0, 0, 3.0, 0, 0]])
    stacked = stacking._without_unmet(Stack({"train": train, "test": test}, columns_table(vocabularies)), vocabularies)
    assert stacked.columns.to_pydict() == {
        "index": [0, 1, 2, 3],
        "feature_set": ["app", "app", "hour", "hour"],
        "key": ["y", "z", "0", "1"],
    }
    assert stacked.columns.schema == columns_table(vocabularies).schema
    assert stacked.matrices["train"].toarray().tolist() == [[2, 0, 0, 0], [0, 0, 0, 0.5]]
    assert stacked.matrices["test"].toarray().tolist() == [[0, 3, 0, 0]]
