"""CSR from pieces of rows: as scipy builds it, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_matrix, csr_matrix

from sparksweep.errors import DataError
from sparksweep.matrix import CsrBuilder
from sparksweep.matrix.building import index_dtype


def ints(*values):
    return np.array(values, dtype=np.int32)


def floats(*values):
    return np.array(values, dtype=np.float32)


def test_a_literal_matrix():
    builder = CsrBuilder(ints(2, 0, 1, 1), 3)
    builder.put(ints(3, 0), ints(1, 1), ints(0, 2), floats(4, 2))
    builder.put(ints(2), ints(1), ints(1), floats(3))
    builder.put(ints(0, 1), ints(1, 0), ints(0), floats(1))
    matrix = builder.finish()
    assert matrix.data.tolist() == [1, 2, 3, 4]
    assert matrix.indices.tolist() == [0, 2, 1, 0]
    assert matrix.indptr.tolist() == [0, 2, 2, 3, 4]
    assert (matrix.data.dtype, matrix.indices.dtype, matrix.indptr.dtype) == (np.float32, np.int32, np.int32)
    assert matrix.toarray().tolist() == [[1, 0, 2], [0, 0, 0], [0, 3, 0], [4, 0, 0]]


@st.composite
def entries(draw):
    """A shape, places with values, and to which call each place belongs."""
    n_rows, n_columns = draw(st.integers(1, 8)), draw(st.integers(1, 8))
    places = sorted(draw(st.sets(st.integers(0, n_rows * n_columns - 1))))
    values = draw(st.lists(st.floats(-8, 8, width=32), min_size=len(places), max_size=len(places)))
    calls = draw(st.lists(st.integers(0, 3), min_size=len(places), max_size=len(places)))
    return (n_rows, n_columns), np.array(places, np.int64), np.array(values, np.float32), np.array(calls, np.int64)


@settings(max_examples=60, deadline=None)
@given(entries())
def test_equals_scipy_however_the_rows_are_cut(drawn):
    shape, places, values, calls = drawn
    rows, columns = places // shape[1], places % shape[1]
    builder = CsrBuilder(np.bincount(rows, minlength=shape[0]), shape[1])
    for call in range(4):
        mine = calls == call
        given_rows, sizes = np.unique(rows[mine], return_counts=True)
        builder.put(given_rows, sizes, columns[mine], values[mine])
    built = builder.finish()
    expected = coo_matrix((values, (rows, columns)), shape=shape).tocsr()
    assert built.shape == expected.shape
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(built, name), getattr(expected, name))
    built.check_format(full_check=True)
    assert csr_matrix((built.data, built.indices, built.indptr), shape).has_canonical_format


@pytest.mark.parametrize("n_rows", [0, 2])
def test_no_entries_at_all(n_rows):
    matrix = CsrBuilder(np.zeros(n_rows, np.int64), 3).finish()
    assert (matrix.shape, matrix.nnz, matrix.indptr.tolist()) == ((n_rows, 3), 0, [0] * (n_rows + 1))


def test_zeros_stay_entries():
    builder = CsrBuilder(ints(1), 2)
    builder.put(ints(0), ints(1), ints(1), floats(0))
    assert builder.finish().nnz == 1


@pytest.mark.parametrize(
    ("row", "column", "message"),
    [
        (3, 0, "row 3 is outside a matrix of 3 rows"),
        (-1, 0, "row -1 is outside a matrix of 3 rows"),
        (0, 2, "column 2 is outside a matrix of 2 columns"),
        (0, -1, "column -1 is outside a matrix of 2 columns"),
    ],
)
def test_places_outside_are_refused(row, column, message):
    with pytest.raises(DataError, match=message):
        CsrBuilder(ints(1, 1, 1), 2).put(ints(row), ints(1), ints(column), floats(1))


@pytest.mark.parametrize(
    ("rows", "sizes", "columns", "values"),
    [((0,), (1,), (0, 1, 2), (1, 1, 1)), ((0, 1), (1,), (0,), (1,)), ((0,), (2,), (0, 1), (1,))],
)
def test_lengths_that_differ_are_refused(rows, sizes, columns, values):
    with pytest.raises(DataError, match=r"rows of \d entries got \d sizes, \d columns and \d values"):
        CsrBuilder(ints(3, 3), 3).put(ints(*rows), ints(*sizes), ints(*columns), floats(*values))


def test_row_twice_in_a_call_is_refused():
    with pytest.raises(DataError, match="a row comes twice in one call"):
        CsrBuilder(ints(2), 2).put(ints(0, 0), ints(1, 1), ints(0, 1), floats(1, 1))


def test_more_entries_than_was_said_are_refused():
    builder = CsrBuilder(ints(0, 1, 0), 2)
    builder.put(ints(1), ints(1), ints(0), floats(1))
    with pytest.raises(DataError, match="row 1 has more entries than was said"):
        builder.put(ints(1), ints(1), ints(1), floats(1))


def test_fewer_entries_than_was_said_are_refused():
    with pytest.raises(DataError, match="row 1 has fewer entries than was said"):
        CsrBuilder(ints(0, 1, 0), 2).finish()


def test_column_twice_in_a_row_is_refused():
    builder = CsrBuilder(ints(2), 2)
    builder.put(ints(0), ints(1), ints(1), floats(1))
    builder.put(ints(0), ints(1), ints(1), floats(2))
    with pytest.raises(DataError, match="a row has a column twice"):
        builder.finish()


@pytest.mark.parametrize(
    ("n_columns", "nnz", "dtype"),
    [(10, 2**31 - 1, np.int32), (10, 2**31, np.int64), (2**31, 10, np.int64)],
)
def test_index_dtype_grows_when_it_must(n_columns, nnz, dtype):
    assert index_dtype(n_columns, nnz) is dtype
