"""A store in a local folder. Files get the user's umask, names are final only when the content is on disk."""

from __future__ import annotations

import builtins
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sparksweep.errors import StorageError
from sparksweep.storage.failures import os_failures
from sparksweep.storage.scratch import scratch_folder
from sparksweep.storage.store import FileFacts, Log, Store, checked_path, hidden_name, parent_of

__all__ = ["LocalStore"]

IN_THE_WAY = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOENT}
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
SCRATCH = ".scratch-"


class LocalStore(Store):
    """A store in a local folder, which is made when something is first written.

    Parameters
    ----------
    folder : str or Path
        Relative to the current folder or absolute.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(os.path.abspath(folder))
        self.root = str(self._folder)

    def uri(self, path: str) -> str:
        """Return ``file://`` and the absolute path, nothing escaped: so Hadoop reads it."""
        return f"file://{self._at(path)}"

    def list(self, path: str) -> builtins.list[str]:
        """Return the sorted names in a folder, hidden ones left out."""
        if not self.exists(path):
            return []
        return [name for name in self._names(checked_path(path)) if not name.startswith(".")]

    def read_bytes(self, path: str) -> bytes:
        """Return what a file holds."""
        self.exists(path)
        with os_failures("read", self.shown(path)):
            return self._at(path).read_bytes()

    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a file beside its place, flush it to the disk, rename it."""
        path = checked_path(path)
        self._make_folder(parent_of(path))
        beside = hidden_name(path, "new")
        try:
            with os_failures("write", self.shown(path)):
                _write_flushed(self._at(beside), data)
                os.replace(self._at(beside), self._at(path))
                _flush(self._at(path).parent)
        finally:
            self._discard(beside)

    def create(self, path: str, data: bytes) -> bool:
        """Write a file beside its place and link it there, which only one can."""
        path = checked_path(path)
        self._make_folder(parent_of(path))
        beside = hidden_name(path, "new")
        try:
            with os_failures("write", self.shown(path)):
                _write_flushed(self._at(beside), data)
                return _link(self._at(beside), self._at(path), data)
        finally:
            self._discard(beside)

    def open_log(self, path: str) -> Log:
        """Make a file whose appends are flushed to the disk; its name is on the disk too."""
        path = checked_path(path)
        self._make_folder(parent_of(path))
        with os_failures("write", self.shown(path)):
            log = _LocalLog(self._at(path), self.shown(path))
            try:
                self._flush_folders(path)
            except OSError:
                log.close()
                raise
        return log

    def fetch(self, path: str) -> Path:
        """Return the file or folder itself."""
        if not self.exists(path):
            raise StorageError(f"cannot find {self.shown(path)}; check the path")
        return self._at(path)

    def copy_file(self, path: str, place: Path) -> None:
        """Copy a file."""
        source = self.fetch(path)
        with os_failures("write", place):
            shutil.copyfile(source, place)

    def publish(self, local: Path, path: str) -> None:
        """Move a file or folder here, or copy it when it lies on another file system."""
        path = checked_path(path)
        beside = hidden_name(path, "new")
        self._make_folder(parent_of(path))
        try:
            with os_failures("write", self.shown(path)):
                _bring(local, self._at(beside))
                _flush_tree(self._at(beside))
            self._replace(beside, path)
            with os_failures("write", self.shown(path)):
                _flush(self._at(path).parent)
        finally:
            self._discard(beside)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a hidden folder in the store's own file system."""
        self._make_folder("")
        with scratch_folder(self._folder, SCRATCH) as folder:
            yield folder

    def _at(self, path: str) -> Path:
        return self._folder / checked_path(path)

    def _present(self, path: str) -> bool:
        return os.path.lexists(self._at(path))

    def _move(self, source: str, target: str) -> bool:
        with os_failures("rename", f"{self.shown(source)} to {self.shown(target)}"):
            try:
                os.replace(self._at(source), self._at(target))
            except OSError as error:
                if error.errno in IN_THE_WAY:
                    return False
                raise
        return True

    def _remove(self, path: str) -> None:
        place = self._at(path)
        with os_failures("delete", self.shown(path)):
            if place.is_dir() and not place.is_symlink():
                _remove_tree(place)
            else:
                place.unlink(missing_ok=True)

    def _make_folder(self, path: str) -> None:
        self._restore(path)
        with os_failures("make the folder", self.shown(path)):
            self._at(path).mkdir(parents=True, exist_ok=True)

    def _flush_folders(self, path: str) -> None:
        """Have the disk hold the names on the way to a file, the store's own folder included."""
        place = self._at(path)
        for folder in place.parents:
            _flush(folder)
            if folder == self._folder:
                break
        with suppress(OSError):  # the folder above may be one that we may enter, not read
            _flush(self._folder.parent)

    def _entries(self, path: str) -> dict[str, FileFacts | None]:
        with os_failures("read", self.shown(path)):
            folder = self._at(path)
            return {entry.name: _facts(entry) for entry in os.scandir(folder)} if folder.is_dir() else {}

    def _hidden(self, path: str) -> builtins.list[str]:
        return [name for name in self._names(path) if name.startswith(".")]

    def _names(self, path: str) -> builtins.list[str]:
        with os_failures("list", self.shown(path)):
            try:
                return sorted(os.listdir(self._at(path)))
            except (FileNotFoundError, NotADirectoryError):
                return []


class _LocalLog(Log):
    """A file of this process, written with no buffer in between."""

    def __init__(self, place: Path, shown: str) -> None:
        self._shown = shown
        self._number: int | None = os.open(place, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o666)

    def append(self, data: bytes) -> None:
        """Write all bytes, in as many steps as the system wants, and flush."""
        if self._number is None:
            raise StorageError(f"cannot write {self._shown}: it is closed")
        rest = memoryview(data)
        with os_failures("write", self._shown):
            while rest:
                rest = rest[os.write(self._number, rest) :]
            os.fsync(self._number)

    def close(self) -> None:
        """Give the file back to the system."""
        if self._number is not None:
            number, self._number = self._number, None
            with os_failures("close", self._shown):
                os.close(number)


def _link(beside: Path, place: Path, data: bytes) -> bool:
    """Give a file a second name that nobody has yet; return whether it was free."""
    try:
        os.link(beside, place)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        try:  # a file system without links: for a moment others may see the name before the content
            _write_flushed(place, data)
        except FileExistsError:
            return False
    _flush(place.parent)
    return True


def _facts(entry: os.DirEntry[str]) -> FileFacts | None:
    return None if entry.is_dir() else FileFacts(entry.stat().st_size, entry.stat().st_mtime)


def _bring(local: Path, place: Path) -> None:
    """Move, or across file systems copy, a file or folder."""
    try:
        os.rename(local, place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy(local, place)


def _copy(source: Path, target: Path) -> None:
    """Copy with the user's umask, not with the modes of a private scratch folder."""
    if not source.is_dir():
        shutil.copyfile(source, target)
        return
    target.mkdir()
    for child in source.iterdir():
        _copy(child, target / child.name)


def _remove_tree(folder: Path) -> None:
    """Delete a folder that another process may be deleting too."""
    while folder.exists():
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)


def _write_flushed(path: Path, data: bytes) -> None:
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush(path: Path) -> None:
    """Have the disk hold what was written to a file, or the names in a folder."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _flush_tree(path: Path) -> None:
    if path.is_dir():
        for child in path.iterdir():
            _flush_tree(child)
    _flush(path)
