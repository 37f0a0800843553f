"""The operating system's errors as ours: one line with what, where, why and what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sparksweep.errors import StorageError

__all__ = ["FULL", "MISSING", "NOT_ALLOWED", "NO_FOLDER", "os_failures"]

NOT_ALLOWED = "choose a folder you may write to, or change its permissions"
FULL = "free some space, or choose a folder on another disk"
NO_FOLDER = "a file stands where a folder is needed, or the other way round: move it away or choose another path"
MISSING = "check the path"

ADVICE: Mapping[int, str] = {
    errno.EACCES: NOT_ALLOWED,
    errno.EPERM: NOT_ALLOWED,
    errno.EROFS: NOT_ALLOWED,
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EFBIG: FULL,
    errno.ENOTDIR: NO_FOLDER,
    errno.EISDIR: NO_FOLDER,
    errno.EEXIST: NO_FOLDER,
    errno.ENOENT: MISSING,
    errno.ENAMETOOLONG: "use shorter names",
    errno.EIO: "check the disk",
}


@contextmanager
def os_failures(action: str, where: str | Path) -> Iterator[None]:
    """Turn an `OSError` of the block into a `StorageError`.

    Parameters
    ----------
    action : str
        What is tried, as in "cannot <action> <where>".
    where : str or Path
        The file or folder, as shown to people.
    """
    try:
        yield
    except OSError as error:
        # pyarrow gives no number with a missing file, and several lines with others.
        number = error.errno or (errno.ENOENT if isinstance(error, FileNotFoundError) else 0)
        told = os.strerror(number) if number else (str(error) or type(error).__name__)
        reason, advice = told.splitlines()[0], ADVICE.get(number)
        if advice == NOT_ALLOWED and action == "read":
            advice = "change its permissions"
        raise StorageError(f"cannot {action} {where}: {reason}{'; ' + advice if advice else ''}") from error
