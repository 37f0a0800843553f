"""The scenario's archives into a container, checked before the first byte is sent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sparksweep.ingest import source_fingerprint
from sparksweep.pipeline.experiments import read_log_schema
from sparksweep.storage.blobs import log_in, parse_address, read_secrets
from sparksweep.storage.blobs.uploading import upload_files
from sparksweep.storage.transfers import TransferProgress
from sparksweep.talkingdata import SCHEMAS

__all__ = ["upload_archives"]


def upload_archives(
    folder: Path,
    uri: str,
    overwrite: bool,
    say: Callable[[str], None],
    on_progress: Callable[[TransferProgress], None],
    schema_file: str | None = None,
) -> None:
    """Put the zips of TalkingData's tables, or of one's own, into a folder of a container.

    Parameters
    ----------
    folder : Path
        Where they are, on this machine.
    uri : str
        The address of the folder.
    overwrite : bool
        Replace blobs of their names that hold something else.
    say : callable
        Takes a line a file.
    on_progress : callable
        Called as blocks arrive.
    schema_file : str, optional
        Path of the YAML that tells one's own tables.

    Raises
    ------
    UsageError
        The address has no form that is known, there is no login for it, the folder or the YAML is missing, or blobs are
        in the way.
    ConfigError
        The YAML is wrong; lists every problem.
    ArchiveError
        Zips are missing or damaged.
    StorageError
        The container cannot be reached or written, also after several tries.
    """
    schemas = SCHEMAS if schema_file is None else read_log_schema(schema_file).table_schemas()
    address = parse_address(uri)
    login = log_in(address, read_secrets())
    source_fingerprint(folder, schemas)  # what is missing or no whole zip is told before anything is sent
    files = {schema.archive: folder / schema.archive for schema in schemas}
    upload_files(address, login, files, overwrite, say, on_progress)
    say(f"{len(files)} {'zip' if len(files) == 1 else 'zips'} in {address}")
