"""Plain values: what JSON holds, what Python prints, and when nothing is lost."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from sparksweep.runs.values import is_json, json_text, json_value, python_value

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.array([1, 2]), [1, 2]),
        ([np.int64(1), (np.float64(2.0),)], [1, (2.0,)]),
        ({"a": np.int64(1)}, {"a": 1}),
        ({np.int64(1)}, {1}),
    ],
)
def test_numpy_becomes_python(value, plain):
    found = python_value(value)
    assert found == plain
    assert "np." not in repr(found)
    assert type(found) is type(plain)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1, "1"),
        (0.1, "0.1"),
        ("ä", '"ä"'),
        (math.nan, '"nan"'),
        (math.inf, '"inf"'),
        ((1, 2), "[1, 2]"),
        ({"b": 1, "a": None}, '{"a": null, "b": 1}'),
        (np.array([[1.5]]), "[[1.5]]"),
        (LogisticRegression(C=3), '"LogisticRegression(C=3)"'),
        (math.sqrt, '"<built-in function sqrt>"'),
        ({1: 2}, '{"1": 2}'),
    ],
)
def test_json_texts(value, text):
    assert json_text(value) == text


def test_no_addresses_in_json():
    assert json_value(lambda: None) == "<function test_no_addresses_in_json.<locals>.<lambda>>"
    assert json_value(object()) == "<object object>"


@settings(max_examples=40, deadline=None)
@given(TREES)
def test_what_json_holds_comes_back(value):
    assert is_json(value)
    assert json.loads(json_text(value)) == value


@pytest.mark.parametrize("value", [(1,), math.nan, -math.inf, {1: 2}, {"a": (1,)}, object(), np.int64(1), {1}])
def test_what_json_would_change_is_known(value):
    assert not is_json(value)
