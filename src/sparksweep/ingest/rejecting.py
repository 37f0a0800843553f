"""Rows that do not fit the schema are left out and counted, where the user allows some. No Spark in here.

The file is taken in blocks of whole rows. A block that the fast reader takes costs little more than without; one that
it does not take is gone through row by row, and the rows that fit are given to it again.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sparksweep.errors import DataError
from sparksweep.ingest.archive import MemberStream, open_member
from sparksweep.ingest.diagnosis import header_problem, row_problem, without_rows
from sparksweep.ingest.rows import Unfit, parse_lines
from sparksweep.ingest.schema import TableSchema
from sparksweep.ingest.source import SourceFile

__all__ = ["MOST_LISTED", "Reject", "Rejects", "read_fitting_rows"]

MOST_LISTED = 1000
"""Of rejected rows that are listed."""

_BLOCK_BYTES = 4 << 20
_LONGEST_ROW = 64 << 20
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
        The columns are others, there is no row, a quoted text does not end, or more rows do not fit than may.
    """
    n_rows = 0
    with open_member(file, schema) as stream:
        for text in _without_header(_whole_rows(stream, file, schema), file, schema):
            for batch, size in _fitting(text, schema, n_rows, file, rejects):
                n_rows += size
                if batch.num_rows:
                    yield batch
    if n_rows == 0:
        raise DataError(f"{file}: {without_rows(schema)}")


def _fitting(
    text: bytes, schema: TableSchema, n_before: int, file: SourceFile, rejects: Rejects
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield batches of rows that fit, each with how many rows of the text it stands for."""
    try:
        batches = parse_lines(text, schema)
    except (pa.ArrowException, Unfit):
        batch, size = _row_by_row(text, schema, n_before, file, rejects)
        yield batch, size
        return
    for batch in batches:
        lines = np.arange(n_before + 1, n_before + 1 + batch.num_rows)
        yield _numbered(batch, lines, schema), batch.num_rows
        n_before += batch.num_rows


def _row_by_row(
    text: bytes, schema: TableSchema, n_before: int, file: SourceFile, rejects: Rejects
) -> tuple[pa.RecordBatch, int]:
    size, kept = 0, io.StringIO()
    lines: list[int] = []
    writer = csv.writer(kept, lineterminator="\n")
    # Bytes that are no UTF-8 become lone surrogates, which are found in the values.
    rows = csv.reader(io.StringIO(text.decode("utf-8", errors="surrogateescape"), newline=""), strict=schema.has_text)
    try:
        for row in filter(None, rows):
            size += 1
            problem = row_problem(row, schema, n_before + size)
            if problem is None:
                lines.append(n_before + size)
                writer.writerow(row)
            else:
                rejects.add(n_before + size, problem)
    except csv.Error as error:
        where = f"{file}: data line {n_before + size + 1}"
        raise DataError(f"{where}: a quoted text does not end ({error}); close the quote") from error
    batches = parse_lines(kept.getvalue().encode(), schema) if lines else []
    whole = pa.Table.from_batches(batches).combine_chunks().to_batches() if batches else []
    fitting = whole[0] if whole else pa.RecordBatch.from_pylist([], schema.arrow_schema().remove(len(schema.columns)))
    return _numbered(fitting, np.array(lines, np.int64), schema), size


def _numbered(batch: pa.RecordBatch, lines: NDArray[np.int64], schema: TableSchema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([*batch.columns, pa.array(lines, pa.int64())], schema=schema.arrow_schema())


def _whole_rows(stream: MemberStream, file: SourceFile, schema: TableSchema) -> Iterator[bytes]:
    rest = b""
    while data := stream.read(_BLOCK_BYTES):
        rest += data
        end = _end_of_rows(rest, schema)
        if end:
            yield rest[:end]
            rest = rest[end:]
        elif len(rest) > _LONGEST_ROW:
            raise DataError(f"{file}: {_LONGEST_ROW >> 20} MB without the end of a row; is a quoted text not closed?")
    if rest:
        yield rest


def _end_of_rows(text: bytes, schema: TableSchema) -> int:
    """Return where the last whole row ends: at a line end that is not inside quotes."""
    # Cut between the two characters of one line end, the next block begins with a blank line, which is no row.
    end = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
    if schema.has_text:
        n_quotes = text.count(b'"', 0, end)
        while end and n_quotes % 2:
            before = max(text.rfind(b"\n", 0, end - 1), text.rfind(b"\r", 0, end - 1)) + 1
            n_quotes -= text.count(b'"', before, end)
            end = before
    return end


def _without_header(texts: Iterator[bytes], file: SourceFile, schema: TableSchema) -> Iterator[bytes]:
    rest = b""
    for text in texts:
        rest = (rest + text).lstrip(b"\r\n")  # blank lines before the header are passed over
        if _LINE_END.search(rest):
            break
    header, rest = (rest[: end.start()], rest[end.end() :]) if (end := _LINE_END.search(rest)) else (rest, b"")
    fields = next(csv.reader([header.decode("utf-8-sig", errors="replace")]), [])
    if problem := header_problem(fields, schema):
        raise DataError(f"{file}: {problem}")
    yield rest
    yield from texts
