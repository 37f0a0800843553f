"""The files of a run, as a list and as copies on this machine."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from sparksweep.config.loading import nearest
from sparksweep.errors import StorageError, UsageError
from sparksweep.pipeline.columns import aligned_lines
from sparksweep.pipeline.job import existing_workspace
from sparksweep.pipeline.runs import find_run
from sparksweep.runs import Run
from sparksweep.storage.failures import os_failures
from sparksweep.storage.store import FileFacts
from sparksweep.storage.transfers import TransferProgress

__all__ = ["download_files", "file_lines"]

WATCH_SECONDS = 1.0


def file_lines(workspace: str, run_id: str, names: Sequence[str]) -> Iterator[str]:
    """Yield a line a file of a run, with its bytes, and where they are.

    Parameters
    ----------
    workspace : str
        Path or URI.
    run_id : str
        As listed.
    names : sequence of str
        Files or folders of the run; none for all.

    Raises
    ------
    UsageError
        There is no such workspace, run or file.
    """
    run = find_run(existing_workspace(workspace), run_id)
    files = _chosen(run, names)
    yield from aligned_lines([["file", "bytes"], *([name, f"{facts.size:,}"] for name, facts in files.items())])
    yield f"{len(files)} files, {_bytes(files):,} bytes in {run.uri()}"


def download_files(
    workspace: str,
    run_id: str,
    names: Sequence[str],
    folder: Path,
    say: Callable[[str], None],
    on_progress: Callable[[TransferProgress], None],
) -> None:
    """Copy files of a run into a folder; those that are there with the same size and time are not copied again.

    A file gets its name only when it is whole, so that after an interrupt the same call goes on.

    Parameters
    ----------
    workspace, run_id, names
        As of `file_lines`.
    folder : Path
        On this machine; made when absent.
    say : callable
        Takes a line a file.
    on_progress : callable
        Called as files, and each second parts of one, arrive.

    Raises
    ------
    UsageError
        There is no such workspace, run or file.
    StorageError
        A file cannot be read, or the folder cannot be written.
    """
    run = find_run(existing_workspace(workspace), run_id)
    files = _chosen(run, names)
    missing = {name: facts for name, facts in files.items() if not _is_copied(folder / name, facts)}
    arrivals = _Arrivals(_bytes(files), _bytes(missing), on_progress)
    for name, facts in missing.items():
        _copy(run, name, facts, folder / name, arrivals)
        say(f"{folder / name}: {facts.size:,} bytes")
        arrivals.add(facts.size)
    there = len(files) - len(missing)
    say(f"{len(files)} files of run {run_id} in {folder}" + (f", {there} of them were there" if there else ""))


class _Arrivals:
    """Tells how many bytes of files have arrived; some were there before.

    Parameters
    ----------
    total, missing : int
        Bytes of all files, and of those that were not there.
    on_progress : callable
        Is told.
    """

    def __init__(self, total: int, missing: int, on_progress: Callable[[TransferProgress], None]) -> None:
        self._total = total
        self._there = total - missing
        self._on_progress = on_progress
        self._moved = 0
        self._began = time.monotonic()

    def add(self, size: int) -> None:
        """Count a file that is whole."""
        self._moved += size
        self._tell(self._moved)

    @contextmanager
    def watch(self, part: Path) -> Iterator[None]:
        """Tell each second how long a file is that is being made."""
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(WATCH_SECONDS):
                with suppress(OSError):  # it is not there yet
                    self._tell(self._moved + part.stat().st_size)

        watcher = threading.Thread(target=look, name="download progress", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()

    def _tell(self, moved: int) -> None:
        seconds = time.monotonic() - self._began
        self._on_progress(TransferProgress(self._there + moved, self._total, moved, seconds))


def _chosen(run: Run, names: Sequence[str]) -> dict[str, FileFacts]:
    """Return the files that are named or below a folder that is named, all without names."""
    files = run.store.files(run.folder)
    wanted = [name.strip("/") for name in names]
    for name in wanted:
        if not any(_is_below(file, name) for file in files):
            raise UsageError(f"run {run.run_id} has no file {name!r}{nearest(name, files)}; see: sparksweep runs files")
    return {file: facts for file, facts in files.items() if not wanted or any(_is_below(file, each) for each in wanted)}


def _is_below(file: str, name: str) -> bool:
    return file == name or file.startswith(f"{name}/")


def _is_copied(place: Path, facts: FileFacts) -> bool:
    with os_failures("look at", place):
        if not place.is_file():
            return False
        found = place.stat()
        return found.st_size == facts.size and abs(found.st_mtime - facts.modified) < 0.001


def _bytes(files: Mapping[str, FileFacts]) -> int:
    return sum(facts.size for facts in files.values())


def _copy(run: Run, name: str, facts: FileFacts, place: Path, arrivals: _Arrivals) -> None:
    """Copy a file beside its place, check its size, give it the time of its source and its name."""
    beside = place.with_name(f".{place.name}.new")
    try:
        with os_failures("write", place):
            place.parent.mkdir(parents=True, exist_ok=True)
            with arrivals.watch(beside):
                run.store.copy_file(run.path(name), beside)
            if beside.stat().st_size != facts.size:
                raise StorageError(f"{run.uri(name)} changed while it was read: download it again")
            os.utime(beside, (facts.modified, facts.modified))
            beside.replace(place)
    finally:
        with suppress(OSError):
            beside.unlink()
