"""What a user sees: lines, errors, the ranking of a search, and progress on a terminal or in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["FitProgress", "fit_progress", "say", "say_error"]

LOG_INTERVAL = 30.0  # seconds between two progress lines where there is no terminal

# Called in the driver as fits finish: fits done, failed among them, fits in all, best mean score so far or None.
FitProgress = Callable[[int, int, int, "float | None"], None]


def say(line: str) -> None:
    """Write one line to standard output, at once, so that a log can be followed."""
    typer.echo(line)


def say_error(line: str) -> None:
    """Write one line to standard error."""
    typer.echo(f"sparksweep: error: {line}", err=True)


@contextmanager
def fit_progress() -> Iterator[FitProgress]:
    """Show how far the fits are: a live bar on a terminal, else a line now and then and one at the end."""
    console = Console()
    if not console.is_terminal:
        yield _LogLines()
        return
    columns = (
        TextColumn("fits"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("fits", total=None, note="")

        def update(done: int, failed: int, total: int, best: float | None) -> None:
            bar.update(task, completed=done, total=total, note=_note(failed, best))

        yield update


class _LogLines:
    """A line each `LOG_INTERVAL` seconds, and one when all fits are done."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, done: int, failed: int, total: int, best: float | None) -> None:
        now = time.monotonic()
        if done == total or now - self._last >= LOG_INTERVAL:
            self._last = now
            note = _note(failed, best)
            say(f"{done} of {total} fits done{', ' + note if note else ''}")


def _note(failed: int, best: float | None) -> str:
    parts = [f"{failed} failed"] if failed else []
    parts += [] if best is None else [f"best {best:.5f}"]
    return ", ".join(parts)
