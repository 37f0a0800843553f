"""Zip files of one member, the same bytes each time."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

__all__ = ["write_archive"]

LEVEL = 1
BIG = 1 << 30


def write_archive(path: Path, member: str, parts: Iterable[bytes], expected_bytes: int = 0) -> None:
    """Write parts, one after the other, as the one member of a new zip file.

    Parameters
    ----------
    path : Path
        File to write; it must not be the final name, since it is half-done until this returns.
    member : str
        Name inside; its time is 1980-01-01, since a true one would differ from run to run.
    parts : iterable of bytes
        The member's content.
    expected_bytes : int, default=0
        Rough size of the content: from 1 GiB on the member is laid out for more than 4 GiB (Zip64).
    """
    with (
        zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive,
        archive.open(member, "w", force_zip64=expected_bytes >= BIG) as content,
    ):
        for part in parts:
            content.write(part)
