"""A member cut into blocks of whole lines, so that many tasks can parse what only one can inflate. No Spark in here."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import NamedTuple

from sparksweep.errors import DataError
from sparksweep.ingest.archive import MemberStream, open_member
from sparksweep.ingest.diagnosis import header_problem, without_rows
from sparksweep.ingest.schema import TableSchema

__all__ = ["Block", "count_rows", "read_blocks"]

_LONGEST_LINE = 64 << 20
_LINE_ENDS = re.compile(rb"\r\n|\r|\n")


class Block(NamedTuple):
    """Some lines of a file, without its header.

    Attributes
    ----------
    first_line : int
        Number of the first row among the file's rows, from 1.
    n_rows : int
        How many rows it has, at least one.
    text : bytes
        Whole lines.
    """

    first_line: int
    n_rows: int
    text: bytes


def read_blocks(uri: str, schema: TableSchema, block_bytes: int) -> Iterator[Block]:
    """Read a table's archive as blocks of about `block_bytes`; no column may be text, so that a line end ends a row.

    Raises
    ------
    ArchiveError
        The zip breaks a rule or is damaged.
    DataError
        The columns are others, there is no row, or a line does not end.
    """
    first_line = 1
    with open_member(uri, schema) as stream:
        for text in _without_header(_whole_lines(stream, uri, block_bytes), uri, schema):
            n_rows = count_rows(text)
            if n_rows:
                yield Block(first_line, n_rows, text)
                first_line += n_rows
    if first_line == 1:
        raise DataError(f"{uri}: {without_rows(schema)}")


def count_rows(text: bytes) -> int:
    """Return how many rows the lines of a text are: blank lines are none."""
    n_ends = text.count(b"\n")
    plain = b"\r" not in text or text.count(b"\r") == text.count(b"\r\n")
    if plain and not (text.startswith((b"\n", b"\r\n")) or b"\n\n" in text or b"\n\r\n" in text):
        return n_ends + (not text.endswith(b"\n") and text != b"")
    return sum(1 for line in _LINE_ENDS.split(text) if line)


def _whole_lines(stream: MemberStream, uri: str, block_bytes: int) -> Iterator[bytes]:
    rest = b""
    while data := stream.read(block_bytes):
        # Cut between the two characters of one line end, the next block begins with a blank line, which is no row.
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if end:
            yield rest + data[:end]
            rest = data[end:]
        else:
            rest += data
            if len(rest) > _LONGEST_LINE:
                raise DataError(f"{uri}: {_LONGEST_LINE >> 20} MB without a line end; this is no CSV file of ours")
    if rest:
        yield rest


def _without_header(texts: Iterator[bytes], uri: str, schema: TableSchema) -> Iterator[bytes]:
    rest = b""
    for text in texts:
        rest = (rest + text).lstrip(b"\r\n")  # blank lines before the header are passed over
        if _LINE_ENDS.search(rest):
            break
    header, rest = (rest[: end.start()], rest[end.end() :]) if (end := _LINE_ENDS.search(rest)) else (rest, b"")
    fields = next(csv.reader([header.decode("utf-8-sig", errors="replace")]), [])
    if problem := header_problem(fields, schema):
        raise DataError(f"{uri}: {problem}")
    yield rest
    yield from texts
