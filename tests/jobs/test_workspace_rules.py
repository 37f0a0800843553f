"""What a workspace keeps, reuses, refuses and rebuilds."""

from __future__ import annotations

import csv
import json
import os
import shutil
import socket
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sparksweep import load_run
from sparksweep.errors import DataError, UsageError
from sparksweep.matrix import open_matrix
from sparksweep.pipeline.job import start_job
from sparksweep.pipeline.matrices import open_part
from sparksweep.pipeline.predict import predict_if_possible
from sparksweep.pipeline.runs import find_run
from sparksweep.search.ledger import MAKING, Lease
from sparksweep.storage import open_store
from sparksweep.storage.hadoop import HadoopStore

pytestmark = pytest.mark.spark


def runs_of(workspace: Path) -> list[Path]:
    return sorted((workspace / "runs").iterdir())


def facts_of(run: Path) -> dict:
    return json.loads((run / "run.json").read_text(encoding="utf-8"))


# ---- One workspace, several commands


def test_a_second_sweep_is_a_second_run_and_the_first_stays(command, copied, contents):
    before = contents(copied.run)
    out = command("sweep", copied.experiment, "--workspace", copied.workspace, "--set", "search.cv=2").done()
    first, second = runs_of(copied.workspace)
    assert contents(first) == before
    assert f"sweep: run {second.name}" in out
    assert "ingest" not in out
    assert "features" not in out
    assert [facts_of(run)["n_splits"] for run in (first, second)] == [3, 2]
    assert facts_of(first)["sweep_key"] != facts_of(second)["sweep_key"]


def test_the_same_sweep_again_gives_the_same_under_a_new_id(command, copied):
    command("sweep", copied.experiment, "--workspace", copied.workspace).done()
    first, second = runs_of(copied.workspace)
    assert first.name[-8:] == second.name[-8:]
    assert (first / "sweeping_results.txt").read_bytes() == (second / "sweeping_results.txt").read_bytes()


def test_another_source_is_refused(command, copied, source, contents):
    """... and nothing of what is there is touched; --rebuild makes it anew."""
    source.spoil("gender_age_train", "\n100,", "\n99,")
    before = contents(copied.workspace)
    arguments = (copied.experiment, "--workspace", copied.workspace, "--set", f"data.source={source.folder}")
    for name in ("ingest", "features", "sweep", "predict"):
        assert command(name, *arguments).failed(2) == (
            f"data.source: the workspace {copied.workspace} was made of {copied.raw}, not of {source.folder}; "
            "use another --workspace, or --rebuild to make it anew"
        )
    assert contents(copied.workspace) == before
    out = command("features", *arguments, "--rebuild").done()
    assert "features: train has 48 rows" in out
    train = open_matrix(copied.workspace / "matrix/four_sets/train", verify=True)
    assert train.rows.tolist() == [99, *range(101, 148)]
    assert json.loads((copied.workspace / "tables/ingest.json").read_text())["source"] == str(source.folder)
    assert len(runs_of(copied.workspace)) == 1


def test_of_a_changed_source_what_depends_on_it_is_made_again(command, prepared, source, contents, monkeypatch):
    workspace, arguments = prepared.workspace, ("features", prepared.experiment, "--workspace", prepared.workspace)
    tables, matrix = contents(workspace / "tables"), contents(workspace / "matrix")
    phones = {name: data for name, data in tables.items() if name.startswith("phone")}
    source.spoil("app_events", "\n1,", "\n2,")
    out = command(*arguments).done()
    assert f"/workspace/tables is made anew: changed in {source.folder}\n" in out
    assert "ingest: app_events of " in out
    assert "features: nothing to do: " in out, "the matrix is not made of app events"
    assert contents(workspace / "matrix") == matrix
    after = contents(workspace / "tables")
    assert {name: data for name, data in after.items() if name.startswith("phone")} == phones
    assert after["ingest.json"] != tables["ingest.json"]
    source.spoil("events", "2016-05-02", "2016-05-03")
    out = command(*arguments).done()
    assert "ingest: events of " in out
    assert "features: matrix/four_sets is made anew: changed tables events\n" in out
    assert contents(workspace / "matrix") != matrix
    monkeypatch.setattr("sparksweep.pipeline.job.open_session", None)  # what has nothing to do starts no Spark
    folder = f"file://{workspace}/matrix/four_sets"
    assert command(*arguments).done() == f"features: nothing to do: {folder} is made of this data with these settings\n"


def test_what_another_command_is_making_is_waited_for(command, copied, contents):
    """... and not made again; so one that a scheduler starts twice makes it once."""
    store, before = open_store(str(copied.workspace)), contents(copied.workspace / "tables")
    for name in ("tables", "matrix"):
        store.rename(name, f"others/{name}")
    other, seen = Lease(store, MAKING), []

    def end():
        seen.extend(store.list("tables"))
        for name in ("tables", "matrix"):
            store.rename(f"others/{name}", name)
        other.__exit__(None, None, None)

    other.__enter__()
    threading.Timer(3.0, end).start()
    out = command("features", copied.experiment, "--workspace", copied.workspace).done()
    waiting, nothing = out.splitlines()
    assert waiting.startswith(
        f"this workspace's tables and matrices are being made by process {os.getpid()} on {socket.gethostname()} since "
    )
    assert nothing.startswith("features: nothing to do: ")
    assert seen == []
    assert contents(copied.workspace / "tables") == before


def test_predict_with_a_run_does_not_make_anew_what_the_run_was_fitted_on(command, prepared, source, contents):
    workspace, before = prepared.workspace, contents(prepared.workspace)
    arguments = ("predict", prepared.experiment, "--workspace", workspace, "--run", prepared.run.name)
    source.spoil("gender_age_test", "905", "906")
    assert command(*arguments).failed(2) == (
        f"ingest: gender_age_test of {workspace / 'tables'} would have to be made anew: changed in {source.folder}; "
        f"run {prepared.run.name} was fitted on what is there; sweep first, or predict without --run"
    )
    assert contents(workspace) == before
    assert "would have to be made anew" in command(*arguments, "--set", "features.sets=[hour]").failed(2)
    assert contents(workspace) == before


def test_a_source_as_a_uri_is_the_same_source(command, copied):
    again = ("--set", f"data.source=file://{copied.raw}")
    command("ingest", copied.experiment, "--workspace", copied.workspace, *again).done()
    blob = ("--set", "data.source=wasbs://c@a.blob.core.windows.net/raw")
    line = command("ingest", copied.experiment, "--workspace", copied.workspace, *blob).failed(2)
    assert line.startswith("wasbs://c@a.blob.core.windows.net/raw: 'c' cannot be a container (3 to 63 small letters")


def test_the_same_files_elsewhere_are_the_same_source(command, copied, tmp_path):
    shutil.copytree(copied.raw, tmp_path / "moved")
    moved = ("--set", f"data.source={tmp_path / 'moved'}")
    out = command("ingest", copied.experiment, "--workspace", copied.workspace, *moved).done()
    assert f"ingest: nothing to do: file://{copied.workspace}/tables is made of this source\n" in out
    assert "gender_age_train" in out
    assert "rows read, " not in out


def test_the_zips_may_go_after_ingest(command, prepared, write_experiment, quick, tmp_path):
    """But another folder that does not exist is not taken for the one that went."""
    experiment, workspace = write_experiment(tmp_path / "mine.yaml", prepared.raw, search=quick), prepared.workspace
    shutil.rmtree(prepared.raw)
    out = command("sweep", experiment, "--workspace", workspace, "--set", "features.sets=[weekday]").done()
    assert "features: train has 48 rows x 7 columns" in out
    assert "best score" in out
    absent = tmp_path / "absent"
    line = command("sweep", experiment, "--workspace", workspace, "--set", f"data.source={absent}").failed(2)
    assert line.startswith(f"data.source: {absent} does not exist, and the workspace {workspace} was made of ")


def test_tables_of_blobs_that_can_no_longer_be_read_will_do(command, copied, monkeypatch, contents):
    """A SAS ends, and a colleague has none."""
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(copied.workspace))  # no Azure CLI
    monkeypatch.setattr("sparksweep.pipeline.job.open_session", None)  # nor need of Spark
    place = "https://acme.blob.core.windows.net/raw/kaggle"
    arguments = ("features", copied.experiment, "--workspace", copied.workspace, "--set")
    refused = command(*arguments, f"data.source={place}").failed(2)
    assert "no way to log in" in refused
    report = copied.workspace / "tables" / "ingest.json"
    facts = json.loads(report.read_text(encoding="utf-8"))
    report.write_text(json.dumps({**facts, "source": place}), encoding="utf-8")
    before = contents(copied.workspace)
    warning, nothing = command(*arguments, f"data.source={place}").done().splitlines()
    assert warning == f"warning: {refused}; the tables that were made of it are used as they are"
    assert nothing.startswith("features: nothing to do: ")
    assert command(*arguments, f"data.source={place}/other").failed(2).startswith(f"{place}/other: no way to log in")
    assert command(*arguments, f"data.source={place}", "--rebuild").failed(2) == refused
    assert contents(copied.workspace) == before
    monkeypatch.undo()
    monkeypatch.setenv("PATH", str(copied.workspace))
    out = command(*arguments, f"data.source={place}", "--set", "features.sets=[weekday]").done()
    assert out.count(refused) == 1, "although it is looked twice"
    assert "features: train has " in out


def test_a_matrix_that_was_made_by_other_rules_is_made_again(command, copied, monkeypatch):
    monkeypatch.setattr("sparksweep.pipeline.matrices.CELL_RULES", 2)
    out = command("features", copied.experiment, "--workspace", copied.workspace).done()
    assert "features: matrix/four_sets is made anew: sparksweep makes some cells in another way now\n" in out
    assert "ingest: " not in out
    assert "nothing to do" in command("features", copied.experiment, "--workspace", copied.workspace).done()


def test_other_feature_sets_rebuild_the_matrix_only(command, copied, contents):
    tables = contents(copied.workspace / "tables")
    changed = ("--set", "features.sets=[weekday, hour]", "--set", "features.encoding=indicator")
    out = command("features", copied.experiment, "--workspace", copied.workspace, *changed).done()
    assert "features: matrix/four_sets is made anew: sets was [" in out
    assert "], is ['weekday', 'hour']; encoding was fraction, is indicator\n" in out
    assert contents(copied.workspace / "tables") == tables
    matrix = open_matrix(copied.workspace / "matrix/four_sets/train", verify=True)
    assert matrix.X.shape[1] == 7 + 24
    assert set(np.unique(matrix.X.data)) == {1.0}
    out = command("features", copied.experiment, "--workspace", copied.workspace, *changed).done()
    assert out.startswith("features: nothing to do: ")


def test_of_a_matrix_that_lacks_a_file_both_parts_are_made_again(command, copied):
    """Where folders are renamed file by file, a kill leaves such a one."""
    (copied.workspace / "matrix/four_sets/train/y.npy").unlink()
    out = command("features", copied.experiment, "--workspace", copied.workspace).done()
    assert "features: matrix/four_sets is made anew: a part was missing\n" in out
    assert open_matrix(copied.workspace / "matrix/four_sets/train", verify=True).y is not None


def test_a_matrix_that_comes_from_elsewhere_is_compared_with_its_digests(spark, copied):
    """It may be of two, when another command replaces one by the other while it is fetched."""
    job = start_job(str(copied.experiment), str(copied.workspace), (), print)
    there = replace(job, store=HadoopStore(f"file://{copied.workspace}"))
    assert open_part(there, "train").manifest == open_part(job, "train").manifest
    file = copied.workspace / "matrix/four_sets/train/data.npy"
    np.save(file, np.load(file) + 1)
    file.with_name(f".{file.name}.crc").unlink(missing_ok=True)
    with pytest.raises(DataError, match=r"data\.npy"):
        open_part(there, "train")


def test_another_name_is_a_second_matrix(command, copied, contents):
    before = contents(copied.workspace / "matrix/four_sets")
    named = ("--set", "features.name=weekdays", "--set", "features.sets=[weekday]")
    command("features", copied.experiment, "--workspace", copied.workspace, *named).done()
    assert contents(copied.workspace / "matrix/four_sets") == before
    assert open_matrix(copied.workspace / "matrix/weekdays/test").X.shape == (6, 7)


def test_a_model_of_other_features_does_not_predict(command, copied):
    changed = ("--set", "features.sets=[weekday]")
    arguments = ("predict", copied.experiment, "--workspace", copied.workspace, *changed, "--run", copied.run.name)
    line = command(*arguments).failed(2)
    assert line == (
        "features: matrix/four_sets would have to be made anew: sets was ['brand_model', 'weekday', 'hour', "
        f"'weekday_hour'], is ['weekday']; run {copied.run.name} was fitted on what is there; sweep first, or predict "
        "without --run"
    )
    command("features", copied.experiment, "--workspace", copied.workspace, *changed).done()
    line = command(*arguments).failed(2)
    assert line.startswith(f"run {copied.run.name} was fitted on another matrix than matrix/four_sets holds now; ")


def test_a_matrix_that_another_command_replaced_meanwhile_is_not_predicted(command, copied):
    """... after a sweep of hours, with the model of the one that was there before."""
    job = start_job(str(copied.experiment), str(copied.workspace), (), print)
    run, matrix = find_run(job.store, copied.run.name), copied.workspace / "matrix/four_sets"
    shutil.copytree(matrix, copied.workspace / "before")
    other = "features.sets=[hour, weekday_hour, weekday, brand_model]"  # as many columns
    command("features", copied.experiment, "--workspace", copied.workspace, "--set", other).done()
    for part in ("train", "test"):  # both are others, then only the test rows are
        with pytest.raises(UsageError, match="was fitted on another matrix than matrix/four_sets holds now"):
            predict_if_possible(job, run)
        shutil.rmtree(matrix / part)
        shutil.copytree(copied.workspace / "before" / part, matrix / part)
    predict_if_possible(job, run)


def test_predict_uses_the_newest_run_of_the_sweep_or_the_one_named(command, copied):
    (first,) = runs_of(copied.workspace)
    (first / "submission.csv").unlink()
    other = ("--set", "search.cv=2", "--set", "search.param_grid.n_estimators=[1]")
    out = command("predict", copied.experiment, "--workspace", copied.workspace, *other).done()
    assert "predict: no complete run of this sweep yet, so it is swept first\n" in out
    second = runs_of(copied.workspace)[1]
    assert (second / "submission.csv").is_file()
    assert not (first / "submission.csv").exists()
    out = command("predict", copied.experiment, "--workspace", copied.workspace).done()
    assert f"with the model of run {first.name}\n" in out
    assert f"predict: run {second.name} is newer, but of other settings; to use it: --run {second.name}\n" in out
    assert (first / "submission.csv").is_file()
    kept = (second / "submission.csv").read_bytes()
    (second / "submission.csv").unlink()
    command("predict", copied.experiment, "--workspace", copied.workspace, "--run", second.name).done()
    assert (second / "submission.csv").read_bytes() == kept


def test_runs_list_and_show(command, finished):
    facts = facts_of(finished.run)
    listed = command("runs", "list", "--workspace", finished.workspace).done().splitlines()
    assert listed[0].split() == ["run", "status", "experiment", "fits", "failed", "best", "score"]
    score = f"{facts['best']['score']:.5f}"
    assert [line.split() for line in listed[1:]] == [[finished.run.name, "complete", "small", "12", "0", score]]
    shown = command("runs", "show", finished.run.name, "--workspace", finished.workspace).done()
    assert shown.startswith(f"run {finished.run.name}: complete\nexperiment: small\nstarted: {facts['started']}\n")
    assert f"best params: {json.dumps(facts['best']['params'], sort_keys=True)}\n" in shown
    assert f"submission: {finished.run / 'submission.csv'}\n" in shown


def test_runs_of_an_empty_workspace(command, tmp_path):
    assert command("runs", "list", "--workspace", tmp_path).done() == f"no runs in {tmp_path}\n"


@pytest.mark.parametrize("looks", [("runs", "list"), ("ledger", "list"), ("runs", "show", "x"), ("report", "x")])
def test_a_workspace_that_is_not_there_is_said_and_not_made(command, tmp_path, looks):
    absent = tmp_path / "absent"
    assert (
        command(*looks, "--workspace", absent).failed(2).startswith(f"no workspace {absent}: there is no such folder; ")
    )
    assert not absent.exists()


def test_report_again(command, copied):
    page = (copied.run / "report.html").read_bytes()
    (copied.run / "report.html").unlink()
    out = command("report", copied.run.name, "--workspace", copied.workspace).done()
    assert out == f"report: {copied.run / 'report.html'}\n"
    assert (copied.run / "report.html").read_bytes() == page


def test_relative_paths_and_a_workspace_with_blanks_and_umlauts(
    command, source, write_experiment, quick, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    search = {**quick, "params": {}, "cv": 2}
    features = {"sets": ["brand_model", "weekday"]}
    write_experiment(tmp_path / "mein versuch.yaml", Path("raw"), features=features, search=search)
    workspace = Path("Übung 1 % #", "arbeit")
    out = command("predict", "mein versuch.yaml", "--workspace", workspace).done()
    (run,) = runs_of(tmp_path / workspace)
    with open(run / "submission.csv", encoding="utf-8", newline="") as file:
        ids = [row[0] for row in csv.reader(file)]
    assert ids == ["device_id", *map(str, range(900, 906))]
    assert f"submission: {run / 'submission.csv'}\n" in out
    assert load_run(str(run)).facts["experiment"] == "mein versuch"
    # From another folder the same workspace is found by its absolute path, made of the same source.
    monkeypatch.chdir(source.folder)
    absolute = ("--set", f"data.source={source.folder}", "--workspace", tmp_path / workspace)
    assert "ingest" not in command("sweep", tmp_path / "mein versuch.yaml", *absolute).done()


def test_nothing_temporary_is_left(finished, leftovers):
    assert leftovers(finished.workspace) == []


# ---- Sweep and predict in one command


def test_sweep_and_predict_are_the_two_commands_in_one(command, copied):
    out = command("sweep", copied.experiment, "--workspace", copied.workspace, "--predict").done()
    first, second = copied.runs
    assert (second / "submission.csv").read_bytes() == (first / "submission.csv").read_bytes()
    assert out.splitlines()[-2:] == [f"submission: {second}/submission.csv", f"report: {second}/report.html"]


def test_there_may_be_nothing_to_predict(command, copied, quick, write_experiment, tmp_path):
    experiment = write_experiment(tmp_path / "mine.yaml", copied.raw, search={**quick, "refit": False})
    out = command("sweep", experiment, "--workspace", copied.workspace, "--predict").done()
    assert "predict: nothing, since the run has no refitted model\n" in out
    assert not (copied.runs[1] / "submission.csv").exists()


def test_a_model_that_was_not_refitted_does_not_predict(command, copied, quick, write_experiment, tmp_path):
    experiment = write_experiment(tmp_path / "mine.yaml", copied.raw, search={**quick, "refit": False})
    command("sweep", experiment, "--workspace", copied.workspace).done()
    run = runs_of(copied.workspace)[1]
    line = command("predict", experiment, "--workspace", copied.workspace, "--run", run.name).failed(1)
    assert line == f"{run / 'model'} is not there: the run was not refitted, or did not end"
    assert not (run / "submission.csv").exists()
