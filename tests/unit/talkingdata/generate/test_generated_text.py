"""CSV text from arrays."""

from __future__ import annotations

import numpy as np
import pytest

from sparksweep.talkingdata.generate.csvtext import decimals, numbers, quoted_rows, unpad

pytestmark = pytest.mark.slow


def test_cells_of_any_width_are_joined_without_padding():
    ids = np.array([-(2**63), 2**63 - 1, 0, 7])
    flags = np.array(["0\n", "1\n"], dtype=np.bytes_)
    assert unpad(numbers(ids, after=","), flags[[0, 1, 1, 0]]) == (
        b"-9223372036854775808,0\n9223372036854775807,1\n0,1\n7,0\n"
    )


def test_fixed_text_stands_around_numbers():
    assert numbers(np.array([3, -4]), before="<", after=">").tolist() == [b"<3>", b"<-4>"]


def test_hundredths_have_two_decimals_and_no_negative_zero():
    values = np.array([0, 1, -1, 11640, -18000, 10400])
    assert decimals(values, after=";").tolist() == [b"0.00;", b"0.01;", b"-0.01;", b"116.40;", b"-180.00;", b"104.00;"]


def test_quotes_stand_only_where_needed():
    rows = [(1, "小米"), (2, "a, b"), (3, ""), (4, "x ")]
    assert quoted_rows(rows).decode() == '1,小米\n2,"a, b"\n3,\n4,x \n'
