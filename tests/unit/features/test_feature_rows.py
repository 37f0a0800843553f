"""Which row an id is, asked for few ids and for many, which are looked up in other ways."""

from __future__ import annotations

import numpy as np
import pytest

from sparksweep.features.rows import Rows

IDS = [[2**62, 7, -1, 30], [-(2**63), 8]]


@pytest.mark.parametrize("kind", ["int32", "int64"])
@pytest.mark.parametrize("times", [0, 1, 5])
def test_rows_are_numbered_through_all_parts(kind, times):
    asked = np.array([30, 31, -1, 8] if kind == "int32" else [2**62, 31, -(2**63), 8], kind)
    rows = Rows.of_parts([np.array(part) for part in IDS])
    numbers, known = rows.find(np.tile(asked, times))
    assert numbers.tolist() == ([3, 2, 5] if kind == "int32" else [0, 4, 5]) * times
    assert known.tolist() == [True, False, True, True] * times
    assert (numbers.dtype, known.dtype) == (np.int32, np.bool_)


def test_there_may_be_no_rows():
    numbers, known = Rows.of_parts([np.array([], np.int64)]).find(np.array([1, 2]))
    assert (numbers.tolist(), known.tolist()) == ([], [False, False])
