"""The process of which Python workers are forks: where it looks for modules, what it imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyspark
import pytest

from sparksweep.python_daemon import TASKS, drop_doubles


@pytest.fixture
def site(tmp_path):
    """Return a folder in which pyspark and py4j are installed, and the zips inside it."""
    lib = tmp_path / "site" / "pyspark" / "python" / "lib"
    lib.mkdir(parents=True)
    (tmp_path / "site" / "py4j").mkdir()
    return str(tmp_path / "site"), [f"{lib}/pyspark.zip", f"{lib}/py4j-0.10.9.5-src.zip"]


def test_zips_of_the_installed_pyspark_are_dropped(site):
    folder, zips = site
    assert drop_doubles(["", *zips, folder, "/env/more.zip"]) == ["", folder, "/env/more.zip"]


def test_zips_are_kept_where_the_packages_would_come_from_elsewhere(site, tmp_path):
    folder, zips = site
    other = tmp_path / "other"
    (other / "pyspark").mkdir(parents=True)
    assert drop_doubles([*zips, str(other), folder]) == [zips[0], str(other), folder]
    assert drop_doubles([*zips, str(other)]) == [*zips, str(other)]
    (Path(folder) / "py4j").rmdir()
    assert drop_doubles([*zips, folder]) == [zips[1], folder]
    assert drop_doubles(["/opt/spark/python/lib/pyspark.zip", folder]) == ["/opt/spark/python/lib/pyspark.zip", folder]


@pytest.fixture
def start():
    """Return a function that starts it as Spark does and hangs up: what it says on stdout, and what Python does."""
    lib = Path(pyspark.__file__).parent / "python" / "lib"
    zips = os.pathsep.join(map(str, lib.glob("*.zip")))

    def run(*first, code=None):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*map(str, first), zips]), "PYTHONUNBUFFERED": "YES"}
        environment["PYTHON_WORKER_FACTORY_SECRET"] = "0"
        command = [sys.executable, *(("-v", "-m", "sparksweep.python_daemon") if code is None else ("-c", code))]
        return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)

    return run


def is_port(said):
    return len(said) == 4 and 1024 <= int.from_bytes(said, "big") < 1 << 16


@pytest.mark.slow
@pytest.mark.versions
def test_it_serves_with_what_tasks_import_and_nothing_of_it_from_a_zip(start):
    done = start()
    said = done.stderr.decode()
    assert is_port(done.stdout), said[-3000:]
    imported = [line.split("'")[1] for line in said.splitlines() if line.startswith("import '")]
    assert {*TASKS, "pyspark.daemon"} <= set(imported)
    assert "numpy.random" in imported  # why forks are seeded
    assert [line for line in said.splitlines() if line.startswith("import '") and "zipimporter" in line] == []


@pytest.mark.slow
def test_a_module_that_cannot_be_imported_is_left_to_the_task_that_needs_it(start, tmp_path):
    (tmp_path / "zlib_ng.py").write_text("raise ImportError('not here')\n")
    done = start(tmp_path)
    assert is_port(done.stdout), done.stderr.decode()[-3000:]


@pytest.mark.slow
def test_no_zip_is_looked_into_again_before_each_task(start):
    done = start(
        code="import sys, zipimport, types, sparksweep.python_daemon as daemon\n"
        "sys.modules['pyspark.daemon'] = types.SimpleNamespace(manager=lambda: None)\n"
        "used = lambda: sum(isinstance(each, zipimport.zipimporter) for each in sys.path_importer_cache.values())\n"
        "before = used()\n"
        "daemon._main()\n"
        "print(before > 0, used())\n"
    )
    assert done.stdout.decode().split() == ["True", "0"], done.stderr.decode()[-3000:]
