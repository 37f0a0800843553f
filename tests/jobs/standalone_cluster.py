"""A Spark standalone cluster of two one-core workers, started from the classes inside the pip package."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pyspark
from tests.conftest import QUICK_JAVA

from sparksweep import session

START_LIMIT = 60.0  # seconds


def java_environment() -> dict[str, str]:
    """Return this process's environment with Java and Spark's own folder named, as spark-submit wants it."""
    session._find_java()
    environment = {**os.environ, "SPARK_HOME": str(Path(pyspark.__file__).parent), "SPARK_LOCAL_IP": "127.0.0.1"}
    environment["PYSPARK_PYTHON"] = sys.executable
    environment["SPARK_SUBMIT_OPTS"] = QUICK_JAVA
    # A worker builds its executors' command line and cannot tell the Scala version from the pip package's layout.
    core = next(Path(environment["SPARK_HOME"], "jars").glob("spark-core_*.jar")).name
    environment["SPARK_SCALA_VERSION"] = core.split("_")[1].split("-")[0]
    environment.pop("SPARK_CONF_DIR", None)
    return environment


def spark_submit() -> str:
    """Return the path of the package's own spark-submit."""
    return str(Path(pyspark.__file__).parent / "bin" / "spark-submit")


@contextlib.contextmanager
def standalone_cluster(folder: Path, workers: int = 2):
    """Start a master and `workers` workers on free ports of the loopback address; yield the master's URL."""
    processes = []
    try:
        master = _start(processes, folder / "master.log", "master.Master", "--host", "127.0.0.1", "--port", "0")
        url = _wait_for(master, folder / "master.log", r"Starting Spark master at (spark://\S+)")
        for number in range(workers):
            log = folder / f"worker{number}.log"
            work = str(folder / f"work{number}")
            options = ("--host", "127.0.0.1", "--cores", "1", "--memory", "1g", "--work-dir", work, url)
            worker = _start(processes, log, "worker.Worker", *options)
            _wait_for(worker, log, r"(Successfully registered) with master")
        yield url
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _start(processes, log: Path, name: str, *options: str) -> subprocess.Popen:
    environment = java_environment()
    java = Path(environment["JAVA_HOME"], "bin", "java") if environment.get("JAVA_HOME") else "java"
    home = environment["SPARK_HOME"]
    command = [
        str(java),
        "-Xmx256m",
        *QUICK_JAVA.split(),
        "-cp",
        f"{home}/conf/{os.pathsep}{home}/jars/*",  # as Spark's own scripts give it, and so as it is in the archive
        f"org.apache.spark.deploy.{name}",
        "--webui-port",
        "0",
        *options,
    ]
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
    processes.append(process)
    return process


def _wait_for(process: subprocess.Popen, log: Path, pattern: str) -> str:
    end = time.monotonic() + START_LIMIT
    while time.monotonic() < end and process.poll() is None:
        found = re.search(pattern, log.read_text(errors="replace"))
        if found:
            return found.group(1)
        time.sleep(0.1)
    raise RuntimeError(f"no {pattern!r} in {log}:\n{log.read_text(errors='replace')[-2000:]}")
