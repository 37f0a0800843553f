"""Where the process of which workers are forks looks for modules."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyspark
import pytest

from sparksweep.python_daemon import TASKS, drop_doubles

SITE = "/env/lib/python3.10/site-packages"
LIB = f"{SITE}/pyspark/python/lib"


def test_zips_of_an_installed_pyspark_are_dropped():
    zips = [f"{LIB}/pyspark.zip", f"{LIB}/py4j-0.10.9.5-src.zip"]
    assert drop_doubles(["", *zips, SITE, "/env/more.zip"]) == ["", SITE, "/env/more.zip"]


@pytest.mark.parametrize(
    "path", [["/opt/spark/python/lib/pyspark.zip", SITE], [f"{LIB}/pyspark.zip", "/other"], ["x.zip"]]
)
def test_others_are_kept(path):
    assert drop_doubles(path) == path


@pytest.mark.slow
@pytest.mark.versions
def test_what_tasks_import_is_there_and_comes_from_no_zip():
    """As Spark starts it, up to where it would wait for Spark."""
    lib = Path(pyspark.__file__).parent / "python" / "lib"
    code = (
        "import sys, runpy, pyspark\n"
        "del sys.modules['pyspark']\n"
        "import sparksweep.python_daemon as daemon, importlib\n"
        "real = importlib.import_module\n"
        "class Daemon: manager = staticmethod(lambda: print(real('pyspark').__file__))\n"
        "importlib.import_module = lambda name: Daemon if name == 'pyspark.daemon' else real(name)\n"
        "daemon._main()\n"
        f"print(*(name in sys.modules for name in {TASKS}))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, lib.glob("*.zip")))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    place, imported = done.stdout.splitlines()
    assert place == pyspark.__file__
    assert imported == "True True True"
