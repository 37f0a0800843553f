"""Where the raw archives lie, and which file is which table.

A source is a local or shared folder, or a folder in a blob container; a task is given a file of it, which opens itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from sparksweep.errors import ArchiveError, UsageError
from sparksweep.ingest.schema import TableSchema
from sparksweep.storage import local_path, redact_text
from sparksweep.storage.failures import os_failures

if TYPE_CHECKING:
    from sparksweep.storage.blobs import HadoopKeys

__all__ = ["LocalFile", "LocalSource", "Source", "SourceFile", "find_archives", "local_source", "open_source"]

BLOBS = {"wasb", "wasbs", "abfs", "abfss", "http", "https"}
# What browsers and file managers add to the name of a second copy.
_COPY_MARK = re.compile(r"[ _-]*(\(\d+\)|copy( \d+)?)$")


class SourceFile(Protocol):
    """A file of a source; what a task is given. Its text is what messages call it, and shows no secret."""

    @property
    def size(self) -> int:
        """Bytes of it."""

    def open(self) -> BinaryIO:
        """Open it as a seekable stream of bytes; the caller closes it.

        Raises
        ------
        StorageError
            It cannot be opened.
        """


class Source(Protocol):
    """A folder of files. Its text is its address, and shows no secret."""

    def exists(self) -> bool:
        """Tell whether it is there."""

    def files(self) -> Mapping[str, SourceFile]:
        """Return its files by sorted name.

        Raises
        ------
        UsageError
            There is no such folder.
        StorageError
            It cannot be read.
        """

    def renewed(self, file: Any) -> SourceFile:
        """Return a file of it for a task about to begin: with new leave to read, or itself where there is none."""


@dataclass(frozen=True)
class LocalFile:
    """A file on a disk that every executor sees.

    Attributes
    ----------
    path : str
        Absolute.
    """

    path: str

    def __str__(self) -> str:
        return self.path

    def __fspath__(self) -> str:
        return self.path

    @property
    def size(self) -> int:
        """Bytes of it, 0 for one that is gone."""
        path = Path(self.path)
        return path.stat().st_size if path.exists() else 0

    def open(self) -> BinaryIO:
        """Open it."""
        with os_failures("read", self.path):
            return open(self, "rb")


class LocalSource:
    """A folder on a disk that every executor sees.

    Parameters
    ----------
    folder : str or Path
        A path or a ``file:`` URI.

    Raises
    ------
    UsageError
        It is a URI of another kind.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = local_source(folder)

    def __str__(self) -> str:
        return redact_text(str(self._folder))  # an address without its scheme is taken for a path

    def exists(self) -> bool:
        """Tell whether it is there."""
        return self._folder.exists()

    def files(self) -> dict[str, LocalFile]:
        """Return its files by sorted name."""
        if not self._folder.is_dir():
            raise UsageError(f"{self}: no such folder; data.source must name the folder that holds the zip files")
        with os_failures("read", self._folder):
            return {entry.name: LocalFile(str(entry)) for entry in sorted(self._folder.iterdir())}

    def renewed(self, file: LocalFile) -> LocalFile:
        """Return the file as it is."""
        return file


def open_source(source: Source | str | Path, hadoop_key: HadoopKeys | None = None) -> Source:
    """Return a source; of one in a blob container log in to the account.

    Parameters
    ----------
    source : Source, str or Path
        A path, a ``file:`` URI, or an address of blobs (`sparksweep.storage.blobs.parse_address`); a source is itself.
    hadoop_key : callable, optional
        Looks the key of a blob account up in the cluster's Hadoop configuration.

    Raises
    ------
    UsageError
        It is of another kind, or there is no way to log in.
    """
    if not isinstance(source, str | Path):
        return source
    scheme, sign, _ = str(source).partition("://")
    if sign and scheme.lower() in BLOBS:
        # Only here, so that local work does without importing Azure's libraries.
        from sparksweep.storage.blobs import open_blob_folder

        return open_blob_folder(str(source), hadoop_key)
    return LocalSource(source)


def local_source(source: str | Path) -> Path:
    """Return the absolute path of a source that is local, given as a path or a ``file:`` URI.

    Raises
    ------
    UsageError
        It is a URI of another kind.
    """
    path = local_path(str(source))
    if path is None:
        where = redact_text(str(source))
        if where.partition("://")[0].lower() in BLOBS:
            raise UsageError(f"{where}: only archives of tables are read from blobs; copy the file here")
        raise UsageError(
            f"{where}: cannot be read from there; give a folder that every executor sees, or one in a blob container "
            "(wasbs://, abfss://, https://)"
        )
    return Path(path).absolute()


def find_archives(source: Source, schemas: Sequence[TableSchema]) -> dict[str, SourceFile]:
    """Return the archive of each table, in the order of `schemas`.

    Parameters
    ----------
    source : Source
        Folder of the archives.
    schemas : sequence of TableSchema
        The tables that are wanted.

    Raises
    ------
    ArchiveError
        Archives are missing (all of them in one message), or two files claim the same table.
    UsageError
        There is no such folder.
    StorageError
        It cannot be read.
    """
    files = source.files()
    claims = _claims(files, schemas)
    for name, claiming in claims.items():
        if len(claiming) > 1:
            raise ArchiveError(f"{source}: {_quoted(claiming)} are all table {name}; keep one, named {name}.csv.zip")
    missing = [schema.archive for schema in schemas if schema.archive not in claims[schema.name]]
    if missing:
        raise ArchiveError(f"{source}: {', '.join(missing)} missing{_hint(missing, claims)}")
    return {schema.name: files[schema.archive] for schema in schemas}


def _claims(names: Iterable[str], schemas: Sequence[TableSchema]) -> dict[str, list[str]]:
    """Return, for each table, the files whose names say they are it, whatever their case and copy marks."""
    claims: dict[str, list[str]] = {schema.name: [] for schema in schemas}
    tables = {name.casefold(): name for name in claims}
    for name in names:
        table = tables.get(_bare_name(name) or "")
        if table is not None:
            claims[table].append(name)
    return claims


def _bare_name(name: str) -> str | None:
    """Return ``events`` for ``events.csv.zip``, ``Events.zip``, ``events.csv (1).zip``; None for what is no zip."""
    if name.startswith(".") or not name.casefold().endswith(".zip"):
        return None
    stem = _COPY_MARK.sub("", name.casefold()[: -len(".zip")])
    return _COPY_MARK.sub("", stem.removesuffix(".csv"))


def _hint(missing: Sequence[str], claims: Mapping[str, Sequence[str]]) -> str:
    """Return what to do, with the names that nearly are the missing ones."""
    archives = {f"{name}.csv.zip": files for name, files in claims.items() if files}
    near = [f"{archives[name][0]!r} to {name}" for name in missing if name in archives]
    return f"; rename {', '.join(near)}" if near else "; put them there, one zip a table"


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
