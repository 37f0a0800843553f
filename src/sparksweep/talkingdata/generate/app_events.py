"""Rows of app_events, by far the largest file: made, written and compressed in chunks of events."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from sparksweep.talkingdata.generate.apps import Apps
from sparksweep.talkingdata.generate.csvtext import Cells, numbers, unpad
from sparksweep.talkingdata.generate.draws import Ints, stream
from sparksweep.talkingdata.generate.installs import Installs

__all__ = ["AppEvents", "app_event_parts"]

CHUNK = 20_000  # events; some 440,000 rows, 60 MB while they are made
ACTIVE = np.array(["0\n", "1\n"], dtype=np.bytes_)


@dataclass(frozen=True)
class AppEvents:
    """What app_events is made of.

    Attributes
    ----------
    event : int64 array, shape (n_events,)
        event_id of the events that tell of apps, ascending.
    device : int64 array, shape (n_events,)
        Their devices, as positions in ``installs``.
    shown : int64 array, shape (n_events,)
        Number of apps each tells of.
    """

    seed: int
    apps: Apps
    installs: Installs
    event: Ints
    device: Ints
    shown: Ints


def app_event_parts(rows: AppEvents) -> Iterator[bytes]:
    """Give the rows of app_events as CSV text, in chunks, in order.

    Threads work ahead (numpy and zlib let go of the interpreter lock). A chunk's text depends on the seed and on its
    number, not on which thread makes it or when.
    """
    cells_of_app = numbers(rows.apps.ids[: rows.apps.used], before=",", after=",1,")
    workers = min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    yield b"event_id,app_id,is_installed,is_active\n"
    with ThreadPoolExecutor(workers, thread_name_prefix="app_events") as pool:
        ahead: deque[Future[bytes]] = deque()
        for start in range(0, len(rows.event), CHUNK):
            ahead.append(pool.submit(_chunk, rows, cells_of_app, start))
            if len(ahead) > workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _chunk(rows: AppEvents, cells_of_app: Cells, start: int) -> bytes:
    rng = stream(rows.seed, "app events", start // CHUNK)
    part = slice(start, start + CHUNK)
    shown = rows.shown[part]
    app = _shown_apps(rng, rows.installs, rows.device[part], shown)
    active = np.frombuffer(rng.bytes(len(app)), np.uint8) < rows.apps.active[app]
    event = np.repeat(numbers(rows.event[part]), shown)
    return unpad(event, cells_of_app[app], ACTIVE[active.view(np.uint8)])


def _shown_apps(rng: np.random.Generator, installs: Installs, device: Ints, shown: Ints) -> Ints:
    """List the apps of each event: the device's core, and a run of its others from a random one on, round and round."""
    start, core = installs.start[device], installs.core[device]
    others = installs.start[device + 1] - start - core
    turn = rng.integers(0, np.maximum(others, 1))
    position = np.arange(shown.sum()) - np.repeat(np.cumsum(shown) - shown, shown)
    core, others, turn = np.repeat(core, shown), np.repeat(np.maximum(others, 1), shown), np.repeat(turn, shown)
    turned = core + (position - core + turn) % others
    return installs.app[np.repeat(start, shown) + np.where(position < core, position, turned)].astype(np.int64)
