"""A workspace in a local folder on a cluster: all nodes must share it, or what executors write there is lost."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterable
from functools import partial

from pyspark.sql import SparkSession

from sparksweep.errors import UsageError
from sparksweep.ingest.spark_failures import spark_failures
from sparksweep.session import is_local
from sparksweep.storage import LocalStore, Store

__all__ = ["check_reach"]


def check_reach(spark: SparkSession, store: Store) -> None:
    """Make sure that the executors there are now see the files of a workspace.

    Spark's writer does not notice: each executor writes to its own disk, and the driver finds an empty folder.

    Parameters
    ----------
    spark : SparkSession
        Of one machine or a cluster.
    store : Store
        The workspace.

    Raises
    ------
    UsageError
        It is a folder of this machine, and a node has another one under its name.
    """
    if is_local(spark) or not isinstance(store, LocalStore):
        return
    name = f".reach-{uuid.uuid4().hex}"
    store.write_bytes(name, b"")
    try:
        n_tasks = spark.sparkContext.defaultParallelism
        places = spark.sparkContext.range(n_tasks, numSlices=n_tasks)
        with spark_failures(f"a look at {store.root} from the executors"):
            blind = places.mapPartitions(partial(_hosts_that_lack, f"{store.root}/{name}")).collect()
    finally:
        store.delete(name)
    if blind:
        raise UsageError(
            f"--workspace {store.root} is a folder of this machine, which executors on {', '.join(sorted(set(blind)))} "
            "do not see; give one on hdfs, wasb or abfs, or on a disk that every node shares"
        )


def _hosts_that_lack(path: str, _: Iterable[int]) -> list[str]:
    return [] if os.path.exists(path) else [socket.gethostname()]
