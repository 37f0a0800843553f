"""Where the raw archives lie: listing a source, opening its bytes, and which file is which table.

Everything that depends on the kind of source (a local or shared folder now) is in `list_source` and `open_source`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from sparksweep.errors import ArchiveError, UsageError
from sparksweep.ingest.schema import TableSchema
from sparksweep.storage import local_path
from sparksweep.storage.failures import os_failures

__all__ = ["find_archives", "list_source", "local_source", "open_source"]

# What browsers and file managers add to the name of a second copy.
_COPY_MARK = re.compile(r"[ _-]*(\(\d+\)|copy( \d+)?)$")


def local_source(source: str | Path) -> Path:
    """Return the absolute path of a source, given as a path or a ``file:`` URI.

    Raises
    ------
    UsageError
        It is a URI of another kind.
    """
    path = local_path(str(source))
    if path is None:
        raise UsageError(f"{source}: only a local or shared folder can be a source, as a path or a file:/// URI")
    return Path(path).absolute()


def list_source(source: str) -> list[str]:
    """Return the names of the files in a source folder, sorted.

    Raises
    ------
    UsageError
        There is no such folder.
    StorageError
        It cannot be read.
    """
    folder = local_source(source)
    if not folder.is_dir():
        raise UsageError(f"{source}: no such folder; data.source must name the folder that holds the zip files")
    with os_failures("read", source):
        return sorted(entry.name for entry in folder.iterdir())


def open_source(uri: str) -> BinaryIO:
    """Open one file of a source as a seekable stream of bytes; the caller closes it.

    Raises
    ------
    StorageError
        It cannot be opened.
    """
    with os_failures("read", uri):
        return local_source(uri).open("rb")


def find_archives(source: str | Path, schemas: Sequence[TableSchema]) -> dict[str, str]:
    """Return the archive of each table.

    Parameters
    ----------
    source : str or Path
        Folder of the archives; on a cluster one that every node sees.
    schemas : sequence of TableSchema
        The tables that are wanted.

    Returns
    -------
    dict of str to str
        Table name to the archive's absolute path, in the order of `schemas`.

    Raises
    ------
    ArchiveError
        Archives are missing (all of them in one message), or two files claim the same table.
    UsageError
        There is no such folder.
    StorageError
        It cannot be read.
    """
    folder = str(local_source(source))
    claims = _claims(list_source(folder), schemas)
    for name, files in claims.items():
        if len(files) > 1:
            raise ArchiveError(f"{folder}: {_quoted(files)} are all table {name}; keep one, named {name}.csv.zip")
    missing = [schema.archive for schema in schemas if schema.archive not in claims[schema.name]]
    if missing:
        raise ArchiveError(f"{folder}: {', '.join(missing)} missing{_hint(missing, claims)}")
    return {schema.name: f"{folder}/{schema.archive}" for schema in schemas}


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
    return f"; rename {', '.join(near)}" if near else "; put the files there as Kaggle gives them"


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
