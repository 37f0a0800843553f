"""The end of cancelled tasks is waited for, also where Spark is slow to tell which there were."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.spark, pytest.mark.slow]

# A listener of the queue that Spark's tracker is told by: what comes after an event waits for it. It cannot be taken
# out again, and a session that has one ends late, so it lives in a process of its own, which is killed.
PROGRAM = """
import sys, threading, time
from contextlib import suppress
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from pyspark.java_gateway import ensure_callback_server_started
from sparksweep.ingest.tables import _wait_for_tasks
from sparksweep.session import open_session

class SlowListener:
    def __getattr__(self, name):
        if not name.startswith("on"):
            raise AttributeError(name)
        return lambda *_: time.sleep(0.7)

    class Java:
        implements = ("org.apache.spark.scheduler.SparkListenerInterface",)

def busy(began, batches):
    began.touch()
    time.sleep(60)
    yield from batches

def run():
    spark.sparkContext.setJobGroup("group", "busy", interruptOnCancel=True)
    with suppress(Exception):  # it is cancelled
        spark.range(0, 1, 1, 1).mapInArrow(partial(busy, began), "id long").collect()

def n_running():
    by_executor = spark.sparkContext._jsc.sc().taskScheduler().runningTasksByExecutors()
    return sum(int(each) for each in by_executor.values().mkString(" ").split())

began = Path(sys.argv[1]) / "began"
spark = open_session("slow-listener", master="local[1]")
ensure_callback_server_started(spark.sparkContext._gateway)
spark.sparkContext._jsc.sc().listenerBus().addToQueue(SlowListener(), "appStatus")
job = threading.Thread(target=run)
job.start()
while not began.exists():
    time.sleep(0.01)
print(n_running())
spark.sparkContext.cancelJobGroup("group")
job.join()
with ThreadPoolExecutor(1) as pool:
    _wait_for_tasks(spark, "group", pool)
print(n_running(), flush=True)
time.sleep(600)
"""


def test_tasks_are_waited_for_that_the_tracker_does_not_know_yet(tmp_path):
    running = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        env={**os.environ, "PYSPARK_PYTHON": sys.executable},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert [running.stdout.readline(), running.stdout.readline()] == ["1\n", "0\n"]
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
