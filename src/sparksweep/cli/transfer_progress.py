"""How far a transfer is: a live display on a terminal, else a line now and then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from sparksweep.cli.fit_progress import LogLines

__all__ = ["transfer_progress"]

OnProgress = Callable[[Any], None]  # given a sparksweep.storage.transfers.TransferProgress


@contextmanager
def transfer_progress(what: str, console: Console | None = None) -> Iterator[OnProgress]:
    """Give what a transfer may call as bytes arrive.

    Parameters
    ----------
    what : str
        Stands before each line.
    console : Console, optional
        Where to show it; default is standard output.
    """
    console = console or Console()
    if not console.is_terminal:
        yield LogLines(f"{what}: ")
        return
    columns = (TextColumn(what), BarColumn(), DownloadColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, console=console, refresh_per_second=4) as bar:
        task = bar.add_task(what, total=None, note="")

        def update(now: Any) -> None:
            bar.update(task, completed=now.done, total=now.total, note=", ".join(now.notes()))

        yield update
