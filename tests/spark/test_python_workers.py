"""What a Python worker of a session of ours is."""

from __future__ import annotations

import os
import sys
import time

import numpy as np
import psutil
import pyspark
import pyspark.worker
import pytest
from tests.spark.python_workers import DAEMONS

pytestmark = pytest.mark.spark


def look_around(numbers):
    time.sleep(1.0)  # so that each of the two slots has one
    arguments = psutil.Process().parent().cmdline()
    finders = tuple(finder for finder in sys.meta_path if finder.__module__ == "sparksweep.python_tasks")
    yield os.getpid(), arguments[-1], pyspark.worker.__file__, np.random.rand(), len(finders)


def test_workers_come_from_our_daemon_with_the_installed_pyspark_and_draw_differently(spark):
    found = spark.sparkContext.parallelize([0, 1], 2).mapPartitions(look_around).collect()
    pids, daemons, places, drawn, finders = map(set, zip(*found, strict=True))
    assert len(pids) == len(drawn) == 2
    assert daemons == {DAEMONS[1]}
    assert places == {pyspark.worker.__file__}
    assert finders == {1}, "which acknowledge tasks at once"
