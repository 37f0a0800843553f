from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparksweep.features import merging
from sparksweep.features.merging import merge_parts

pytestmark = pytest.mark.slow


def write(folder, number, entries):
    rows, columns, values = zip(*entries, strict=True) if entries else ((), (), ())
    table = pa.table(
        {
            "row": pa.array(rows, pa.int32()),
            "column": pa.array(columns, pa.int32()),
            "value": pa.array(values, pa.float32()),
        }
    )
    path = folder / f"{number}.parquet"
    pq.write_table(table, path)
    return path


def merged(files, n_rows, n_columns, window=4096):
    windows = list(merge_parts(files, n_rows, n_columns, window))
    return [[tuple(map(float, entry)) for entry in zip(*each, strict=True)] for each in windows]


def test_entries_of_several_files_interleave(tmp_path):
    files = [
        write(tmp_path, 0, [(0, 1, 0.5), (0, 3, 1.0), (2, 0, 0.25)]),
        write(tmp_path, 1, [(0, 2, 2.0), (2, 1, 4.0), (2, 2, 8.0)]),
        write(tmp_path, 2, []),
    ]
    assert merged(files, 3, 4) == [
        [(0, 1, 0.5), (0, 2, 2.0), (0, 3, 1.0), (2, 0, 0.25), (2, 1, 4.0), (2, 2, 8.0)],
    ]


def test_one_window_of_rows_at_a_time(tmp_path):
    files = [write(tmp_path, 0, [(0, 0, 1), (1, 0, 1), (5, 0, 1)]), write(tmp_path, 1, [(2, 0, 1), (5, 1, 1)])]
    assert merged(files, 6, 2, window=2) == [
        [(0, 0, 1), (1, 0, 1)],
        [(2, 0, 1)],
        [(5, 0, 1), (5, 1, 1)],
    ]


def test_no_files():
    assert merged([], 5, 5) == []


def test_types_stay(tmp_path):
    (window,) = merge_parts([write(tmp_path, 0, [(0, 0, 1)])], 1, 1)
    assert [array.dtype for array in window] == [np.int32, np.int32, np.float32]


@pytest.mark.parametrize("batch", [1, 2, 1 << 14])
@settings(max_examples=30, deadline=None)
@given(
    places=st.dictionaries(st.tuples(st.integers(0, 9), st.integers(0, 6)), st.integers(0, 3), max_size=40),
    window=st.integers(1, 12),
)
def test_any_split_over_files_gives_the_sorted_whole(tmp_path_factory, batch, places, window):
    folder = tmp_path_factory.mktemp("parts")
    split = [sorted((*place, 1.0) for place, file in places.items() if file == number) for number in range(4)]
    files = [write(folder, number, entries) for number, entries in enumerate(split)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "_BATCH", batch)
        found = [entry for each in merged(files, 10, 7, window) for entry in each]
    assert found == [(*place, 1.0) for place in sorted(places)]
