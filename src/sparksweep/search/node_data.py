"""The data of a search on a node: one file, laid down by whichever process comes first, memory-mapped by all.

The data is pickled once, by the driver, with the buffers of its arrays out of band (pickle protocol 5, PEP 574). Header
and buffers make one file in Spark's local folder; in local mode the driver writes it, on a cluster a worker, from
chunks that travelled as broadcasts, so that neither Java nor Python holds all of it. Fit children map it: arrays of X,
y, splits and weights exist once a node, whoever reads them. The mapping is private: a child that writes into an array
gets pages of its own. What is no array of numbers (texts, objects) stands in the header, of which each child has a
copy.

A file's name is the digest of its content. Who uses it holds a shared lock on it, which ends with the process; what
nobody holds is an earlier crash's and is removed by the next search on the node. Runs on workers: no pyspark here.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import mmap
import os
import pickle
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

__all__ = ["NodeFile", "Parcel", "lay_down", "node_folders", "pack", "remove", "sweep_abandoned"]

log = logging.getLogger(__name__)

ALIGNMENT = 64  # bytes; what numpy gives its own arrays at most
SPARKS_OWN = ("blockmgr-", "executor-", "spark-")  # how Spark names the folders of one executor
NO_ROOM = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.ENOTDIR,
}
SUFFIX = ".data"
ATTEMPTS = 3


@dataclass(frozen=True)
class Parcel:
    """Data on its way: the pickle and the buffers beside it.

    Attributes
    ----------
    header : bytes
        The pickle; refers to the buffers by their order.
    buffers : sequence of bytes-like
        Contiguous memory of the arrays.
    """

    header: bytes
    buffers: Sequence[Any]

    def digest(self) -> str:
        """Return the hex digest of the content."""
        digest = hashlib.sha256()
        for view in self._views():
            digest.update(struct.pack("<Q", view.nbytes))
            digest.update(view)
        return digest.hexdigest()

    def pieces(self) -> Iterator[memoryview]:
        """Yield what the file holds: number and sizes of header and buffers, then each of them, aligned."""
        views = self._views()
        sizes = struct.pack(f"<Q{len(views)}Q", len(views), *(view.nbytes for view in views))
        yield memoryview(sizes)
        position = len(sizes)
        for view in views:
            yield memoryview(b"\0" * (-position % ALIGNMENT))
            yield view
            position += -position % ALIGNMENT + view.nbytes

    def chunks(self, n_bytes: int) -> Iterator[bytes]:
        """Yield what the file holds, in chunks of `n_bytes`; the last one may be shorter."""
        chunk = bytearray()
        for piece in self.pieces():
            for begin in range(0, piece.nbytes, n_bytes):
                chunk += piece[begin : begin + n_bytes]
                if len(chunk) >= n_bytes:
                    yield bytes(memoryview(chunk)[:n_bytes])
                    del chunk[:n_bytes]
        if chunk:
            yield bytes(chunk)

    def _views(self) -> list[memoryview]:
        return [memoryview(self.header), *(_raw(buffer) for buffer in self.buffers)]


def pack(data: Any, dumps: Callable[..., bytes]) -> Parcel:
    """Return data as a parcel; the buffers are the arrays' own memory, not copies.

    Parameters
    ----------
    data : object
        Picklable.
    dumps : callable
        ``dumps(data, protocol=5, buffer_callback=...)``: the driver's pickler.
    """
    buffers: list[Any] = []
    header = dumps(data, protocol=5, buffer_callback=buffers.append)
    return Parcel(header, buffers)


@dataclass
class NodeFile:
    """Data that this process can map, now and whenever it has to again.

    Attributes
    ----------
    name : str
        Digest of the content.
    file : int or None
        Descriptor of the file, with a shared lock on it; None where no folder had room.
    content : bytearray or None
        What the file would hold, where there is none: a copy a worker.
    path : Path or None
        Where the file lies.
    """

    name: str
    file: int | None
    content: bytearray | None = None
    path: Path | None = None

    def open(self) -> Any:
        """Return the data over a private mapping of the file."""
        if self.file is not None:
            whole = memoryview(mmap.mmap(self.file, 0, access=mmap.ACCESS_COPY))
        elif self.content is not None:
            whole = memoryview(self.content)
        else:
            raise ValueError("closed")
        parts = list(_slices(whole, _read_sizes(whole)))
        return pickle.loads(parts[0], buffers=parts[1:])

    def close(self) -> None:
        """Let go of the file; mappings stay valid. The last one to go removes it."""
        if self.file is not None:
            os.close(self.file)
            self.file = None
            if self.path is not None:
                _remove_unless_used(self.path)
        self.content = None


def node_folders(owner: str, local_dirs: str | None = None) -> list[Path]:
    """Return the folders of this node where the data of one application may lie, the first choice first.

    They are beside the folders of the single executors, so that all executors of the application on the node share
    them; on YARN that is the application's folder, which YARN itself removes.

    Parameters
    ----------
    owner : str
        Id of the application.
    local_dirs : str, optional
        Spark's local folders, separated by commas; default is what Spark tells its workers.
    """
    told = os.environ.get("SPARK_LOCAL_DIRS", "") if local_dirs is None else local_dirs
    bases = [_shared_base(Path(each)) for each in told.split(",") if each]
    bases = bases or [Path(tempfile.gettempdir())]
    return [base / f"sparksweep-{os.getuid()}" / owner for base in dict.fromkeys(bases)]


def lay_down(name: str, pieces: Callable[[], Iterable[Any]], folders: Sequence[Path]) -> NodeFile:
    """Return the data of a search on this node, written by this process if no other has done it yet.

    Parameters
    ----------
    name : str
        Digest of the content.
    pieces : callable
        Gives what the file holds, bytes-like piece by piece; called only where it has to be written.
    folders : sequence of Path
        As `node_folders` gives them; a full or unwritable one is passed over.
    """
    for folder in folders:
        path = folder / f"{name}{SUFFIX}"
        found = _hold(path)
        if found is not None:
            return NodeFile(name, found, path=path)
    for folder in folders:
        path = folder / f"{name}{SUFFIX}"
        try:
            return NodeFile(name, _hold_or_write(path, pieces), path=path)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            log.warning("the data does not fit into %s: %s", folder, error.strerror)
    log.warning("no local folder has room for the data: each worker holds a copy in memory")
    return NodeFile(name, None, bytearray().join(pieces()))


def _hold_or_write(path: Path, pieces: Callable[[], Iterable[Any]]) -> int:
    for _ in range(ATTEMPTS - 1):
        with suppress(FileNotFoundError):  # a search that ends just now has removed the folder in between
            return _hold_or_write_once(path, pieces)
    return _hold_or_write_once(path, pieces)


def _hold_or_write_once(path: Path, pieces: Callable[[], Iterable[Any]]) -> int:
    with _locked(path.parent, path.name.removesuffix(SUFFIX)):
        found = _hold(path)
        return _write(path, pieces()) if found is None else found


def remove(name: str, folders: Sequence[Path]) -> None:
    """Remove the file of a search that has ended; who still maps it keeps its mapping."""
    for folder in folders:
        for path in (folder / f"{name}{SUFFIX}", folder / f"{name}.lock"):
            with suppress(OSError):
                path.unlink()
        with suppress(OSError):
            folder.rmdir()  # only when it is empty


def sweep_abandoned(folders: Sequence[Path]) -> None:
    """Remove what crashed applications left beside these folders: files that no live process holds."""
    for folder in folders:
        with suppress(OSError):
            others = [each for each in folder.parent.iterdir() if each.is_dir() and each != folder]
            for other in others:
                for path in other.iterdir():
                    _remove_unless_used(path)
                with suppress(OSError):
                    other.rmdir()


def _shared_base(folder: Path) -> Path:
    while folder.name.startswith(SPARKS_OWN) and folder.parent != folder:
        folder = folder.parent
    return folder


@contextmanager
def _locked(folder: Path, name: str) -> Iterator[None]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if {folder.stat().st_uid, folder.parent.stat().st_uid} != {os.getuid()}:
        # What is read from here is unpickled, so nobody else may have put it here.
        raise PermissionError(errno.EACCES, f"{folder.parent} belongs to another user")
    with FileLock(folder / f"{name}.lock"):
        yield


def _hold(path: Path) -> int | None:
    """Open a file and hold a shared lock on it, None where there is none (any more)."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    fcntl.flock(file, fcntl.LOCK_SH)
    status = os.fstat(file)
    if status.st_nlink == 0 or status.st_uid != os.getuid():  # removed between the two; or put there by somebody else
        os.close(file)
        return None
    return file


def _write(path: Path, pieces: Iterable[Any]) -> int:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        file = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_SH)  # before it is written: what nobody holds is swept
            with open(file, "wb", closefd=False) as stream:
                stream.writelines(pieces)
            os.replace(beside, path)
        except BaseException:
            os.close(file)
            raise
        return file
    finally:
        with suppress(OSError):
            beside.unlink()


def _read_sizes(mapped: memoryview) -> list[int]:
    (count,) = struct.unpack_from("<Q", mapped)
    return list(struct.unpack_from(f"<{count}Q", mapped, 8))


def _slices(mapped: memoryview, sizes: Sequence[int]) -> Iterator[memoryview]:
    position = 8 * (len(sizes) + 1)
    for size in sizes:
        position += -position % ALIGNMENT
        yield mapped[position : position + size]
        position += size


def _remove_unless_used(path: Path) -> None:
    with suppress(OSError):
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        finally:
            os.close(file)


def _raw(buffer: Any) -> memoryview:
    return buffer.raw() if isinstance(buffer, pickle.PickleBuffer) else memoryview(buffer).cast("B")
