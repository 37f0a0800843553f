"""From fits to ``cv_results_``: fed with scikit-learn's own scores, equal to scikit-learn's own table."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV

from sparksweep.search.fits import ALL_ROWS, COMPLETE, FAILED, Fit, fits_table
from sparksweep.search.results import best_index, cv_results, is_multimetric, warn_of_failures

N_SPLITS = 2


def fit(candidate_id, split_id, test=None, train=None, **changes):
    values = {
        "candidate_id": candidate_id,
        "split_id": split_id,
        "status": COMPLETE,
        "test_scores": {"score": 0.0} if test is None else test,
        "train_scores": train or {},
        "score_errors": {},
        "multimetric": False,
        "fit_time": 0.25,
        "score_time": 0.5,
        "n_test": 3,
        "fit_error": None,
        "started": 1.5,
        "ended": 2.5,
        "host": "here",
        "pid": 7,
        "thread_count": 1,
        "attempt": 1,
    }
    return Fit(**{**values, **changes})


def by_sklearn(grid, scores, **settings):
    """Let scikit-learn tabulate `scores`, which a scorer hands out in the order of its calls."""
    handed = iter(scores)
    search = GridSearchCV(
        AnyParams(), grid, scoring=lambda *_: next(handed), cv=N_SPLITS, refit=False, error_score=math.nan, **settings
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return search.fit(np.zeros((4, 1)), [0, 1, 0, 1]).cv_results_


class AnyParams(DummyClassifier):
    def __init__(self, a=None, b=None, strategy="prior", random_state=None, constant=None):
        super().__init__(strategy=strategy, random_state=random_state, constant=constant)
        self.a = a
        self.b = b


def assert_same(ours, theirs):
    assert list(ours) == list(theirs)
    for key in theirs:
        if key.endswith("_time"):
            continue
        if key == "params":
            assert ours[key] == theirs[key]
            continue
        mine, other = ours[key], theirs[key]
        assert type(mine) is type(other)
        assert mine.dtype == other.dtype
        if key.startswith("param_"):
            assert np.ma.getmaskarray(mine).tolist() == np.ma.getmaskarray(other).tolist()
            assert repr(mine) == repr(other)
        else:
            assert mine.tobytes() == other.tobytes()


def tabulated(candidates, scores, **settings):
    fits = [
        fit(candidate_id, split_id, {"score": scores[candidate_id * N_SPLITS + split_id]})
        for candidate_id in range(len(candidates))
        for split_id in range(N_SPLITS)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return cv_results(candidates, fits, error_score=math.nan, return_train_score=False, **settings)


@pytest.mark.slow
@pytest.mark.versions
@pytest.mark.parametrize(
    "grid",
    [
        {"a": [1, 2, 3]},
        {"a": [1, 2.5]},
        {"a": ["x", "y"], "b": [True]},
        {"a": [None, 1]},
        {"a": [[1], [2, 3]]},
        {"a": [(1, 2), (3, 4)]},
        [{"a": [1]}, {"b": [0.5, 0.25]}, {"a": [3], "b": [1]}],
    ],
    ids=str,
)
def test_columns_of_params_have_scikit_learns_types_and_masks(grid):
    from sklearn.model_selection import ParameterGrid

    candidates = list(ParameterGrid(grid))
    scores = [0.1 * number for number in range(len(candidates) * N_SPLITS)]
    assert_same(tabulated(candidates, scores), by_sklearn(grid, scores))


FLOATS = st.floats(min_value=-1e6, max_value=1e6) | st.sampled_from([0.5, 0.25, math.nan, math.inf, -math.inf])


@settings(max_examples=25, deadline=None)
@given(scores=st.lists(FLOATS, min_size=6, max_size=6))
def test_means_deviations_and_ranks_are_scikit_learns_bits(scores):
    grid = {"a": [1, 2, 3]}
    with np.errstate(all="ignore"):
        assert_same(tabulated([{"a": 1}, {"a": 2}, {"a": 3}], scores), by_sklearn(grid, scores))


def test_a_failed_score_gets_error_score_and_the_worst_rank():
    failed = fit(1, 0, {"score": None}, status=FAILED, fit_error="why")
    fits = [fit(0, 0, {"score": 0.5}), failed]
    with pytest.warns(UserWarning, match="One or more of the test scores are non-finite"):
        results = cv_results([{}, {}], fits, error_score=math.nan, return_train_score=False)
    assert results["rank_test_score"].tolist() == [1, 2]
    results = cv_results([{}, {}], fits, error_score=0.75, return_train_score=False)
    assert results["mean_test_score"].tolist() == [0.5, 0.75]
    assert best_index(True, "score", results) == 1


def test_a_callables_names_are_taken_from_the_first_fit_that_succeeded():
    lost = fit(0, 0, {}, status=FAILED, fit_error="why")
    fits = [lost, fit(1, 0, {"u": 1.0, "v": 2.0}, multimetric=True)]
    results = cv_results([{}, {}], fits, error_score=-1.0, return_train_score=False)
    assert results["mean_test_u"].tolist() == [-1.0, 1.0]
    assert results["mean_test_v"].tolist() == [-1.0, 2.0]
    assert is_multimetric(fits)
    assert not is_multimetric([lost])


def test_train_scores_and_further_columns():
    fits = [fit(0, 0, {"score": 0.5}, {"score": 1.0}), fit(0, 1, {"score": 0.5}, {"score": 0.5})]
    results = cv_results([{}], fits, error_score=0, return_train_score=True, more_results={"iter": [4]})
    assert next(iter(results)) == "iter"
    assert results["iter"].tolist() == [4]
    assert results["mean_train_score"].tolist() == [0.75]
    assert "rank_train_score" not in results


def failures(*texts):
    return [
        fit(n, 0, {"score": None}, status=FAILED, fit_error=text) if text else fit(n, 0) for n, text in enumerate(texts)
    ]


def test_failed_fits_are_grouped_by_their_traceback():
    with pytest.warns(FitFailedWarning) as said:
        warn_of_failures(failures("one\n", "two\n", "one\n", None), 0.0)
    line = "-" * 80
    assert str(said[0].message) == (
        "\n3 fits failed out of a total of 4.\n"
        "The score on these train-test partitions for these parameters will be set to 0.0.\n"
        "If these failures are not expected, you can try to debug them by setting error_score='raise'.\n\n"
        "Below are more details about the failures:\n"
        f"{line}\n2 fits failed with the following error:\none\n\n"
        f"{line}\n1 fits failed with the following error:\ntwo\n"
    )


def test_when_all_failed_there_is_no_result():
    with pytest.raises(ValueError, match=r"All the 2 fits failed\.\nIt is very likely that your model is misco"):
        warn_of_failures(failures("one\n", "one\n"), math.nan)


def test_failed_scores_are_told_one_by_one():
    broken = fit(0, 0, {"score": None}, status=FAILED, score_errors={"test_score": "trace"})
    with pytest.warns(UserWarning, match=r"Scoring failed\. The score on this .* set to nan\. Details: \ntr"):
        warn_of_failures([broken], math.nan)


def test_a_callable_refit_must_give_an_index():
    results = {"params": [{}, {}]}
    assert best_index(lambda _: 1, "score", results) == 1
    with pytest.raises(TypeError, match="best_index_ returned is not an integer"):
        best_index(lambda _: "1", "score", results)
    for wrong in (-1, 2):
        with pytest.raises(IndexError, match="best_index_ index out of range"):
            best_index(lambda _, wrong=wrong: wrong, "score", results)


def test_fits_become_a_typed_table():
    fits = [
        fit(0, 0, {"a": 0.5, "b": math.nan}),
        fit(0, 1, {"a": None, "b": None}, status=FAILED, fit_error="why"),
        fit(1, 0, {"a": None, "b": 1.0}, status=FAILED, score_errors={"test_a": "no a"}),
        fit(1, ALL_ROWS, {}),
    ]
    keys = {(each.candidate_id, each.split_id): (f"key{n}", "{}") for n, each in enumerate(fits)}
    rows = fits_table(fits, keys).to_pylist()
    assert [row["split_id"] for row in rows] == [0, 1, 0, None]
    assert [row["test_a"] for row in rows] == [0.5, None, None, None]
    assert math.isnan(rows[0]["test_b"])
    assert [row["fit_error"] for row in rows] == [None, "why", "no a", None]
    assert rows[3]["fit_key"] == "key3"
    assert rows[0]["started"].isoformat() == "1970-01-01T00:00:01.500000+00:00"
    types = {field.name: str(field.type) for field in fits_table(fits, keys).schema}
    assert types["test_a"] == "double"
    assert types["candidate_id"] == "int32"
    assert types["ended"] == "timestamp[us, tz=UTC]"


def test_a_callable_that_fails_first_does_not_hide_the_others_scores():
    fits = [
        fit(0, 0, {"score": None}, status=FAILED, score_errors={"test_score": "why"}),
        fit(0, 1, {"score": None}, status=FAILED, score_errors={"test_score": "why"}),
        fit(1, 0, {"a": 0.5}, multimetric=True),
        fit(1, 1, {"a": 1.0}, multimetric=True),
    ]
    results = cv_results([{"a": 1}, {"a": 2}], fits, error_score=math.nan, return_train_score=False)
    assert np.isnan(results["mean_test_a"][0])
    assert results["mean_test_a"][1] == 0.75
    assert "mean_test_score" not in results
