"""Parquet parts of entries become the matrices of train and test, however Spark has spread their lines over files."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparksweep.features import stacking
from sparksweep.features.entries import TYPES

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
