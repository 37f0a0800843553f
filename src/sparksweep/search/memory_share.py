"""How much memory a fit may take: its share of what holds the worker. Runs on workers: no pyspark here."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import psutil

__all__ = ["memory_share"]

USABLE = 0.95  # of the container; at its very limit the whole of it would be killed
FRESH_SECONDS = 10.0
CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


class _Terms(Protocol):
    @property
    def fit_memory(self) -> int | None: ...
    @property
    def container(self) -> int | None: ...
    @property
    def slots(self) -> int: ...


def memory_share(terms: _Terms) -> int:
    """Return the bytes that a fit may have for itself.

    It is ``fit_memory`` where the user set it. Else it is an equal part, one a slot, of what is left beside the Java
    process: of an executor's container, which is its heap and its overhead; without one, of the machine or the control
    group that this process is in.
    """
    if terms.fit_memory is not None:
        return terms.fit_memory
    return max(int(_usable(terms.container) / max(1, terms.slots)), 1)


_usable_now: tuple[float, int | None, float] | None = None


def _usable(container: int | None) -> float:
    """Return the usable bytes; what others hold changes, but looking costs 1 ms."""
    global _usable_now
    now = time.monotonic()
    if _usable_now is None or _usable_now[1] != container or now - _usable_now[0] > FRESH_SECONDS:
        whole = _machine_or_group() if container is None else container
        _usable_now = (now, container, USABLE * whole - _java_memory())
    return _usable_now[2]


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
