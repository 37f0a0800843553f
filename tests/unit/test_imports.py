"""Every module can be imported, jobs hold no logic, and what runs on a worker stays free of Spark."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import sparksweep

ROOT = Path(sparksweep.__file__).parents[2]
MODULES = sorted(module.name for module in pkgutil.walk_packages(sparksweep.__path__, "sparksweep."))


@pytest.mark.slow
@pytest.mark.versions
@pytest.mark.parametrize("name", MODULES)
def test_each_module_can_be_imported_and_says_what_it_is(name):
    if name.endswith(".lightgbm"):
        pytest.importorskip("lightgbm", exc_type=(ImportError, OSError))  # it needs the system's libgomp
    assert importlib.import_module(name).__doc__


@pytest.mark.parametrize("job", sorted(ROOT.glob("jobs/*.py")), ids=lambda path: path.stem)
def test_a_job_only_calls_its_command(job):
    tree = ast.parse(job.read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    names = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert modules == {"sparksweep.cli"}
    assert names == {"sys"}
    assert f'main(["{job.stem}"' in job.read_text(encoding="utf-8")


@pytest.mark.slow
def test_what_runs_on_a_worker_imports_no_pyspark():
    code = "import sys, sparksweep.search.worker; print(*(name in sys.modules for name in sys.argv[1:]))"
    names = ["pyspark", "sparksweep.search.evaluate", "sklearn"]
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "True"]


def loaded(module, names):
    """Return which of some modules a fresh Python has after it imported one."""
    code = "import sys; __import__(sys.argv[1]); print(*(name for name in sys.argv[2:] if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code, module, *names], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.slow
def test_what_reads_blobs_imports_no_pyspark():
    names = ["pyspark", "azure.core", "azure.storage.blob", "azure.identity"]
    assert loaded("sparksweep.storage.blobs.streams", names) == ["azure.core"]
    assert loaded("sparksweep.storage.blobs.folders", names) == ["azure.core", "azure.storage.blob"]


@pytest.mark.slow
def test_local_work_imports_nothing_of_azure():
    assert loaded("sparksweep.pipeline.tables", ["azure.core", "pyspark"]) == ["pyspark"]
    assert loaded("sparksweep.ingest.rows", ["azure.core", "pyarrow"]) == ["pyarrow"]


@pytest.mark.slow
def test_a_command_that_finds_nothing_to_do_waits_for_no_large_library():
    names = ["pyspark", "sklearn", "xgboost", "scipy.stats"]
    assert loaded("sparksweep.pipeline.matrices", names) == ["pyspark"]


def test_the_public_names_are_what_they_should_be():
    searches = ["GridSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV", "RandomizedSearchCV"]
    assert sorted(sparksweep.__all__) == [*searches, "__version__", "load_run"]
    for name in sparksweep.__all__:
        assert getattr(sparksweep, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'GridSearch'"):
        _ = sparksweep.GridSearch
