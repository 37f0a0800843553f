"""What a Spark task does to an archive, and what it has to say of it.

A task does not raise what is wrong with a file: Spark would try it again, print pages of trace and pass on text. It
leaves rows out and says what it saw through an accumulator, from which the driver raises the very exception.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark import Accumulator, AccumulatorParam

from sparksweep.errors import SparksweepError
from sparksweep.ingest.bundles import bundled
from sparksweep.ingest.held_tables import Held, hold
from sparksweep.ingest.key_runs import KeyRun
from sparksweep.ingest.observing import Observed
from sparksweep.ingest.rejecting import Reject, Rejects, read_fitting_rows
from sparksweep.ingest.rows import read_rows
from sparksweep.ingest.schema import TableSchema
from sparksweep.ingest.source import SourceFile
from sparksweep.python_tasks import python_task

__all__ = ["CollectedOutcomes", "Outcome", "Outcomes", "Reading", "outcome_of", "read_archive"]

Batches = Iterable[pa.RecordBatch]

# What so many batches show is put together at a time: it may be a million values.
_MOST_PARTS = 32
# Of a table that was held, rows that Spark is given at a time.
_HELD_ROWS = 1 << 16


@dataclass(frozen=True)
class Reading:
    """What a task is told to do with an archive.

    Attributes
    ----------
    schema : TableSchema
        What it holds.
    counted : tuple of str
        The columns whose values are counted.
    max_rejected : int
        How many rows may be left out because they do not fit.
    hold_all : bool
        Of rows that are equal the task leaves out all but the first (`sparksweep.ingest.held_tables`).
    """

    schema: TableSchema
    counted: tuple[str, ...] = ()
    max_rejected: int = 0
    hold_all: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a task has to say of an archive.

    Attributes
    ----------
    table : str
        Name of the table.
    rows_read : int
        Rows of the file that fit, up to a problem.
    keys : KeyRun, optional
        What their keys say.
    observed : Observed, optional
        What they show.
    problem : SparksweepError, optional
        What is wrong with them, or with the archive.
    rejected : int
        Rows that were left out.
    rejects : tuple of Reject
        The first of them.
    seconds : float
        How long it took.
    held : Held, optional
        What was found in a table that the task held.
    """

    table: str
    rows_read: int = 0
    keys: KeyRun | None = None
    observed: Observed | None = None
    problem: SparksweepError | None = None
    rejected: int = 0
    rejects: tuple[Reject, ...] = ()
    seconds: float = 0.0
    held: Held | None = None


Outcomes = Accumulator[list[Outcome]]


class CollectedOutcomes(AccumulatorParam[list[Outcome]]):
    """Gathers the outcomes of all tasks in one list."""

    def zero(self, value: list[Outcome]) -> list[Outcome]:
        """Return an empty list."""
        return []

    def addInPlace(self, value1: list[Outcome], value2: list[Outcome]) -> list[Outcome]:
        """Return one list after the other."""
        return value1 + value2


def outcome_of(table: str, outcomes: Iterable[Outcome]) -> Outcome:
    """Return what was said of one table: Spark may run a task again, and a problem that was seen once stays one.

    Raises
    ------
    SparksweepError
        Nothing was said: Spark has lost it.
    """
    said = [each for each in outcomes if each.table == table]
    if not said:
        raise SparksweepError(f"{table}: Spark did not say what became of it; run it again")
    return next((each for each in said if each.problem is not None), said[-1])


class _Tally:
    """What rows show in passing."""

    def __init__(self, schema: TableSchema, counted: Sequence[str]) -> None:
        self._schema = schema
        self._counted = counted
        self._observed: list[Observed] = []
        self.rows = 0
        self.keys: KeyRun | None = None

    def watched(self, batches: Batches) -> Iterator[pa.RecordBatch]:
        """Yield the batches as they are."""
        for batch in batches:
            run = KeyRun.of(batch, self._schema.key)
            self.rows, self.keys = self.rows + batch.num_rows, run if self.keys is None else self.keys.followed_by(run)
            self._observed.append(Observed.of(batch, self._schema, self._counted))
            if len(self._observed) == _MOST_PARTS:
                self._observed = [Observed.together(self._observed)]
            yield batch

    def observed(self) -> Observed | None:
        """Return what all batches show, None of none."""
        return Observed.together(self._observed) if self._observed else None


@python_task
def read_archive(uri: SourceFile, reading: Reading, collected: Outcomes, seeds: Batches) -> Iterator[pa.RecordBatch]:
    """Read an archive: lines of the schema's ``stored_schema()``."""
    for _ in seeds:
        pass
    schema, most = reading.schema, reading.max_rejected
    tally, rejects, begin = _Tally(schema, reading.counted), Rejects(uri, most), time.monotonic()
    held, problem = None, None
    try:
        batches: Batches = tally.watched(read_fitting_rows(uri, schema, rejects) if most else read_rows(uri, schema))
        if reading.hold_all:
            rows, held = hold(batches, schema)
            batches = rows.to_batches(_HELD_ROWS)
        for batch in batches:
            yield batch if schema.owner is None else bundled(batch, schema)
    except SparksweepError as error:
        problem = error
    seconds, listed = time.monotonic() - begin, tuple(rejects.first)
    said = (tally.rows, tally.keys, tally.observed(), problem, rejects.count, listed, seconds, held)
    collected.add([Outcome(schema.name, *said)])
