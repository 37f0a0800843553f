"""Candidates that differ only in a staged parameter are a family."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier

from sparksweep.search.units import plan_families

pytestmark = pytest.mark.slow


def by_n(params):
    return "n" if "n" in params and params.get("booster") != "dart" else None


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 1),
    st.sampled_from([0.0, -0.0, 1.0, math.nan, "1", b"1", np.int64(1), np.float64(1.0), np.float32(1.0)]),
    st.lists(st.integers(0, 1), max_size=2),
    st.lists(st.integers(0, 1), max_size=2).map(tuple),
    st.dictionaries(st.sampled_from("ab"), st.integers(0, 1)),
)
CANDIDATES = st.lists(
    st.fixed_dictionaries(
        {"depth": VALUES},
        optional={"n": st.integers(1, 4), "booster": st.sampled_from(["gbtree", "dart"]), "rate": VALUES},
    ),
    max_size=12,
).map(lambda all_params: {7 + 3 * number: params for number, params in enumerate(all_params)})


def told_apart(params):
    """Types and values as text: equal texts of these values are equal values."""
    others = {name: value for name, value in params.items() if name != "n"}
    return repr(sorted((name, type(value).__name__, repr(value)) for name, value in others.items()))


@given(candidates=CANDIDATES)
def test_families_are_the_candidates_once_each_and_differ_in_the_stage_alone(candidates):
    families = plan_families(candidates, by_n)
    assert sorted(each for family in families for each in family) == list(candidates)
    assert [min(family) for family in families] == sorted(min(family) for family in families)
    for family in families:
        assert len({told_apart(candidates[each]) for each in family}) == 1
        if len(family) > 1:
            assert all(by_n(candidates[each]) == "n" for each in family)
            order = [(candidates[each]["n"], each) for each in family]
            assert order == sorted(order)
    stageable = [told_apart(params) for params in candidates.values() if by_n(params)]
    assert len(families) == len(candidates) - len(stageable) + len(set(stageable))


@given(candidates=CANDIDATES)
def test_without_a_staged_parameter_each_stands_alone(candidates):
    assert plan_families(candidates) == [(each,) for each in candidates]


def test_an_ordinary_grid():
    candidates = {0: {"n": 40, "d": 2}, 1: {"n": 40, "d": 3}, 2: {"n": 30, "d": 2}, 3: {"d": 3, "n": 30}, 4: {"d": 3}}
    assert plan_families(candidates, by_n) == [(2, 0), (3, 1), (4,)]


def test_equal_stages_stay_together_in_the_order_of_candidates():
    assert plan_families({5: {"n": 2}, 6: {"n": 1}, 7: {"n": 2}}, by_n) == [(6, 5, 7)]


def test_what_is_named_but_not_asked_for_stands_alone():
    assert plan_families({0: {"d": 1}, 1: {"d": 1}}, lambda params: "n") == [(0,), (1,)]


def test_names_of_staged_parameters_are_not_mixed():
    assert plan_families({0: {"n": 1}, 1: {"m": 1}}, lambda params: next(iter(params))) == [(0,), (1,)]


@pytest.mark.parametrize(
    "make",
    [lambda: np.zeros(2), lambda: DecisionTreeClassifier(), lambda: {1}, lambda: [np.zeros(1)], lambda: lambda x: x],
)
def test_objects_are_the_same_only_if_they_are_one(make):
    one = make()
    assert plan_families({0: {"n": 1, "o": one}, 1: {"n": 2, "o": one}}, by_n) == [(0, 1)]
    assert plan_families({0: {"n": 1, "o": one}, 1: {"n": 2, "o": make()}}, by_n) == [(0,), (1,)]


def test_the_order_of_a_dict_among_the_values_counts():
    candidates = {0: {"n": 1, "o": {"a": 1, "b": 2}}, 1: {"n": 2, "o": {"b": 2, "a": 1}}}
    assert plan_families(candidates, by_n) == [(0,), (1,)]


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), (0.0, -0.0), (1, "1"), ([1], (1,)), (1, np.int64(1))])
def test_equal_values_of_two_kinds_are_two_families(one, other):
    assert plan_families({0: {"n": 1, "o": one}, 1: {"n": 2, "o": other}}, by_n) == [(0,), (1,)]
    assert plan_families({0: {"n": 1, "o": one}, 1: {"n": 2, "o": one}}, by_n) == [(0, 1)]
