"""What a raw table looks like: its columns, its key, and what is done about repeated rows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa
from pyspark.sql import types as T

__all__ = ["LINE", "Column", "ColumnType", "Placeholders", "Reference", "TableSchema"]

ColumnType = Literal["int8", "int32", "int64", "float64", "string", "timestamp"]

LINE = "line"
"""Column every table gets: int64, 1 is the first row after the header."""

# Times are kept as instants in UTC, so that the text of the file and what a UTC session shows are the same.
ARROW_TYPES: Mapping[ColumnType, pa.DataType] = {
    "int8": pa.int8(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "string": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
SPARK_TYPES: Mapping[ColumnType, T.DataType] = {
    "int8": T.ByteType(),
    "int32": T.IntegerType(),
    "int64": T.LongType(),
    "float64": T.DoubleType(),
    "string": T.StringType(),
    "timestamp": T.TimestampType(),
}
_PACKED = {"int8", "int32", "int64", "float64"}
_WIDE = {"int64", "float64", "timestamp"}


@dataclass(frozen=True)
class Column:
    """One column of a CSV file.

    Attributes
    ----------
    name : str
        As in the header.
    type : {"int8", "int32", "int64", "float64", "string", "timestamp"}
        Integers never pass through floating point; a timestamp reads ``YYYY-MM-DD hh:mm:ss``.
    nullable : bool
        An empty field is a null. Without it an empty field is an error, except in text, where it is the empty text.
    placeholders : tuple of int, float or str
        Values that stand for none; the data check counts them. Text is text, or a time as the file has it.
    """

    name: str
    type: ColumnType
    nullable: bool = False
    placeholders: tuple[float | str, ...] = ()


@dataclass(frozen=True)
class Placeholders:
    """What stands for none, in one column or in several at once, such as the two of a place on a map.

    Attributes
    ----------
    columns : tuple of str
        Their names.
    values : tuple of tuple
        Each has a value for each column.
    """

    columns: tuple[str, ...]
    values: tuple[tuple[float | str, ...], ...]

    @property
    def name(self) -> str:
        """The columns, as ``longitude`` or ``(longitude, latitude)``."""
        return self.columns[0] if len(self.columns) == 1 else f"({', '.join(self.columns)})"

    def __str__(self) -> str:
        """Return the values, as ``0 or 1`` or ``(0, 0) or (1, 1)``."""
        shown = (
            ", ".join(f"{each:g}" if isinstance(each, float) else str(each) for each in row) for row in self.values
        )
        return " or ".join(shown if len(self.columns) == 1 else (f"({each})" for each in shown))


@dataclass(frozen=True)
class Reference:
    """A column whose values should occur in other tables too, in a column of the same name.

    Attributes
    ----------
    column : str
        Whole numbers or text.
    tables : tuple of str
        A value should be in one of these.
    """

    column: str
    tables: tuple[str, ...]


@dataclass(frozen=True)
class TableSchema:
    """One raw table, that is one ``NAME.csv.zip`` that holds one ``NAME.csv``.

    Attributes
    ----------
    name : str
        Name of the table.
    columns : tuple of Column
        In the order of the header.
    key : tuple of str
        Columns that together name a row; empty for none.
    repeated_key : {"error", "warn", "first"}
        What a key on more than one line is: an end of the ingest, or a line in its report (the rows are kept), which
        with "first" says that features take the first.
    drop_duplicates : bool
        Of rows that are equal in every column only the first is kept. Happens before `key` is looked at.
    apart_from : tuple of str
        Other tables, with a `key` of the same columns, in which no key of this one may occur.
    references : tuple of Reference
        What the data check looks up: a row whose value is nowhere is an orphan.
    placeholders : tuple of Placeholders
        Values of several columns that only together stand for none; the data check counts them.
    listed : tuple of str
        Columns whose different values are kept beside the table, for who numbers them: then nobody has to look again.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    repeated_key: Literal["error", "warn", "first"] = "error"
    drop_duplicates: bool = False
    apart_from: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    placeholders: tuple[Placeholders, ...] = ()
    listed: tuple[str, ...] = ()

    @property
    def column_names(self) -> list[str]:
        """Names in the order of the header."""
        return [column.name for column in self.columns]

    @property
    def all_placeholders(self) -> list[Placeholders]:
        """Those of single columns, then those of several."""
        single = (each for each in self.columns if each.placeholders)
        return [
            *(Placeholders((each.name,), tuple((value,) for value in each.placeholders)) for each in single),
            *self.placeholders,
        ]

    @property
    def stored_counts(self) -> list[str]:
        """Names of the columns whose values are stored with the tables (`sparksweep.ingest.Tables`).

        They are listed, or refer to other tables. Of these the first key column is left out, of which most tables have
        as many as rows, and so is a table whose duplicates are dropped: which of its rows count is known only later.
        """
        referring = [] if self.drop_duplicates else [each.column for each in self.references]
        return sorted({*self.listed, *(name for name in referring if self.key[:1] != (name,))})

    @property
    def digest(self) -> str:
        """Hex digest of the schema: a table that was made by another one is not this one's, but for what is listed."""
        return _digest(replace(self, listed=()))

    @property
    def reading_digest(self) -> str:
        """Hex digest of what is looked at while the table is read; of the rest the data check alone is made again."""
        return _digest(replace(self, references=(), apart_from=(), repeated_key="error", listed=()))

    @property
    def rows_digest(self) -> str:
        """Hex digest of what the rows of the table depend on, which is not what only the data check looks at."""
        columns = tuple(replace(each, placeholders=()) for each in self.columns)
        return _digest(TableSchema(self.name, columns, key=self.key, drop_duplicates=self.drop_duplicates))

    @property
    def plain_columns(self) -> list[str]:
        """The columns of the table's files of which Parquet keeps no dictionary: a long one costs more than it spares.

        Text and small numbers, which are codes or flags, have one unless they are the key.
        """
        key = self.key if len(self.key) == 1 else ()
        names = [column.name for column in self.columns if column.type in _WIDE]
        packed = [] if self.owner is None else [column.name for column in self.columns if self.is_packed(column.name)]
        return sorted({LINE, *key, *names, *packed})

    def column(self, name: str) -> Column:
        """Return the column of a name."""
        return next(each for each in self.columns if each.name == name)

    @property
    def has_text(self) -> bool:
        """Whether a column is text, in which a line may end."""
        return any(column.type == "string" for column in self.columns)

    @property
    def has_integers(self) -> bool:
        """Whether a column is whole numbers."""
        return any(column.type.startswith("int") for column in self.columns)

    @property
    def owner(self) -> str | None:
        """The column whose value is what several rows are part of (`sparksweep.ingest.bundles`), if there is one.

        It is the first of several key columns, where that is a whole number.
        """
        if len(self.key) < 2 or self.drop_duplicates:
            return None
        first = self.column(self.key[0])
        return first.name if first.type.startswith("int") and not first.nullable else None

    @property
    def member(self) -> str:
        """Name of the one file in the archive."""
        return f"{self.name}.csv"

    @property
    def archive(self) -> str:
        """Name of the archive."""
        return f"{self.name}.csv.zip"

    def arrow_schema(self) -> pa.Schema:
        """Return the columns and ``line`` as Arrow types."""
        fields = [pa.field(column.name, ARROW_TYPES[column.type]) for column in self.columns]
        return pa.schema([*fields, pa.field(LINE, pa.int64())])

    def spark_schema(self) -> T.StructType:
        """Return the columns and ``line`` as Spark types."""
        fields = [T.StructField(column.name, SPARK_TYPES[column.type]) for column in self.columns]
        return T.StructType([*fields, T.StructField(LINE, T.LongType())])

    def is_packed(self, name: str) -> bool:
        """Whether the numbers of a bundle are kept as bytes, one after the other, little-endian; else as an array."""
        column = self.column(name)
        return column.type in _PACKED and not column.nullable

    def stored_schema(self) -> T.StructType:
        """Return the columns of the table's Parquet files: with an owner, bundles of what neighbouring rows have."""
        if self.owner is None:
            return self.spark_schema()
        return T.StructType([self._stored(each) for each in self.spark_schema()])

    def _stored(self, field: T.StructField) -> T.StructField:
        if field.name in (self.owner, LINE):
            return field
        if self.is_packed(field.name):
            return T.StructField(field.name, T.BinaryType())
        # From Python Spark 3.3 takes no array of times: they are microseconds.
        is_time = isinstance(field.dataType, T.TimestampType)
        return T.StructField(field.name, T.ArrayType(T.LongType() if is_time else field.dataType))


def _digest(schema: TableSchema) -> str:
    return hashlib.sha256(repr(schema).encode()).hexdigest()[:16]
