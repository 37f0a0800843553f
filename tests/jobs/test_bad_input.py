"""Everything a user can hand in wrong: one line that names it, the right exit code, nothing half-done left behind."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import stat
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.spark

LEAVE_OUT = "mend the file, or allow such rows to be left out by data.max_rejected"


@pytest.fixture
def ingest(command, source, write_experiment, tmp_path):
    """Return a function that ingests the small source into a new workspace."""
    experiment = write_experiment(tmp_path / "mine.yaml", source.folder)

    def run(*options):
        return command("ingest", experiment, "--workspace", tmp_path / "workspace", *options)

    return run


@pytest.fixture
def sweep(command, source, write_experiment, quick, tmp_path):
    """Return a function that sweeps the small source in a new workspace: 4 devices a group, so cv is 2."""
    experiment = write_experiment(tmp_path / "mine.yaml", source.folder, search={**quick, "params": {}, "cv": 2})

    def run(*overrides, workspace=tmp_path / "workspace"):
        options = [word for override in overrides for word in ("--set", override)]
        return command("sweep", experiment, "--workspace", workspace, *options)

    return run


@pytest.fixture
def nothing_left(tmp_path, files):
    """Return a function that checks that a failed first command left no file in the workspace."""

    def check():
        assert files(tmp_path / "workspace") == set()

    return check


@pytest.mark.usefixtures("prepared")
def test_the_small_source_is_right(ingest, sweep):
    """All that follows spoils this source or these settings; here they are not spoilt."""
    assert re.search(r"gender_age_train +48 +0 +0 +48", ingest().done())
    assert "best score: " in sweep("search.param_grid.C=[1.0]").done()


# ---- The seven zips


def test_missing_zips_are_named_together(ingest, source, nothing_left):
    source.archive("events").unlink()
    source.archive("app_labels").unlink()
    assert ingest().failed(1) == (
        f"{source.folder}: events.csv.zip, app_labels.csv.zip missing; put them there, one zip a table"
    )
    nothing_left()


def test_no_such_folder(ingest, source, nothing_left):
    shutil.rmtree(source.folder)
    assert ingest().failed(2) == (
        f"{source.folder}: no such folder; data.source must name the folder that holds the zip files"
    )
    nothing_left()


def test_doubled_zip(ingest, source, nothing_left):
    shutil.copy(source.archive("events"), source.folder / "events.csv (1).zip")
    line = ingest().failed(1)
    assert line == (
        f"{source.folder}: 'events.csv (1).zip', 'events.csv.zip' are all table events; keep one, named events.csv.zip"
    )
    nothing_left()


def test_wrong_member_name(ingest, source, nothing_left):
    path = source.write("events", source.text("events"), member="event.csv")
    assert ingest().failed(1) == f"{path}: holds 'event.csv'; expected 'events.csv' once and nothing else"
    nothing_left()


def test_member_that_leads_out_of_the_zip(ingest, source, nothing_left, tmp_path):
    path = source.write("events", source.text("events"), member="../../slipped.csv")
    assert ingest().failed(1) == (f"{path}: member '../../slipped.csv' points outside the zip; the file is not trusted")
    nothing_left()
    assert not list(tmp_path.parent.rglob("slipped.csv"))


def test_member_that_is_a_link(ingest, source, nothing_left):
    path = source.archive("events")
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("events.csv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/hostname")
    assert ingest().failed(1) == f"{path}: member 'events.csv' is a link; the file is not trusted"
    nothing_left()


def test_zip_bomb(ingest, source, nothing_left):
    path = source.write("app_labels", "app_id,label_id\n" + "7,1\n" * 2_000_000)
    line = ingest().failed(1)
    assert re.fullmatch(
        re.escape(f"{path}: member 'app_labels.csv' unpacks to ")
        + r"[\d,]+ times its size; at most 200 is taken for data",
        line,
    )
    nothing_left()


def test_truncated_zip(ingest, source, nothing_left):
    path = source.archive("app_events")
    path.write_bytes(path.read_bytes()[:-40])
    line = ingest().failed(1)
    assert line.startswith(f"{path}: the zip is damaged or not whole (")
    assert line.endswith("; copy or download it again")
    nothing_left()


def test_flipped_byte_inside_a_zip(ingest, source, nothing_left):
    path = source.archive("events")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    line = ingest().failed(1)
    assert line.startswith(f"{path}: the zip is damaged or not whole (")
    nothing_left()


def test_file_that_is_no_zip(ingest, source, nothing_left):
    path = source.archive("events")
    path.write_text("<html>Please log in</html>")
    assert ingest().failed(1) == (
        f"{path}: the zip is damaged or not whole (File is not a zip file); copy or download it again"
    )
    nothing_left()


# ---- The tables in them


def test_missing_column(ingest, source, nothing_left):
    path = source.write("gender_age_test", "id\n900\n")
    assert ingest().failed(1) == (
        f"{path}: columns of gender_age_test.csv are without device_id; with unknown 'id'; expected device_id"
    )
    nothing_left()


def test_columns_in_another_order(ingest, source, nothing_left):
    path = source.spoil("app_labels", "app_id,label_id", "label_id,app_id")
    line = ingest().failed(1)
    assert line == (
        f"{path}: columns of app_labels.csv are in another order or doubled: label_id, app_id; expected app_id,label_id"
    )
    nothing_left()


def test_text_in_a_column_of_ints(ingest, source, nothing_left):
    path = source.spoil("events", "\n3,102,", "\n3,A102,")
    assert ingest().failed(1) == (
        f"{path}: data line 3, column device_id: 'A102' is not a whole number (int64); {LEAVE_OUT}"
    )
    nothing_left()


def test_number_too_large_for_its_column(ingest, source, nothing_left):
    path = source.spoil("gender_age_train", "\n100,", f"\n{2**63},")
    assert ingest().failed(1) == (
        f"{path}: data line 1, column device_id: '{2**63}' does not fit in 64 bits (int64); {LEAVE_OUT}"
    )
    nothing_left()


def test_row_with_too_few_fields(ingest, source, nothing_left):
    path = source.spoil("app_events", "\n2,9,1,0\n", "\n2,9,1\n")
    assert ingest().failed(1) == f"{path}: data line 2: 3 fields, expected 4 ('2,9,1'); {LEAVE_OUT}"
    nothing_left()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("device_id\n", "gender_age_test.csv has a header and no row; the table cannot be empty"),
        ("", "gender_age_test.csv is empty; its first line must be device_id"),
    ],
)
def test_empty_table(ingest, source, nothing_left, text, problem):
    path = source.write("gender_age_test", text)
    assert ingest().failed(1) == f"{path}: {problem}"
    nothing_left()


def test_repeated_event_id(ingest, source, nothing_left):
    path = source.spoil("events", "\n3,102,", "\n2,102,")
    line = ingest().failed(1)
    assert line.startswith(f"{path}: ")
    assert "event_id" in line
    assert "lines 2, 3" in line
    nothing_left()


def test_group_that_is_none_of_the_twelve(sweep, source, prepared, files):
    source.spoil("gender_age_train", ",M39+\n", ",M99+\n")
    for name in ("matrix", "runs", "ledger"):
        shutil.rmtree(prepared.workspace / name)
    line = sweep().failed(1)
    assert line.startswith("gender_age_train.csv: data line 12, column group: 'M99+' is none of F23-, F24-26, ")
    assert {path.split("/")[0] for path in files(prepared.workspace)} == {"tables"}


def test_a_damaged_source_leaves_the_tables_that_were_there(ingest, source, prepared, contents):
    before = contents(prepared.workspace)
    source.spoil("events", "\n3,102,", "\n3,A102,")
    ingest("--rebuild").failed(1)
    assert contents(prepared.workspace) == before


@pytest.mark.slow
def test_in_a_process_of_its_own_there_is_one_line_too(
    process, sparksweep_program, source, write_experiment, tmp_path, nothing_left
):
    """Nor do Java and Spark add pages of trace to it."""
    path = source.spoil("events", "\n3,102,", "\n3,A102,")
    experiment = write_experiment(tmp_path / "mine.yaml", source.folder)
    ended = process(sparksweep_program, "ingest", experiment, "--workspace", tmp_path / "workspace")
    assert ended.failed(1) == (
        f"{path}: data line 3, column device_id: 'A102' is not a whole number (int64); {LEAVE_OUT}"
    )
    nothing_left()


# ---- The experiment


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("search.scorring=accuracy", "search.scorring: unknown key; did you mean 'scoring'? (known: "),
        ("serch.cv=3", "serch: unknown section; did you mean 'search'? (known: "),
        ("search.param_grid.C=1.0", "search.param_grid.C: must be a list of values, such as [1.0], got 1.0"),
        ("search.param_grid.C=[]", "search.param_grid: C: an empty list makes no candidate"),
        ("search.cv=1", "search.cv: must be at least 2 folds"),
        (
            "features.sets=[brand_modle]",
            "features.sets: unknown feature set 'brand_modle'; did you mean 'brand_model'?",
        ),
        ("data.format=csv", "data.format: input should be 'talkingdata', 'logs', 'npz', 'svmlight' or 'parquet', got "),
    ],
)
def test_wrong_setting(sweep, nothing_left, tmp_path, override, problem):
    assert sweep(override).failed(2).startswith(f"{tmp_path / 'mine.yaml'}: {problem}")
    nothing_left()


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("search.param_grid={max_depth: [2, three]}", "search.param_grid.max_depth: must be int, got 'three'"),
        ("search.param_grid={n_estimators: [1.5]}", "search.param_grid.n_estimators: must be int, got 1.5"),
        ("search.params.learning_rate=fast", "search.params.learning_rate: must be float, got 'fast'"),
    ],
)
def test_value_of_a_type_the_estimator_does_not_declare(sweep, nothing_left, tmp_path, override, problem):
    settings = ["search.estimator=xgboost.XGBClassifier", "search.param_grid={max_depth: [2]}", override]
    assert sweep(*settings).failed(2) == f"{tmp_path / 'mine.yaml'}: {problem}"
    nothing_left()


def test_every_problem_of_an_experiment_is_a_line(sweep, nothing_left, tmp_path):
    ended = sweep("data.sorce=raw", "features.sets=[brand_modle]", "search.estimator=xgboost.XGBClasifier")
    assert ended.code == 2
    lines = ended.err.splitlines()
    assert len(lines) == 3
    for line, key in zip(lines, ("data.sorce", "features.sets", "search.estimator"), strict=True):
        assert line.startswith(f"sparksweep: error: {tmp_path / 'mine.yaml'}: {key}: ")
    nothing_left()


def test_unknown_experiment(command, tmp_path, nothing_left):
    line = command("sweep", "demoo", "--workspace", tmp_path / "workspace").failed(2)
    assert line.startswith("no experiment 'demoo': neither a file nor one of the shipped demo, ")
    assert line.endswith("; did you mean 'demo'?")
    nothing_left()


@pytest.mark.parametrize(
    ("path", "why"),
    [("/proc/self/mem", "Input/output error; check the disk"), ("x" * 300, "File name too long; use shorter names")],
)
def test_experiment_that_cannot_be_read(command, tmp_path, nothing_left, path, why):
    line = command("sweep", path, "--workspace", tmp_path / "workspace").failed(1)
    assert line == f"cannot read {path}: {why}"
    nothing_left()


def test_experiment_that_is_no_yaml(command, tmp_path, nothing_left):
    path = tmp_path / "mine.yaml"
    path.write_text("search: [\n")
    line = command("sweep", path, "--workspace", tmp_path / "workspace").failed(2)
    assert line.startswith(f"{path}: line 2, column 1: ")
    nothing_left()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("search.estimator=sklearn.linear_model.LogisticRegresion", ["'LogisticRegression'"]),
        ("search.estimator=no_such_package.Model", ["no_such_package"]),
        ("search.estimator=LogisticRegression", ["LogisticRegression"]),
        ("search.estimator=collections.OrderedDict", ["collections.OrderedDict"]),
        ("search.estimator=os.getcwd", ["os.getcwd"]),
        ("search.scoring=neg_log_los", ["'neg_log_los'", "'neg_log_loss'"]),
        ("search.scoring=[accuracy, neg_log_los]", ["'neg_log_los'", "'neg_log_loss'"]),
        ("search.param_grid.Cc=[1.0]", ["Cc", "'C'"]),
        ("search.params.max_itr=5", ["max_itr"]),
        ("search.cv={splitter: sklearn.model_selection.NoFold}", ["sklearn.model_selection.NoFold"]),
    ],
)
def test_names_and_values_the_search_does_not_know(sweep, nothing_left, override, words):
    """Found before anything is built."""
    ended = sweep(override, *(["search.refit=accuracy"] if "[accuracy" in override else []))
    line = ended.failed(2)
    key = re.match(r"(search\.\w+)", override).group(1)
    assert key in line
    for word in words:
        assert word in line
    nothing_left()


@pytest.mark.parametrize(
    ("override", "words"), [("search.cv=folds", ["folds"]), ("search.cv=5", ["5", "4"])], ids=["folds", "too many"]
)
def test_cv_that_the_matrix_cannot_have(sweep, prepared, contents, override, words):
    """Too many is more than the smallest class has rows. Found before a run begins."""
    before = contents(prepared.workspace)
    line = sweep(override).failed(2)
    assert "search.cv: " in line
    for word in words:
        assert word in line
    assert contents(prepared.workspace) == before


def test_no_such_run(command, finished, files):
    before = files(finished.workspace)
    for arguments in (["report", "20200101T000000Z-00000000"], ["runs", "show", "20200101T000000Z-00000000"]):
        line = command(*arguments, "--workspace", finished.workspace).failed(2)
        assert line.startswith(f"no run '20200101T000000Z-00000000' in {finished.workspace}")
    assert files(finished.workspace) == before


# ---- The place to write to


@pytest.fixture
def forbidden():
    """Return a folder in which nobody may make anything, root included: the kernel's own view of the devices."""
    folder = Path("/sys")
    assert folder.is_dir(), "these tests need Linux"
    return folder / "sparksweep"


def test_no_write_permission(command, source, write_experiment, tmp_path, forbidden):
    experiment = write_experiment(tmp_path / "mine.yaml", source.folder)
    line = command("ingest", experiment, "--workspace", forbidden).failed(1)
    assert str(forbidden) in line
    assert re.search(r"not permitted|[Pp]ermission denied|[Rr]ead-only|Mkdirs failed", line)
    assert re.search(r"; .*(may write to|go elsewhere)", line)
    assert not forbidden.exists()


def test_no_write_permission_for_generated_data(command, forbidden):
    line = command("generate", "--out", forbidden, "--scale", "0.001").failed(1)
    assert str(forbidden) in line
    assert re.search(r"not permitted|[Pp]ermission denied|[Rr]ead-only", line)


@pytest.mark.parametrize("place", ["tables", "matrix", "runs"])
def test_a_file_where_a_folder_is_needed(sweep, prepared, contents, place):
    workspace = prepared.workspace
    for name in ("runs", "ledger", "matrix", "tables"):
        shutil.rmtree(workspace / name)
        if name == place:
            break
    (workspace / place).write_text("in the way")
    before = contents(workspace)
    line = sweep().failed(1)
    assert str(workspace / place) in line
    after = contents(workspace)
    assert {path: after[path] for path in before} == before
    assert not any("/.scratch" in f"/{path}" for path in after)


def test_a_file_where_the_workspace_is_needed(sweep, files, tmp_path):
    path = tmp_path / "workspace"
    path.write_text("in the way")
    line = sweep().failed(1)
    assert str(path) in line
    assert path.read_text() == "in the way"
    assert files(tmp_path) == {"mine.yaml", "workspace", *(f"raw/{name}" for name in files(tmp_path / "raw"))}


@contextlib.contextmanager
def full_disk(spark, room: int):
    """Let no file grow beyond `room` bytes, here and in the JVM, as a quota does; works for every user."""
    processes = [os.getpid(), spark.sparkContext._gateway.proc.pid]
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in processes}
    try:
        for pid, (_, hard) in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (room, hard))
        yield
    finally:
        for pid, limits in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


FULL = r"File too large.*; (free some space|see to the disk)"


def test_disk_full_while_tables_are_written(command, spark, raw, write_experiment, tmp_path, nothing_left, leftovers):
    experiment = write_experiment(tmp_path / "mine.yaml", raw)
    with full_disk(spark, 60_000):
        ended = command("ingest", experiment, "--workspace", tmp_path / "workspace")
    line = ended.failed(1)
    assert str(tmp_path / "workspace" / "tables") in line
    assert re.search(FULL, line)
    nothing_left()
    assert leftovers(tmp_path / "workspace") == []
    assert command("ingest", experiment, "--workspace", tmp_path / "workspace").code == 0


def test_disk_full_while_a_matrix_is_written(sweep, prepared, contents, leftovers):
    before = contents(prepared.workspace)
    with full_disk_here(1_000):
        line = sweep("features.sets=[brand_model, weekday]").failed(1)
    assert re.search(FULL, line)
    assert contents(prepared.workspace) == before
    assert leftovers(prepared.workspace) == []


@contextlib.contextmanager
def full_disk_here(room: int):
    """Let this process alone write no file beyond `room` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_disk_full_while_a_run_is_written(command, copied, leftovers):
    with full_disk_here(2_000):
        line = command("sweep", copied.experiment, "--workspace", copied.workspace).failed(1)
    assert re.search(FULL, line)
    assert leftovers(copied.workspace) == []


def test_disk_full_while_data_is_generated(command, files, tmp_path):
    out = tmp_path / "generated"
    with full_disk_here(20_000):
        line = command("generate", "--out", out, "--scale", "0.001").failed(1)
    assert str(out) in line
    assert "File too large" in line
    assert files(out) == set()


# ---- Data that is a matrix already


@pytest.mark.parametrize(
    ("name", "form", "content", "words"),
    [
        ("x.npz", "npz", b"PK no zip", ["x.npz"]),
        ("x.svm", "svmlight", b"1 1:0.5\n1 one:0.5\n", ["x.svm", "line 2"]),
        ("x.parquet", "parquet", b"PAR1 no parquet", ["x.parquet"]),
    ],
)
def test_damaged_matrix_file(command, write_experiment, quick, tmp_path, nothing_left, name, form, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    data = {"format": form, **({"target": "y"} if form == "parquet" else {})}
    experiment = write_experiment(tmp_path / "mine.yaml", path, data=data, features=None, search=quick)
    line = command("sweep", experiment, "--workspace", tmp_path / "workspace").failed(1)
    for word in words:
        assert word in line
    nothing_left()


@pytest.mark.parametrize("form", ["npz", "svmlight", "parquet"])
def test_matrix_file_that_is_not_there(command, write_experiment, quick, tmp_path, nothing_left, form):
    path = tmp_path / "absent"
    data = {"format": form, **({"target": "y"} if form == "parquet" else {})}
    experiment = write_experiment(tmp_path / "mine.yaml", path, data=data, features=None, search=quick)
    line = command("sweep", experiment, "--workspace", tmp_path / "workspace").failed(1)
    assert str(path) in line
    nothing_left()
