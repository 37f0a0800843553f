"""What a session is built with, without starting one."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pyspark
import pytest

from sparksweep import session
from sparksweep.errors import SessionError


@pytest.fixture(autouse=True)
def archive(tmp_path, monkeypatch):
    """Return where the archive of Java classes would be; there is none."""
    path = tmp_path / "with blanks" / "classes.jsa"
    monkeypatch.setattr(session, "archive_path", lambda: path)
    return path


def test_local_is_the_default_and_binds_the_loopback_address_only():
    settings = session._settings(None, {})
    assert settings["spark.master"].startswith("local[")
    assert settings["spark.driver.bindAddress"] == "127.0.0.1"
    assert settings["spark.sql.session.timeZone"] == "UTC"
    log_settings, *compiler = settings["spark.driver.defaultJavaOptions"].split()
    assert sorted(flag.split("=")[0] for flag in compiler) == [
        "-XX:Tier4BackEdgeThreshold",
        "-XX:Tier4CompileThreshold",
        "-XX:Tier4InvocationThreshold",
        "-XX:Tier4MinInvocationThreshold",
    ]
    assert Path(log_settings.removeprefix("-Dlog4j2.configurationFile=file://")).is_file()


def test_with_little_text_to_read_there_is_the_quick_compiler_only():
    little, much = (
        session._settings(None, {}, session.MUCH_TEXT + more)["spark.driver.defaultJavaOptions"] for more in (0, 1)
    )
    assert session.QUICK_COMPILER in little
    assert "Tier4" not in little
    assert much == session._settings(None, {})["spark.driver.defaultJavaOptions"]


def test_with_little_text_to_read_queries_are_not_compiled_unless_the_user_says_so(monkeypatch):
    key = "spark.sql.codegen.wholeStage"
    assert session._settings(None, {}, 0)[key] == "false"
    assert key not in session._settings(None, {}, session.MUCH_TEXT + 1)
    assert key not in session._settings(None, {})
    assert session._settings(None, {key: "true"}, 0)[key] == "true"
    assert key not in session._settings("local-cluster[2,1,1024]", {}, 0)
    assert key not in session._settings("yarn", {}, 0)


def test_with_little_text_to_read_a_shuffle_has_a_partition_a_core(monkeypatch):
    key = "spark.sql.shuffle.partitions"
    monkeypatch.setattr(session, "_processors", lambda: 3)
    found = {master: session._settings(master, {}, 0)[key] for master in ("local", "local[1]", "local[4]", "local[64]")}
    assert found == {"local": "2", "local[1]": "2", "local[4]": "4", "local[64]": "8"}
    assert session._settings("local[*]", {}, 0)[key] == session._settings(None, {}, 0)[key] == "3"
    assert session._settings(None, {})[key] == session._settings(None, {}, session.MUCH_TEXT + 1)[key] == "8"
    assert session._settings(None, {key: "5"}, 0)[key] == "5"
    assert session._settings("local-cluster[2,1,1024]", {}, 0)[key] == "8"


def test_python_workers_come_from_our_daemon_where_their_python_is_ours(monkeypatch):
    key = "spark.python.daemon.module"
    monkeypatch.delenv("PYSPARK_PYTHON", raising=False)
    assert session._settings(None, {})[key] == "sparksweep.python_daemon"
    assert session._settings(None, {key: "pyspark.daemon"})[key] == "pyspark.daemon"
    assert key not in session._settings("local-cluster[2,1,1024]", {})
    assert key not in session._settings("yarn", {})
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    assert key in session._settings(None, {})
    monkeypatch.setenv("PYSPARK_PYTHON", "/another/python3")
    assert key not in session._settings(None, {})


def test_an_archive_of_classes_is_used_by_the_java_that_made_it(archive, monkeypatch):
    without = session._settings(None, {})["spark.driver.defaultJavaOptions"]
    archive.parent.mkdir()
    archive.touch()
    assert session._settings(None, {})["spark.driver.defaultJavaOptions"] == without, "nobody knows who made it"
    archive.with_suffix(".java").write_text(session.java_program())
    quiet = " ".join(f'"{option}"' for option in session.QUIET_ARCHIVE)
    options = session._settings(None, {})["spark.driver.defaultJavaOptions"]
    assert options == f'{without} "-XX:SharedArchiveFile={archive}" {quiet}'
    assert "spark.driver.defaultJavaOptions" not in session._settings(None, {"spark.master": "yarn"})
    monkeypatch.setenv("JAVA_HOME", "/opt/java8")
    assert session._settings(None, {})["spark.driver.defaultJavaOptions"] == without


def test_the_users_settings_win_and_a_cluster_gets_no_local_ones():
    settings = session._settings(None, {"spark.master": "yarn", "spark.sql.session.timeZone": "Asia/Tokyo"})
    assert settings["spark.master"] == "yarn"
    assert settings["spark.sql.session.timeZone"] == "Asia/Tokyo"
    assert "spark.driver.bindAddress" not in settings
    assert "spark.driver.memory" not in settings


@pytest.mark.parametrize(
    "name",
    [
        "fs.azure.account.key.acct.blob.core.windows.net",
        "fs.azure.sas.container.acct.blob.core.windows.net",
        "fs.azure.account.oauth2.client.secret",
        "fs.s3a.access.key",
        "spark.ssl.keyStorePassword",
        "spark.executorEnv.AZURE_STORAGE_KEY",
        "spark.yarn.appMasterEnv.AZURE_STORAGE_CONNECTION_STRING",
        "AccountName=acme;AccountKey=a2V5",
        "https://acme.blob.core.windows.net/raw?sv=1&sig=x",
    ],
)
def test_spark_hides_keys_in_its_event_log(name):
    assert re.search(session.BASE_CONF["spark.redaction.regex"], name)
    assert not re.search(session.BASE_CONF["spark.redaction.regex"], "fs.azure.io.retry.max.retries")


class Known(dict):
    """Stands for the SparkConf of a JVM that runs."""

    contains = dict.__contains__


@pytest.fixture
def submitted(monkeypatch):
    """Be called by spark-submit, which was told a few things."""
    known = Known({"spark.master": "spark://h:1", "spark.python.worker.reuse": "false", "spark.driver.memory": "4g"})
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    monkeypatch.setattr(pyspark.SparkContext, "_ensure_initialized", lambda: None)
    monkeypatch.setattr(pyspark, "SparkConf", lambda: known)


@pytest.mark.usefixtures("submitted")
def test_what_spark_submit_was_told_stays():
    settings = session._settings("local[2]", {})
    assert settings["spark.master"] == "spark://h:1"
    assert "spark.python.worker.reuse" not in settings


@pytest.mark.usefixtures("submitted")
def test_a_driver_that_runs_already_is_as_large_as_it_is_and_that_is_said(caplog):
    session._settings(None, {"spark.driver.memory": "8g", "spark.executor.memory": "2g"})
    said = "spark.driver.memory=8g comes too late: give it to spark-submit, as --conf spark.driver.memory=8g"
    assert caplog.messages == [said]
    caplog.clear()
    session._settings(None, {"spark.driver.memory": "4g"})
    assert not caplog.messages


def test_settings_of_an_earlier_session_are_not_taken_for_spark_submits(monkeypatch):
    left = Known({"spark.master": "local[7]", "spark.driver.bindAddress": "0.0.0.0"})
    monkeypatch.setattr(pyspark, "SparkConf", lambda loadDefaults=True: left if loadDefaults else Known())
    settings = session._settings("local[2]", {})
    assert (settings["spark.master"], settings["spark.driver.bindAddress"]) == ("local[2]", "127.0.0.1")


def test_the_users_java_home_is_kept(monkeypatch):
    monkeypatch.setenv("JAVA_HOME", "/opt/java")
    session._find_java()
    assert session.os.environ["JAVA_HOME"] == "/opt/java"


def test_no_java_at_all_is_one_line_with_what_to_do(monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(session.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(session.shutil, "which", lambda name: None)
    with pytest.raises(
        SessionError, match=r"no Java runtime found.*pip install 'sparksweep\[local\]'.*JAVA_HOME"
    ) as caught:
        session._find_java()
    assert "\n" not in str(caught.value)


def test_the_java_wheel_is_not_used_for_spark_4(monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(pyspark, "__version__", "4.1.0")
    monkeypatch.setattr(session.shutil, "which", lambda name: "/usr/bin/java")
    session._find_java()
    assert "JAVA_HOME" not in session.os.environ


def test_processors_of_this_process_not_of_the_machine(monkeypatch):
    monkeypatch.setattr(session.os, "sched_getaffinity", lambda pid: {0, 1, 2}, raising=False)
    assert session._local_master() == "local[3]"


def test_importing_the_package_imports_nothing_heavy():
    import subprocess

    code = "import sparksweep, sys; print(sorted({'pyspark', 'sklearn', 'xgboost', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
