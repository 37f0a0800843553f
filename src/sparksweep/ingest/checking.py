"""The data check: what is right, odd or wrong with tables that were just read, before they get their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from sparksweep.errors import DataError
from sparksweep.ingest.held_tables import Held
from sparksweep.ingest.keys import find_common_key, find_repeated_keys
from sparksweep.ingest.observing import Observed
from sparksweep.ingest.relations import Orphans, Related, Use, relate
from sparksweep.ingest.repeated_keys import RepeatedKeys, describe_key, texts
from sparksweep.ingest.report import TableReport
from sparksweep.ingest.schema import Reference, TableSchema
from sparksweep.ingest.source import SourceFile
from sparksweep.ingest.stored_tables import NO_COUNTS
from sparksweep.ingest.tasks import Outcome

__all__ = ["DataCheck", "Finding", "columns_to_count"]

_EMPTY = "''"  # how an empty text is shown


class Finding(NamedTuple):
    """What was seen while a table was read.

    Attributes
    ----------
    rows_read : int
        Rows of the file that fit.
    proved : bool
        No key occurs twice.
    observed : Observed
        What the values show.
    rejected : int
        Rows that were left out, because they do not fit.
    rows : int, optional
        Rows of the table, where they are known.
    held : Held, optional
        What was found in a table that was held.
    """

    rows_read: int
    proved: bool
    observed: Observed
    rejected: int = 0
    rows: int | None = None
    held: Held | None = None

    @classmethod
    def of_outcome(cls, outcome: Outcome) -> Finding:
        """Return what tasks have just said."""
        proved = outcome.keys is not None and outcome.keys.proved
        held, observed = outcome.held, outcome.observed or Observed({}, {}, {}, {})
        return cls(outcome.rows_read, proved, observed, outcome.rejected, None if held is None else held.rows, held)

    @classmethod
    def of_report(cls, report: TableReport, schema: TableSchema, value_counts: pa.Table) -> Finding:
        """Return what was kept of a table that need not be read again."""
        own = value_counts.filter(pc.equal(value_counts["table"], report.name))
        counts: dict[str, pa.Table | None] = {}
        for column in schema.stored_counts:
            known = own.filter(pc.equal(own["column"], column))
            values = known["value"].cast(schema.arrow_schema().field(column).type)
            counts[column] = pa.table({"value": values, "rows": known["rows"]}) if known.num_rows else None
        observed = Observed(report.empty, report.placeholders, report.spans, counts)
        rows_read = report.rows_read - report.rejected
        return cls(rows_read, report.keys_proved, observed, report.rejected, report.rows)


def columns_to_count(schemas: Sequence[TableSchema]) -> dict[str, list[str]]:
    """Return, by table, the columns whose values the check has questions about.

    Those that refer to others and those that are referred to, keys of one column, and no first column of several: a
    log's rows are counted by what they are of, not by what they are part of. And those that are listed.
    """
    wanted: dict[str, set[str]] = {schema.name: set(schema.key[:1]) for schema in schemas if len(schema.key) == 1}
    for schema in schemas:
        for each in schema.references:
            for name in (schema.name, *each.tables):
                wanted.setdefault(name, set()).add(each.column)
    return {
        schema.name: sorted(
            (wanted.get(schema.name, set()) - (set(schema.key[:1]) if len(schema.key) > 1 else set()))
            | set(schema.listed)
        )
        for schema in schemas
    }


class DataCheck:
    """What is found in the tables of one ingest.

    Parameters
    ----------
    schemas : sequence of TableSchema
        The tables.
    findings : mapping of str to Finding
        What was seen while they were read, by table.
    read : callable
        Takes a table's name and returns it.
    archives : mapping of str to SourceFile
        Where each is from, for messages.
    """

    def __init__(
        self,
        schemas: Sequence[TableSchema],
        findings: Mapping[str, Finding],
        read: Callable[[str], DataFrame],
        archives: Mapping[str, SourceFile],
    ) -> None:
        self._schemas = {schema.name: schema for schema in schemas}
        self._findings = findings
        self._read = read
        self._archives = archives
        self._related = self._relate()

    def reports(self) -> tuple[TableReport, ...]:
        """Return the counts of each table.

        Raises
        ------
        DataError
            A key that must name one row is on several lines, or in two tables that must have none in common.
        """
        for schema in self._schemas.values():
            self._refuse(schema)
        return tuple(self._report(schema) for schema in self._schemas.values())

    def warnings(self) -> tuple[str, ...]:
        """Return what is odd, a line each."""
        return tuple(line for schema in self._schemas.values() for line in self._odd(schema))

    def repeated_rows(self) -> dict[str, pd.DataFrame]:
        """Return, by table, the rows whose key is on several lines, as texts."""
        return {name: repeated.rows for name, repeated in self._repeated.items() if repeated is not None}

    def value_counts(self) -> pa.Table:
        """Return how often values that refer elsewhere occur: ``table``, ``column``, ``value`` (text), ``rows``."""
        parts = []
        for name, schema in self._schemas.items():
            for column in schema.stored_counts:
                counts = self._seen(name).counts.get(column)
                if counts is not None:
                    n = counts.num_rows
                    values = counts["value"].cast(pa.string())
                    parts.append(
                        pa.table(
                            [pa.array([name] * n), pa.array([column] * n), values, counts["rows"].cast(pa.int64())],
                            names=["table", "column", "value", "rows"],
                        )
                    )
        return pa.concat_tables(parts) if parts else NO_COUNTS

    # ---- What there is

    def _report(self, schema: TableSchema) -> TableReport:
        name, seen = schema.name, self._seen(schema.name)
        finding, rows = self._findings[name], self._n_rows(schema)
        times = [
            seen.spans[each.name] for each in schema.columns if each.type == "timestamp" and each.name in seen.spans
        ]
        first, last = (
            (_moment(min(low for low, _ in times)), _moment(max(high for _, high in times))) if times else (None, None)
        )
        return TableReport(
            name=name,
            rows_read=finding.rows_read + finding.rejected,
            duplicates_dropped=finding.rows_read - rows,
            rejected=finding.rejected,
            rows=rows,
            distinct_keys=self._n_keys(schema, rows),
            orphans={each.column: self._orphans(schema, each).rows for each in schema.references},
            empty={column: n for column, n in seen.empty.items() if n},
            placeholders={column: n for column, n in seen.placeholders.items() if n},
            first=first,
            last=last,
            spans=dict(seen.spans),
            keys_proved=self._proved(schema),
        )

    def _seen(self, name: str) -> Observed:
        return self._findings[name].observed

    def _n_rows(self, schema: TableSchema) -> int:
        if not schema.drop_duplicates:
            return self._findings[schema.name].rows_read
        return self._n_left[schema.name]

    @cached_property
    def _n_left(self) -> dict[str, int]:
        """Rows of the tables whose duplicates were dropped."""
        known = {name: self._findings[name].rows for name, schema in self._schemas.items() if schema.drop_duplicates}
        return {name: self._read(name).count() if rows is None else rows for name, rows in known.items()}

    def _n_keys(self, schema: TableSchema, rows: int) -> int | None:
        if not schema.key:
            return None
        repeated = self._repeated[schema.name]
        return rows if repeated is None else rows - repeated.n_rows + repeated.n_keys

    def _orphans(self, schema: TableSchema, reference: Reference) -> Orphans:
        return self._related.orphans.get((schema.name, reference.column), Orphans(0, 0, ""))

    # ---- What is looked up

    def _relate(self) -> Related:
        """Look up what was not settled while the rows were read."""
        open_references = [
            (schema, each)
            for schema in self._schemas.values()
            for each in schema.references
            if not self._in_range(schema, each)
        ]
        apart = [
            (schema.name, other, schema.key[0])
            for schema in self._schemas.values()
            for other in schema.apart_from
            if len(schema.key) == 1
        ]
        wanted = {
            (schema.name, schema.key[0])
            for schema in self._schemas.values()
            if len(schema.key) == 1 and not self._proved(schema) and self._findings[schema.name].held is None
        }
        wanted |= {(table, column) for table, other, column in apart} | {(other, column) for _, other, column in apart}
        for schema, each in open_references:
            wanted |= {(table, each.column) for table in (schema.name, *each.tables)}
        uses = [self._use(table, column) for table, column in sorted(wanted)]
        references = {(schema.name, each.column): each.tables for schema, each in open_references}
        return relate(uses, references, apart)

    def _in_range(self, schema: TableSchema, reference: Reference) -> bool:
        """Tell whether all values are there for sure: the other table has every number of a range that they are in."""
        (other, *more) = reference.tables
        own_span = self._seen(schema.name).spans.get(reference.column)
        span = self._seen(other).spans.get(reference.column)
        if more or own_span is None or span is None or not self._proved(self._schemas[other]):
            return False
        rows = self._n_rows(self._schemas[other])
        has_all = self._schemas[other].key == (reference.column,) and span[1] - span[0] + 1 == rows
        return has_all and span[0] <= own_span[0] and own_span[1] <= span[1]

    def _proved(self, schema: TableSchema) -> bool:
        finding = self._findings[schema.name]
        return finding.proved or (bool(schema.key) and finding.held is not None and finding.held.repeated is None)

    def _use(self, table: str, column: str) -> Use:
        kind = "string" if self._schemas[table].column(column).type == "string" else "bigint"
        return Use(table, column, kind, lambda: self._read(table), self._seen(table).counts.get(column))

    @cached_property
    def _repeated(self) -> dict[str, RepeatedKeys | None]:
        return {schema.name: self._find_repeated(schema) for schema in self._schemas.values() if schema.key}

    def _find_repeated(self, schema: TableSchema) -> RepeatedKeys | None:
        use = (schema.name, schema.key[0])
        known = len(schema.key) == 1 and use in self._related.rows and not schema.column(schema.key[0]).nullable
        if self._proved(schema) or (known and self._related.rows[use] == self._related.values[use]):
            return None
        held = self._findings[schema.name].held
        if held is not None and held.repeated is not None:
            n_keys, n_rows, rows = held.repeated
            return RepeatedKeys.of(texts(rows), schema.key, (n_keys, n_rows))
        return find_repeated_keys(self._read(schema.name), schema.key, are_there=known)

    # ---- What is wrong, and what is odd

    def _refuse(self, schema: TableSchema) -> None:
        uri = self._archives[schema.name]
        repeated = self._repeated.get(schema.name)
        if repeated is not None and schema.repeated_key == "error":
            key = ", ".join(schema.key)
            raise DataError(f"{uri}: {repeated}; {key} must name one row (repeated: {repeated.n_keys}), mend the file")
        for other in schema.apart_from:
            if len(schema.key) > 1 or (schema.name, other, schema.key[0]) in self._related.common:
                self._refuse_common(schema, other)

    def _refuse_common(self, schema: TableSchema, other: str) -> None:
        common = find_common_key(self._read(schema.name), self._read(other), schema.key)
        if common is not None:
            key, line, other_line = common
            raise DataError(
                f"{self._archives[schema.name]}: {describe_key(key)} on data line {line} is on data line {other_line} "
                f"of {other}.csv too; it can only be in one of them, mend the files"
            )

    def _odd(self, schema: TableSchema) -> Iterator[str]:
        name, seen, rows = schema.name, self._seen(schema.name), self._n_rows(schema)
        rejected = self._findings[name].rejected
        if rejected:
            yield f"{name}: {rejected:,} rows do not fit and are left out; the first are listed in {name}.rejected.csv"
        dropped = self._findings[name].rows_read - rows
        if dropped:
            yield f"{name}: {dropped:,} rows are equal to an earlier one; they are dropped"
        repeated = self._repeated.get(name)
        if repeated is not None:
            kept = (
                "features take the first of each, and all are"
                if schema.repeated_key == "first"
                else "all are kept, and"
            )
            yield (
                f"{name}: {repeated.n_keys:,} values of ({', '.join(schema.key)}) on several lines, such as "
                f"{repeated}; {kept} listed in {name}.repeated_keys.csv"
            )
        for reference in schema.references:
            orphans = self._orphans(schema, reference)
            if orphans.rows:
                a = "an" if reference.column[0] in "aeiou" else "a"
                yield (
                    f"{name}: {orphans.rows:,} rows have {a} {reference.column} that is not in "
                    f"{' or '.join(reference.tables)} ({orphans.values:,} values, such as {orphans.example or _EMPTY})"
                )
        for column, n in seen.empty.items():
            if n:
                yield f"{name}: {n:,} rows have an empty {column}"
        for each in schema.all_placeholders:
            n = seen.placeholders.get(each.name, 0)
            if n:
                yield f"{name}: {n:,} rows have {each} as {each.name}, which stands for none"


def _moment(microseconds: int) -> str:
    """Return a time as the file has it."""
    return (datetime(1970, 1, 1) + timedelta(microseconds=microseconds)).isoformat(" ")
