"""The end of cancelled tasks is waited for, also where Spark is slow to tell which there were."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import pytest
from pyspark.java_gateway import ensure_callback_server_started

from sparksweep.ingest.tables import _wait_for_tasks

pytestmark = pytest.mark.spark
GROUP = "slow-listener-test"


class SlowListener:
    """A listener of the queue that Spark's tracker is told by; what comes after an event waits for it."""

    def __getattr__(self, name):
        if not name.startswith("on"):
            raise AttributeError(name)
        return lambda *_: time.sleep(0.7)

    class Java:
        implements = ("org.apache.spark.scheduler.SparkListenerInterface",)


@pytest.fixture
def slow_tracker(spark):
    ensure_callback_server_started(spark.sparkContext._gateway)
    bus, listener = spark.sparkContext._jsc.sc().listenerBus(), SlowListener()
    bus.addToQueue(listener, "appStatus")
    yield
    bus.removeListener(listener)


def busy(began, batches):
    """Say that the task has begun, and be long about it."""
    began.touch()
    time.sleep(60)
    yield from batches


def running_tasks(spark):
    by_executor = spark.sparkContext._jsc.sc().taskScheduler().runningTasksByExecutors()
    return sum(int(each) for each in by_executor.values().mkString(" ").split())


@pytest.mark.usefixtures("slow_tracker")
def test_tasks_are_waited_for_that_the_tracker_does_not_know_yet(spark, tmp_path):
    began = tmp_path / "began"
    busy_df = spark.range(0, 1, 1, 1).mapInArrow(partial(busy, began), "id long")

    def run():
        spark.sparkContext.setJobGroup(GROUP, "busy", interruptOnCancel=True)
        with suppress(Exception):  # it is cancelled
            busy_df.collect()

    job = threading.Thread(target=run)
    job.start()
    while not began.exists():
        time.sleep(0.01)
    spark.sparkContext.cancelJobGroup(GROUP)
    job.join()
    with ThreadPoolExecutor(1) as pool:
        _wait_for_tasks(spark, GROUP, pool)
    assert running_tasks(spark) == 0
