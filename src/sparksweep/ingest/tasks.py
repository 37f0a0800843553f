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
from sparksweep.ingest.key_runs import KeyRun
from sparksweep.ingest.observing import Observed
from sparksweep.ingest.rejecting import Reject, Rejects, read_fitting_rows
from sparksweep.ingest.rows import read_rows
from sparksweep.ingest.schema import TableSchema
from sparksweep.ingest.source import SourceFile
from sparksweep.python_tasks import python_task

__all__ = ["CollectedOutcomes", "Outcome", "Outcomes", "outcome_of", "read_archive"]

Batches = Iterable[pa.RecordBatch]

# What so many batches show is put together at a time: it may be a million values.
_MOST_PARTS = 32


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
    """

    table: str
    rows_read: int = 0
    keys: KeyRun | None = None
    observed: Observed | None = None
    problem: SparksweepError | None = None
    rejected: int = 0
    rejects: tuple[Reject, ...] = ()
    seconds: float = 0.0


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


@python_task
def read_archive(
    uri: SourceFile,
    schema: TableSchema,
    counted: Sequence[str],
    max_rejected: int,
    collected: Outcomes,
    seeds: Batches,
) -> Iterator[pa.RecordBatch]:
    """Read an archive: lines of ``schema.kept_schema()``; count the values of some columns."""
    for _ in seeds:
        pass
    rows_read, keys, problem = 0, None, None
    observed: list[Observed] = []
    rejects, begin = Rejects(uri, max_rejected), time.monotonic()
    try:
        for batch in read_fitting_rows(uri, schema, rejects) if max_rejected else read_rows(uri, schema):
            run = KeyRun.of(batch, schema.key)
            rows_read, keys = rows_read + batch.num_rows, run if keys is None else keys.followed_by(run)
            observed.append(Observed.of(batch, schema, counted))
            if len(observed) == _MOST_PARTS:
                observed = [Observed.together(observed)]
            yield batch if schema.owner is None else bundled(batch, schema)
    except SparksweepError as error:
        problem = error
    seen = Observed.together(observed) if observed else None
    seconds, listed = time.monotonic() - begin, tuple(rejects.first)
    collected.add([Outcome(schema.name, rows_read, keys, seen, problem, rejects.count, listed, seconds)])
