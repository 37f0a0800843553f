"""A run's folder: what is written, what run.json says at each moment, and no secret in any of it."""

from __future__ import annotations

import json
import os
import socket
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB

from sparksweep.errors import StorageError
from sparksweep.runs import RunFolder, load_run, new_run_id

KEY = "0a1b2c3d" + "e" * 56
START = datetime(2026, 11, 23, 22, 41, 0, 999000, tzinfo=timezone.utc)
MARK = "5EcReT"


def record(folder):
    return json.loads((Path(folder.uri) / "run.json").read_text())


def test_run_ids_are_start_in_utc_and_eight_digits():
    assert new_run_id(START, KEY) == "20261123T224100Z-0a1b2c3d"
    east = START.astimezone(timezone(timedelta(hours=8)))
    assert new_run_id(east, KEY) == "20261123T224100Z-0a1b2c3d"


def test_a_new_run_says_that_it_is_running(store):
    folder = RunFolder.create(store, KEY, {"experiment": "demo", "classes": ["a", "b"]}, started=START)
    assert folder.run_id == "20261123T224100Z-0a1b2c3d"
    assert folder.uri == f"{store.root}/runs/20261123T224100Z-0a1b2c3d"
    said = record(folder)
    assert said == folder.facts
    assert (said["run_id"], said["status"], said["sweep_key"]) == (folder.run_id, "running", KEY)
    assert (said["experiment"], said["classes"]) == ("demo", ["a", "b"])
    assert said["started"] == "2026-11-23T22:41:00.999Z"
    assert (said["process"]["host"], said["process"]["pid"]) == (socket.gethostname(), os.getpid())
    assert set(said["versions"]) >= {"python", "sparksweep", "pyspark", "numpy", "scikit-learn", "xgboost"}


def test_two_runs_of_one_second_get_two_folders(store):
    ids = [RunFolder.create(store, KEY, started=START).run_id for _ in range(3)]
    assert ids == [f"20261123T22410{second}Z-0a1b2c3d" for second in range(3)]


def test_a_complete_run(store, search):
    folder = RunFolder.create(store, KEY, {"classes": ["x", "y", "z"]})
    folder.write_results(search)
    assert record(folder)["status"] == "running"
    folder.complete(search)
    assert store.list(f"runs/{folder.run_id}") == [
        "cv_results.csv",
        "fits.parquet",
        "grid.parquet",
        "model",
        "results.parquet",
        "run.json",
        "sweeping_results.txt",
    ]
    said = record(folder)
    assert said["status"] == "complete"
    assert said["metric"] == "neg_log_loss"
    assert said["best"] == {
        "index": search.best_index_,
        "params": search.best_params_,
        "score": search.best_score_,
        "scorer": "neg_log_loss",
    }
    assert (said["n_candidates"], said["n_splits"], said["n_fits"], said["n_failed"]) == (4, 3, 12, 0)
    assert said["failed_fits"] == []
    assert said["refit_seconds"] == search.refit_time_
    assert said["model"]["classes"] == ["x", "y", "z"]
    assert said["ended"] >= said["started"]
    assert said["seconds"] >= 0
    path = Path(folder.uri)
    assert pq.read_table(path / "grid.parquet").equals(search.grid_)
    assert pq.read_table(path / "fits.parquet").equals(search.fits_)
    assert (path / "sweeping_results.txt").read_text().startswith("metric =  neg_log_loss\nmean: -")


def test_failed_fits_are_counted_and_grouped_by_reason(store, search, with_tables):
    trace = "Traceback (most recent call last):\n  File x\nValueError: no"
    with_tables(search, [(2, 1, trace), (1, 0, trace), (1, 2, trace), (3, 0, "MemoryError\n"), (0, None, "refit")])
    folder = RunFolder.create(store, KEY)
    folder.complete(search)
    said = record(folder)
    assert said["n_failed"] == 4
    assert said["failed_fits"] == [
        {"status": "failed", "reason": "ValueError: no", "n_fits": 3, "candidate_ids": [1, 2]},
        {"status": "failed", "reason": "MemoryError", "n_fits": 1, "candidate_ids": [3]},
    ]


def test_a_failure_without_words(store, search, with_tables):
    with_tables(search, [(0, 0, "")])
    folder = RunFolder.create(store, KEY)
    folder.complete(search)
    assert record(folder)["failed_fits"][0]["reason"] == "no reason given"


def test_several_metrics(store, iris, with_tables):
    scoring = ["accuracy", "neg_log_loss"]
    search = GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9, 0.5]}, cv=3, scoring=scoring, refit="neg_log_loss")
    folder = RunFolder.create(store, KEY)
    folder.write_results(with_tables(search.fit(*iris)))
    folder.complete(search)
    said = record(folder)
    assert said["metric"] == scoring
    assert said["best"]["scorer"] == "neg_log_loss"
    assert (Path(folder.uri) / "sweeping_results.txt").read_text().count("metric =  ") == 2


def test_without_refit_there_is_no_model_and_with_several_metrics_no_best(store, iris, with_tables):
    search = GridSearchCV(GaussianNB(), {}, cv=3, scoring=["accuracy", "neg_log_loss"], refit=False)
    folder = RunFolder.create(store, KEY)
    folder.write_results(with_tables(search.fit(*iris)))
    folder.complete(search)
    assert record(folder)["best"] is None
    assert record(folder)["refit_seconds"] is None
    assert not (Path(folder.uri) / "model").exists()


def scored(y, predicted):
    return mean_absolute_error(y, predicted)


@pytest.mark.parametrize(("scoring", "name"), [(None, "score"), (make_scorer(scored), "score"), ("r2", "r2")])
def test_the_metric_has_a_name(store, iris, with_tables, scoring, name):
    search = GridSearchCV(DummyRegressor(), {}, cv=3, scoring=scoring)
    folder = RunFolder.create(store, KEY)
    folder.write_results(with_tables(search.fit(*iris)))
    folder.complete(search)
    assert record(folder)["metric"] == name


def test_a_best_score_that_is_nan_is_null_in_json(store, search):
    search.best_score_ = np.nan
    folder = RunFolder.create(store, KEY)
    folder.complete(search)
    assert record(folder)["best"]["score"] is None


@pytest.mark.parametrize("status", ["failed", "interrupted"])
def test_a_run_that_ends_without_results(store, status):
    folder = RunFolder.create(store, KEY)
    folder.end(status, "SearchError: no fit succeeded")
    said = record(folder)
    assert (said["status"], said["reason"]) == (status, "SearchError: no fit succeeded")
    assert said["seconds"] >= 0


def test_run_json_is_strict_json(store):
    folder = RunFolder.create(store, KEY, {"config": {"error_score": float("nan"), "cv": np.int64(5), "t": (1, 2)}})
    text = (Path(folder.uri) / "run.json").read_text()
    found = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert found["config"] == {"error_score": "nan", "cv": 5, "t": [1, 2]}


def test_no_secret_is_in_any_file(store, search):
    folder = RunFolder.create(
        store,
        KEY,
        {
            "config": {
                "data": {"source": f"https://a.blob.core.windows.net/c?sv=1&sig={MARK}"},
                "spark": {"spark.hadoop.fs.azure.account.key.a": MARK, "spark.executor.memory": "2g"},
                "list": [{"deep": f"AccountKey={MARK};x"}],
            }
        },
    )
    folder.set_spark_settings({"spark.authenticate.secret": MARK, "spark.x": f"-Dmy.token={MARK}", "spark.n": "1"})
    folder.write_results(search)
    folder.write_text("report.html", "page")
    folder.complete(search)
    folder.end("failed", f"cannot read https://user:{MARK}@host")
    for file in Path(folder.uri).rglob("*"):
        assert file.is_dir() or MARK.encode() not in file.read_bytes(), file
    said = record(folder)
    assert said["config"]["spark"]["spark.executor.memory"] == "2g"
    assert said["spark"] == {"spark.authenticate.secret": "***", "spark.n": "1", "spark.x": "-Dmy.token=***"}
    assert said["config"]["list"] == [{"deep": "AccountKey=***;x"}]


def test_parameters_whose_names_look_secret_stay(store):
    folder = RunFolder.create(store, KEY, {"config": {"search": {"params": {"token_pattern": r"(?u)\b\w+\b"}}}})
    assert record(folder)["config"]["search"]["params"] == {"token_pattern": r"(?u)\b\w+\b"}


def test_a_workspace_that_cannot_be_written(tmp_path, store):
    (tmp_path / "ws").write_text("")
    with pytest.raises(StorageError, match=r"cannot make the folder .*/runs/.*: .*a file stands where"):
        RunFolder.create(store, KEY)


def test_a_disk_that_fills_up_leaves_the_record_valid(store, search, monkeypatch):
    folder = RunFolder.create(store, KEY)
    write = type(store).write_bytes

    def refuse(self, path, data):
        if path.endswith("cv_results.csv"):
            raise StorageError(f"cannot write {path}: No space left on device; free some space")
        write(self, path, data)

    monkeypatch.setattr(type(store), "write_bytes", refuse)
    with pytest.raises(StorageError, match=r"cv_results\.csv: No space left"):
        folder.write_results(search)
    folder.end("failed", "disk full")
    run = load_run(folder.uri)
    assert (run.status, run.has("cv_results.csv"), run.has("results.parquet")) == ("failed", False, True)
