"""spark-submit of each job: from zips to a submission, on this machine and on a cluster of two workers, read back."""

from __future__ import annotations

import csv
import hashlib
import html.parser
import json
import re
import shutil
import socket
import sys
import zipfile
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.model_selection import GridSearchCV, ParameterGrid
from tests.conftest import QUICK_JAVA
from xgboost import XGBClassifier

from sparksweep import load_run
from sparksweep.matrix import open_matrix
from sparksweep.session import QUIET_LOG

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.versions, pytest.mark.timeout(2400)]

JOBS = Path(__file__).parents[2] / "jobs"
# A JVM that has just started takes 20 s of a processor for a job, later ones are done in 1 to 4: so one does them all.
STAGES = ("ingest", "features", "sweep", "predict")
ALL_JOBS = f"""
import runpy, sys
for stage in {STAGES}:
    sys.argv[0] = f"{JOBS}/{{stage}}.py"
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
    print(f"-------- {{stage}} is done", flush=True)
"""
GROUPS = [
    "F23-",
    "F24-26",
    "F27-28",
    "F29-32",
    "F33-42",
    "F43+",
    "M22-",
    "M23-26",
    "M27-28",
    "M29-31",
    "M32-38",
    "M39+",
]
GRID = {
    "objective": ["multi:softprob"],
    "n_estimators": [2, 3],
    "max_depth": [2, 3],
    "subsample": [0.5],
    "learning_rate": [0.1],
}


@pytest.fixture(scope="module")
def submit(process, cluster_module):
    """Return a function that runs a job by the package's own spark-submit."""

    def run(
        job: Path,
        experiment: Path,
        workspace: Path,
        *more: str,
        master: str = "local[2]",
        conf: tuple[str, ...] = (),
    ):
        # Spark 3.3 logs to standard output, where the jobs speak.
        options = f"{QUICK_JAVA} -Dlog4j2.configurationFile={QUIET_LOG}"
        quick = [f"spark.{process}.extraJavaOptions={options}" for process in ("driver", "executor")]
        settings = [word for setting in ("spark.ui.enabled=false", *quick, *conf) for word in ("--conf", setting)]
        command = [cluster_module.spark_submit(), "--master", master, "--driver-memory", "512m", *settings]
        return process(*command, job, experiment, "--workspace", workspace, *more)

    return run


@dataclass(frozen=True)
class Submitted:
    """A workspace that the four jobs filled, one after the other, and what each of them said."""

    workspace: Path
    experiment: Path
    raw: Path
    said: dict[str, str]

    @property
    def run(self) -> Path:
        """Folder of its only run."""
        (folder,) = (self.workspace / "runs").iterdir()
        return folder


@pytest.fixture(scope="module")
def submitted(submit, raw, write_experiment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("submitted")
    experiment = write_experiment(folder / "small.yaml", raw, search={"param_grid": GRID})
    workspace = folder / "workspace"
    (folder / "all_jobs.py").write_text(ALL_JOBS)
    out = submit(folder / "all_jobs.py", experiment, workspace).done()
    *said, rest = re.split(r"^-------- \w+ is done\n", out, flags=re.MULTILINE)
    assert rest == ""
    return Submitted(workspace, experiment, raw, dict(zip(STAGES, said, strict=True)))


@pytest.fixture(scope="module")
def reference(submitted):
    """The same search by scikit-learn alone, on the matrix of the workspace."""
    matrix = open_matrix(submitted.workspace / "matrix" / "four_sets" / "train", verify=True)
    estimator = XGBClassifier(seed=0, tree_method="hist", n_jobs=1)
    return GridSearchCV(estimator, GRID, scoring="neg_log_loss", cv=3).fit(matrix.X, matrix.y)


@pytest.fixture(scope="module")
def facts(submitted):
    return json.loads((submitted.run / "run.json").read_text(encoding="utf-8"))


def rows_of(raw: Path, name: str) -> list[list[str]]:
    with zipfile.ZipFile(raw / f"{name}.csv.zip") as archive:
        return list(csv.reader(archive.read(f"{name}.csv").decode("utf-8").splitlines()))[1:]


def not_times(table: pa.Table) -> pa.Table:
    return table.select([name for name in table.column_names if not name.endswith("_time")])


def test_each_job_does_its_own_stage_only(submitted):
    said = submitted.said
    train, phones = (
        len(rows_of(submitted.raw, "gender_age_train")),
        len(rows_of(submitted.raw, "phone_brand_device_model")),
    )
    assert re.search(rf"^gender_age_train +{train} +0 +0 +{train} +{train} +0$", said["ingest"], re.MULTILINE)
    assert re.search(
        rf"^phone_brand_device_model +{phones} +[1-9]\d* +0 +\d+ +\d+ +0 +0$", said["ingest"], re.MULTILINE
    )
    assert re.search(r"rows read, [\d.,]+ MB at [\d.,]+ MB/s \(", said["ingest"])
    assert re.search(rf"^features: train has {train} rows x \d+ columns, \d+ values$", said["features"], re.MULTILINE)
    assert "ingest" not in said["features"]
    assert "features:" not in said["sweep"]
    assert f"sweep: run {submitted.run.name}\n" in said["sweep"]
    assert re.search(
        r"^12 of 12 fits done, best -\d\.\d{5} \(candidate \d\), [\d.e+]+ rounds/s$", said["sweep"], re.MULTILINE
    )
    assert "sweep:" not in said["predict"]
    assert f"predict: 224 rows with the model of run {submitted.run.name}\n" in said["predict"]


def test_the_ranking_is_shown_with_best_params_score_and_paths(submitted, reference):
    said = submitted.said["sweep"]
    ranked = sorted(range(4), key=lambda index: reference.cv_results_["rank_test_score"][index])
    shown = [f"{reference.cv_results_['mean_test_score'][index]:.5f}" for index in ranked]
    lines = [line.split() for line in said.splitlines()]
    start = next(number for number, line in enumerate(lines) if line[:2] == ["rank", "mean_test_score"])
    assert lines[start] == ["rank", "mean_test_score", "std", "max_depth", "n_estimators"]
    assert [line[1] for line in lines[start + 1 : start + 5]] == shown
    assert f"best params: {json.dumps(reference.best_params_, sort_keys=True)}\n" in said
    assert f"best score: {reference.best_score_:.5f} (neg_log_loss)\n" in said
    for name in ("results.parquet", "cv_results.csv", "sweeping_results.txt", "model", "report.html"):
        assert re.search(rf"^[\w ]+: {re.escape(str(submitted.run / name))}$", said, re.MULTILINE)
    assert re.search(
        rf"^submission: {re.escape(str(submitted.run / 'submission.csv'))}$", submitted.said["predict"], re.MULTILINE
    )


def test_results_equal_scikit_learns_bit_for_bit(submitted, reference):
    table = pq.read_table(submitted.run / "results.parquet")
    expected = reference.cv_results_
    assert table.column_names == list(expected)
    for name, values in expected.items():
        if name.endswith("_time"):
            assert (table[name].to_numpy() > 0).all()
        elif name == "params":
            assert [json.loads(text) for text in table[name].to_pylist()] == values
        elif name.startswith("param_"):
            assert table[name].to_pylist() == list(values)
        else:
            assert table[name].to_numpy().dtype == values.dtype
            assert table[name].to_numpy().tobytes() == values.tobytes(), name


def test_csv_holds_the_same_as_parquet(submitted):
    table = pq.read_table(submitted.run / "results.parquet")
    with open(submitted.run / "cv_results.csv", encoding="utf-8", newline="") as file:
        heading, *rows = csv.reader(file)
    assert heading == table.column_names
    assert rows == [[str(value) for value in row.values()] for row in table.to_pylist()]


def test_load_run_gives_the_results_as_a_frame(submitted, reference):
    run = load_run(str(submitted.run))
    assert run.status == "complete"
    assert run.best_params == reference.best_params_
    assert run.best_score == reference.best_score_
    assert run.results["params"].tolist() == reference.cv_results_["params"]
    assert run.results["mean_test_score"].to_numpy().tobytes() == reference.cv_results_["mean_test_score"].tobytes()


def test_sweeping_results_line_by_line(submitted, reference):
    expected = ["metric =  neg_log_loss"]
    for mean, std, params in zip(
        *(reference.cv_results_[name] for name in ("mean_test_score", "std_test_score", "params")), strict=True
    ):
        expected.append(f"mean: {mean:.5f}, std: {std:.5f}, params: {dict(sorted(params.items()))}")
    text = (submitted.run / "sweeping_results.txt").read_text(encoding="utf-8")
    assert text == "\n".join(expected) + "\n"
    pattern = (
        r"mean: -2\.\d{5}, std: 0\.\d{5}, params: \{'learning_rate': 0\.1, 'max_depth': 2, 'n_estimators': 2, "
        r"'objective': 'multi:softprob', 'subsample': 0\.5\}"
    )
    assert re.fullmatch(pattern, text.splitlines()[1])


def test_grid_has_a_row_a_fit(submitted):
    rows = pq.read_table(submitted.run / "grid.parquet").to_pylist()
    assert list(rows[0]) == ["fit_key", "candidate_id", "split_id", "unit_id", "params", "expected_cost"]
    assert sorted((row["candidate_id"], row["split_id"]) for row in rows) == list(product(range(4), range(3)))
    assert len({row["fit_key"] for row in rows}) == 12
    candidates = list(ParameterGrid(GRID))
    assert all(json.loads(row["params"]) == candidates[row["candidate_id"]] for row in rows)
    costs = [row["expected_cost"] for row in rows]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] > 0


def test_fits_say_what_happened_where(submitted, reference):
    rows = pq.read_table(submitted.run / "fits.parquet").to_pylist()
    *fits, refit = rows
    assert [(row["candidate_id"], row["split_id"]) for row in fits] == list(product(range(4), range(3)))
    assert (refit["candidate_id"], refit["split_id"]) == (reference.best_index_, None)
    for row in fits:
        expected = reference.cv_results_[f"split{row['split_id']}_test_score"][row["candidate_id"]]
        assert row["test_score"] == expected
        assert row["n_test"] in (49, 50)
    assert {row["status"] for row in rows} == {"complete"}
    assert {row["fit_error"] for row in rows} == {None}
    assert {row["thread_count"] for row in rows} == {1}
    assert all(row["started"] <= row["ended"] for row in rows)
    keys = pq.read_table(submitted.run / "grid.parquet")["fit_key"].to_pylist()
    assert {row["fit_key"] for row in fits} == set(keys)


def test_run_json(submitted, facts, reference):
    manifest = json.loads((submitted.workspace / "matrix/four_sets/train/manifest.json").read_text(encoding="utf-8"))
    assert facts["run_id"] == submitted.run.name
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", facts["run_id"])
    assert facts["run_id"].endswith(facts["sweep_key"][:8])
    assert (facts["status"], facts["experiment"]) == ("complete", "small")
    assert facts["config"]["data"]["source"] == str(submitted.raw)
    assert facts["config"]["search"]["param_grid"] == GRID
    assert facts["matrix"]["digest"] == manifest["digest"]
    assert facts["matrix"]["shape"] == manifest["shape"]
    assert facts["classes"] == GROUPS
    assert facts["metric"] == "neg_log_loss"
    assert facts["best"]["index"] == reference.best_index_
    assert facts["best"]["params"] == reference.best_params_
    assert facts["best"]["score"] == reference.best_score_
    assert [facts[name] for name in ("n_candidates", "n_splits", "n_fits", "n_failed")] == [4, 3, 12, 0]
    assert facts["failed_fits"] == []
    assert facts["spark"]["spark.master"] == "local[2]"
    assert facts["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert facts["started"] < facts["ended"]
    assert facts["seconds"] > facts["refit_seconds"] > 0


def test_the_model_is_what_scikit_learn_refits(submitted, facts, reference):
    meta = facts["model"]
    model_file = submitted.run / "model" / meta["file"]
    assert model_file.name == "model.ubj"
    assert hashlib.sha256(model_file.read_bytes()).hexdigest() == meta["sha256"]
    test = open_matrix(submitted.workspace / "matrix/four_sets/test")
    model = load_run(str(submitted.run)).load_model()
    assert model.get_params()["n_estimators"] == reference.best_params_["n_estimators"]
    expected = reference.best_estimator_.predict_proba(test.X)
    assert model.predict_proba(test.X).tobytes() == expected.tobytes()


def test_submission(submitted, reference):
    with open(submitted.run / "submission.csv", encoding="utf-8", newline="") as file:
        heading, *rows = csv.reader(file)
    assert heading == ["device_id", *GROUPS]
    assert [row[0] for row in rows] == [row[0] for row in rows_of(submitted.raw, "gender_age_test")]
    shares = np.array([[float(cell) for cell in row[1:]] for row in rows])
    assert shares.shape == (224, 12)
    assert np.abs(shares.sum(axis=1) - 1).max() < 1e-9
    test = open_matrix(submitted.workspace / "matrix/four_sets/test")
    expected = reference.best_estimator_.predict_proba(test.X).astype(np.float64)
    assert np.abs(shares - expected / expected.sum(axis=1, keepdims=True)).max() < 1e-9


class Cells(html.parser.HTMLParser):
    """Collects the text of every table row's cells, and every address that the page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.loaded: list[str] = []
        self._in_cell = False

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True
        self.loaded += [value for name, value in attrs if name in ("src", "href", "data")] + [tag] * (tag == "script")

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data):
        if self._in_cell:
            self.rows[-1][-1] += data


def test_report_holds_the_ranking_and_needs_nothing_else(submitted, reference):
    page = (submitted.run / "report.html").read_text(encoding="utf-8")
    cells = Cells()
    cells.feed(page)
    results = reference.cv_results_
    ranked = sorted(range(4), key=lambda index: (results["rank_test_score"][index], index))
    shown = {row[0]: row for row in cells.rows if row and row[0].isdigit()}
    for index in ranked:
        row = shown[str(results["rank_test_score"][index])]
        assert row[1:3] == [f"{results['mean_test_score'][index]:.5f}", f"{results['std_test_score'][index]:.5f}"]
        assert str(results["params"][index]["max_depth"]) in row
        assert row[-1] == str(index)
    assert [row[0] for row in cells.rows if row and row[0].isdigit()] == ["1", "2", "3", "4"]
    assert cells.loaded == []
    assert "multi:softprob" in page


def test_nothing_temporary_is_left(submitted, leftovers, files):
    assert leftovers(submitted.workspace) == []
    assert {path.split("/")[2] for path in files(submitted.workspace) if path.startswith("runs/")} == {
        "run.json",
        "grid.parquet",
        "fits.parquet",
        "results.parquet",
        "cv_results.csv",
        "sweeping_results.txt",
        "model",
        "submission.csv",
        "report.html",
        "events.jsonl",
    }


@pytest.fixture(scope="module")
def on_cluster(submit, submitted, cluster_module, tmp_path_factory):
    """One job that does all of it, on two workers of one core each, from the zips of `submitted` on."""
    folder = tmp_path_factory.mktemp("cluster")
    conf = (
        "spark.driver.host=127.0.0.1",
        "spark.driver.bindAddress=127.0.0.1",
        "spark.executor.memory=512m",
        "spark.executor.cores=1",
        "spark.cores.max=2",
        "spark.sql.shuffle.partitions=4",
        # No task starts before both executors are there, so that both get some.
        "spark.scheduler.minRegisteredResourcesRatio=1.0",
        "spark.scheduler.maxRegisteredResourcesWaitingTime=60s",
    )
    with cluster_module.standalone_cluster(folder) as master:
        ended = submit(
            JOBS / "sweep.py", submitted.experiment, folder / "workspace", "--predict", master=master, conf=conf
        )
        said = {"sweep": ended.done()}
        unshared = Path("/proc/self/cwd/unshared")  # for each process a folder of its own
        own = submit(JOBS / "ingest.py", submitted.experiment, unshared, master=master, conf=conf)
        shutil.rmtree("unshared")
        assert own.code == 2
        said["own"] = own.out
    return folder, Submitted(folder / "workspace", submitted.experiment, submitted.raw, said)


def test_a_cluster_of_two_gives_the_same_results(on_cluster, submitted):
    _, there = on_cluster
    for name in ("results.parquet", "grid.parquet"):
        here, away = (not_times(pq.read_table(each.run / name)) for each in (submitted, there))
        assert away.schema.equals(here.schema)
        for column in here.column_names:
            assert away[column].to_pylist() == here[column].to_pylist(), column
    assert (there.run / "sweeping_results.txt").read_bytes() == (submitted.run / "sweeping_results.txt").read_bytes()
    test = open_matrix(there.workspace / "matrix/four_sets/test")
    models = [load_run(str(each.run)).load_model() for each in (submitted, there)]
    local, remote = (model.predict_proba(test.X) for model in models)
    assert remote.tobytes() == local.tobytes()
    assert (there.run / "submission.csv").read_bytes() == (submitted.run / "submission.csv").read_bytes()
    for part in ("train", "test"):
        here, away = (open_matrix(each.workspace / f"matrix/four_sets/{part}") for each in (submitted, there))
        assert away.manifest.digest == here.manifest.digest


def test_a_workspace_that_executors_do_not_see_is_refused(on_cluster):
    """Else each would write tables to a disk of its own, and the driver would call them made."""
    _, there = on_cluster
    assert there.said["own"].splitlines()[-1] == (
        "sparksweep: error: --workspace /proc/self/cwd/unshared is a folder of this machine, which executors on "
        f"{socket.gethostname()} do not see; give one on hdfs, wasb or abfs, or on a disk that every node shares"
    )


def test_both_workers_of_the_cluster_take_part(on_cluster):
    folder, there = on_cluster
    fits = pq.read_table(there.run / "fits.parquet")
    assert len(set(fits["pid"].to_pylist())) >= 2
    for number in range(2):
        assert "Asked to launch executor" in (folder / f"worker{number}.log").read_text()
    facts = json.loads((there.run / "run.json").read_text(encoding="utf-8"))
    assert facts["spark"]["spark.master"].startswith("spark://127.0.0.1:")
    assert f"sweep: run {there.run.name}\n" in there.said["sweep"]
