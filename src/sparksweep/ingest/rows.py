"""From an archive to typed Arrow batches: inflated, parsed and numbered as a stream, a few MB at a time.

No Spark in here: an executor calls it, and so can a test.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from sparksweep.errors import DataError
from sparksweep.ingest.archive import open_member
from sparksweep.ingest.diagnosis import (
    TIMESTAMP_LENGTH,
    check_rows,
    explain_failure,
    without_rows,
)
from sparksweep.ingest.schema import ARROW_TYPES, TableSchema
from sparksweep.ingest.source import SourceFile

__all__ = ["Unfit", "parse_lines", "read_rows", "timestamps"]

# One block of text is parsed at a time; a row must fit in it.
_BLOCK_BYTES = 4 << 20
_YEAR_1 = -62_135_596_800  # begins so many seconds after 1970


def read_rows(uri: SourceFile, schema: TableSchema) -> Iterator[pa.RecordBatch]:
    """Read a table's archive, typed and with ``line``.

    Parameters
    ----------
    uri : SourceFile
        The archive.
    schema : TableSchema
        What it must hold.

    Yields
    ------
    pyarrow.RecordBatch
        Columns of ``schema.arrow_schema()``, rows in the order of the file.

    Raises
    ------
    ArchiveError
        The zip breaks a rule or is damaged.
    DataError
        The columns are others, a row does not fit (named by data line, column and value), or there is none.
    """
    n_rows = 0
    try:
        for batch in _parsed(uri, schema):
            yield _with_line(batch, schema, n_rows + 1)
            n_rows += batch.num_rows
    except (pa.ArrowException, Unfit, UnicodeDecodeError) as error:  # the last by names of columns
        raise explain_failure(uri, schema, n_rows, str(error)) from error
    if n_rows == 0:
        raise DataError(f"{uri}: {without_rows(schema)}")


def parse_lines(text: bytes, schema: TableSchema) -> list[pa.RecordBatch]:
    """Parse some lines of a table's file.

    Parameters
    ----------
    text : bytes
        Whole lines, without the header; no column is text.
    schema : TableSchema
        What they must be.

    Returns
    -------
    list of RecordBatch
        Columns of the schema, without ``line``.

    Raises
    ------
    Unfit, pyarrow.ArrowException
        Some row does not fit, or cannot be told to.
    """
    if text.startswith(codecs.BOM_UTF8):
        raise Unfit("a byte order mark inside the file")  # the fast reader would pass over it
    if b"x" in text or b"X" in text:
        raise Unfit("a number in another form")  # 0x10 is a whole number to it
    if b'"' in text:
        raise Unfit("a number in quotes")  # "6"7 is 67 to it, and at the end of a block a quote need not be closed
    if not text.strip(b"\r\n"):
        return []
    with _open_csv(pa.BufferReader(text), schema, schema.column_names) as reader:
        return [_typed(batch, schema) for batch in reader if batch.num_rows]


class Unfit(Exception):
    """What was parsed well is not what the schema says."""


def _parsed(uri: SourceFile, schema: TableSchema) -> Iterator[pa.RecordBatch]:
    with open_member(uri, schema) as stream, _open_csv(stream, schema) as reader:
        if reader.schema.names != schema.column_names:
            raise Unfit("the columns are others")
        for batch in reader:
            if batch.num_rows:
                yield _typed(batch, schema)
        if stream.has_quote or (stream.has_hexadecimal and schema.has_integers):
            # Of a quote that is not closed the fast reader says nothing, it takes the lines up to the next one for one
            # text; "6"7 is 67 to it, and 0x10 a whole number.
            check_rows(uri, schema)


def _open_csv(
    stream: io.RawIOBase | pa.BufferReader, schema: TableSchema, column_names: list[str] | None = None
) -> pa_csv.CSVStreamingReader:
    """Open a file, or, with the names of the columns given, some lines without a header."""
    return pa_csv.open_csv(
        stream,
        read_options=pa_csv.ReadOptions(block_size=_BLOCK_BYTES, column_names=column_names),
        parse_options=pa_csv.ParseOptions(newlines_in_values=schema.has_text),
        convert_options=pa_csv.ConvertOptions(
            column_types={column.name: _parsed_type(ARROW_TYPES[column.type]) for column in schema.columns},
            null_values=[""],
            strings_can_be_null=False,
        ),
    )


def _parsed_type(kind: pa.DataType) -> pa.DataType:
    # Arrow's own forms of a time are too many (a date alone would be midnight); `_timestamps` is strict.
    return pa.string() if pa.types.is_timestamp(kind) else kind


def _typed(batch: pa.RecordBatch, schema: TableSchema) -> pa.RecordBatch:
    columns = [
        timestamps(values) if column.type == "timestamp" else values
        for column, values in zip(schema.columns, batch.columns, strict=True)
    ]
    for column, values in zip(schema.columns, columns, strict=True):
        if values.null_count and not column.nullable:
            raise Unfit(f"{column.name} has an empty field")
    return pa.RecordBatch.from_arrays(columns, names=schema.column_names)


def timestamps(texts: pa.StringArray) -> pa.TimestampArray:
    """Return times of the one form there is; an empty text is a null. Raise Unfit or ArrowInvalid for others."""
    filled = pc.replace_with_mask(texts, pc.equal(texts, ""), pa.scalar(None, pa.string()))
    lengths = pc.min_max(pc.binary_length(filled)).as_py()
    if not {lengths["min"], lengths["max"]} <= {TIMESTAMP_LENGTH, None}:
        raise Unfit("a time has another form")
    times = filled.cast(pa.timestamp("s"))
    first = pc.min(times.cast(pa.int64())).as_py()
    if first is not None and first < _YEAR_1:
        raise Unfit("a time is before the year 1")  # which no calendar has, and neither Python
    return times.cast(ARROW_TYPES["timestamp"])


def _with_line(batch: pa.RecordBatch, schema: TableSchema, first_line: int) -> pa.RecordBatch:
    lines = np.arange(first_line, first_line + batch.num_rows, dtype=np.int64)
    return pa.RecordBatch.from_arrays([*batch.columns, pa.array(lines)], schema=schema.arrow_schema())
