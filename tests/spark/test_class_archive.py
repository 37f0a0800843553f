"""The archive of Java classes: the tests' own JVM maps it, and later ones that have the same class path can."""

from __future__ import annotations

import re
import subprocess

import psutil
import pyspark
import pytest

from sparksweep.class_archive import make_archive
from sparksweep.errors import SessionError
from sparksweep.session import archive_options, archive_path

pytestmark = [
    pytest.mark.spark,
    pytest.mark.skipif(not archive_options(), reason="python -m sparksweep.class_archive was not called"),
]


@pytest.fixture
def jvm(spark):
    """Return the process of the tests' JVM."""
    return psutil.Process(pyspark.SparkContext._gateway.proc.pid)


def test_the_session_maps_it(jvm):
    assert str(archive_path()) in {mapped.path for mapped in jvm.memory_maps()}


def test_classes_of_spark_come_from_it(jvm, tmp_path):
    command, log = jvm.cmdline(), tmp_path / "classes.log"
    class_path = command[command.index("-cp") + 1]
    archive = f"-XX:SharedArchiveFile={archive_path()}"
    options = [archive, "-Xshare:on", f"-Xlog:class+load:file={log}", "-cp", class_path]
    subprocess.run([command[0], *options, "org.apache.spark.deploy.SparkSubmit", "--version"], check=True)
    loaded = re.findall(r"(org\.apache\.spark\.\S+) source: (shared objects file)?", log.read_text())
    named = [source for name, source in loaded if "$$Lambda" not in name]
    assert named.count("shared objects file") > 0.8 * len(named) > 40


@pytest.mark.usefixtures("spark")
def test_it_takes_a_jvm_of_its_own():
    with pytest.raises(SessionError, match="a Spark session is or was active in this process"):
        make_archive()
