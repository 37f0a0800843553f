"""CSR from sorted batches: as scipy builds it, and what is refused."""

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
    builder = CsrBuilder(4, 3, nnz_hint=4)
    builder.append(ints(0, 0), ints(0, 2), floats(1, 2))
    builder.append(ints(2, 3), ints(1, 0), floats(3, 4))
    matrix = builder.finish()
    assert matrix.data.tolist() == [1, 2, 3, 4]
    assert matrix.indices.tolist() == [0, 2, 1, 0]
    assert matrix.indptr.tolist() == [0, 2, 2, 3, 4]
    assert (matrix.data.dtype, matrix.indices.dtype, matrix.indptr.dtype) == (np.float32, np.int32, np.int32)
    assert matrix.toarray().tolist() == [[1, 0, 2], [0, 0, 0], [0, 3, 0], [4, 0, 0]]


@st.composite
def entries(draw):
    """A shape, sorted places with values, and where the batches are cut."""
    n_rows, n_columns = draw(st.integers(1, 8)), draw(st.integers(1, 8))
    places = sorted(draw(st.sets(st.integers(0, n_rows * n_columns - 1))))
    values = draw(st.lists(st.floats(-8, 8, width=32), min_size=len(places), max_size=len(places)))
    cuts = sorted(draw(st.lists(st.integers(0, len(places)), max_size=4)))
    return (n_rows, n_columns), np.array(places, dtype=np.int64), np.array(values, dtype=np.float32), cuts


@settings(max_examples=60, deadline=None)
@given(entries(), st.integers(0, 80))
def test_equals_scipy_however_the_batches_are_cut(drawn, nnz_hint):
    shape, places, values, cuts = drawn
    rows, columns = places // shape[1], places % shape[1]
    builder = CsrBuilder(*shape, nnz_hint=nnz_hint)
    for start, stop in zip([0, *cuts], [*cuts, len(places)], strict=True):
        builder.append(rows[start:stop], columns[start:stop], values[start:stop])
    built = builder.finish()
    expected = coo_matrix((values, (rows, columns)), shape=shape).tocsr()
    assert built.shape == expected.shape
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(built, name), getattr(expected, name))
    built.check_format(full_check=True)
    assert csr_matrix((built.data, built.indices, built.indptr), shape).has_canonical_format


def test_no_entries_at_all():
    matrix = CsrBuilder(2, 3).finish()
    assert (matrix.shape, matrix.nnz, matrix.indptr.tolist()) == ((2, 3), 0, [0, 0, 0])


def test_zeros_stay_entries():
    builder = CsrBuilder(1, 2)
    builder.append(ints(0), ints(1), floats(0))
    assert builder.finish().nnz == 1


@pytest.mark.parametrize(
    ("rows", "columns"),
    [((0, 0), (1, 0)), ((1, 0), (0, 0)), ((0, 0), (1, 1))],
    ids=["column goes back", "row goes back", "place twice"],
)
def test_disorder_within_a_batch_is_refused(rows, columns):
    with pytest.raises(DataError, match=rf"entry \(row {rows[1]}, column {columns[1]}\) does not come after"):
        CsrBuilder(3, 3).append(ints(*rows), ints(*columns), floats(1, 1))


@pytest.mark.parametrize(("row", "column"), [(1, 1), (1, 0), (0, 2)])
def test_disorder_between_batches_is_refused(row, column):
    builder = CsrBuilder(3, 3)
    builder.append(ints(1), ints(1), floats(1))
    with pytest.raises(DataError, match=rf"entry \(row {row}, column {column}\) does not come after"):
        builder.append(ints(row), ints(column), floats(1))


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
        CsrBuilder(3, 2).append(ints(row), ints(column), floats(1))


def test_lengths_that_differ_are_refused():
    with pytest.raises(DataError, match="a batch has 2 rows, 1 columns and 1 values"):
        CsrBuilder(3, 2).append(ints(0, 1), ints(0), floats(1))


@pytest.mark.parametrize(
    ("n_columns", "nnz", "dtype"),
    [(10, 2**31 - 1, np.int32), (10, 2**31, np.int64), (2**31, 10, np.int64)],
)
def test_index_dtype_grows_when_it_must(n_columns, nnz, dtype):
    assert index_dtype(n_columns, nnz) is dtype
