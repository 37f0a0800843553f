"""``events.jsonl`` of a run: what its progress was, with times, at most a line each half minute."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from sparksweep.runs.folder import RunFolder
from sparksweep.runs.values import json_value

__all__ = ["EVENTS", "EventLog"]

EVENTS = "events.jsonl"
INTERVAL = 30.0  # seconds


class EventLog:
    """Writes a run's events, the whole file each time, so that it is always whole.

    Parameters
    ----------
    folder : RunFolder
        The run.
    clock : callable
        Seconds, as `time.monotonic`.
    """

    def __init__(self, folder: RunFolder, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._lines: list[str] = []
        self._last: float | None = None
        self._pending: Any = None

    def __call__(self, snapshot: Any) -> None:
        """Take in a snapshot of the progress, a dataclass; write it if it is time."""
        self._pending = snapshot
        if self._last is None or self._clock() - self._last >= INTERVAL:
            self._write()

    def close(self) -> None:
        """Write the last snapshot."""
        if self._pending is not None:
            self._write()

    def _write(self) -> None:
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._lines.append(json.dumps({"time": now, **json_value(asdict(self._pending))}) + "\n")
        self._folder.write_text(EVENTS, "".join(self._lines))
        self._last, self._pending = self._clock(), None
