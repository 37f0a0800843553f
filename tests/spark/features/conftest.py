"""Literal frames in, literal entries out."""

from __future__ import annotations

import numpy as np
import pytest

from sparksweep.features import Rows, stack
from sparksweep.features.counting import broadcast
from sparksweep.storage import open_store


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "workspace"))


@pytest.fixture
def rows(spark):
    """Return rows 0 to 39, whose ids are their numbers, as executors have them."""
    with broadcast(spark, Rows.of_parts([np.arange(25), np.arange(25, 40)])) as sent:
        yield sent


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
