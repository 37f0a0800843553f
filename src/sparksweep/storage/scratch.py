"""Folders for files on the way, which go with the process that made them, and those that killed processes left."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sparksweep.storage.failures import os_failures

__all__ = ["scratch_folder"]

# Not only "sparksweep-": the data of a search on a node lies in such a folder.
PREFIX = "sparksweep-scratch-"
ABANDONED = 2 * 24 * 3600.0  # seconds after which a folder that nobody holds is taken to be a killed process's


@contextmanager
def scratch_folder(parent: Path | None = None, start: str = PREFIX) -> Iterator[Path]:
    """Return a context with a new folder, removed at its end.

    Parameters
    ----------
    parent : Path, optional
        In which; default is this machine's place for temporary files.
    start : str
        Of its name; others there whose names begin so and that killed processes left are removed.

    Raises
    ------
    StorageError
        It cannot be made.
    """
    parent = parent or Path(tempfile.gettempdir())
    _remove_abandoned(parent, start)
    with os_failures("make a folder in", parent):
        folder = Path(tempfile.mkdtemp(prefix=start, dir=parent))
        held = _hold(folder, fcntl.LOCK_SH)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _remove_abandoned(parent: Path, start: str) -> None:
    """Remove the folders in `parent` whose names begin with `start` if they are old and no live process holds them."""
    for folder in parent.glob(f"{start}*"):
        if _age(folder) > ABANDONED:
            with suppress(OSError):
                held = _hold(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
                os.close(held)


def _hold(folder: Path, lock: int) -> int:
    """Open a folder and lock it until the number that is returned is closed, at the latest by the process's end."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(number, lock)
    except BlockingIOError:
        os.close(number)
        raise
    except OSError:
        pass  # a file system without locks: the age alone tells
    return number


def _age(path: Path) -> float:
    """Return the seconds since a folder changed; 0 when it is gone."""
    try:
        return time.time() - path.lstat().st_mtime
    except OSError:
        return 0.0
