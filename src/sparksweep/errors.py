"""The exceptions a user can meet, one small tree.

::

    SparksweepError              exit code 1: the command failed
    ├── UsageError               exit code 2: wrong arguments, or a workspace that does not fit them
    │   └── ConfigError          a file of settings is wrong; holds every problem found, not only the first
    ├── DataError                input data is missing, damaged or not what it should be
    │   ├── ArchiveError         ... already as a zip file, before any of its rows is looked at
    │   └── RowError             ... in one of its rows, without which it could be read
    ├── SearchError              no result can be made of the fits
    ├── StorageError             a file cannot be read or written where the user pointed
    │   └── ExpiredAccess        ... for the leave to do so has run out; a new one may do
    └── SessionError             Spark cannot be started, or is not the kind we need

Each message is one line that says what is wrong, where, the value found and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "ArchiveError",
    "ConfigError",
    "DataError",
    "ExpiredAccess",
    "RowError",
    "SearchError",
    "SessionError",
    "SparksweepError",
    "StorageError",
    "UsageError",
]


class SparksweepError(Exception):
    """Base of every error this package raises on purpose; ``exit_code`` is what a command ends with."""

    exit_code = 1


class UsageError(SparksweepError):
    """The command line, or its combination with what the workspace holds, makes no sense."""

    exit_code = 2


class ConfigError(UsageError):
    """Settings are wrong; ``problems`` holds one line for each.

    Parameters
    ----------
    problems : sequence of str
        Each names file, key, the value found and what is allowed.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[tuple[str, ...]]]:
        """Pickle by the problems, not by the joined text."""
        return (type(self), (self.problems,))


class DataError(SparksweepError):
    """Input data is missing, damaged or not what its schema says."""


class ArchiveError(DataError):
    """A zip file is missing, doubled, damaged, unsafe or does not hold the one CSV it should."""


class RowError(DataError):
    """A row of a table's file does not fit; such rows can be left out, where the user allows some."""


class SearchError(SparksweepError):
    """The search cannot give a result."""


class StorageError(SparksweepError):
    """A file or folder cannot be read or written (permission, space, connection)."""


class ExpiredAccess(StorageError):
    """A SAS has run out, at the start or in the middle of a transfer."""


class SessionError(SparksweepError):
    """A SparkSession cannot be had, or is of a kind that cannot be used."""
