"""How far the fits are: a live display on a terminal, else a line now and then that a log can hold."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from sparksweep.cli.console import say

__all__ = ["LOG_INTERVAL", "LogLines", "fit_progress"]

LOG_INTERVAL = 30.0  # seconds between two lines where there is no terminal

OnProgress = Callable[[Any], None]  # given a sparksweep.search.progress.ProgressSnapshot


@contextmanager
def fit_progress(console: Console | None = None) -> Iterator[OnProgress]:
    """Give what a search may call as its fits finish.

    Parameters
    ----------
    console : Console, optional
        Where to show it; default is standard output.
    """
    console = console or Console()
    if not console.is_terminal:
        yield LogLines()
        return
    columns = (TextColumn("fits"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, console=console, refresh_per_second=4) as bar:
        task = bar.add_task("fits", total=None, note="")

        def update(now: Any) -> None:
            bar.update(task, completed=now.done, total=now.total, note=", ".join(now.notes()))

        yield update


class LogLines:
    """A line each `LOG_INTERVAL` seconds, and one when all is done.

    Parameters
    ----------
    before : str
        What each line begins with.
    clock : callable
        Seconds, as `time.monotonic`.
    """

    def __init__(self, before: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._before = before
        self._clock = clock
        self._last: float | None = None  # since it began: of fits, tables and matrices may have taken minutes before
        self._ended_at = -1

    def __call__(self, now: Any) -> None:
        """Write a line if it is time."""
        self._last = self._clock() if self._last is None else self._last
        time_for_one = self._clock() - self._last >= LOG_INTERVAL
        ended = now.done == now.total and self._ended_at != now.total
        if time_for_one or ended:
            self._last = self._clock()
            if ended:
                self._ended_at = now.total
            say(f"{self._before}{now}")
