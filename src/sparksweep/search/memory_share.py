"""How much memory a fit may take: its share of what holds the worker. Runs on workers: no pyspark here."""

from __future__ import annotations

import functools
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import psutil

__all__ = ["memory_share"]

USABLE = 0.95  # of the container; at its very limit the whole of it would be killed
LEAST_SHARE = 128 << 20
FRESH_SECONDS = 10.0
CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


class _Terms(Protocol):
    @property
    def fit_memory(self) -> int | None: ...
    @property
    def container(self) -> int | None: ...
    @property
    def slots(self) -> int: ...


def memory_share(terms: _Terms) -> int | None:
    """Return the bytes that a fit may take, None for no limit.

    It is ``fit_memory`` where the user set it. Else it is an equal part, one a slot, of what is left beside the Java
    process and the Python workers: of an executor's container, which is its heap and its overhead; without one, of the
    machine or the control group that this process is in. Where that comes out less than any fit needs, Java has filled
    the container and may well give room back, so nothing is ended for it.
    """
    if terms.fit_memory is not None:
        return terms.fit_memory
    return _share(terms.container, max(1, terms.slots), int(time.monotonic() / FRESH_SECONDS))


@functools.lru_cache(maxsize=1)  # what others hold changes, but looking costs 1 ms, which small fits feel
def _share(container: int | None, slots: int, period: int) -> int | None:
    whole = _machine_or_group() if container is None else container
    share = (USABLE * whole - _java_memory()) / slots - _worker_memory()
    return int(share) if share >= LEAST_SHARE else None


def _machine_or_group() -> int:
    limits = [int(psutil.virtual_memory().total)]
    for path in CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # "max" is no limit
            limits.append(int(Path(path).read_text(encoding="ascii")))
    return min(limits)


def _java_memory() -> int:
    """Return what the Java process that this worker descends from holds."""
    with suppress(psutil.Error):
        for parent in psutil.Process(os.getppid()).parents()[:3]:
            if parent.name().startswith("java"):
                return int(parent.memory_info().rss)
    return 0


def _worker_memory() -> int:
    return int(psutil.Process().memory_info().rss)
