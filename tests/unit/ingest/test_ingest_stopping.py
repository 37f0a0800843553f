"""What the threads that write tables are told when one fails, or when the user has enough."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from sparksweep.errors import DataError
from sparksweep.ingest import tables


@pytest.fixture
def cancelled():
    return []


def test_the_first_failure_stops_the_others(cancelled):
    failed, running = Future(), Future()
    failed.set_exception(DataError("bad row"))
    with pytest.raises(DataError, match="bad row"):
        tables._wait([running, failed], lambda: cancelled.append("jobs"))
    assert cancelled == ["jobs"]
    assert running.cancelled()


def test_an_interrupt_stops_the_jobs(cancelled, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(tables, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tables._wait([Future()], lambda: cancelled.append("jobs"))
    assert cancelled == ["jobs"]


def test_all_written_cancels_nothing(cancelled):
    written = Future()
    written.set_result(None)
    tables._wait([written], lambda: cancelled.append("jobs"))
    assert not cancelled
