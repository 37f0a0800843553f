"""Rows that do not fit the schema are left out and counted, where the user allows some. No Spark in here.

Lines of numbers are taken in blocks: one that the fast reader takes costs little more than without, one that it does
not take is gone through row by row. A table with texts is gone through row by row altogether, since a line end, or a
quote that is not closed, can be in any text.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from sparksweep.errors import DataError
from sparksweep.ingest.archive import MemberStream, open_member
from sparksweep.ingest.csv_rows import LONGEST_FIELD, NoRow, csv_rows, open_text
from sparksweep.ingest.diagnosis import header_problem, quote_problem, row_problem, without_rows
from sparksweep.ingest.rows import Unfit, parse_lines, timestamps
from sparksweep.ingest.schema import ARROW_TYPES, Column, TableSchema
from sparksweep.ingest.source import SourceFile

__all__ = ["MOST_LISTED", "Reject", "Rejects", "read_fitting_rows"]

MOST_LISTED = 1000
"""Of rejected rows that are listed."""

_BLOCK_BYTES = 4 << 20
_BATCH_ROWS = 1 << 16
_LINE_END = re.compile(rb"\r\n|\r|\n")


class Reject(NamedTuple):
    """A row that was left out: the number of its data line, and what is wrong with it."""

    line: int
    problem: str


class Rejects:
    """The rows of one file that are left out.

    Parameters
    ----------
    file : SourceFile
        The archive, for messages.
    most : int
        How many rows may be left out.

    Attributes
    ----------
    count : int
        How many are.
    first : list of Reject
        The first of them.
    """

    def __init__(self, file: SourceFile, most: int) -> None:
        self.count = 0
        self.first: list[Reject] = []
        self._file = file
        self._most = most

    def add(self, line: int, problem: str) -> None:
        """Leave out one more row.

        Raises
        ------
        DataError
            It is one more than may be.
        """
        self.count += 1
        if self.count <= MOST_LISTED:
            self.first.append(Reject(line, problem))
        if self.count > self._most:
            raise DataError(
                f"{self._file}: more than {self._most:,} rows do not fit, the first: {self.first[0].problem}; mend the "
                "file, or allow more by data.max_rejected"
            )

    def none_fits(self) -> DataError:
        """Return what is to be raised where all rows were left out."""
        return DataError(
            f"{self._file}: none of {self.count:,} rows fits, the first: {self.first[0].problem}; mend the file"
        )


def read_fitting_rows(file: SourceFile, schema: TableSchema, rejects: Rejects) -> Iterator[pa.RecordBatch]:
    """Read a table's archive as `sparksweep.ingest.rows.read_rows` does, but for the rows that do not fit.

    Parameters
    ----------
    file : SourceFile
        The archive.
    schema : TableSchema
        What it must hold.
    rejects : Rejects
        Gets the rows that are left out.

    Yields
    ------
    RecordBatch
        Columns of ``schema.arrow_schema()``; ``line`` counts the rows of the file, also those that are left out.

    Raises
    ------
    ArchiveError
        The zip breaks a rule or is damaged.
    DataError
        The columns are others, there is no row, or none that fits, a quoted text does not end, or more rows do not fit
        than may.
    """
    with open_member(file, schema) as stream:
        batches = (
            _of_texts(stream, file, schema, rejects) if schema.has_text else _of_numbers(stream, file, schema, rejects)
        )
        n_rows = 0
        for batch in batches:
            n_rows += batch.num_rows
            if batch.num_rows:
                yield batch
    if n_rows == 0:
        raise rejects.none_fits()


def _of_texts(
    stream: MemberStream, file: SourceFile, schema: TableSchema, rejects: Rejects
) -> Iterator[pa.RecordBatch]:
    rows = csv_rows(open_text(stream))
    _check_header(next(rows, []), file, schema)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{file}: {without_rows(schema)}")
    fitting = _fitting(_closed(enumerate(chain([first], rows), start=1), file, schema), schema, rejects)
    while some := list(islice(fitting, _BATCH_ROWS)):
        yield _batch(some, schema)


def _of_numbers(
    stream: MemberStream, file: SourceFile, schema: TableSchema, rejects: Rejects
) -> Iterator[pa.RecordBatch]:
    n_rows = 0
    for text in _without_header(_whole_lines(stream, file), file, schema):
        batches = _parsed(text, schema)
        if batches is None:
            lines = io.StringIO(text.decode("utf-8", errors="surrogateescape"), newline="")
            rows = [row for line in lines for row in csv_rows([line])]  # no number has two lines, whatever its quotes
            yield _batch(list(_fitting(enumerate(rows, n_rows + 1), schema, rejects)), schema)
            n_rows += len(rows)
            continue
        for batch in batches:
            numbers = pa.array(np.arange(n_rows + 1, n_rows + 1 + batch.num_rows))
            n_rows += batch.num_rows
            yield pa.RecordBatch.from_arrays([*batch.columns, numbers], schema=schema.arrow_schema())
    if n_rows == 0:
        raise DataError(f"{file}: {without_rows(schema)}")


def _parsed(text: bytes, schema: TableSchema) -> list[pa.RecordBatch] | None:
    """Return the rows of some lines by the fast reader, None where it does not take them all, a row a line."""
    try:
        batches = parse_lines(text, schema)
    except (pa.ArrowException, Unfit):
        return None
    return batches if sum(batch.num_rows for batch in batches) == _count_lines(text) else None


def _closed(
    rows: Iterable[tuple[int, list[str] | NoRow]], file: SourceFile, schema: TableSchema
) -> Iterator[tuple[int, list[str] | NoRow]]:
    """Yield the rows as they are, as long as each quoted text ends."""
    for line, row in rows:
        if isinstance(row, NoRow) and row.is_open:
            raise DataError(f"{file}: {quote_problem(file, schema, line, row)}")
        yield line, row


def _fitting(
    rows: Iterable[tuple[int, list[str] | NoRow]], schema: TableSchema, rejects: Rejects
) -> Iterator[tuple[int, list[str]]]:
    for line, row in rows:
        if isinstance(row, NoRow):
            rejects.add(line, f"data line {line}: {row.problem}")
        elif problem := row_problem(row, schema, line):
            rejects.add(line, problem)
        else:
            yield line, row


def _batch(rows: list[tuple[int, list[str]]], schema: TableSchema) -> pa.RecordBatch:
    """Return rows that fit, typed."""
    columns = [_typed([fields[place] for _, fields in rows], column) for place, column in enumerate(schema.columns)]
    lines = pa.array([line for line, _ in rows], pa.int64())
    return pa.RecordBatch.from_arrays([*columns, lines], schema=schema.arrow_schema())


def _typed(values: list[str], column: Column) -> pa.Array:
    if column.type == "string":
        return pa.array(values, pa.string())
    if column.type == "timestamp":
        return timestamps(pa.array(values, pa.string()))
    number = float if column.type == "float64" else int
    return pa.array([number(value) if value else None for value in values], ARROW_TYPES[column.type])


def _whole_lines(stream: MemberStream, file: SourceFile) -> Iterator[bytes]:
    rest = b""
    while data := stream.read(_BLOCK_BYTES):
        rest += data
        # Cut between the two characters of one line end, the next block begins with a blank line, which is no row.
        end = max(rest.rfind(b"\n"), rest.rfind(b"\r")) + 1
        if end:
            yield rest[:end]
            rest = rest[end:]
        elif len(rest) > LONGEST_FIELD:
            raise DataError(f"{file}: {LONGEST_FIELD >> 20} MB without a line end; this is no CSV file of ours")
    if rest:
        yield rest


def _count_lines(text: bytes) -> int:
    """Return how many lines of a text are not blank."""
    n_ends = text.count(b"\n")
    plain = b"\r" not in text or text.count(b"\r") == text.count(b"\r\n")
    if plain and not (text.startswith((b"\n", b"\r\n")) or b"\n\n" in text or b"\n\r\n" in text):
        return n_ends + (not text.endswith(b"\n") and text != b"")
    return sum(1 for line in _LINE_END.split(text) if line)


def _without_header(texts: Iterator[bytes], file: SourceFile, schema: TableSchema) -> Iterator[bytes]:
    rest = b""
    for text in texts:
        rest = (rest + text).lstrip(b"\r\n")  # blank lines before the header are passed over
        if _LINE_END.search(rest):
            break
    header, rest = (rest[: end.start()], rest[end.end() :]) if (end := _LINE_END.search(rest)) else (rest, b"")
    fields = header.decode("utf-8-sig", errors="replace").split(",") if header else []
    _check_header([field.strip('"') for field in fields], file, schema)
    yield rest
    yield from texts


def _check_header(fields: list[str] | NoRow, file: SourceFile, schema: TableSchema) -> None:
    if isinstance(fields, NoRow):
        raise DataError(f"{file}: not a CSV file: {fields.problem}")
    if problem := header_problem(fields, schema):
        raise DataError(f"{file}: {problem}")
