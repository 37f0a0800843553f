"""A matrix of the user's own: read from each form, split, scored and refitted as the experiment says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix, save_npz
from sklearn.datasets import dump_svmlight_file
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, PredefinedSplit, StratifiedKFold

from sparksweep import load_run

pytestmark = pytest.mark.spark


def runs_of(workspace: Path) -> list[Path]:
    return sorted((workspace / "runs").iterdir())


GRID = {"C": [0.1, 1.0]}


def reference(X, y, cv=3, scoring="accuracy", refit=True, **params):
    estimator = LogisticRegression(max_iter=1000, **params)
    return GridSearchCV(estimator, GRID, cv=cv, scoring=scoring, refit=refit).fit(X, y)


def assert_same_results(run, expected):
    table = run.results_table()
    assert table.column_names == list(expected.cv_results_)
    for name, values in expected.cv_results_.items():
        if not name.endswith("_time") and not name.startswith("param"):
            assert table[name].to_numpy().tobytes() == values.tobytes(), name


def test_npz(sweep_file, iris, tmp_path):
    X, y = iris
    np.savez(tmp_path / "iris.npz", X=X, y=y)
    ended, run = sweep_file(tmp_path / "iris.npz", "npz")
    assert "import: 90 rows x 4 columns" in ended.out
    assert_same_results(run, reference(X, np.unique(y, return_inverse=True)[1]))
    assert run.facts["classes"] == ["setosa", "versicolor", "virginica"]


def test_sparse_npz_with_its_target_beside(sweep_file, iris, tmp_path):
    X, y = iris
    save_npz(tmp_path / "x.npz", csr_matrix(X))
    np.save(tmp_path / "y.npy", y)
    _, run = sweep_file(tmp_path / "x.npz", "npz", target="y.npy")
    assert_same_results(run, reference(csr_matrix(X), np.unique(y, return_inverse=True)[1]))


def test_svmlight(sweep_file, iris, tmp_path):
    X, y = iris
    codes = np.unique(y, return_inverse=True)[1] + 1
    dump_svmlight_file(X, codes, str(tmp_path / "iris.svm"), zero_based=False)
    _, run = sweep_file(tmp_path / "iris.svm", "svmlight")
    assert run.facts["classes"] == [1, 2, 3]
    assert_same_results(run, reference(csr_matrix(X.astype(np.float64)), codes - 1))


@pytest.fixture
def parquet(iris, tmp_path):
    X, y = iris
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    frame["kind"], frame["fold"] = y, np.arange(90) % 4
    frame.to_parquet(tmp_path / "iris.parquet")
    return tmp_path / "iris.parquet"


def test_a_file_has_no_test_rows_to_predict(command, write_experiment, iris, tmp_path):
    np.savez(tmp_path / "iris.npz", X=iris[0], y=iris[1])
    search = {"estimator": "sklearn.linear_model.LogisticRegression", "params": {}, "param_grid": GRID}
    data = {"format": "npz"}
    experiment = write_experiment(
        tmp_path / "mine.yaml", tmp_path / "iris.npz", data=data, features=None, search=search
    )
    out = command("sweep", experiment, "--workspace", tmp_path / "workspace", "--predict").done()
    assert re.search(r"^predict: nothing, since .*/matrix/.* has no test matrix$", out, re.MULTILINE)


def test_parquet_with_a_column_of_folds(sweep_file, parquet, iris):
    X, y = iris
    _, run = sweep_file(parquet, "parquet", search={"cv": "folds"}, target="kind", fold_column="fold")
    codes = np.unique(y, return_inverse=True)[1]
    expected = reference(X, codes, cv=PredefinedSplit(np.arange(90) % 4))
    assert run.facts["n_splits"] == 4
    assert_same_results(run, expected)


def test_a_number_as_target(command, iris, write_experiment, tmp_path):
    X, _ = iris
    np.savez(tmp_path / "x.npz", X=X[:, :3], y=X[:, 3].astype(np.float64))
    search = {
        "estimator": "sklearn.linear_model.Ridge",
        "params": {},
        "param_grid": {"alpha": [0.1, 10.0]},
        "scoring": "r2",
    }
    experiment = write_experiment(
        tmp_path / "mine.yaml", tmp_path / "x.npz", data={"format": "npz"}, features=None, search=search
    )
    command("sweep", experiment, "--workspace", tmp_path / "workspace").done()
    (folder,) = runs_of(tmp_path / "workspace")
    expected = GridSearchCV(Ridge(), {"alpha": [0.1, 10.0]}, cv=3, scoring="r2").fit(
        X[:, :3], X[:, 3].astype(np.float64)
    )
    assert_same_results(load_run(str(folder)), expected)
    line = command("predict", experiment, "--workspace", tmp_path / "workspace").failed(2)
    assert line.endswith("matrix/imported has no test matrix: there is nothing to predict")


def test_another_file_is_refused(command, sweep_file, iris, tmp_path):
    X, y = iris
    np.savez(tmp_path / "iris.npz", X=X, y=y)
    sweep_file(tmp_path / "iris.npz", "npz")
    np.savez(tmp_path / "other.npz", X=X[:60], y=y[:60])
    arguments = (tmp_path / "mine.yaml", "--workspace", tmp_path / "workspace")
    changed = ("--set", f"data.source={tmp_path / 'other.npz'}")
    line = command("sweep", *arguments, *changed).failed(2)
    assert line.startswith("data.source: ")
    assert str(tmp_path / "iris.npz") in line
    assert str(tmp_path / "other.npz") in line
    assert line.endswith("use another --workspace, or --rebuild to make it anew")
    assert "import: 60 rows" in command("sweep", *arguments, *changed, "--rebuild").done()


def test_a_changed_file_is_imported_again(command, sweep_file, iris, tmp_path):
    X, y = iris
    np.savez(tmp_path / "iris.npz", X=X, y=y)
    sweep_file(tmp_path / "iris.npz", "npz")
    np.savez(tmp_path / "iris.npz", X=X[:60], y=y[:60])
    out = command("sweep", tmp_path / "mine.yaml", "--workspace", tmp_path / "workspace").done()
    assert re.search(r"^import: matrix/imported is made anew: (size, )?modified changed$", out, re.MULTILINE)
    assert "import: 60 rows" in out
    (tmp_path / "iris.npz").unlink()
    assert "import: " not in command("sweep", tmp_path / "mine.yaml", "--workspace", tmp_path / "workspace").done()
    other = ("--set", "data.target=other.npy")
    line = command("sweep", tmp_path / "mine.yaml", "--workspace", tmp_path / "workspace", *other).failed(2)
    assert f"was made of {tmp_path / 'iris.npz'}, made with other settings, and the file is gone; use another" in line


# ---- How it is split, scored and refitted


def test_cv_as_a_splitter_by_name(sweep_file, parquet, iris):
    X, y = iris
    cv = {"splitter": "sklearn.model_selection.StratifiedKFold", "n_splits": 4, "shuffle": True, "random_state": 1}
    data = {"target": "kind", "fold_column": "fold"}
    _, run = sweep_file(parquet, "parquet", search={"cv": cv}, **data)
    codes = np.unique(y, return_inverse=True)[1]
    assert_same_results(run, reference(X, codes, cv=StratifiedKFold(4, shuffle=True, random_state=1)))


def test_several_scorers(sweep_file, iris, tmp_path):
    X, y = iris
    np.savez(tmp_path / "iris.npz", X=X, y=y)
    search = {"scoring": ["accuracy", "neg_log_loss"], "refit": "neg_log_loss"}
    ended, run = sweep_file(tmp_path / "iris.npz", "npz", search=search)
    codes = np.unique(y, return_inverse=True)[1]
    expected = reference(X, codes, scoring=["accuracy", "neg_log_loss"], refit="neg_log_loss")
    assert_same_results(run, expected)
    assert run.best_score == expected.best_score_
    assert "(neg_log_loss)" in ended.out
    text = run.store.read_bytes("sweeping_results.txt").decode()
    blocks = text.split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == ["metric =  accuracy", "metric =  neg_log_loss"]
    assert [len(block.splitlines()) for block in blocks] == [3, 3]


def test_without_refit_there_is_no_model(command, sweep_file, iris, tmp_path):
    X, y = iris
    np.savez(tmp_path / "iris.npz", X=X, y=y)
    ended, run = sweep_file(tmp_path / "iris.npz", "npz", search={"refit": False})
    assert not run.has("model")
    assert run.status == "complete"
    assert run.best_params == {"C": 1.0}
    assert "model: " not in ended.out
    assert len(run.table("fits.parquet")) == 6
    assert run.has("report.html")
