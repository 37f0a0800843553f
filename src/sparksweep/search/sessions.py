"""Which SparkSession a search runs on, and whether the search itself runs inside a Spark task."""

from __future__ import annotations

import logging
from typing import Any

from pyspark import SparkContext, TaskContext
from pyspark.sql import SparkSession

from sparksweep.errors import SessionError
from sparksweep.session import active_session, open_session

__all__ = ["choose_session", "in_spark_task"]

log = logging.getLogger(__name__)


def in_spark_task() -> bool:
    """Tell whether this process is a worker in the midst of a task, where there is no SparkSession to be had."""
    return TaskContext.get() is not None


def choose_session(sc: SparkContext | None = None, spark: SparkSession | None = None) -> SparkSession:
    """Return the session to run on: the active one; with none, a local one is started, and said.

    Parameters
    ----------
    sc, spark : SparkContext, SparkSession, optional
        What the user passed; they must be the active session's.

    Raises
    ------
    SessionError
        They are not, or are of a kind that cannot be used.
    """
    _check_kinds(sc, spark)
    active = active_session()
    context = sc if sc is not None else spark.sparkContext if spark is not None else None
    if context is None:
        return active if active is not None else _started_locally()
    if active is None or context is not active.sparkContext:
        given = "sc=" if sc is not None else "spark="
        state = "no session is active" if active is None else f"the active one is {active.sparkContext.applicationId}"
        raise SessionError(
            f"{given} is not the active session's ({state}): was it stopped? "
            "Pass the running session's, or leave it out"
        )
    return spark if spark is not None else active


def _check_kinds(sc: Any, spark: Any) -> None:
    if sc is not None and not isinstance(sc, SparkContext):
        raise SessionError(f"sc= must be a SparkContext, got {type(sc).__name__}; pass a SparkSession as spark=")
    if spark is not None and not isinstance(spark, SparkSession):
        if type(spark).__module__.startswith("pyspark.sql.connect"):
            raise SessionError(
                "spark= is a Spark Connect session, which has no SparkContext: use a classic Spark session"
            )
        raise SessionError(f"spark= must be a SparkSession, got {type(spark).__name__}; pass a SparkContext as sc=")
    if sc is not None and spark is not None and spark.sparkContext is not sc:
        raise SessionError("sc= and spark= belong to different applications: pass one of them")


def _started_locally() -> SparkSession:
    session = open_session()
    log.warning("no active SparkSession: started one on %s", session.sparkContext.master)
    return session
