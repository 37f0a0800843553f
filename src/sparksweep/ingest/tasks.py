"""What Spark's tasks do to archives, and what they have to say of it.

A task does not raise what is wrong with a file: Spark would try it again, print pages of trace and pass on text. It
leaves rows out and says what it saw through an accumulator, from which the driver raises the very exception.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import pyarrow as pa
from pyspark import Accumulator, AccumulatorParam

from sparksweep.errors import ArchiveError, SparksweepError
from sparksweep.ingest.blocks import read_blocks
from sparksweep.ingest.key_runs import KeyRun
from sparksweep.ingest.observing import Observed
from sparksweep.ingest.rows import parse_block, read_rows
from sparksweep.ingest.schema import TableSchema
from sparksweep.python_tasks import python_task

__all__ = [
    "BLOCK_SCHEMA",
    "CollectedOutcomes",
    "Outcome",
    "Outcomes",
    "cut_archive",
    "parse_blocks",
    "read_archive",
    "summed",
]

BLOCK_SCHEMA = "first_line bigint, text binary"
"""Of a frame of blocks."""

Batches = Iterable[pa.RecordBatch]


@dataclass(frozen=True)
class Outcome:
    """What a task has to say of some rows of an archive.

    Attributes
    ----------
    table : str
        Name of the table.
    first_line : int
        Number of the first of the rows; 0 is the task that cut the archive into blocks, and speaks of all of them.
    rows_read : int
        How many they are.
    keys : KeyRun, optional
        What their keys say.
    observed : Observed, optional
        What they show, and with them the other rows that the same task parsed.
    problem : SparksweepError, optional
        What is wrong with them, or with the archive.
    """

    table: str
    first_line: int
    rows_read: int = 0
    keys: KeyRun | None = None
    observed: Observed | None = None
    problem: SparksweepError | None = None


Outcomes = Accumulator[list[Outcome]]


class CollectedOutcomes(AccumulatorParam[list[Outcome]]):
    """Gathers the outcomes of all tasks in one list."""

    def zero(self, value: list[Outcome]) -> list[Outcome]:
        """Return an empty list."""
        return []

    def addInPlace(self, value1: list[Outcome], value2: list[Outcome]) -> list[Outcome]:
        """Return one list after the other."""
        return value1 + value2


def summed(table: str, outcomes: Iterable[Outcome]) -> Outcome:
    """Return what the outcomes of one table say together.

    Of several problems the archive's own counts, which explains the others, else the first in the file. An outcome may
    be there twice, since Spark may run a task again; a problem that was seen once stays one.

    Raises
    ------
    SparksweepError
        Some rows were not spoken of: Spark has lost what a task said.
    """
    by_line: dict[int, Outcome] = {}
    for each in outcomes:
        if each.first_line not in by_line or each.problem is not None:
            by_line[each.first_line] = each
    cut = by_line.pop(0, None)
    parts = [by_line[line] for line in sorted(by_line)]
    problems = [each.problem for each in ([cut] if cut else []) + parts if each.problem is not None]
    problems.sort(key=lambda problem: not isinstance(problem, ArchiveError))  # stable
    if not problems:
        _check_whole(table, cut, parts)
    runs = [each.keys for each in parts if each.keys is not None]
    keys = reduce(KeyRun.followed_by, runs) if runs else None
    seen = [each.observed for each in parts if each.observed is not None]
    observed = Observed.together(seen) if seen else None
    return Outcome(table, 1, sum(each.rows_read for each in parts), keys, observed, problems[0] if problems else None)


def _check_whole(table: str, cut: Outcome | None, parts: Sequence[Outcome]) -> None:
    line = 1
    for each in parts:
        if each.first_line != line:
            break
        line += each.rows_read
    else:
        if parts and (cut is None or line == cut.rows_read + 1):
            return
    raise SparksweepError(f"{table}: Spark did not say what became of data line {line}; run it again")


@python_task
def read_archive(
    uri: str, schema: TableSchema, counted: Sequence[str], collected: Outcomes, seeds: Batches
) -> Iterator[pa.RecordBatch]:
    """Read a whole archive: typed rows with ``line``; count the values of some columns."""
    for _ in seeds:
        pass
    rows_read, keys, observed, problem = 0, None, None, None
    try:
        for batch in read_rows(uri, schema):
            run, seen = KeyRun.of(batch, schema.key), Observed.of(batch, schema, counted)
            rows_read, keys = rows_read + batch.num_rows, run if keys is None else keys.followed_by(run)
            observed = seen if observed is None else Observed.together([observed, seen])
            yield batch
    except SparksweepError as error:
        problem = error
    collected.add([Outcome(schema.name, 1, rows_read, keys, observed, problem)])


@python_task
def cut_archive(
    uri: str, schema: TableSchema, collected: Outcomes, block_bytes: int, seeds: Batches
) -> Iterator[pa.RecordBatch]:
    """Inflate an archive: blocks of whole lines."""
    for _ in seeds:
        pass
    rows_read, problem = 0, None
    try:
        for block in read_blocks(uri, schema, block_bytes):
            rows_read = block.first_line + block.n_rows - 1
            yield pa.RecordBatch.from_pydict({"first_line": [block.first_line], "text": [block.text]})
    except SparksweepError as error:
        problem = error
    collected.add([Outcome(schema.name, 0, rows_read, problem=problem)])


@python_task
def parse_blocks(
    uri: str, schema: TableSchema, counted: Sequence[str], most_values: int, collected: Outcomes, batches: Batches
) -> Iterator[pa.RecordBatch]:
    """Parse blocks: typed rows with ``line``; count as `read_archive` does. A block with a problem has no rows.

    Of a column with more than `most_values` different values in all of the task's blocks there are no counts.
    """
    outcomes: list[Outcome] = []
    for batch in batches:
        for first_line, text in zip(batch["first_line"], batch["text"], strict=True):
            try:
                rows = parse_block(uri, schema, text.as_buffer(), first_line.as_py())
            except SparksweepError as problem:
                outcomes.append(Outcome(schema.name, first_line.as_py(), problem=problem))
                continue
            outcomes.append(_outcome(schema, counted, first_line.as_py(), rows))
            yield from rows
    collected.add(_observed_once(outcomes, most_values))


def _outcome(schema: TableSchema, counted: Sequence[str], first_line: int, rows: Sequence[pa.RecordBatch]) -> Outcome:
    keys = reduce(KeyRun.followed_by, (KeyRun.of(each, schema.key) for each in rows))
    observed = Observed.together(Observed.of(each, schema, counted) for each in rows)
    return Outcome(schema.name, first_line, sum(each.num_rows for each in rows), keys, observed)


def _observed_once(outcomes: Sequence[Outcome], most_values: int) -> list[Outcome]:
    """Leave what all blocks of a task show with the first of them: what they show is much alike, and is sent about."""
    seen = [each.observed for each in outcomes if each.observed is not None]
    if not seen:
        return list(outcomes)
    together = Observed.together(seen, most_values)
    first = min(each.first_line for each in outcomes if each.observed is not None)
    return [replace(each, observed=together if each.first_line == first else None) for each in outcomes]
