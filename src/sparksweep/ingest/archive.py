"""One zip with one CSV in it: the rules it must keep, and its bytes as a stream that is never unpacked.

The rules are those of safe unpacking (no absolute path, no ``..``, no link, bounded size and ratio) plus ours: exactly
the expected member. Finder's ``__MACOSX/`` and ``.DS_Store`` are what a Mac adds to every zip; they are passed over.
"""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from sparksweep.errors import ArchiveError
from sparksweep.ingest.schema import TableSchema
from sparksweep.ingest.source import SourceFile

__all__ = ["MAX_BYTES", "MAX_RATIO", "MemberStream", "describe_member", "open_member"]

MAX_BYTES = 64 << 30
"""Largest member that is read, in bytes; the largest real one has 1.04 GB."""
MAX_RATIO = 200
"""Largest ratio of a member's size to its compressed size; the real ones have about 6."""
# Below this a bomb does no harm, and a few equal rows compress better than any log does.
_RATIO_MATTERS_FROM = 1 << 20
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What the reading of a damaged zip can raise: wrong checksum, wrong deflate stream, an end too early, a name not in
# the encoding it claims (ValueError), a version or a flag that zipfile does not know.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)


def describe_member(uri: SourceFile, schema: TableSchema) -> dict[str, str | int]:
    """Return member name, size in bytes and CRC-32 (8 hex digits) from the zip's directory, without reading its data.

    Raises
    ------
    ArchiveError
        The zip breaks a rule.
    """
    with _open_zip(uri) as archive:
        member = _checked_member(archive, uri, schema.member)
        return {"member": member.filename, "size": member.file_size, "crc": f"{member.CRC:08x}"}


@contextmanager
def open_member(uri: SourceFile, schema: TableSchema) -> Iterator[MemberStream]:
    """Open the CSV of a table's archive; every read may raise ArchiveError when the zip is damaged.

    Raises
    ------
    ArchiveError
        The zip breaks a rule or is damaged.
    StorageError
        The file cannot be opened.
    """
    with _open_zip(uri) as archive:
        member = _checked_member(archive, uri, schema.member)
        try:
            stream = archive.open(member)
        except _DAMAGE as error:
            raise _damaged(uri, error) from error
        with stream:
            yield MemberStream(stream, uri)


class MemberStream(io.RawIOBase):
    """Reads a member and says what is wrong with the archive in our words; zipfile checks the CRC at the end.

    Attributes
    ----------
    n_quotes : int
        Double quotes in what was read.
    n_x : int
        Letters x, small and large, in what was read.
    """

    def __init__(self, stream: IO[bytes], uri: SourceFile) -> None:
        super().__init__()
        self._stream = stream
        self._uri = uri
        self.n_quotes = 0
        self.n_x = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes or fewer, all by default; nothing at the end."""
        try:
            data = self._stream.read(size)
        except _DAMAGE as error:
            raise _damaged(self._uri, error) from error
        self.n_quotes += data.count(b'"')
        self.n_x += data.count(b"x") + data.count(b"X")
        return data

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the next bytes and return how many they are."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def _open_zip(uri: SourceFile) -> Iterator[zipfile.ZipFile]:
    with uri.open() as raw:
        try:
            archive = zipfile.ZipFile(raw)
        except _DAMAGE as error:
            raise _damaged(uri, error) from error
        with archive:
            yield archive


def _checked_member(archive: zipfile.ZipFile, uri: SourceFile, expected: str) -> zipfile.ZipInfo:
    members = archive.infolist()
    for member in members:
        _check_name(member, uri)
    wanted = [member for member in members if not _is_clutter(member)]
    if [member.filename for member in wanted] != [expected]:
        found = ", ".join(repr(member.filename) for member in wanted) or "nothing"
        raise ArchiveError(f"{uri}: holds {found}; expected {expected!r} once and nothing else")
    _check_form(wanted[0], uri)
    return wanted[0]


def _check_name(member: zipfile.ZipInfo, uri: SourceFile) -> None:
    # orig_filename is what the file says; zipfile has already cut `filename` at a NUL and turned separators.
    name = member.orig_filename.replace("\\", "/")
    if name.startswith("/") or ".." in name.split("/") or name[1:2] == ":" or "\0" in name:
        raise ArchiveError(f"{uri}: member {member.orig_filename!r} points outside the zip; the file is not trusted")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise ArchiveError(f"{uri}: member {member.filename!r} is a link; the file is not trusted")


def _is_clutter(member: zipfile.ZipInfo) -> bool:
    name = member.filename
    return member.is_dir() or name.startswith("__MACOSX/") or name.split("/")[-1] == ".DS_Store"


def _check_form(member: zipfile.ZipInfo, uri: SourceFile) -> None:
    where = f"{uri}: member {member.filename!r}"
    if member.flag_bits & _ENCRYPTED:
        raise ArchiveError(f"{where} is encrypted; save the zip without a password")
    if member.compress_type not in _METHODS:
        raise ArchiveError(f"{where} is compressed by method {member.compress_type}; use plain deflate")
    if member.file_size > MAX_BYTES:
        raise ArchiveError(f"{where} has {member.file_size:,} bytes; at most {MAX_BYTES:,} are read")
    ratio = member.file_size / max(member.compress_size, 1)
    if member.file_size > _RATIO_MATTERS_FROM and ratio > MAX_RATIO:
        raise ArchiveError(f"{where} unpacks to {ratio:,.0f} times its size; at most {MAX_RATIO} is taken for data")


def _damaged(uri: SourceFile, error: Exception) -> ArchiveError:
    reason = str(error) or "ends too early"
    return ArchiveError(f"{uri}: the zip is damaged or not whole ({reason}); copy or download it again")
