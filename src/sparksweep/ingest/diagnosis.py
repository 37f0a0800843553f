"""Why a file could not be read: the slow second look, row by row, that names line, column and value.

The fast reader only says that a block of rows is wrong. This one starts where the good rows ended.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice

from sparksweep.errors import DataError, RowError
from sparksweep.ingest.archive import open_member
from sparksweep.ingest.csv_rows import LONGEST_FIELD, NoRow, csv_rows, open_column, open_text
from sparksweep.ingest.schema import Column, ColumnType, TableSchema
from sparksweep.ingest.source import SourceFile

__all__ = [
    "TIMESTAMP_LENGTH",
    "check_rows",
    "explain_failure",
    "header_problem",
    "quote_problem",
    "row_problem",
    "value_problem",
    "without_rows",
]

TIMESTAMP_LENGTH = len("2016-05-01 00:55:25")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d", re.ASCII)
_WHOLE_NUMBER = re.compile(r"[ \t]*-?\d+[ \t]*", re.ASCII)
_SHOWN = 60
_ZIP = b"PK\x03\x04"  # a zip's first bytes


def explain_failure(uri: SourceFile, schema: TableSchema, good_rows: int, reason: str) -> DataError:
    """Return the error that tells a user what is wrong with a table's file.

    Parameters
    ----------
    uri : SourceFile
        The archive.
    schema : TableSchema
        What it should hold.
    good_rows : int
        Rows that were read before the failure.
    reason : str
        The fast reader's own words, for what this look does not find.

    Returns
    -------
    DataError
        To be raised; a RowError when it could be read without the row that is wrong.

    Raises
    ------
    ArchiveError
        The zip is damaged, which explains everything else.
    """
    _check_whole(uri, schema)
    if _is_zip(uri, schema):
        return DataError(f"{uri}: {schema.member} is itself a zip; zip the CSV file, and once")
    with open_member(uri, schema) as stream:
        rows = csv_rows(open_text(stream))
        header = next(rows, [])
        if isinstance(header, NoRow):
            return DataError(f"{uri}: not a CSV file: {header.problem}")
        if problem := header_problem(header, schema):
            return DataError(f"{uri}: {problem}")
        error = _error_after(rows, uri, schema, good_rows)
    return error or DataError(f"{uri}: after data line {good_rows}: {reason}")


def check_rows(uri: SourceFile, schema: TableSchema) -> None:
    """Look row by row for what the fast reader takes for good: a quoted text that does not end, a hexadecimal number.

    Raises
    ------
    DataError
        There is one; its line is named. A RowError when the file could be read without the row.
    """
    with open_member(uri, schema) as stream:
        for line, row in enumerate(csv_rows(open_text(stream))):  # line 0 is the header
            if isinstance(row, NoRow):
                raise _no_row_error(uri, schema, line, row)
            for column, value in zip(schema.columns, row, strict=False):
                if line and column.type.startswith("int") and "x" in value.lower():
                    raise RowError(f"{uri}: {_wrong_value(line, column, value)}")


def _no_row_error(uri: SourceFile, schema: TableSchema, line: int, found: NoRow) -> DataError:
    """Return what is to be raised for what is no row; behind a text that does not end no other can be seen."""
    kind = DataError if found.is_open and schema.has_text else RowError
    return kind(f"{uri}: {quote_problem(uri, schema, line, found)}")


def quote_problem(uri: SourceFile, schema: TableSchema, line: int, found: NoRow) -> str:
    """Return what is said of a quoted text that does not end where it should: its line, and its column.

    Parameters
    ----------
    uri : SourceFile
        The archive, which is read once more for the column.
    schema : TableSchema
        What it should hold.
    line : int
        Number of the data line.
    found : NoRow
        What stands there.
    """
    with open_member(uri, schema) as stream:
        text = open_text(stream)
        for _ in islice(text, found.lines_before):
            pass
        column = open_column(text.read(LONGEST_FIELD), schema)
    if column is None:
        return f"data line {line}: {found.problem}"
    return f"data line {line}, column {column.name}: a quoted text does not end; close the quote"


def without_rows(schema: TableSchema) -> str:
    """Return what is said of a table without a row."""
    return f"{schema.member} has a header and no row; the table cannot be empty"


def _check_whole(uri: SourceFile, schema: TableSchema) -> None:
    with open_member(uri, schema) as stream:
        while stream.read(1 << 20):
            pass


def _is_zip(uri: SourceFile, schema: TableSchema) -> bool:
    with open_member(uri, schema) as stream:
        return stream.read(len(_ZIP)) == _ZIP


def header_problem(header: Sequence[str], schema: TableSchema) -> str | None:
    """Return what is wrong with the fields of a file's first line, None when nothing is."""
    if header == schema.column_names:
        return None
    if not header:
        return f"{schema.member} is empty; its first line must be {','.join(schema.column_names)}"
    missing = [name for name in schema.column_names if name not in header]
    extra = [name for name in header if name not in schema.column_names]
    parts = [f"without {', '.join(missing)}"] if missing else []
    parts += [f"with unknown {', '.join(map(_shown, extra))}"] if extra else []
    found = "; ".join(parts) or f"in another order or doubled: {', '.join(header)}"
    return f"columns of {schema.member} are {found}; expected {','.join(schema.column_names)}"


def row_problem(row: Sequence[str], schema: TableSchema, line: int) -> str | None:
    """Return what is wrong with the fields of data line `line`, None when nothing is."""
    if len(row) != len(schema.columns):
        return f"data line {line}: {len(row)} fields, expected {len(schema.columns)} ({_shown(','.join(row))})"
    for column, value in zip(schema.columns, row, strict=True):
        if value_problem(column, value):
            return _wrong_value(line, column, value)
    return None


def _error_after(
    rows: Iterable[list[str] | NoRow], uri: SourceFile, schema: TableSchema, good_rows: int
) -> DataError | None:
    line = 0
    for line, row in enumerate(rows, start=1):
        if isinstance(row, NoRow):
            return _no_row_error(uri, schema, line, row)
        if line > good_rows and (problem := row_problem(row, schema, line)):
            return RowError(f"{uri}: {problem}")
    # The fast reader fails on a header that no line end follows.
    return None if line or good_rows else DataError(f"{uri}: {without_rows(schema)}")


def _wrong_value(line: int, column: Column, value: str) -> str:
    return f"data line {line}, column {column.name}: {_shown(value)} {value_problem(column, value)}"


def value_problem(column: Column, value: str) -> str | None:
    """Return what is wrong with the text of a field, None when nothing is."""
    if value == "" and column.type != "string":
        return None if column.nullable else f"is empty; every row needs a value ({column.type})"
    return _PROBLEMS[column.type](value)


def _problem_of_integer(bits: int) -> Callable[[str], str | None]:
    def problem(value: str) -> str | None:
        if not _WHOLE_NUMBER.fullmatch(value):
            return f"is not a whole number (int{bits})"
        fits = -(1 << (bits - 1)) <= int(value) < 1 << (bits - 1)
        return None if fits else f"does not fit in {bits} bits (int{bits})"

    return problem


def _problem_of_float(value: str) -> str | None:
    try:
        float(value)
    except ValueError:
        return "is not a number (float64)"
    # Python takes these two for more than the fast reader does.
    return None if value.isascii() and "_" not in value else "is not a number (float64)"


def _problem_of_timestamp(value: str) -> str | None:
    try:
        good = _TIMESTAMP.fullmatch(value) and datetime.datetime.fromisoformat(value)
    except ValueError:
        good = None
    return None if good else "is not a time of the form YYYY-MM-DD hh:mm:ss"


def _problem_of_text(value: str) -> str | None:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return "is not UTF-8; save the file in that encoding"
    return None


_PROBLEMS: Mapping[ColumnType, Callable[[str], str | None]] = {
    "int8": _problem_of_integer(8),
    "int32": _problem_of_integer(32),
    "int64": _problem_of_integer(64),
    "float64": _problem_of_float,
    "string": _problem_of_text,
    "timestamp": _problem_of_timestamp,
}


def _shown(value: str) -> str:
    return repr(value if len(value) <= _SHOWN else f"{value[:_SHOWN]}...")
