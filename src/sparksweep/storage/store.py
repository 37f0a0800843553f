"""What every store can do, and how a folder is replaced so that a crash never loses both the old and the new one.

A file is replaced by one rename. A folder that is in the way cannot be, nor on an object store a file: it is moved
aside under a hidden name, the new one is moved in, the old one is deleted. After a crash between the two moves the
final name is missing and the old one stands beside it; whoever looks the name up next moves it back (`Store._restore`).
"""

from __future__ import annotations

import builtins
import re
import time
import uuid
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sparksweep.errors import StorageError

__all__ = ["FileFacts", "Log", "Store", "hidden_name", "parent_of"]

GLOB = re.compile(r"[][{}*?\\]")  # what Hadoop takes for part of a pattern
MOVE_ATTEMPTS = 10  # another process may publish under the same name at the same time


@dataclass(frozen=True)
class FileFacts:
    """A file as its folder lists it.

    Attributes
    ----------
    size : int
        Bytes.
    modified : float
        When it was written last, in seconds since 1970.
    """

    size: int
    modified: float


class Log(ABC):
    """A file that grows: what was appended is on the disk when `append` returns.

    After a failed `append` the file may end in any part of those bytes; nothing may be appended to it any more.
    """

    @abstractmethod
    def append(self, data: bytes) -> None:
        """Add bytes at the end and have the disk keep them."""

    @abstractmethod
    def close(self) -> None:
        """End the file; closing again is fine."""


class Store(ABC):
    """A folder, local or remote, whose files are named by relative POSIX paths ("runs/x/run.json"; "" is the folder).

    Every failure of the system underneath is a `StorageError` of one line: what, where, why, what to do.

    Attributes
    ----------
    root : str
        The folder, as shown to people.
    """

    root: str

    @abstractmethod
    def uri(self, path: str) -> str:
        """Return what Spark is given to write `path`; its readers take `read_uri`."""

    @abstractmethod
    def list(self, path: str) -> builtins.list[str]:
        """Return the sorted names in the folder `path`, hidden ones left out; nothing when there is no folder."""

    @abstractmethod
    def read_bytes(self, path: str) -> bytes:
        """Return what the file `path` holds."""

    @abstractmethod
    def write_bytes(self, path: str, data: bytes) -> None:
        """Write the file `path` beside its place and rename it, replacing what is there; makes the folders above."""

    @abstractmethod
    def create(self, path: str, data: bytes) -> bool:
        """Write the file `path` if there is none, and return whether it was this call that made it.

        Of several that call this at the same moment one gets True. Makes the folders above.
        """

    @abstractmethod
    def open_log(self, path: str) -> Log | None:
        """Make the file `path`, which must not be there, and return it to append to; makes the folders above.

        Return None, and make nothing, where a file's bytes are kept only when it is closed (object stores).
        """

    @abstractmethod
    def fetch(self, path: str) -> Path:
        """Return a local path of the file or folder `path`: itself where it is local, else a copy in scratch."""

    @abstractmethod
    def copy_file(self, path: str, place: Path) -> None:
        """Copy the file `path` to a local place, replacing what is there; it is whole only when this returns."""

    @abstractmethod
    def publish(self, local: Path, path: str) -> None:
        """Give the local file or folder away to `path`, replacing what is there.

        It gets its final name only when it is whole. `local` may be gone afterwards, also when this fails: a local
        store moves it if it can.
        """

    @abstractmethod
    def scratch(self) -> AbstractContextManager[Path]:
        """Return a context with a new local folder that is removed at its end; for `publish` to move from."""

    def read_uri(self, path: str) -> str:
        """Return what Spark is given to read `path`: its readers take ``*?[]{}`` in a name for a pattern."""
        return GLOB.sub(r"\\\g<0>", self.uri(path))

    def exists(self, path: str) -> bool:
        """Tell whether there is a file or folder `path`."""
        path = checked_path(path)
        return self._present(path) or self._restore(path)

    def files(self, path: str) -> dict[str, FileFacts]:
        """Return the files in the folder `path` and in the folders below it, by their sorted paths from there.

        Hidden ones are left out; there are none where there is no folder.
        """
        found: dict[str, FileFacts] = {}
        for name, facts in self._entries(checked_path(path)).items() if self.exists(path) else ():
            if name.startswith("."):
                continue
            if facts is not None:
                found[name] = facts
            else:
                found.update((f"{name}/{below}", each) for below, each in self.files(joined(path, name)).items())
        return dict(sorted(found.items()))

    def rename(self, source: str, target: str) -> None:
        """Move a file or folder within the store, replacing what is at `target`."""
        source, target = checked_path(source), checked_path(target)
        if not (source and target) or not self.exists(source):
            raise StorageError(f"cannot rename {self.shown(source)} to {self.shown(target)}: it is not there")
        self._make_folder(parent_of(target))
        self._replace(source, target)

    def delete(self, path: str) -> None:
        """Delete a file, or a folder and all in it; an absent one is fine."""
        path = checked_path(path)
        if not path:
            raise StorageError(f"will not delete {self.root}: that is the whole store; name something in it")
        for leftover in self._asides(path):
            self._remove(leftover)
        if self._present(path):
            doomed = hidden_name(path, "gone")
            self._remove(doomed if self._move(path, doomed) else path)

    def shown(self, path: str) -> str:
        """Return `path` as messages name it."""
        return f"{self.root.rstrip('/')}/{path}" if path else self.root

    @abstractmethod
    def _present(self, path: str) -> bool:
        """Tell whether `path` is there, without looking for one moved aside."""

    def _appears(self, path: str) -> bool:
        """Tell whether `path` is there a moment later, where replacing it takes a moment."""
        return False

    @abstractmethod
    def _move(self, source: str, target: str) -> bool:
        """Rename; a file replaces a file. Return False when a folder is in the way, or `source` is gone.

        One that fails half way leaves nothing at `target`.
        """

    @abstractmethod
    def _remove(self, path: str) -> None:
        """Delete a file or a folder with all in it, at once and for good."""

    @abstractmethod
    def _make_folder(self, path: str) -> None:
        """Make a folder and those above it; one that is there is fine."""

    @abstractmethod
    def _entries(self, path: str) -> dict[str, FileFacts | None]:
        """Return what is in a folder by name, hidden ones too, None for a folder; nothing when there is no folder."""

    @abstractmethod
    def _hidden(self, path: str) -> builtins.list[str]:
        """Return the hidden names in a folder, sorted; nothing when there is no folder."""

    def _replace(self, source: str, target: str) -> None:
        """Move `source` to `target`, whatever is there."""
        for _ in range(MOVE_ATTEMPTS):
            if self._move(source, target):
                break
            self._move(target, hidden_name(target, "old"))
        else:
            self._remove(source)
            raise StorageError(f"cannot replace {self.shown(target)}: it comes back each time it is moved aside")
        for aside in self._asides(target):
            self._remove(aside)

    def _discard(self, beside: str) -> None:
        """Delete what a failed write left; the failure itself is what the user should see."""
        with suppress(StorageError):
            self._remove(beside)

    def _restore(self, path: str) -> bool:
        """Move back what a crash left aside on the way to `path`; return whether `path` is there now."""
        for step in [*reversed(PurePosixPath(path).parents), PurePosixPath(path)][1:]:
            if self._present(str(step)):
                continue
            asides = self._asides(str(step))
            if asides and self._appears(str(step)):
                continue
            if not asides or not self._move(asides[-1], str(step)):
                return self._present(path)
        return self._present(path)

    def _asides(self, path: str) -> builtins.list[str]:
        """Return the hidden folders that hold what `path` once was, the newest last."""
        start = f".{PurePosixPath(path).name}.old-"
        return [joined(parent_of(path), name) for name in self._hidden(parent_of(path)) if name.startswith(start)]


def checked_path(path: str) -> str:
    """Return a relative path in its plain form; refuse one that leads out of the store.

    Raises
    ------
    StorageError
        It is absolute or holds ``..``.
    """
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts:
        raise StorageError(f"{path!r} leads out of its folder: give a relative path without '..'")
    return "" if path in ("", ".") else str(parts)


def parent_of(path: str) -> str:
    """Return the folder that holds `path`, "" for the store's own."""
    parent = str(PurePosixPath(path).parent)
    return "" if parent == "." else parent


def joined(folder: str, name: str) -> str:
    """Return the path of a name in a folder of the store."""
    return f"{folder}/{name}" if folder else name


def hidden_name(path: str, purpose: str) -> str:
    """Return a new hidden path beside `path`; of several the newest comes last by name."""
    moment = f"{time.time_ns()}-{uuid.uuid4().hex[:8]}"
    return joined(parent_of(path), f".{PurePosixPath(path).name}.{purpose}-{moment}")
