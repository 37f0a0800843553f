"""Which scorers may judge a stage in place of a separate fit; and what importing the package costs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, check_scoring, fbeta_score, get_scorer, get_scorer_names, make_scorer

from sparksweep.search.scoring import build_scoring
from sparksweep.search.staging import can_share_scoring

pytestmark = [pytest.mark.slow, pytest.mark.versions]

ESTIMATOR = RandomForestClassifier()


def looks_inside(estimator, X, y):
    return len(estimator.estimators_)


def test_scorers_that_see_predictions_only():
    assert can_share_scoring([get_scorer(name) for name in get_scorer_names()])
    assert can_share_scoring([make_scorer(fbeta_score, beta=2)])
    assert can_share_scoring([check_scoring(ESTIMATOR, None)])
    scoring = build_scoring(ESTIMATOR, ["accuracy", "neg_log_loss"], raise_errors=False)
    assert can_share_scoring(scoring.each.values())


def test_a_subclass_of_a_known_scorer_may_see_anything():
    kind = type(make_scorer(accuracy_score))
    own = type("Own", (kind,), {})(accuracy_score, 1, {}, "predict")
    assert not can_share_scoring([own])


@pytest.mark.parametrize("scorer", [looks_inside, lambda *args: 0, ESTIMATOR.score, print])
def test_any_other_callable_may_see_anything(scorer):
    assert not can_share_scoring([scorer])
    assert not can_share_scoring([get_scorer("accuracy"), scorer])


def test_asking_imports_no_library_that_the_estimator_is_not_from():
    code = """
import sys
from sklearn.linear_model import LogisticRegression
from sparksweep.search.staging import staged_parameter
assert staged_parameter(LogisticRegression(), {}, {}) is None
print(sorted(name for name in ("pyspark", "xgboost", "lightgbm", "sklearn.ensemble") if name in sys.modules))
from sklearn.ensemble import RandomForestClassifier
params = {"n_estimators": 2, "random_state": 0}
assert staged_parameter(RandomForestClassifier(**params), params, {}) == "n_estimators"
print(sorted(name for name in ("pyspark", "xgboost", "lightgbm") if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "[]"]
