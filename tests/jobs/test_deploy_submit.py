"""The spark-submit line of deploy/hdinsight/submit, run for real with a local master and a packed environment."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2]
SUBMIT = ROOT / "deploy" / "hdinsight" / "submit"


@pytest.fixture(scope="module")
def environment_archive(tmp_path_factory):
    """An archive with bin/python in it, as build-environment packs one; a local master unpacks it, too."""
    folder = tmp_path_factory.mktemp("environment")
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(sys.executable)
    path = folder / "environment.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder / "bin", arcname="bin")
    return path


@pytest.fixture
def submit(cluster_module, environment_archive):
    """Run submit on local[1] with sizes for a small machine."""

    def run(experiment, workspace, *options):
        arguments = ["--workspace", workspace, "--environment", environment_archive, "--master", "local[1]"]
        sizes = ["--driver-memory", "512m", "--executor-memory", "512m"]
        return subprocess.run(
            [str(each) for each in (SUBMIT, experiment, *arguments, *sizes, *options)],
            env=cluster_module.java_environment(),
            capture_output=True,
            text=True,
            timeout=600,
        )

    return run


def only_run(workspace):
    (folder,) = (workspace / "runs").iterdir()
    return json.loads((folder / "run.json").read_text())


def test_sweep_runs_by_the_line_and_its_failed_fits_are_told(submit, failing, environment_archive, tmp_path):
    workspace = tmp_path / "workspace"
    ended = submit(failing, workspace, "--set", "search.cv=2", "--executors", "3")
    assert ended.returncode == 3, ended.stdout
    assert "sparksweep: finished with failed fits: failed_fits=" in ended.stderr
    run = only_run(workspace)
    assert (run["status"], run["n_fits"], run["n_failed"]) == ("complete", 4, 2)
    spark = run["spark"]
    assert spark["spark.master"] == "local[1]"
    assert spark["spark.driver.memory"] == "512m"
    assert spark["spark.dynamicAllocation.enabled"] == "false"
    assert spark["spark.yarn.appMasterEnv.PYSPARK_PYTHON"] == "./environment/bin/python"
    assert spark["spark.executorEnv.PYSPARK_PYTHON"] == "./environment/bin/python"
    assert spark["spark.archives"].endswith(f"{environment_archive}#environment")
