"""Models kept and brought back: the same predictions bit for bit; damage and strangers refused."""

from __future__ import annotations

import json
import math

import joblib
import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from xgboost import XGBClassifier, XGBRegressor, XGBRFClassifier

from sparksweep.errors import DataError, StorageError
from sparksweep.runs.models import load_model, save_model

SMALL = {"n_estimators": 4, "n_jobs": 1, "max_depth": 2}


class OwnClassifier(XGBClassifier):
    """A user's subclass; what it adds, UBJSON does not hold."""


def same(first, second):
    return first.dtype == second.dtype and np.array_equal(first, second)


@pytest.mark.slow
@pytest.mark.versions
@pytest.mark.parametrize(
    "estimator",
    [
        XGBClassifier(**SMALL, subsample=0.5, colsample_bylevel=0.5, seed=0, objective="multi:softprob"),
        XGBClassifier(**SMALL, booster="dart", rate_drop=0.3, random_state=np.int64(1)),
        XGBClassifier(n_estimators=4, n_jobs=1, booster="gblinear"),
        XGBClassifier(**SMALL, missing=0.2),
        XGBRFClassifier(**SMALL),
    ],
    ids=["hist", "dart", "gblinear", "missing", "forest"],
)
def test_xgboost_is_kept_as_ubjson_and_predicts_the_same(tmp_path, iris, estimator):
    X, y = iris
    estimator.fit(X, y)
    meta = save_model(estimator, tmp_path / "model", ["a", "b", "c"])
    assert sorted(file.name for file in (tmp_path / "model").iterdir()) == ["model.json", "model.ubj"]
    assert meta == json.loads((tmp_path / "model" / "model.json").read_text())
    assert meta["classes"] == ["a", "b", "c"]
    assert meta["n_features"] == 4
    assert meta["estimator"] == f"xgboost.sklearn.{type(estimator).__name__}"
    loaded = load_model(tmp_path / "model")
    assert same(loaded.predict_proba(X), estimator.predict_proba(X))
    assert type(loaded) is type(estimator)
    assert loaded.classes_.tolist() == [0, 1, 2]
    assert repr(loaded.get_params()) == repr(estimator.get_params()).replace("np.int64(1)", "1")


def test_two_classes(tmp_path, iris):
    X, y = iris[0][:100], iris[1][:100]
    estimator = XGBClassifier(**SMALL).fit(X, y)
    save_model(estimator, tmp_path)
    assert same(load_model(tmp_path).predict_proba(X), estimator.predict_proba(X))


def test_early_stopping_predicts_with_the_best_round(tmp_path, iris):
    X, y = iris
    estimator = XGBClassifier(**{**SMALL, "n_estimators": 40}, learning_rate=0.9, early_stopping_rounds=2)
    estimator.fit(X[::2], y[::2], eval_set=[(X[1::2], y[1::2])], verbose=False)
    assert estimator.best_iteration < estimator.get_booster().num_boosted_rounds() - 1
    save_model(estimator, tmp_path)
    assert same(load_model(tmp_path).predict_proba(X), estimator.predict_proba(X))


def test_a_regressor(tmp_path, iris):
    X, y = iris
    estimator = XGBRegressor(**SMALL, objective="reg:squarederror").fit(X, y)
    meta = save_model(estimator, tmp_path)
    assert meta["classes"] is None
    assert same(load_model(tmp_path).predict(X), estimator.predict(X))


def objective(labels, predictions):
    return predictions - labels, np.ones_like(labels)


@pytest.mark.slow
@pytest.mark.versions
@pytest.mark.parametrize(
    "estimator",
    [
        GaussianNB(),
        make_pipeline(StandardScaler(), GaussianNB()),
        make_pipeline(StandardScaler(), XGBClassifier(**SMALL)),
        OwnClassifier(**SMALL),
        XGBRegressor(**SMALL, objective=objective),
        XGBClassifier(**SMALL, missing=math.inf),
    ],
    ids=["sklearn", "pipeline", "xgboost in it", "subclass", "own objective", "infinite missing"],
)
def test_all_else_is_kept_by_joblib(tmp_path, iris, estimator):
    X, y = iris
    estimator.fit(X, y)
    assert save_model(estimator, tmp_path)["file"] == "model.joblib"
    loaded = load_model(tmp_path)
    assert same(loaded.predict(X), estimator.predict(X))
    assert type(loaded) is type(estimator)


@pytest.fixture(params=["ubj", "joblib"])
def kept(request, tmp_path, iris):
    """A folder with a model, and the model's file."""
    estimator = XGBClassifier(**SMALL) if request.param == "ubj" else GaussianNB()
    save_model(estimator.fit(*iris), tmp_path)
    return tmp_path, tmp_path / f"model.{request.param}"


def change_meta(folder, **changes):
    path = folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_model_is_not_loaded(kept, damage, monkeypatch):
    folder, file = kept
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes({"flip": content, "cut": content[:-1], "empty": b""}[damage])
    monkeypatch.setattr(joblib, "load", lambda path: pytest.fail("unpickled before the digest was checked"))
    with pytest.raises(DataError, match=r"is damaged: its sha-256 is [0-9a-f]{64}, was [0-9a-f]{64} when written"):
        load_model(folder)


def test_a_missing_model_file(kept):
    folder, file = kept
    file.unlink()
    with pytest.raises(StorageError, match=rf"cannot read .*{file.name}: No such file"):
        load_model(folder)


def test_a_missing_meta_file(kept):
    (kept[0] / "model.json").unlink()
    with pytest.raises(StorageError, match=r"cannot read .*model\.json: No such file"):
        load_model(kept[0])


@pytest.mark.slow
@pytest.mark.parametrize("text", ["{", "[]", "\\"])
def test_a_damaged_meta_file(kept, text):
    (kept[0] / "model.json").write_text(text)
    with pytest.raises(DataError, match=r"model\.json is damaged"):
        load_model(kept[0])


def test_meta_kept_elsewhere_is_used(kept):
    meta = json.loads((kept[0] / "model.json").read_text())
    (kept[0] / "model.json").unlink()
    assert hasattr(load_model(kept[0], meta), "predict_proba")
    with pytest.raises(DataError, match="is damaged: its sha-256"):
        load_model(kept[0], {**meta, "sha256": "0" * 64})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["../../etc/passwd", "model.pkl", None])
def test_another_file_name(kept, name):
    change_meta(kept[0], file=name)
    with pytest.raises(DataError, match=r"names the model file .*must be model\.ubj or model\.joblib"):
        load_model(kept[0])


@pytest.mark.slow
@pytest.mark.parametrize("dotted", ["nosuch.Estimator", "sklearn.linear_model.NoSuch", "Estimator", "", "a..b"])
def test_a_class_that_is_not_here(kept, dotted):
    change_meta(kept[0], estimator=dotted)
    with pytest.raises(DataError, match=r"which is not installed here .*install what defines it"):
        load_model(kept[0])


@pytest.mark.parametrize("dotted", ["os.system", "collections.OrderedDict", "sklearn.linear_model"])
def test_what_is_no_estimator(kept, dotted):
    change_meta(kept[0], estimator=dotted)
    with pytest.raises(DataError, match=r"no class with scikit-learn's API|is not installed here"):
        load_model(kept[0])


def test_another_class_than_named(tmp_path, iris):
    save_model(GaussianNB().fit(*iris), tmp_path)
    change_meta(tmp_path, estimator="sklearn.linear_model._ridge.Ridge")
    assert Ridge.__module__ == "sklearn.linear_model._ridge"
    with pytest.raises(DataError, match=r"holds a sklearn\..*GaussianNB, not the sklearn\..*Ridge that model"):
        load_model(tmp_path)


def test_a_regressor_named_as_classifier(tmp_path, iris):
    save_model(XGBRegressor(**SMALL).fit(*iris), tmp_path)
    change_meta(tmp_path, estimator="xgboost.sklearn.XGBClassifier")
    with pytest.raises(DataError, match=r"model\.ubj cannot be loaded: "):
        load_model(tmp_path)


def test_a_pickle_that_does_not_load_here(tmp_path, iris, monkeypatch):
    save_model(GaussianNB().fit(*iris), tmp_path)

    def fail(path):
        raise AttributeError("no _loss here")

    monkeypatch.setattr(joblib, "load", fail)
    with pytest.raises(DataError, match=r"model\.joblib cannot be loaded here: AttributeError: no _loss here"):
        load_model(tmp_path)


def test_a_model_that_no_pickle_takes(tmp_path, iris):
    estimator = make_pipeline(FunctionTransformer(lambda X: X), GaussianNB()).fit(*iris)
    with pytest.raises(StorageError, match=r"the model cannot be kept: .*the results are kept"):
        save_model(estimator, tmp_path)


def test_a_place_that_cannot_be_written(tmp_path, iris):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot write the model to .*file/model: .*a file stands where"):
        save_model(XGBClassifier(**SMALL).fit(*iris), tmp_path / "file" / "model")
