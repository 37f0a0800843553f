"""A workspace on wasb: the same command, the same results as in a local folder; what was done is not done again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import zipfile
from pathlib import Path

import pytest
from tests.cluster.fault_proxy import Fault
from tests.cluster.installing import hadoop_azure_jars
from tests.cluster.wasb import write_settings

from sparksweep.runs import list_runs
from sparksweep.storage import open_store

pytestmark = [pytest.mark.spark, pytest.mark.slow]

TIMES = ("mean_fit_time", "std_fit_time", "mean_score_time", "std_score_time")


# Three tables: of each, wasb is asked some five hundred things.
SCHEMA = """\
tables:
  customers: {columns: {customer_id: int64, churned: string}, key: [customer_id]}
  prospects: {columns: {customer_id: int64}, key: [customer_id]}
  visits: {columns: {visit_id: int32, customer_id: int64, time: timestamp}, key: [visit_id]}
rows: {train: customers, test: prospects, key: customer_id, target: churned}
feature_sets:
  hour: {kind: share, table: visits, by: hour(time)}
  weekday: {kind: share, table: visits, by: weekday(time)}
"""


@pytest.fixture(scope="module")
def settings(quick, write_experiment, tmp_path_factory):
    """A small sweep of logistic regressions on event logs."""
    folder = tmp_path_factory.mktemp("settings")
    tables = {
        "customers": ["customer_id,churned", *(f"{n},{'no' if n % 3 else 'yes'}" for n in range(30))],
        "prospects": ["customer_id", *(f"{n}" for n in range(30, 36))],
        "visits": [
            "visit_id,customer_id,time",
            *(f"{n},{n * 7 % 36},2026-05-{1 + n % 9:02d} {n * 5 % 24:02d}:00:00" for n in range(200)),
        ],
    }
    for name, lines in tables.items():
        with zipfile.ZipFile(folder / f"{name}.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}.csv", "\n".join(lines) + "\n")
    (folder / "shop.yaml").write_text(SCHEMA)
    data = {"format": "logs", "schema_file": str(folder / "shop.yaml")}
    return write_experiment(
        folder / "small.yaml", folder, data=data, features={"sets": ["hour", "weekday"]}, search=quick
    )


@pytest.fixture(scope="module")
def local(command, settings, tmp_path_factory):
    """The store of a local workspace after that sweep."""
    workspace = tmp_path_factory.mktemp("local") / "workspace"
    command("sweep", settings, "--workspace", workspace, "--predict").done()
    return open_store(str(workspace))


def only_run(store):
    (run,) = list_runs(store)
    return run


@pytest.fixture
def driver(settings, wasb, azurite, fault_proxy, cluster_module, sparksweep_program, start_process, tmp_path):
    """A ``sparksweep sweep`` on wasb as a process of its own, which keeps Spark's event log."""
    (tmp_path / "events").mkdir()
    logged = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": (tmp_path / "events").as_uri()}
    conf = write_settings(tmp_path / "conf", hadoop_azure_jars(), azurite, fault_proxy, **logged)
    return start_process(
        sparksweep_program,
        "sweep",
        settings,
        "--workspace",
        wasb,
        env={**cluster_module.java_environment(), "SPARK_CONF_DIR": str(conf), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_sweep_on_wasb_goes_on_after_kill_9_and_is_worth_a_local_one(
    command, settings, local, driver, wasb_spark, wasb, azurite, container, fault_proxy, tmp_path
):
    running = {}

    def kill():
        running.update({path: path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")})
        os.killpg(driver.pid, signal.SIGKILL)

    # When its first fits get their name in the ledger; the proxy still passes that on.
    fault_proxy.add(Fault("PUT", r"/ledger/segments/[^/.]+\.jsonl$", on_hit=kill))
    out, err = driver.communicate(timeout=300)
    assert driver.returncode == -signal.SIGKILL, (out, err)
    remote = open_store(wasb)
    interrupted = only_run(remote)
    assert interrupted.facts["status"] == "running"

    told = command("sweep", settings, "--workspace", wasb, "--predict").done()
    assert not re.search("^(ingest|features):", told, re.MULTILINE)
    assert f"sweep: run {interrupted.run_id} did not end, so it goes on" in told
    (reused,) = re.findall(r"sweep: (\d+) of 6 fits reused", told)
    assert int(reused) >= 1
    assert_same(wasb_spark, local, remote)
    assert len(command("runs", "list", "--workspace", wasb).done().splitlines()) == 2
    assert "LogisticRegression" in command("ledger", "list", "--workspace", wasb).done()

    command("runs", "files", interrupted.run_id, "--workspace", wasb, "--download", tmp_path / "copies").done()
    copied = {path.relative_to(tmp_path / "copies").as_posix() for path in (tmp_path / "copies").rglob("*.*")}
    assert copied == set(remote.files(interrupted.folder))
    assert (tmp_path / "copies/submission.csv").read_bytes() == remote.read_bytes(interrupted.path("submission.csv"))

    kept = {blob.name: container.download_blob(blob.name).readall() for blob in container.list_blobs()}
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.parent.name != "conf"}
    assert any(path.parent.name == "events" for path in written)
    assert any(b"sparksweep" in line for line in running.values())
    everything = {**kept, **written, **running, "stdout": out, "stderr": err, "told": told.encode()}
    assert [where for where, data in everything.items() if azurite.key.encode() in data] == []


def assert_same(spark, local, remote):
    """Check that two workspaces hold the same tables, matrices, scores, predictions, and files."""
    here, there = only_run(local), only_run(remote)
    assert (there.status, there.facts["matrix"]["digest"]) == ("complete", here.facts["matrix"]["digest"])
    assert there.results.drop(columns=[*TIMES]).equals(here.results.drop(columns=[*TIMES]))
    assert remote.read_bytes(there.path("submission.csv")) == local.read_bytes(here.path("submission.csv"))
    for folder in ("matrix", "tables"):
        assert names(remote.files(folder)) == names(local.files(folder))
    assert names(remote.files(there.folder)) == names(local.files(here.folder))
    for table in ("customers", "visits"):
        frames = [spark.read.parquet(store.read_uri(f"tables/{table}.parquet")) for store in (remote, local)]
        rows, wanted = (frame.orderBy("line").toPandas() for frame in frames)
        assert rows.equals(wanted)


def names(files):
    """Return paths of files, those of Spark's parts without the number of their writer."""
    return {re.sub(r"part-(\d+)-[^/]*", r"part-\1", name) for name in files}
