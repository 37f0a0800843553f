"""Runs read back: one by its folder, all of a workspace, damaged and dead ones too."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier

from sparksweep.errors import DataError, StorageError, UsageError
from sparksweep.runs import RunFolder, list_runs, load_run
from sparksweep.runs.models import save_model

KEY = "0a1b2c3d"


@pytest.fixture
def folder(store, search):
    run = RunFolder.create(store, KEY, {"experiment": "demo"})
    run.write_results(search)
    run.complete(search)
    return run


def rewrite(folder, **changes):
    path = Path(folder.uri) / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_run_comes_back(folder, search, iris):
    run = load_run(folder.uri)
    assert (run.run_id, run.status) == (folder.run_id, "complete")
    assert (run.best_params, run.best_score) == (search.best_params_, search.best_score_)
    assert (run.n_fits, run.n_failed) == (12, 0)
    model = run.load_model()
    np.testing.assert_array_equal(model.predict_proba(iris[0]), search.best_estimator_.predict_proba(iris[0]))
    assert run.has("model")
    assert not run.has("report.html")
    assert run.uri("report.html") == f"{folder.uri}/report.html"
    assert run.uri() == folder.uri


def test_results_are_those_of_the_search(folder, search):
    results = load_run(folder.uri).results
    expected = pd.DataFrame(search.cv_results_)
    assert list(results) == list(expected)
    assert results["params"].tolist() == search.cv_results_["params"]
    assert results["param_priors"].tolist() == search.cv_results_["param_priors"].tolist()
    for name in ("mean_test_score", "split2_test_score", "rank_test_score", "mean_fit_time"):
        np.testing.assert_array_equal(results[name], expected[name])
    assert results["rank_test_score"].dtype == np.int32


def test_none_beside_numbers_stays_none(store, iris, with_tables):
    search = GridSearchCV(DecisionTreeClassifier(), {"max_depth": [None, 2]}, cv=2).fit(*iris)
    folder = RunFolder.create(store, KEY)
    folder.write_results(with_tables(search))
    values = load_run(folder.uri).results["param_max_depth"].tolist()
    assert (values, [type(value) for value in values]) == ([None, 2], [type(None), int])


def test_a_file_uri_and_a_slash_at_the_end_will_do(folder):
    assert load_run(f"file://{folder.uri}").run_id == folder.run_id
    assert load_run(folder.uri + "/").run_id == folder.run_id
    assert load_run(Path(folder.uri)).run_id == folder.run_id


def test_a_path_that_is_no_run(store, folder):
    with pytest.raises(UsageError, match=rf"ws is no run: it holds no run.json; its runs are {folder.run_id}"):
        load_run(store.root)
    with pytest.raises(UsageError, match=rf"runs is no run: it holds no run.json; its runs are {folder.run_id}"):
        load_run(f"{store.root}/runs")
    with pytest.raises(UsageError, match=r"nowhere is no run: it holds no run\.json$"):
        load_run(f"{store.root}/nowhere")


def test_a_listed_run_is_the_run_itself(store, folder):
    (run,) = list_runs(store)
    assert (run.run_id, run.status) == (folder.run_id, "complete")
    assert len(run.results) == 4
    assert run.uri("model") == f"{folder.uri}/model"
    assert run.load_model() is not None


def test_no_runs(store):
    assert list_runs(store) == []


def test_runs_are_listed_oldest_first_whatever_their_state(store, folder):
    RunFolder.create(store, KEY).end("failed", "x")
    running = RunFolder.create(store, KEY)
    assert [run.status for run in list_runs(store)] == ["complete", "failed", "running"]
    assert list_runs(store)[-1].run_id == running.run_id
    assert [run.run_id for run in list_runs(store)] == sorted(run.run_id for run in list_runs(store))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty", None, r"cannot read .*run\.json: No such file"),
        ("cut", b'{"run_id": "x", "sta', r"run\.json is damaged: "),
        ("bytes", b"\xff\xfe", r"run\.json is damaged: "),
        ("list", b"[]", r"run\.json is damaged: it says no run_id and status"),
        ("little", b'{"status": "complete"}', r"run\.json is damaged: it says no run_id and status"),
    ],
)
def test_damaged_runs_are_listed_as_such(store, folder, name, content, reason):
    place = Path(store.root) / "runs" / name
    place.mkdir()
    if content is not None:
        (place / "run.json").write_bytes(content)
    found = {run.run_id: run for run in list_runs(store)}
    assert found[folder.run_id].status == "complete"
    damaged = found[name]
    assert damaged.status == "damaged"
    assert (damaged.best_params, damaged.best_score, damaged.n_fits, damaged.n_failed) == (None, None, 0, 0)
    assert re.search(reason, damaged.facts["reason"])


def test_a_file_among_the_runs_is_listed_as_damaged(store, folder):
    (Path(store.root) / "runs" / "notes.txt").write_text("hello")
    assert [run.status for run in list_runs(store)] == ["complete", "damaged"]


def test_a_damaged_run_is_not_loaded(folder):
    (Path(folder.uri) / "run.json").write_text("{")
    with pytest.raises(DataError, match=r"run\.json is damaged: "):
        load_run(folder.uri)


def test_damaged_results(folder):
    path = Path(folder.uri) / "results.parquet"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"results\.parquet is damaged: "):
        load_run(folder.uri).results_table()
    path.unlink()
    with pytest.raises(StorageError, match=r"cannot read .*results\.parquet: No such file"):
        _ = load_run(folder.uri).results


def test_a_damaged_model(folder):
    path = Path(folder.uri) / "model" / "model.joblib"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DataError, match="is damaged: its sha-256"):
        load_run(folder.uri).load_model()


def test_a_model_swapped_together_with_its_meta_is_noticed(folder, tmp_path):
    """run.json keeps the digest too, so that a model of another run is not taken for this one's."""
    save_model(DummyClassifier().fit([[0.0]], [0]), Path(folder.uri) / "model")
    with pytest.raises(DataError, match="is damaged: its sha-256"):
        load_run(folder.uri).load_model()


def test_a_run_without_a_model(store):
    folder = RunFolder.create(store, KEY)
    with pytest.raises(DataError, match=r"model is not there: the run was not refitted, or did not end"):
        load_run(folder.uri).load_model()


def test_a_running_run_of_a_living_process_is_running(store):
    assert load_run(RunFolder.create(store, KEY).uri).status == "running"


def test_a_running_run_whose_process_is_gone_was_interrupted(store):
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    folder = RunFolder.create(store, KEY)
    rewrite(folder, process={"host": socket.gethostname(), "pid": child.pid, "began": 0.0})
    assert load_run(folder.uri).status == "interrupted"


def test_a_running_run_whose_pid_was_given_to_another_process_was_interrupted(store):
    folder = RunFolder.create(store, KEY)
    began = psutil.Process().create_time() - 1000
    rewrite(folder, process={"host": socket.gethostname(), "pid": os.getpid(), "began": began})
    assert load_run(folder.uri).status == "interrupted"


@pytest.mark.parametrize("process", [None, "x", {"host": "another machine", "pid": 1, "began": 0.0}])
def test_of_another_machine_nothing_is_known(store, process):
    folder = RunFolder.create(store, KEY)
    rewrite(folder, process=process)
    assert load_run(folder.uri).status == "running"


def test_a_process_note_that_is_no_note(store):
    folder = RunFolder.create(store, KEY)
    rewrite(folder, process={"host": socket.gethostname()})
    assert load_run(folder.uri).status == "interrupted"


def test_what_a_run_told_last_of_its_progress(store):
    folder = RunFolder.create(store, KEY)
    run = load_run(folder.uri)
    assert run.progress == {}
    folder.write_text("events.jsonl", '{"total": 9, "done": 2}\n{"total": 9, "done": 5}\n')
    assert run.progress == {"total": 9, "done": 5}
    for damaged in ("", "\n", '{"total": 9}\n{"tot', "3\n"):
        folder.write_text("events.jsonl", damaged)
        assert run.progress == {}
