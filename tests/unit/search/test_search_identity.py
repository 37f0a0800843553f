"""When two fits are the same: equal keys for equal content, other keys for anything that changes a score."""

from __future__ import annotations

import functools
import importlib
import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xgboost
from scipy.sparse import csr_matrix
from sklearn import config_context
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from xgboost import XGBClassifier

from sparksweep.search import identity as module
from sparksweep.search.identity import Identity, Unstable, data_digest, split_digest, stable_value
from sparksweep.search.scoring import build_scoring

X, Y = np.arange(6.0).reshape(3, 2), np.array([0, 1, 0])
SPLIT = split_digest(np.array([0, 1]), np.array([2]))


def made(estimator=None, scoring="accuracy", fit_params=None, threads=1, train=False, data=None):
    estimator = LogisticRegression() if estimator is None else estimator
    return Identity(
        estimator,
        data_digest(X, Y) if data is None else data,
        fit_params or {},
        {},
        build_scoring(estimator, scoring, raise_errors=False),
        threads,
        train,
    )


def test_a_candidate_is_the_same_as_the_estimator_with_its_params():
    key = made().fit_key({"C": 2.0}, SPLIT)
    assert key == made(LogisticRegression(C=2.0)).fit_key({}, SPLIT)
    assert key == made().fit_keys({"C": 2.0}, ["another", SPLIT])[1]
    assert len(key) == 64


@pytest.mark.parametrize(
    "other",
    [
        lambda: made().fit_key({"C": 3.0}, SPLIT),
        lambda: made(LogisticRegression(tol=1)).fit_key({"C": 2.0}, SPLIT),
        lambda: made().fit_key({"C": 2.0}, split_digest(np.array([0]), np.array([1, 2]))),
        lambda: made(RandomForestClassifier()).fit_key({"C": 2.0}, SPLIT),
        lambda: made(threads=2).fit_key({"C": 2.0}, SPLIT),
        lambda: made(train=True).fit_key({"C": 2.0}, SPLIT),
        lambda: made(fit_params={"sample_weight": np.ones(3)}).fit_key({"C": 2.0}, SPLIT),
        lambda: made(data=data_digest(X + 1, Y)).fit_key({"C": 2.0}, SPLIT),
        lambda: made(data=data_digest(X, 1 - Y)).fit_key({"C": 2.0}, SPLIT),
        lambda: made().fit_key({"C": "2.0"}, SPLIT),
    ],
)
def test_whatever_changes_a_score_changes_the_key(other):
    assert other() != made().fit_key({"C": 2.0}, SPLIT)


def test_a_version_changes_the_key(monkeypatch):
    before = made().fit_key({}, SPLIT)
    with_tree = made(PIPELINE).fit_key({"clf": XGBClassifier()}, SPLIT)
    monkeypatch.setattr(xgboost, "__version__", "99")
    module._version_of.cache_clear()
    assert made().fit_key({}, SPLIT) == before
    assert made(PIPELINE).fit_key({"clf": XGBClassifier()}, SPLIT) != with_tree
    monkeypatch.setattr(module.np, "__version__", "99")
    module._version_of.cache_clear()
    assert made().fit_key({}, SPLIT) != before
    monkeypatch.undo()
    module._version_of.cache_clear()


def test_source_that_is_not_installed_enters_by_its_content(tmp_path, monkeypatch):
    keys = []
    for module_text in ("A = 1", "A = 2"):
        (tmp_path / "own_estimators.py").write_text(
            f"from sklearn.linear_model import LogisticRegression\n__version__ = '1'\n{module_text}\n"
            "class Mine(LogisticRegression):\n    pass\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "own_estimators", raising=False)
        module._version_of.cache_clear()
        keys.append(made(importlib.import_module("own_estimators").Mine()).fit_key({}, SPLIT))
    monkeypatch.delitem(sys.modules, "own_estimators")
    module._version_of.cache_clear()
    assert keys[0] != keys[1]


def test_a_class_depends_on_what_it_is_made_from(monkeypatch):
    class_of_mine = type("Mine", (XGBClassifier,), {"__module__": __name__, "__qualname__": "Mine"})
    monkeypatch.setattr(sys.modules[__name__], "Mine", class_of_mine, raising=False)
    before = stable_value(class_of_mine)
    monkeypatch.setattr(xgboost, "__version__", "99")
    module._version_of.cache_clear()
    assert stable_value(class_of_mine) != before
    monkeypatch.undo()
    module._version_of.cache_clear()


def test_a_class_of_a_module_that_cannot_be_found_is_unstable():
    shipped = type("Shipped", (LogisticRegression,), {"__module__": "train_script"})
    assert made(shipped()).unstable
    assert made(shipped()).fit_key({}, SPLIT) != made(shipped()).fit_key({}, SPLIT)


PIPELINE = Pipeline([("sc", StandardScaler()), ("clf", LogisticRegression())])


def fitted(seed):
    data = np.random.default_rng(seed).normal(size=(20, 2))
    return LogisticRegression().fit(data, data[:, 0] > 0)


def asking(wanted):
    with config_context(enable_metadata_routing=True):
        return make_pipeline(StandardScaler().set_fit_request(sample_weight=wanted), LogisticRegression())


@pytest.mark.parametrize(
    ("estimator", "one", "other"),
    [
        (PIPELINE, {"clf": SVC(C=1000)}, {"clf": SVC(C=1000), "clf__C": 1.0}),
        (PIPELINE, {"clf": SVC(C=1000)}, {"clf": SVC()}),
        (
            PIPELINE,
            {"steps": [("clf", SVC(C=1000))]},
            {"steps": [("clf", SVC(C=1000))], "clf__C": 1.0},
        ),
        (PIPELINE, {"clf": FrozenEstimator(fitted(0))}, {"clf": FrozenEstimator(fitted(1))}),
        (None, {"C": np.float32(0.1)}, {"C": float(np.float32(0.1))}),
        (None, {"C": 1.0}, {"C": 1.0, "dual": lambda: 0}),
    ],
    ids=["component and its param", "components", "steps", "frozen", "float32", "unstable"],
)
def test_candidates_that_differ_have_keys_that_differ(estimator, one, other):
    identity = made(estimator)
    assert identity.fit_key(one, SPLIT) != identity.fit_key(other, SPLIT)
    assert identity.fit_key(one, SPLIT) == made(estimator).fit_key(one, SPLIT)


def test_two_unstable_values_are_two_candidates():
    identity = made()
    assert identity.fit_key({"C": lambda: 0}, SPLIT) != identity.fit_key({"C": lambda: 1}, SPLIT)


def test_what_an_estimator_holds_beside_its_params_counts():
    assert made(asking(True)).fit_key({}, SPLIT) != made(asking(False)).fit_key({}, SPLIT)
    assert made(asking(True)).fit_key({}, SPLIT) == made(asking(True)).fit_key({}, SPLIT)
    models = [made(fit_params={"init_model": fitted(seed)}).fit_key({}, SPLIT) for seed in (0, 1, 0)]
    assert models[0] == models[2] != models[1]


def test_a_component_given_whole_is_the_same_as_the_pipeline_with_it():
    with_svc = Pipeline([("sc", StandardScaler()), ("clf", SVC(C=7))])
    assert made(PIPELINE).fit_key({"clf": SVC(), "clf__C": 7}, SPLIT) == made(with_svc).fit_key({}, SPLIT)


def test_threads_that_a_user_asked_for_do_not_count_since_fits_have_their_own():
    def key(**params):
        return made(XGBClassifier(**params)).fit_key({"max_depth": 2}, SPLIT)

    assert key(n_jobs=1) == key(n_jobs=2) == key() != made(XGBClassifier(), threads=2).fit_key({"max_depth": 2}, SPLIT)
    asked = [made(XGBClassifier()).fit_key({"n_jobs": number}, SPLIT) for number in (1, 2)]
    assert asked[0] == asked[1] == made(XGBClassifier()).fit_key({}, SPLIT)


def test_the_estimators_own_score_is_the_same_whatever_texts_are_made_of():
    names = ["lbfgs", "".join(["lb", "fgs"])]
    told = [made(LogisticRegression(solver=name), scoring=None) for name in names]
    assert told[0].scorer_identities(["score"]) == told[1].scorer_identities(["score"])
    assert told[0].fit_key({}, SPLIT) == told[1].fit_key({}, SPLIT)


def test_one_scorer_is_not_one_of_several_with_its_name():
    single, several = made(scoring="accuracy"), made(scoring={"score": "accuracy"})
    assert single.scorer_identities(["score"]) != several.scorer_identities(["score"])


def test_the_order_of_a_candidates_params_does_not_matter():
    assert made().fit_key({"C": 1, "tol": 2}, SPLIT) == made().fit_key({"tol": 2, "C": 1}, SPLIT)


@pytest.mark.parametrize("scoring", [lambda estimator, X, y: 0.0, make_scorer(lambda a, b: 0.0)])
def test_what_has_no_stable_form_has_keys_of_its_own_and_says_why(scoring):
    first, second = made(scoring=scoring), made(scoring=scoring)
    assert first.fit_key({}, SPLIT) != second.fit_key({}, SPLIT)
    assert len(first.unstable) == 1
    assert first.unstable[0].startswith("a scorer: ")


def test_scores_are_known_by_what_computed_them():
    def names(scoring):
        return made(scoring=scoring).scorer_identities(["a"])

    assert names({"a": "accuracy"}) == names({"a": "accuracy"})
    assert names({"a": "accuracy"}) != names({"a": "f1_macro"})
    assert names({"a": make_scorer(f1_score, pos_label=1)}) != names({"a": make_scorer(f1_score, pos_label=0)})
    assert set(made(scoring="accuracy").scorer_identities(["score"])) == {"score"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        ([1, 2], (1, 2)),
        ("1", 1),
        ({"a": 1}, {"a": 2}),
        (np.array([1]), np.array([1.0])),
        (np.array([[1, 2]]), np.array([1, 2])),
        (csr_matrix([[1.0, 0]]), csr_matrix([[0, 1.0]])),
        (LogisticRegression(), LogisticRegression(C=2)),
        (LogisticRegression, RandomForestClassifier),
        (StratifiedKFold(2), StratifiedKFold(3)),
        (functools.partial(f1_score, pos_label=1), functools.partial(f1_score, pos_label=0)),
        (np.random.RandomState(0), np.random.RandomState(1)),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]})),
        (np.array(["a", None], dtype=object), np.array(["b", None], dtype=object)),
        (np.float32(1), np.float64(1)),
        (np.int32(1), 1),
        (np.ma.array([1, 2], mask=[True, False]), np.ma.array([1, 2], mask=[False, False])),
        (np.zeros(1, dtype=[("a", "i4"), ("b", "i4")]), np.zeros(1, dtype=[("b", "i4"), ("a", "i4")])),
        (float("nan"), "nan"),
        (b"a", "a"),
    ],
)
def test_values_that_differ_have_forms_that_differ(one, other):
    texts = [json.dumps(stable_value(each), sort_keys=True) for each in (one, other)]
    assert texts[0] != texts[1]
    assert texts[0] == json.dumps(stable_value(one), sort_keys=True)


def test_the_same_content_has_the_same_form_whatever_holds_it(tmp_path):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert stable_value(mapped) == stable_value(X) == stable_value(np.asfortranarray(X))
    first, second = csr_matrix([[0, 2.0], [1.0, 0]]), csr_matrix([[0, 2.0], [1.0, 0]])
    assert second.has_sorted_indices  # which scipy notes on the matrix
    assert stable_value(first) == stable_value(second)
    assert stable_value({3, 1, 2}) == stable_value({2, 3, 1})
    assert stable_value(np.int64(3)) == stable_value(3)


@pytest.mark.parametrize(
    "value",
    [
        lambda: 0,
        (each for each in ()),
        sys.stdout,
        type("Local", (), {}),
        np.array([sys.stdout], dtype=object),
        pd.DataFrame({"a": [lambda: 0]}),
    ],
    ids=["lambda", "generator", "file", "local class", "array of files", "frame of lambdas"],
)
def test_what_means_nothing_elsewhere_is_refused(value):
    with pytest.raises(Unstable):
        stable_value(value)


ELSEWHERE = """
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sparksweep.search.identity import Identity, data_digest
from sparksweep.search.scoring import build_scoring
estimator = make_pipeline(StandardScaler(), LogisticRegression())
scoring = build_scoring(estimator, {"a": "accuracy", "b": "f1_macro"}, raise_errors=False)
identity = Identity(estimator, data_digest(["x", "y"], np.array([0, 1])), {}, {}, scoring, 1, False)
params = {"logisticregression": LogisticRegression(C=3), "standardscaler__with_mean": np.bool_(False)}
print(identity.fit_key(params, "split"), identity.scorer_identities(["a", "b"]), identity.unstable)
"""


@pytest.mark.slow
def test_keys_are_the_same_in_every_process(capsys):
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    told = subprocess.run([sys.executable, "-c", ELSEWHERE], env=environment, capture_output=True, text=True)
    exec(ELSEWHERE, {"__name__": "here"})
    assert told.stdout == capsys.readouterr().out != ""
    assert told.stdout.endswith("[]\n")
