"""The files handed in: every id once and exact, rows that add up to 1, in the order given."""

from __future__ import annotations

import csv
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV

from sparksweep.errors import DataError, StorageError
from sparksweep.matrix import column_table, open_matrix, write_matrix
from sparksweep.predict import write_predictions, write_submission
from sparksweep.predict.submission import write_values
from sparksweep.runs import RunFolder, load_run
from sparksweep.storage import LocalStore

IDS = np.array([2**63 - 1, -(2**63), 1002079943728939269], dtype=np.int64)
CLASSES = ["F23-", "F24-26", "M39+"]
EVEN = np.full((3, 3), 1 / 3)


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "ws")


def rows_of(store, path):
    return list(csv.reader(store.read_bytes(path).decode().splitlines()))


def test_a_literal_submission(store):
    probabilities = np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0], [1e-9, 0.5, 0.5]])
    write_submission(store, "runs/x/submission.csv", IDS, CLASSES, probabilities)
    assert store.read_bytes("runs/x/submission.csv").decode() == (
        "device_id,F23-,F24-26,M39+\n"
        "9223372036854775807,0.5,0.25,0.25\n"
        "-9223372036854775808,0,1,0\n"
        "1002079943728939269,9.99999999e-10,0.4999999995,0.4999999995\n"
    )
    assert store.list("runs/x") == ["submission.csv"]


@settings(max_examples=40, deadline=None)
@given(arrays(np.float32, (5, 12), elements=st.floats(0, 1, width=32)))
def test_what_is_read_back_adds_up_to_one(tmp_path_factory, drawn):
    store = LocalStore(tmp_path_factory.mktemp("ws"))
    drawn[:, 0] += np.float32(1e-6)
    write_submission(store, "s.csv", np.arange(5), [f"c{place:02}" for place in range(12)], drawn)
    for row, given_row in zip(rows_of(store, "s.csv")[1:], drawn.astype(np.float64), strict=True):
        values = [float(cell) for cell in row[1:]]
        assert abs(math.fsum(values) - 1) < 1e-9
        np.testing.assert_allclose(values, given_row / given_row.sum(), rtol=1e-9)


def test_the_users_array_is_left_alone(store):
    probabilities = np.full((3, 3), 2.0)
    write_submission(store, "s.csv", IDS, CLASSES, probabilities)
    assert (probabilities == 2.0).all()


def test_another_id_column_and_labels_with_commas(store):
    write_submission(store, "s.csv", IDS, ["a,b", "c", "d"], EVEN, id_column="row")
    assert rows_of(store, "s.csv")[0] == ["row", "a,b", "c", "d"]


def test_more_rows_than_a_block(store, monkeypatch):
    monkeypatch.setattr("sparksweep.predict.submission.BLOCK_ROWS", 4)
    ids = np.arange(11)[::-1].copy()
    write_submission(store, "s.csv", ids, ["a"], np.ones((11, 1)))
    assert [row[0] for row in rows_of(store, "s.csv")[1:]] == [str(number) for number in ids]


@pytest.mark.parametrize(
    ("ids", "probabilities", "message"),
    [
        (IDS.astype(np.float64), EVEN, "ids are float64, must be int64"),
        (np.array([1, 2, 1]), EVEN, "id 1 is there 2 times; each may be there once"),
        (IDS, EVEN[:2], r"probabilities has shape \(2, 3\), must be \(3, 3\)"),
        (IDS, EVEN[:, :2], r"probabilities has shape \(3, 2\), must be \(3, 3\)"),
        (IDS, EVEN * [[1], [0], [1]], r"id -9223372036854775808 cannot be made to add up to 1: \[0.0, 0.0, 0.0\] \(1 "),
        (IDS, EVEN * [[np.nan], [1], [np.inf]], r"of id 9223372036854775807 cannot be made .*\(2 such rows\)"),
        (IDS, EVEN - np.array([[0, 0, 0], [0, 1, -1], [0, 0, 0]]), r"of id -9223372036854775808 cannot be made"),
    ],
)
def test_what_cannot_be_handed_in(store, ids, probabilities, message):
    with pytest.raises(DataError, match=message):
        write_submission(store, "s.csv", ids, CLASSES, probabilities)
    assert not store.exists("s.csv")


def test_values(store):
    write_values(store, "p.csv", IDS, [0.1, 1e-300, -3.0], id_column="row")
    assert store.read_bytes("p.csv").decode() == (
        "row,prediction\n9223372036854775807,0.1\n-9223372036854775808,1e-300\n1002079943728939269,-3.0\n"
    )
    with pytest.raises(DataError, match="there are 1 predictions for 3 ids"):
        write_values(store, "p.csv", IDS, [0.1])
    with pytest.raises(DataError, match="ids are int32, must be int64"):
        write_values(store, "p.csv", IDS.astype(np.int32), [0.1, 0.2, 0.3])


def test_a_workspace_that_cannot_be_written(tmp_path, store):
    (tmp_path / "ws").write_text("")
    with pytest.raises(StorageError, match="a file stands where a folder is needed"):
        write_submission(store, "s.csv", IDS, CLASSES, EVEN)


def test_a_disk_that_fills_up_leaves_no_submission(store, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sparksweep.predict.submission._csv_line", fail)
    with pytest.raises(StorageError, match=r"cannot write .*s\.csv: No space left on device; free some space"):
        write_submission(store, "s.csv", IDS, CLASSES, EVEN)
    assert store.list("") == []


# --- by a run's model -----------------------------------------------------------------------------------------------


def run_of(store, estimator, y, classes):
    """Write a run whose model is the estimator fitted on two columns."""
    search = GridSearchCV(estimator, {}, cv=2).fit(np.zeros((len(y), 2)), y)
    search.grid_ = pa.table({"candidate_id": [0]})
    search.fits_ = pa.table({"candidate_id": [0], "split_id": [0], "status": ["complete"], "fit_error": [""]})
    folder = RunFolder.create(store, "0a1b2c3d", {"classes": classes})
    folder.write_results(search)
    folder.complete(search)
    return load_run(folder.uri)


@pytest.fixture
def matrix(tmp_path):
    write_matrix(tmp_path / "test", np.zeros((3, 2)), IDS, columns=column_table("a", ["x", "y"]), sources={})
    return open_matrix(tmp_path / "test")


def test_a_classifier_makes_a_submission_in_the_runs_folder(store, matrix):
    run = run_of(store, DummyClassifier(strategy="prior"), [0, 0, 1, 2] * 2, CLASSES)
    assert write_predictions(run, matrix) == "submission.csv"
    assert rows_of(run.store, "submission.csv") == [
        ["device_id", *CLASSES],
        *([str(row_id), "0.5", "0.25", "0.25"] for row_id in IDS),
    ]


def test_a_classifier_without_probabilities_makes_predictions(store, matrix):
    run = run_of(store, RidgeClassifier(), [0, 1, 2, 1] * 2, CLASSES)
    assert write_predictions(run, matrix, id_column="row") == "predictions.csv"
    assert rows_of(run.store, "predictions.csv")[0] == ["row", "prediction"]
    assert {row[1] for row in rows_of(run.store, "predictions.csv")[1:]} == {"F24-26"}
    assert not run.has("submission.csv")


def test_a_regressor_makes_predictions(store, matrix):
    run = run_of(store, DummyRegressor(), [0.5, 1.0, 0.5, 1.0], None)
    assert write_predictions(run, matrix) == "predictions.csv"
    assert [row[1] for row in rows_of(run.store, "predictions.csv")[1:]] == ["0.75"] * 3
