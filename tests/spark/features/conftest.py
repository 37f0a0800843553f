"""Literal frames in, literal entries out."""

from __future__ import annotations

import pytest

from sparksweep.features import stack
from sparksweep.storage import open_store


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "workspace"))


@pytest.fixture
def built(store):
    """Return a function that stacks sets and gives ``{row: {"set:key": value}}`` for each part, rows of all parts."""

    def build(sets, encoding="fraction", sizes=None):
        stacked = stack(sets, encoding, sizes or {"train": 3}, store, "scratch")
        names = [f"{name}:{key}" for _, name, key in zip(*stacked.columns.to_pydict().values(), strict=True)]
        return names, {
            part: [
                {names[column]: matrix[row, column].item() for column in matrix[row].indices}
                for row in range(matrix.shape[0])
            ]
            for part, matrix in stacked.matrices.items()
        }

    return build
