"""One zip with one CSV in it: the rules it must keep, and its bytes as a stream that is never unpacked.

The rules are those of safe unpacking (no absolute path, no ``..``, no link, bounded size and ratio) plus ours: exactly
the expected member. Finder's ``__MACOSX/`` and ``.DS_Store`` are what a Mac adds to every zip; they are passed over.
"""

from __future__ import annotations

import copy
import io
import re
import stat
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import IO, Any, Protocol

from zlib_ng import zlib_ng

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
_DAMAGE: tuple[Any, ...] = (zipfile.BadZipFile, zlib_ng.error, EOFError, OSError, ValueError, NotImplementedError)
# Deflated bytes that are taken at a time, and what tells zlib that there is no header around them.
_TAKEN = 1 << 18
_RAW_DEFLATE = -15
_LINE_END = re.compile(rb"[\r\n]")
_HEXADECIMAL = re.compile(rb"0[xX]")


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
            stream = _opened(archive, member)
        except _DAMAGE as error:
            raise _damaged(uri, error) from error
        with closing(stream):
            yield MemberStream(stream, uri)


class _Bytes(Protocol):
    """What has bytes to give."""

    def read(self, size: int = -1, /) -> bytes: ...

    def close(self) -> None: ...


class _Inflating:
    """A deflated member by zlib-ng, in a third of zipfile's time; its size and CRC must be the directory's.

    Parameters
    ----------
    deflated : file
        The bytes as they are in the zip.
    member : zipfile.ZipInfo
        What the zip's directory says of it.
    """

    def __init__(self, deflated: IO[bytes], member: zipfile.ZipInfo) -> None:
        self._deflated = deflated
        self._member = member
        self._inflater = zlib_ng.decompressobj(_RAW_DEFLATE)
        self._n_read = self._crc = 0

    def read(self, size: int = -1, /) -> bytes:
        parts, wanted = [], self._member.file_size + 1 if size < 0 else size
        while wanted and not self._inflater.eof:
            taken = self._inflater.unconsumed_tail or self._deflated.read(_TAKEN)
            part = self._inflater.decompress(taken, wanted)
            if not (taken or part):
                raise EOFError
            parts.append(part)
            wanted -= len(part)
            self._check(part)
        return b"".join(parts)

    def close(self) -> None:
        self._deflated.close()

    def _check(self, part: bytes) -> None:
        self._n_read += len(part)
        self._crc = zlib_ng.crc32(part, self._crc)
        member, is_end = self._member, self._inflater.eof
        if self._n_read > member.file_size or (is_end and self._n_read < member.file_size):
            raise zipfile.BadZipFile(f"Bad size for file {member.filename!r}")
        if is_end and self._crc != member.CRC:
            raise zipfile.BadZipFile(f"Bad CRC-32 for file {member.filename!r}")


class MemberStream(io.RawIOBase):
    """Reads a member and says what is wrong with the archive in our words; at the end the CRC is checked.

    Attributes
    ----------
    has_quote : bool
        There was a double quote below the first line.
    has_hexadecimal : bool
        There was ``0x`` or ``0X``.
    """

    def __init__(self, stream: _Bytes, uri: SourceFile) -> None:
        super().__init__()
        self._stream = stream
        self._uri = uri
        self.has_quote = self.has_hexadecimal = False
        self._in_header = True
        self._last = b""  # byte that was looked at

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes or fewer, all by default; nothing at the end."""
        try:
            data = self._stream.read(size)
        except _DAMAGE as error:
            raise _damaged(self._uri, error) from error
        self._look_at(data)
        return data

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the next bytes and return how many they are."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _look_at(self, data: bytes) -> None:
        if self._in_header:
            end = _LINE_END.search(data)
            self._in_header = end is None
            data = data[end.end() :] if end else b""
        self.has_quote = self.has_quote or b'"' in data
        if not self.has_hexadecimal and (b"x" in data or b"X" in data):  # in a file of numbers there is none
            self.has_hexadecimal = _HEXADECIMAL.search(self._last + data) is not None
        self._last = data[-1:]


def _opened(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> _Bytes:
    if member.compress_type == zipfile.ZIP_STORED or member.compress_size == 0:
        return archive.open(member)
    deflated = copy.copy(member)
    deflated.compress_type, deflated.file_size = zipfile.ZIP_STORED, member.compress_size
    del deflated.CRC  # that of what is inflated: zipfile does without one
    return _Inflating(archive.open(deflated), member)


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
    if not name:
        raise ArchiveError(f"{uri}: a member has no name; the file is not trusted")
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
