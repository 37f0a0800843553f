"""How a sweep ends badly: failed fits, no result at all, Ctrl-C; and what is told and kept then."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from sparksweep import load_run

pytestmark = pytest.mark.spark

STOPPED = "sparksweep: error: interrupted; the same command goes on with what is done"
FAILS_AT_ZERO = {"param_grid": {"dual": [True, False]}}
REASON = "Solver lbfgs supports only dual=False, got dual=True"


@pytest.fixture
def npz(iris, tmp_path):
    np.savez(tmp_path / "iris.npz", X=iris[0], y=iris[1])
    return tmp_path / "iris.npz"


def test_a_candidate_that_fails_is_told_and_the_rest_is_ranked(command, sweep_file, npz, tmp_path):
    ended, run = sweep_file(npz, "npz", code=3, search=FAILS_AT_ZERO)
    assert "3 of 6 fits failed, the first: " in ended.out
    assert REASON in ended.out
    assert "sparksweep: error" not in ended.err
    assert (run.status, run.n_failed, run.best_params) == ("complete", 3, {"dual": False})
    (failure,) = run.facts["failed_fits"]
    assert (failure["status"], failure["n_fits"], failure["candidate_ids"]) == ("failed", 3, [0])
    assert failure["reason"].endswith(REASON)
    fits = run.table("fits.parquet").to_pylist()
    assert [row["status"] for row in fits] == ["failed"] * 3 + ["complete"] * 4
    assert all("Traceback" in row["fit_error"] and REASON in row["fit_error"] for row in fits[:3])
    results = run.results
    assert np.isnan(results["mean_test_score"][0])
    assert results["rank_test_score"].tolist() == [2, 1]
    assert run.store.read_bytes("sweeping_results.txt").decode().splitlines()[1].startswith("mean: nan, std: nan, ")
    assert REASON in run.store.read_bytes("report.html").decode()
    listed = command("runs", "list", "--workspace", tmp_path / "workspace").done()
    assert listed.splitlines()[1].split()[3:5] == ["6", "3"]


def test_predictions_are_made_although_fits_failed(command, copied, quick, write_experiment, tmp_path):
    search = {**quick, "param_grid": {"dual": [True, False]}}
    experiment = write_experiment(tmp_path / "mine.yaml", copied.raw, search=search)
    ended = command("sweep", experiment, "--workspace", copied.workspace, "--predict")
    assert ended.code == 3
    assert f"submission: {copied.runs[1]}/submission.csv" in ended.out.splitlines()
    assert ended.out.count("rank  mean_test_score") == 1


def test_error_score_as_a_number(sweep_file, npz):
    _, run = sweep_file(npz, "npz", code=3, search={**FAILS_AT_ZERO, "error_score": 0.25})
    assert run.results["mean_test_score"][0] == 0.25


@pytest.mark.parametrize(
    "search",
    [{**FAILS_AT_ZERO, "error_score": "raise"}, {"param_grid": {"dual": [True]}}],
    ids=["error_score is raise", "every fit fails"],
)
def test_no_result_is_a_failed_run(command, sweep_file, npz, tmp_path, leftovers, search):
    ended, run = sweep_file(npz, "npz", code=1, search=search)
    line = ended.failed(1)
    assert REASON in line
    assert run.status == "failed"
    assert REASON in run.facts["reason"]
    assert not run.has("results.parquet")
    assert not run.has("model")
    assert leftovers(tmp_path / "workspace") == []
    shown = command("runs", "show", run.run_id, "--workspace", tmp_path / "workspace").done()
    assert shown.startswith(f"run {run.run_id}: failed\n")
    assert "reason: " in shown
    assert (
        command("report", run.run_id, "--workspace", tmp_path / "workspace")
        .failed(2)
        .startswith(f"run {run.run_id} is failed: only a complete run has results")
    )


def wait_until(condition, process: subprocess.Popen, seconds: float = 120.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"ended with {process.poll()}: {process.stdout.read()} {process.stderr.read()}")


@pytest.mark.slow
def test_ctrl_c_in_the_middle_of_a_sweep(
    command, sweep_file, npz, write_experiment, start_process, sparksweep_program, cluster_module, leftovers, tmp_path
):
    """The terminal sends SIGINT to all processes of the command, the JVM included."""
    _, first = sweep_file(npz, "npz")
    workspace, results = tmp_path / "workspace", first.results
    grid = {"n_estimators": [10**6], "max_depth": [3, 4]}
    experiment = write_experiment(
        tmp_path / "long.yaml", npz, data={"format": "npz"}, features=None, search={"param_grid": grid}
    )
    process = start_process(
        sparksweep_program,
        "sweep",
        experiment,
        "--workspace",
        workspace,
        env=cluster_module.java_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def training() -> list[psutil.Process]:
        """Return the command's processes once one of its tasks has loaded xgboost.

        By descent, not by process group: Spark's Python daemon opens a group of its own.
        """
        started = psutil.Process(process.pid).children(recursive=True)
        maps = [Path(f"/proc/{child.pid}/maps") for child in started]
        return started if any("libxgboost" in path.read_text() for path in maps if path.exists()) else []

    started = wait_until(training, process)
    time.sleep(2)
    run = max((workspace / "runs").iterdir())
    assert run.name != first.run_id
    assert load_run(str(run)).facts["status"] == "running"
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    # Spark may add its own words on tasks that were stopped half-way; nothing of Python's.
    assert [line for line in err.splitlines() if "sparksweep" in line] == [STOPPED]
    assert "Traceback" not in err
    facts = load_run(str(run)).facts
    assert facts["status"] == "interrupted"
    assert facts["reason"] == "stopped by the user or the scheduler; the same command goes on where it stopped"
    assert not (run / "results.parquet").exists()
    assert leftovers(workspace) == []
    _, alive = psutil.wait_procs(started, timeout=30)
    assert alive == []
    listed = command("runs", "list", "--workspace", workspace).done().splitlines()
    assert re.fullmatch(rf"{run.name} +interrupted +long +.*", listed[2])
    assert first.results.equals(results)


def test_the_same_sweep_again_trains_nothing_and_is_a_run_of_its_own(sweep_file, npz):
    _, first = sweep_file(npz, "npz")
    ended, again = sweep_file(npz, "npz")
    n_fits = first.n_fits
    assert f"sweep: {n_fits} of {n_fits} fits reused" in ended.out.splitlines()
    assert again.run_id != first.run_id
    assert again.results.equals(first.results)
    (last, *_) = again.store.read_bytes("events.jsonl").decode().splitlines()[::-1]
    assert (json.loads(last)["reused"], json.loads(last)["done"]) == (n_fits, n_fits)


def test_a_run_whose_process_is_gone_goes_on_in_its_folder(command, sweep_file, npz, tmp_path):
    _, first = sweep_file(npz, "npz")
    facts = {**first.facts, "status": "running", "process": {**first.facts["process"], "began": 0}}
    first.store.write_bytes("run.json", json.dumps(facts).encode())
    ended, again = sweep_file(npz, "npz")
    assert f"sweep: run {first.run_id} did not end, so it goes on" in ended.out
    assert again.run_id == first.run_id
    assert (again.status, len(again.facts["resumed"])) == ("complete", 1)
    listed = command("runs", "list", "--workspace", tmp_path / "workspace").done()
    assert len(listed.splitlines()) == 2
    shown = command("ledger", "list", "--workspace", tmp_path / "workspace").done()
    assert "LogisticRegression" in shown


def test_limits_of_time_are_settings(sweep_file, npz):
    boosted = {
        "estimator": "xgboost.XGBClassifier",
        "param_grid": [{"n_estimators": [2], "max_depth": [2]}, {"n_estimators": [10**7], "max_depth": [3]}],
        "scoring": "neg_log_loss",
        "fit_timeout": 4,
        "cv": 2,
    }
    ended, run = sweep_file(npz, "npz", code=3, search=boosted)
    statuses = [row["status"] for row in run.table("fits.parquet").to_pylist()]
    assert statuses == ["complete", "complete", "timeout", "timeout", "complete"]
    assert "TimeoutError: not done within 4 s (fit_timeout)" in ended.out
