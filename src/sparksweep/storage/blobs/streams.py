"""A blob as a seekable stream of bytes that fetches ahead of its reader."""

from __future__ import annotations

import hashlib
import io
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, BinaryIO

from sparksweep.errors import StorageError
from sparksweep.storage.blobs.ranges import RANGE_BYTES, RangeReader
from sparksweep.storage.blobs.sas import Sas

__all__ = ["BlobFile", "BlobStream"]

# Ranges that are fetched at once, the one that is waited for among them: enough for a service that takes 0.2 s to
# answer. With the one being read they are all of a stream's memory, 40 MB.
RANGES_AHEAD = 8
TAIL_BYTES = 64 << 10  # a zip's directory is there: it is looked at first, and again at the end
BUFFER_BYTES = 256 << 10


@dataclass(frozen=True)
class BlobFile:
    """One version of a blob, and leave to read it; what a task is given.

    Attributes
    ----------
    shown : str
        Its address, as messages name it.
    url : str
        Where it is, without SAS.
    size : int
        In bytes.
    etag : str
        Of the version, in quotes.
    content_md5 : bytes or None
        Of the whole, where the service has it.
    access : Sas
        Leave to read.
    """

    shown: str
    url: str
    size: int
    etag: str
    content_md5: bytes | None
    access: Sas

    def __str__(self) -> str:
        return self.shown

    def open(self) -> BinaryIO:
        """Open it as a seekable stream of bytes; the caller closes it.

        Raises
        ------
        StorageError
            It is empty; reads raise it when the blob cannot be had as it was listed.
        """
        if self.size == 0:
            raise StorageError(f"cannot read {self}: it is empty (0 bytes); upload it again")
        return io.BufferedReader(BlobStream(self), BUFFER_BYTES)


class BlobStream(io.RawIOBase):
    """Reads one version of a blob, `RANGES_AHEAD` ranges ahead, as soon as it is read from elsewhere than its end.

    Parameters
    ----------
    file : BlobFile
        What to read.
    """

    def __init__(self, file: BlobFile) -> None:
        super().__init__()
        self._file = file
        self._ranges = RangeReader(file.url, file.etag, file.access, file.shown)
        self._pool = ThreadPoolExecutor(RANGES_AHEAD, thread_name_prefix="blob")
        self._ahead: dict[int, Future[memoryview]] = {}
        self._tail_start = max(0, file.size - TAIL_BYTES)
        self._tail = memoryview(b"")
        self._start, self._range = 0, memoryview(b"")
        self._position = 0
        self._digest = hashlib.md5(usedforsecurity=False)
        self._digested = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move, and return the new position."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._file.size}[whence]
        if base + offset < 0:
            raise ValueError(f"negative seek position {base + offset}")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the next bytes and return how many they are, which may be fewer than fit."""
        if self._position >= self._file.size:
            return 0
        self._load()
        part = self._range[self._position - self._start :][: len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)

    def close(self) -> None:
        """Give up what is being fetched."""
        if not self.closed:
            self._ranges.close()
            self._pool.shutdown(wait=False, cancel_futures=True)
        super().close()

    def _load(self) -> None:
        """Have the range that the position is in."""
        if self._start <= self._position < self._start + len(self._range):
            return
        self._range = memoryview(b"")  # before the next one comes
        if self._position >= self._tail_start:
            self._start, self._range = self._tail_start, self._load_tail()
        else:
            self._start = self._position - self._position % RANGE_BYTES
            self._range = self._fetch(self._start)
        self._check_whole()

    def _load_tail(self) -> memoryview:
        if not self._tail:
            self._tail = self._ranges.fetch(self._tail_start, self._file.size)
        return self._tail

    def _fetch(self, start: int) -> memoryview:
        """Return the range that begins at `start`, and have those behind it fetched."""
        wanted = range(start, self._tail_start, RANGE_BYTES)[:RANGES_AHEAD]
        for other in self._ahead.keys() - set(wanted):
            self._ahead.pop(other).cancel()
        for each in wanted:
            if each not in self._ahead:
                end = min(each + RANGE_BYTES, self._tail_start)
                self._ahead[each] = self._pool.submit(self._ranges.fetch, each, end)
        return self._ahead.pop(start).result()

    def _check_whole(self) -> None:
        """Compare what was read from the first byte to the last with the MD5 that the uploader left."""
        if self._file.content_md5 is None:
            return
        if self._start == self._digested:
            self._digest.update(self._range)
            self._digested += len(self._range)
            if self._digested == self._tail_start and self._tail:
                self._digest.update(self._tail)
                self._digested = self._file.size
        if self._digested == self._file.size and self._digest.digest() != self._file.content_md5:
            self._range = memoryview(b"")  # so that who reads on is told again
            raise StorageError(f"cannot read {self._file}: it does not fit its Content-MD5; upload it again")
