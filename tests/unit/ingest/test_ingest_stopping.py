"""What the threads that write tables are told when one fails, or when the user has enough."""

from __future__ import annotations

import time
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from sparksweep.errors import DataError
from sparksweep.ingest import Column, TableSchema, tables
from sparksweep.ingest.progress import ReadProgress
from sparksweep.ingest.source import LocalFile, LocalSource
from sparksweep.ingest.tasks import Outcome, Reading


@pytest.fixture
def cancelled():
    return []


def test_the_first_failure_stops_the_others(cancelled):
    failed, running = Future(), Future()
    failed.set_exception(DataError("bad row"))
    with pytest.raises(DataError, match="bad row"):
        tables._wait([running, failed])
    tables._cancel([running, failed], lambda: cancelled.append("jobs"))
    assert cancelled == ["jobs"]
    assert running.cancelled()


def test_jobs_are_cancelled_until_nothing_is_written(monkeypatch):
    """Between two jobs of one table there is nothing that could be cancelled."""
    monkeypatch.setattr(tables, "CANCEL_INTERVAL", 0.001)
    running, calls = Future(), []
    running.set_running_or_notify_cancel()

    def cancel():
        calls.append("jobs")
        if len(calls) == 3:
            running.set_exception(DataError("cancelled"))

    tables._cancel([running], cancel)
    assert calls == ["jobs"] * 3


def test_all_written():
    written = Future()
    written.set_result(None)
    tables._wait([written])


class Stage:
    def __init__(self, active):
        self.numActiveTasks = active


class Job:
    stageIds = (3,)


class Context:
    """As much of a SparkContext as writing needs; its one stage has fewer active tasks at each look.

    What happened is told `lag` looks later.
    """

    def __init__(self, active, lag=0):
        self.active = list(active)
        self.cancelled = []
        self.begun = 0
        self.lag = lag

    def accumulator(self, value, _):
        return type("Accumulator", (), {"value": value})()

    def setJobGroup(self, *_, **__):
        pass

    def emptyRDD(self):
        return SimpleNamespace(collect=list)

    def cancelJobGroup(self, group):
        self.cancelled.append(group)

    def statusTracker(self):
        return self

    def getJobIdsForGroup(self, group):
        if not self.cancelled:
            self.begun += 1  # whoever looks finds one more
            return list(range(self.begun))
        self.lag -= group in self.cancelled
        if self.lag >= 0:
            return []
        return [1, 2] if group in self.cancelled else [3]

    def getJobInfo(self, job_id):
        return Job if job_id == 1 else None

    def getStageInfo(self, _):
        return Stage(self.active.pop(0) if len(self.active) > 1 else self.active[0])


@pytest.fixture
def write(monkeypatch):
    """Return a function that writes two tables, of which the first fails and the second ends when it is cancelled."""

    def run(context):
        def write_parquet(table_df, store, path, plain):
            if "bad" in path:
                raise DataError("bad row")
            while not context.cancelled:
                time.sleep(0.001)
            raise DataError("cancelled")

        monkeypatch.setattr(tables, "_archive_df", lambda *_: None)
        monkeypatch.setattr(tables, "write_parquet", write_parquet)
        readings = [Reading(TableSchema(name, (Column("id", "int64"),))) for name in ("bad", "other")]
        spark = type("Session", (), {"sparkContext": context})()
        tables._write_all(
            spark,
            LocalSource("raw"),
            {"bad": LocalFile("bad"), "other": LocalFile("other")},
            readings,
            None,
            "tables/.drafts/mine",
            ReadProgress({"bad": 0, "other": 0}, 1, print),
        )

    return run


def test_an_interrupt_cancels_the_jobs(write, monkeypatch):
    def interrupted(writes):
        raise KeyboardInterrupt

    monkeypatch.setattr(tables, "_wait", interrupted)
    context = Context([0])
    with pytest.raises(KeyboardInterrupt):
        write(context)
    assert context.cancelled


@pytest.mark.parametrize("lag", [0, 3])
def test_a_failure_is_told_when_the_cancelled_tasks_have_ended(write, monkeypatch, lag):
    """What they still write would come back into the scratch folder that is about to go."""
    monkeypatch.setattr(tables, "TASK_END_INTERVAL", 0.001)
    context = Context([2, 1, 1, 0], lag)
    with pytest.raises(DataError, match="bad row"):
        write(context)
    assert context.active == [0]


def test_a_task_that_does_not_end_is_not_waited_for_without_end(write, monkeypatch):
    monkeypatch.setattr(tables, "TASK_END_SECONDS", 0.05)
    with pytest.raises(DataError, match="bad row"):
        write(Context([1]))


class SilentContext(Context):
    """Spark that does not tell which jobs there are."""

    def getJobIdsForGroup(self, group):
        return []

    def accumulator(self, value, _):
        return SimpleNamespace(value=[Outcome("small"), Outcome("large")])


@pytest.mark.slow
def test_the_largest_is_begun_first_whether_spark_tells_or_not(monkeypatch):
    begun = []

    def write_parquet(table_df, store, path, plain):
        begun.append(path)
        time.sleep(0.2)

    monkeypatch.setattr(tables, "JOB_BEGIN_SECONDS", 0.05)
    monkeypatch.setattr(tables, "_archive_df", lambda *_: None)
    monkeypatch.setattr(tables, "write_parquet", write_parquet)
    readings = [Reading(TableSchema(name, (Column("id", "int64"),))) for name in ("small", "large")]
    archives = {"small": SimpleNamespace(size=1), "large": SimpleNamespace(size=2)}
    source, progress = SimpleNamespace(renewed=lambda file: file), ReadProgress({"small": 1, "large": 2}, 1, print)
    spark = SimpleNamespace(sparkContext=SilentContext([0]))
    outcomes = tables._write_all(spark, source, archives, readings, None, "t", progress)
    assert begun == ["t/large.parquet", "t/small.parquet"]
    assert outcomes == {"small": Outcome("small"), "large": Outcome("large")}
