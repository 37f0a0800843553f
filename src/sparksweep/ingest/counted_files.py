"""Files that tell how far they are read, by a number in another file, for whoever waits on the same machine.

What a Spark task says reaches the driver when the task ends, and a task reads an archive. No Spark in here.
"""

from __future__ import annotations

import io
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from sparksweep.ingest.source import SourceFile

__all__ = ["CountedFile", "count_of"]

_BUFFER_BYTES = 1 << 18


@dataclass(frozen=True)
class CountedFile:
    """A file of a source of which the bytes that were read since it was opened last are told.

    Attributes
    ----------
    file : SourceFile
        What is read.
    counter : Path
        Holds the number.
    """

    file: SourceFile
    counter: Path

    def __str__(self) -> str:
        return str(self.file)

    @property
    def size(self) -> int:
        """Bytes of it."""
        return self.file.size

    def open(self) -> BinaryIO:
        """Open it."""
        return io.BufferedReader(_CountedStream(self.file.open(), self.counter), _BUFFER_BYTES)


def count_of(counter: Path) -> int:
    """Return the number that a counter holds, 0 without one."""
    try:
        return int(counter.read_text(encoding="ascii"))
    except (OSError, ValueError):  # nothing was read yet
        return 0


class _CountedStream(io.RawIOBase):
    def __init__(self, stream: BinaryIO, counter: Path) -> None:
        super().__init__()
        self._stream = stream
        self._counter = counter
        self._n_read = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._n_read += len(data)
        with suppress(OSError):  # what cannot be told is no reason to fail
            _write_over(self._counter, b"%020d" % self._n_read)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        self._stream.close()
        super().close()


def _write_over(path: Path, data: bytes) -> None:
    """Write what is as long as what was there before: whoever reads it meanwhile never finds nothing."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(file, data, 0)
    finally:
        os.close(file)
