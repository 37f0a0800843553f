"""Reading an archive anew where a task's leave to read it ran out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sparksweep.errors import ExpiredAccess
from sparksweep.ingest.source import Source, SourceFile
from sparksweep.ingest.tasks import Outcome

__all__ = ["read_with_leave"]

MOST_READ = 3  # attempts that end in the middle of a file
MOST_WAITED = 24  # attempts whose leave ran out before their task's turn came


def read_with_leave(source: Source, file: SourceFile, read: Callable[[SourceFile], Outcome]) -> Outcome:
    """Read a file, and again as long as new leave may help.

    Parameters
    ----------
    source : Source
        Where it is; gives the leave.
    file : SourceFile
        The file.
    read : callable
        Reads it; what it says holds the problem, if there is one.

    Returns
    -------
    Outcome
        Of the last attempt.
    """
    read_on = waited = 0
    while True:
        lent = source.renewed(file)
        outcome = read(lent)
        if lent is file or not isinstance(outcome.problem, ExpiredAccess):
            return outcome
        read_on, waited = read_on + bool(outcome.rows_read), waited + (not outcome.rows_read)
        if read_on == MOST_READ:
            told = f"cannot read {file}: reading took longer than the hour that a task may read, {read_on} times"
            return replace(outcome, problem=ExpiredAccess(f"{told}; give a SAS that lasts longer in its address"))
        if waited == MOST_WAITED:
            return outcome
