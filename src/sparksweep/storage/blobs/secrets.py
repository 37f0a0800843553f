"""Where long-lived secrets come from: the environment, or a file that only its owner can read."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from sparksweep.errors import UsageError
from sparksweep.storage.failures import os_failures

__all__ = ["SECRETS_FILE", "read_secrets"]

SECRETS_FILE = "SPARKSWEEP_SECRETS_FILE"
"""Environment variable with the path of a file of ``NAME=VALUE`` lines."""
PREFIX = "AZURE_"


def read_secrets(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables for Azure by name, those of the environment and of the file it names.

    Parameters
    ----------
    environ : mapping of str to str, optional
        Default is the process's own; what it says wins over the file.

    Raises
    ------
    UsageError
        Others may read the file, or a line of it is none of ours.
    StorageError
        It cannot be read.
    """
    environ = os.environ if environ is None else environ
    file = environ.get(SECRETS_FILE)
    kept = _read_file(Path(file)) if file else {}
    return {**kept, **{name: value for name, value in environ.items() if name.startswith(PREFIX) and value}}


def _read_file(path: Path) -> dict[str, str]:
    where = f"{path} ({SECRETS_FILE})"
    with os_failures("read", where), path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise UsageError(f"{where}: others can touch it (mode {mode:03o}); run chmod 600 {path}")
        data = file.read()
    try:
        lines = [line.strip() for line in data.decode("utf-8").splitlines()]
    except UnicodeDecodeError:
        raise UsageError(f"{where}: is no text in UTF-8; write it anew") from None
    secrets: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line or line.startswith("#"):
            continue
        name, sign, value = line.partition("=")
        if not sign or not name.strip().startswith(PREFIX):
            raise UsageError(f"{where}: line {number} is not {PREFIX}NAME=VALUE; mend it")  # the line may be a secret
        secrets[name.strip()] = value.strip()
    return secrets
