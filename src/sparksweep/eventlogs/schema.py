"""The YAML file that tells tables, the rows of the matrix, and feature sets; every problem is listed at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError

from sparksweep.config.loading import nearest
from sparksweep.config.yaml_text import parse_yaml
from sparksweep.errors import ConfigError
from sparksweep.eventlogs.expressions import columns_of, expression_problems, is_name
from sparksweep.ingest import Column, Reference, TableSchema
from sparksweep.ingest.diagnosis import value_problem
from sparksweep.ingest.schema import ColumnType

__all__ = ["LogColumn", "LogSchema", "LogTable", "Lookup", "Rows", "SetSettings", "parse_log_schema"]

INTEGERS = ("int8", "int32", "int64")
RESERVED = {"line", "row"}  # columns that every table gets, or every matrix


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class LogColumn(_Section):
    """A column, where its type alone does not say all; see `sparksweep.ingest.Column`."""

    type: ColumnType
    nullable: bool = False
    placeholders: tuple[Any, ...] = ()


class LogTable(_Section):
    """A table, that is ``NAME.csv.zip``; see `sparksweep.ingest.TableSchema`.

    Attributes
    ----------
    columns : dict of str to type or LogColumn
        In the order of the file's header.
    key : list of str
        Columns that together name a line.
    repeated_key : {"error", "warn"}
        What a key on several lines is.
    drop_duplicates : bool
        Of equal lines only the first is kept.
    references : dict of str to list of str
        By column, the tables in one of which its values should be; each has a column of this name.
    """

    columns: dict[str, ColumnType | LogColumn] = Field(min_length=1)
    key: list[str] = Field(default_factory=list)
    repeated_key: Literal["error", "warn"] = "error"
    drop_duplicates: bool = False
    references: dict[str, list[str]] = Field(default_factory=dict)


class Rows(_Section):
    """What a row of the matrix is: a line of one table.

    Attributes
    ----------
    train, test : str
        The tables; without `test` there is no test matrix. A set that names `train` is of the lines of both.
    key : str
        The column that names a row in these tables and in the logs; whole numbers.
    target : str
        A column of the train table: text or whole numbers are classes, other numbers are to be predicted.
    """

    train: str
    test: str | None = None
    key: str
    target: str


class Lookup(_Section):
    """Where the keys of a set stand that are not the counted values themselves.

    Attributes
    ----------
    table : str
        Has, for a value, none, one or several lines.
    by : str, optional
        Its column with the values; default is the counted column's name.
    key : str
        Its column, or a scalar expression over its columns, that names the matrix's columns.
    words : bool
        Each word of the key is a column.
    """

    table: str
    by: str | None = None
    key: str
    words: bool = False


class SetSettings(_Section):
    """A feature set.

    Attributes
    ----------
    kind : {"one_hot", "share", "bag"}
        1 for the row's only value (of several lines the first counts); the share of the row's lines that have a value;
        1 for each value that is met.
    table : str
        What is counted.
    by : str
        A column of it, or a scalar Spark SQL expression over its columns: text or whole numbers. A line for which it is
        null is not counted, in the total either; a value without a key in `lookup` counts in the total.
    through : str, optional
        A table that has the row's key, and by whose own key `table` names its lines: items of visits of customers.
    lookup : Lookup, optional
        Where the matrix's columns stand, if not in `by`.
    keys : list of int, optional
        All columns there are, of a set whose values, or keys of `lookup`, are whole numbers; default are those that
        are met, sorted.
    """

    kind: Literal["one_hot", "share", "bag"]
    table: str
    by: str
    through: str | None = None
    lookup: Lookup | None = None
    keys: list[StrictInt] | None = Field(default=None, min_length=1)


class LogSchema(_Section):
    """Tables, rows and feature sets, by their names."""

    tables: dict[str, LogTable] = Field(min_length=1)
    rows: Rows
    feature_sets: dict[str, SetSettings] = Field(min_length=1)

    def table_schemas(self) -> tuple[TableSchema, ...]:
        """Return the tables as ingest knows them."""
        return tuple(self._table_schema(name, table) for name, table in self.tables.items())

    def _table_schema(self, name: str, table: LogTable) -> TableSchema:
        is_apart = name == self.rows.test and table.key == [self.rows.key]
        return TableSchema(
            name,
            tuple(_column(column, kind) for column, kind in table.columns.items()),
            key=tuple(table.key),
            repeated_key=table.repeated_key,
            drop_duplicates=table.drop_duplicates,
            apart_from=(self.rows.train,) if is_apart and self.tables[self.rows.train].key == table.key else (),
            references=tuple(Reference(column, tuple(tables)) for column, tables in table.references.items()),
            listed=self._listed(name, table),
        )

    def _listed(self, name: str, table: LogTable) -> tuple[str, ...]:
        """Return the columns of a table that feature sets count as they are: ingest looks at their values anyway."""
        counted = {each.by for each in self.feature_sets.values() if name in self.counted_together(each.table)}
        return tuple(column for column, kind in table.columns.items() if column in counted)

    def counted_together(self, table: str) -> list[str]:
        """Return a table that a set names, and which other one is of the set too: the test rows beside the train rows.

        Else a set of what the rows' tables say of them would be of train rows only, and each test row without it.
        """
        return [table, self.rows.test] if table == self.rows.train and self.rows.test in self.tables else [table]

    def common_columns(self, tables: Sequence[str]) -> list[str]:
        """Return the columns that all of some tables have, of one type."""
        first, *others = (self.tables[name].columns for name in tables)
        return [name for name, kind in first.items() if all(_type(kind) == _type_in(each, name) for each in others)]

    def tables_of(self, sets: list[str]) -> list[str]:
        """Return the names of the tables that feature sets are made of, sorted."""
        names = {self.rows.train, *([self.rows.test] if self.rows.test else [])}
        for each in (self.feature_sets[name] for name in sets):
            names |= {each.table, *([each.through] if each.through else [])}
            names |= {each.lookup.table} if each.lookup else set()
        return sorted(names)


def parse_log_schema(text: str, origin: str) -> LogSchema:
    """Return the schema that YAML text describes.

    Parameters
    ----------
    text : str
        YAML with ``tables``, ``rows`` and ``feature_sets``.
    origin : str
        Where it is from, for messages.

    Raises
    ------
    ConfigError
        Holds a line for each problem: origin, key, the value found and what is allowed.
    """
    given = parse_yaml(text, origin)
    if not isinstance(given, dict):
        raise ConfigError([f"{origin}: must be a mapping with {', '.join(LogSchema.model_fields)}"])
    try:
        schema = LogSchema.model_validate(given)
    except ValidationError as error:
        raise ConfigError(sorted({f"{origin}: {_problem(each)}" for each in error.errors()})) from error
    problems = [f"{origin}: {problem}" for problem in _problems(schema)]
    if problems:
        raise ConfigError(problems)
    return schema


def _column(name: str, kind: ColumnType | LogColumn) -> Column:
    if isinstance(kind, LogColumn):
        is_time = kind.type == "timestamp"  # which YAML takes for more than a text
        placeholders = tuple(str(value) if is_time else value for value in kind.placeholders)
        return Column(name, kind.type, kind.nullable, placeholders)
    return Column(name, kind)


def _type(kind: ColumnType | LogColumn) -> str:
    return kind.type if isinstance(kind, LogColumn) else kind


def _type_in(columns: Mapping[str, ColumnType | LogColumn], name: str) -> str | None:
    return _type(columns[name]) if name in columns else None


def _problem(error: Any) -> str:
    """Word one of pydantic's findings."""
    place = [str(part) for part in error["loc"] if part not in ("LogColumn",) and not str(part).startswith("literal[")]
    key = ".".join(place)
    if error["type"] == "missing":
        return f"{key}: is missing"
    if error["type"] == "extra_forbidden":
        problem = f"{key}: unknown key"
    else:
        problem = f"{key}: {error['msg'][0].lower()}{error['msg'][1:]}, got {error['input']!r}"
    if isinstance(error["input"], bool):
        problem += "; where a name is yes, no, on or off, put it in quotes"
    return problem + ("; put an expression with a comma in quotes" if "(" in key or ")" in key else "")


def _problems(schema: LogSchema) -> Iterator[str]:
    """Yield what is wrong with a schema of the right form: names that are nowhere, types that do not fit."""
    for name, table in schema.tables.items():
        yield from _table_problems(schema, name, table)
    yield from _row_problems(schema)
    for name, each in schema.feature_sets.items():
        yield from _set_problems(schema, f"feature_sets.{name}", each)


def _table_problems(schema: LogSchema, name: str, table: LogTable) -> Iterator[str]:
    if name.lower() == "value_counts":
        yield f"tables.{name}: this name is taken; rename the file"
    for column, kind in table.columns.items():
        yield from _column_problems(f"tables.{name}.columns.{column}", column, kind)
        if not is_name(column):
            yield f"tables.{name}.columns: {column!r} is no name (letters, digits and _)"
        if column.lower() in RESERVED or sum(column.lower() == other.lower() for other in table.columns) > 1:
            yield f"tables.{name}.columns: {column!r} is taken (case does not count); rename it in the file"
    yield from _key_problems(name, table)
    for place, column in (*(("key", each) for each in table.key), *(("references", each) for each in table.references)):
        yield from _unknown(f"tables.{name}.{place}", column, table.columns, "column")
    for column, others in table.references.items():
        for other in others:
            where = f"tables.{name}.references.{column}"
            yield from _unknown(where, other, schema.tables, "table")
            if other in schema.tables:
                yield from _unknown(f"{where}: table {other}", column, schema.tables[other].columns, "column")
                yield from _unlike(where, schema, (name, column), (other, column))


def _column_problems(place: str, name: str, given: ColumnType | LogColumn) -> Iterator[str]:
    if isinstance(given, LogColumn) and given.nullable and given.type == "string":
        yield (
            f"{place}: nullable is nothing for string: an empty field is the empty text; count by nullif({name}, '') "
            "where it is none"
        )
    column = _column(name, given)
    is_text = column.type in ("string", "timestamp")
    for value in column.placeholders:
        if isinstance(value, bool) or not isinstance(value, str if is_text else int | float):
            yield f"{place}.placeholders: {value!r} is no {'text; put it in quotes' if is_text else 'number'}"
        elif problem := value_problem(column, str(value)):
            yield f"{place}.placeholders: {value!r} {problem}"


def _key_problems(name: str, table: LogTable) -> Iterator[str]:
    if len(table.key) == 1 and table.key[0] in table.columns and _kind(table.columns[table.key[0]]) is None:
        yield f"tables.{name}.key: {table.key[0]} must be text or whole numbers"
    if len(set(table.key)) < len(table.key):
        yield f"tables.{name}.key: names a column more than once"


def _row_problems(schema: LogSchema) -> Iterator[str]:
    rows = schema.rows
    for place, name in (("train", rows.train), ("test", rows.test)):
        if name is None:
            continue
        yield from _unknown(f"rows.{place}", name, schema.tables, "table")
        if name in schema.tables:
            table = schema.tables[name]
            yield from _unknown(f"rows.key: table {name}", rows.key, table.columns, "column")
            if rows.key in table.columns and _type(table.columns[rows.key]) not in INTEGERS:
                yield f"rows.key: {name}.{rows.key} is {_type(table.columns[rows.key])}; it must be whole numbers"
            if getattr(table.columns.get(rows.key), "nullable", False):
                yield f"rows.key: {name}.{rows.key} is nullable; each row needs its id"
            if table.key != [rows.key] or table.repeated_key != "error":
                yield f"tables.{name}.key: must be [{rows.key}], repeated_key error: its lines are the matrix's rows"
    if rows.train in schema.tables:
        columns = schema.tables[rows.train].columns
        yield from _unknown(f"rows.target: table {rows.train}", rows.target, columns, "column")
        if rows.target in columns and _type(columns[rows.target]) == "timestamp":
            yield f"rows.target: {rows.train}.{rows.target} is timestamp; it must be text or numbers"


def _set_problems(schema: LogSchema, place: str, each: SetSettings) -> Iterator[str]:
    unknown = [*_unknown(f"{place}.table", each.table, schema.tables, "table")]
    if each.through is not None:
        unknown += _unknown(f"{place}.through", each.through, schema.tables, "table")
    if unknown:
        yield from unknown
        return
    columns = schema.tables[each.table].columns
    yield from _expression_problems(schema, f"{place}.by", each.table, each.by)
    yield from _test_rows_alone(schema, f"{place}.table", each.table)
    if each.through is not None:
        yield from _test_rows_alone(schema, f"{place}.through", each.through)
        yield from _uncommon(schema, f"{place}.through", each.through, {schema.rows.key})
        yield from _through_problems(schema, place, each, each.through)
    elif schema.rows.key not in columns:
        yield f"{place}.table: {each.table} has no {schema.rows.key}; name a table that has it as through"
    else:
        yield from _unlike(
            f"{place}.table", schema, (each.table, schema.rows.key), (schema.rows.train, schema.rows.key)
        )
    if each.keys is not None and len(set(each.keys)) < len(each.keys):
        yield f"{place}.keys: some are given twice"
    if each.lookup is not None:
        yield from _lookup_problems(schema, place, each, each.lookup)


def _expression_problems(schema: LogSchema, place: str, table: str, expression: str) -> Iterator[str]:
    """Yield what is wrong with an expression over a table, and over those that are counted together with it."""
    columns = schema.tables[table].columns
    problems = [f"{place}: {expression!r}: {problem}" for problem in expression_problems(expression, columns)]
    yield from problems
    if not problems:
        yield from _uncommon(schema, place, table, {schema.rows.key, *columns_of(expression, columns)})


def _uncommon(schema: LogSchema, place: str, table: str, used: Collection[str]) -> Iterator[str]:
    """Yield the columns that a set uses of the train rows' table, and the test rows' has not, or not so."""
    for other in schema.counted_together(table)[1:]:
        common, both = schema.common_columns([table, other]), f"what is of {table} is of {other} too"
        for name in (each for each in schema.tables[table].columns if each in used and each not in common):
            if name not in schema.tables[other].columns:
                yield f"{place}: {other} has no column {name}, and {both}; add it there, or leave the set out"
            else:
                types = (f"{each}.{name} is {_type(schema.tables[each].columns[name])}" for each in (table, other))
                yield f"{place}: {' and '.join(types)}, and {both}; give them one type"


def _test_rows_alone(schema: LogSchema, place: str, table: str) -> Iterator[str]:
    if table == schema.rows.test:
        yield f"{place}: {table} has the test rows alone; name {schema.rows.train}, and both are counted"


def _through_problems(schema: LogSchema, place: str, each: SetSettings, through: str) -> Iterator[str]:
    owner, columns = schema.tables[through], schema.tables[each.table].columns
    if schema.rows.key not in owner.columns:
        yield f"{place}.through: {through} has no {schema.rows.key}"
    if len(owner.key) != 1 or owner.repeated_key != "error":
        yield f"{place}.through: {through} has no key of one column that names one line"
    elif owner.key[0] not in columns:
        yield f"{place}.through: {each.table} has no {owner.key[0]}, the key of {through}"
    else:
        yield from _unlike(f"{place}.through", schema, (each.table, owner.key[0]), (through, owner.key[0]))
        yield from _unlike(f"{place}.through", schema, (through, schema.rows.key), (schema.rows.train, schema.rows.key))
    if each.kind == "one_hot":
        yield f"{place}.kind: one_hot is of a table that has {schema.rows.key}; use bag"


def _lookup_problems(schema: LogSchema, place: str, each: SetSettings, lookup: Lookup) -> Iterator[str]:
    if each.kind == "one_hot":
        yield f"{place}.lookup: a one_hot set has none; use bag"
    if lookup.table not in schema.tables:
        yield from _unknown(f"{place}.lookup.table", lookup.table, schema.tables, "table")
        return
    yield from _test_rows_alone(schema, f"{place}.lookup.table", lookup.table)
    columns = schema.tables[lookup.table].columns
    if lookup.by is None and not is_name(each.by):
        yield f"{place}.lookup.by: is missing: {each.by!r} is no column's name"
    else:
        yield from _unknown(f"{place}.lookup.by: table {lookup.table}", lookup.by or each.by, columns, "column")
        yield from _uncommon(schema, f"{place}.lookup.by", lookup.table, {lookup.by or each.by})
        if is_name(each.by):
            by = lookup.by or each.by
            yield from _unlike(f"{place}.lookup.by", schema, (lookup.table, by), (each.table, each.by))
    yield from _expression_problems(schema, f"{place}.lookup.key", lookup.table, lookup.key)


def _kind(column: ColumnType | LogColumn) -> str | None:
    """Return what values of a column can be compared as: text or whole numbers; None for neither."""
    return "text" if _type(column) == "string" else "whole numbers" if _type(column) in INTEGERS else None


def _unlike(place: str, schema: LogSchema, one: tuple[str, str], other: tuple[str, str]) -> Iterator[str]:
    """Yield a problem where two columns, if there are such, are not both text or both whole numbers."""
    found = [schema.tables[table].columns.get(column) for table, column in (one, other) if table in schema.tables]
    columns = [column for column in found if column is not None]
    kinds = {_kind(column) for column in columns}
    if len(columns) == 2 and (len(kinds) > 1 or None in kinds):
        types = " and ".join(
            f"{'.'.join(name)} is {_type(each)}" for name, each in zip((one, other), columns, strict=True)
        )
        yield f"{place}: {types}; both must be text, or both whole numbers"


def _unknown(place: str, name: str, known: Any, what: str) -> Iterator[str]:
    if name not in known:
        yield f"{place}: no {what} {name!r}{nearest(name, known)} (known: {', '.join(known)})"
