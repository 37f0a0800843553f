"""The rows of a CSV file as Python's own reader sees them: slowly, one by one, and strict about quotes.

The fast reader says little of what is wrong with a file, and of a quote that is not closed nothing. No Spark in here.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import IO, NamedTuple

from sparksweep.ingest.archive import MemberStream
from sparksweep.ingest.schema import Column, TableSchema

__all__ = ["LONGEST_FIELD", "NoRow", "csv_rows", "open_column", "open_text"]

LONGEST_FIELD = 64 << 20
"""Most characters of a field; Python's own limit is 131,072."""
_FIELD = re.compile(r'(?:"[^"]*(?:""[^"]*)*"|[^",\r\n][^,\r\n]*|)(?=[,\r\n]|\Z)')


class NoRow(NamedTuple):
    """What stands where a row should.

    Attributes
    ----------
    problem : str
        What is wrong with it.
    lines_before : int
        Lines of the text before it.
    is_open : bool
        A quoted text does not end, so that what follows it cannot be told.
    """

    problem: str
    lines_before: int
    is_open: bool


def open_text(stream: MemberStream) -> IO[str]:
    """Open a file's bytes as text; those that are no UTF-8 become lone surrogates."""
    return io.TextIOWrapper(io.BufferedReader(stream), encoding="utf-8-sig", errors="surrogateescape", newline="")


def csv_rows(lines: Iterable[str]) -> Iterator[list[str] | NoRow]:
    """Yield the fields of each row; like the fast reader it passes over blank lines.

    Parameters
    ----------
    lines : iterable of str
        With their line ends, of which a quoted text may have some.
    """
    csv.field_size_limit(LONGEST_FIELD)  # it holds for the process, whoever has set it last
    reader = csv.reader(lines, strict=True)
    while True:
        lines_before = reader.line_num
        try:
            row: list[str] | NoRow = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            row = _no_row(str(error), lines_before)
        if row:
            yield row


def _no_row(error: str, lines_before: int) -> NoRow:
    if "end of data" in error:
        return NoRow("a quoted text does not end; close the quote", lines_before, True)
    # A text that is longer than any should be is most often the file's rest behind a quote.
    return NoRow(f"not CSV ({error})", lines_before, "field limit" in error)


def open_column(text: str, schema: TableSchema) -> Column | None:
    """Return the column of the first field of a row that is in quotes and does not end with one, None of none."""
    end = 0
    for column in schema.columns:
        field = _FIELD.match(text, end)
        if field is None:
            return column
        end = field.end() + 1
    return None
