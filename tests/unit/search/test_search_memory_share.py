"""A fit's share of memory: what the user says, else an equal part of what is left, and never a mean one."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from sparksweep.search import memory_share as module
from sparksweep.search.memory_share import memory_share

GIB = 1 << 30


@dataclass(frozen=True)
class Terms:
    fit_memory: int | None
    container: int | None
    slots: int


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    monkeypatch.setattr(module, "_java_memory", lambda: GIB)
    monkeypatch.setattr(module, "_worker_memory", lambda: GIB // 8)
    monkeypatch.setattr(module, "_machine_or_group", lambda: 20 * GIB)
    module._share.cache_clear()
    yield
    module._share.cache_clear()


def test_what_the_user_says_counts():
    assert memory_share(Terms(5, None, 2)) == 5


def test_it_is_an_equal_part_of_what_java_and_the_workers_leave():
    assert memory_share(Terms(None, None, 2)) == int(9 * GIB - GIB / 8)
    assert memory_share(Terms(None, 10 * GIB, 2)) == int(4.25 * GIB - GIB / 8)


def test_a_container_that_java_fills_sets_no_limit():
    assert memory_share(Terms(None, int(1.4 * GIB), 4)) is None
