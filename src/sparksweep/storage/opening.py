"""From a path or URI to the store that reaches it."""

from __future__ import annotations

import re

from sparksweep.errors import StorageError
from sparksweep.redaction import redact_text, refuse_signature
from sparksweep.storage.local import LocalStore
from sparksweep.storage.store import Store

__all__ = ["local_path", "open_store"]

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):/")
WEB = {"http", "https", "ftp"}


def open_store(uri: str) -> Store:
    """Return the store in a folder.

    Parameters
    ----------
    uri : str
        A local path or ``file:`` URI (read as Hadoop reads it: no %-escapes); any other scheme (``hdfs:``, ``wasbs:``,
        ``abfss:``) is reached through the Hadoop FileSystem of the active Spark session. The folder need not exist.

    Raises
    ------
    UsageError
        It comes with a SAS, which would be kept wherever its address is.
    StorageError
        Spark's Java side knows no file system for the scheme.
    SessionError
        The scheme needs Spark, and no session is running.
    """
    path = local_path(uri)
    if path is not None:
        return LocalStore(path)
    if uri.partition(":")[0].lower() in WEB:
        raise StorageError(f"{redact_text(uri)}: a web address cannot be written to; give it as wasbs:// or abfss://")
    refuse_signature(uri)
    # Only here, so that local work does without importing pyspark.
    from sparksweep.storage.hadoop import HadoopStore

    return HadoopStore(uri)


def local_path(uri: str) -> str | None:
    """Return the path that a path or ``file:`` URI names (no %-escapes), None for a URI of another scheme.

    Raises
    ------
    StorageError
        It names another host.
    """
    scheme = SCHEME.match(uri)
    if scheme is None:
        return uri
    if scheme.group(1).lower() != "file":
        return None
    rest = uri[len("file:") :]
    if not rest.startswith("//"):
        return rest
    host, slash, path = rest[2:].partition("/")
    if host not in ("", "localhost"):
        raise StorageError(
            f"{redact_text(uri)}: names the host {host!r}; a local folder is file:///{path} (three slashes)"
        )
    return slash + path
