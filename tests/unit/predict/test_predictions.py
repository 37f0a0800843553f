"""A model over a matrix: block by block as at once, the classes in their places."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import random as random_sparse
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, RidgeClassifier
from xgboost import XGBClassifier

from sparksweep.errors import DataError
from sparksweep.matrix import column_table, open_matrix, write_matrix
from sparksweep.predict import predict_proba_table, predict_table

CLASSES = ["F23-", "M22-", "M39+"]
IDS = np.array([2**63 - 1, -(2**63), 5, 4, 3, 2, 1], dtype=np.int64)


@pytest.fixture(params=["csr", "dense"])
def matrix(request, tmp_path):
    X = random_sparse(7, 4, density=0.6, format="csr", dtype=np.float32, random_state=0)
    X = X if request.param == "csr" else X.toarray()
    write_matrix(tmp_path / "test", X, IDS, columns=column_table("a", list("wxyz")), sources={})
    return open_matrix(tmp_path / "test")


@pytest.fixture
def booster(matrix):
    y = np.array([0, 1, 2, 0, 1, 2, 0])
    return XGBClassifier(n_estimators=3, max_depth=2, n_jobs=1).fit(matrix.X, y)


@pytest.mark.slow
@pytest.mark.versions
@pytest.mark.parametrize("block_rows", [1, 3, 7, 100])
def test_blocks_give_what_the_whole_gives(matrix, booster, block_rows):
    table = predict_proba_table(booster, matrix, CLASSES, block_rows=block_rows)
    assert table.column_names == ["row", *CLASSES]
    assert table["row"].to_pylist() == IDS.tolist()
    found = np.column_stack([table[name].to_numpy() for name in CLASSES])
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, booster.predict_proba(matrix.X).astype(np.float64))


def test_a_class_that_the_model_never_met_gets_nothing(matrix):
    model = DummyClassifier(strategy="prior").fit(np.zeros((4, 4)), [0, 2, 2, 2])
    table = predict_proba_table(model, matrix, CLASSES)
    assert [table[name][0].as_py() for name in CLASSES] == [0.25, 0.0, 0.75]


@pytest.mark.parametrize("labels", [["a", "b", "a", "b"], [0, 3, 0, 3], [-1, 1, 1, 1]])
def test_classes_that_are_no_codes(matrix, labels):
    model = DummyClassifier().fit(np.zeros((4, 4)), labels)
    with pytest.raises(DataError, match=r"the model's classes \[.*\] are no codes into the 3 classes"):
        predict_proba_table(model, matrix, CLASSES)


def test_a_matrix_of_another_width(matrix):
    model = LinearRegression().fit(np.zeros((4, 3)), [0, 1, 0, 1])
    with pytest.raises(DataError, match=r"fitted on 3 columns, .*test has 4: both matrices must come from one build"):
        predict_table(model, matrix)


def test_labels_are_predicted_where_there_are_no_probabilities(matrix):
    model = RidgeClassifier().fit(matrix.X, [0, 2, 2, 0, 1, 2, 0])
    table = predict_table(model, matrix, CLASSES, block_rows=2)
    assert table["prediction"].to_pylist() == [CLASSES[code] for code in model.predict(matrix.X)]


def test_numbers_are_predicted_by_a_regressor(matrix):
    model = LinearRegression().fit(matrix.X, np.arange(7.0))
    found = predict_table(model, matrix)
    assert found.column_names == ["row", "prediction"]
    np.testing.assert_allclose(found["prediction"].to_numpy(), model.predict(matrix.X))


def test_no_rows(tmp_path):
    empty = np.empty(0, dtype=np.int64)
    write_matrix(tmp_path / "t", np.empty((0, 4)), empty, columns=column_table("a", list("wxyz")), sources={})
    model = DummyClassifier().fit(np.zeros((2, 4)), [0, 1])
    assert predict_proba_table(model, open_matrix(tmp_path / "t"), CLASSES).num_rows == 0
    assert predict_table(model, open_matrix(tmp_path / "t"), CLASSES).num_rows == 0
