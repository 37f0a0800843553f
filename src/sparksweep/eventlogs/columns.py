"""Expressions of a schema as Spark's columns, and a trial of them all before any row is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.utils import AnalysisException, ParseException  # type: ignore[attr-defined]  # pyspark 3.3 has them here

from sparksweep.errors import UsageError
from sparksweep.eventlogs.expressions import is_name
from sparksweep.eventlogs.schema import LogSchema
from sparksweep.ingest import LINE, TableSchema
from sparksweep.ingest.spark_failures import innermost_cause

__all__ = ["check_expressions", "column_of"]

# What texts are in sample rows.
_TEXTS = ("2020", "")
_TIME, _NUMBER = "2020-02-03 04:05:06", "1"
_ANSI = "spark.sql.ansi.enabled"
_TIMES = ("date", "timestamp", "timestamp_ntz")


def column_of(expression: str) -> Column:
    """Return an expression of the schema; in brackets, where what looks like a name for it is an error."""
    return F.col(expression) if is_name(expression) else F.expr(f"({expression})")


def check_expressions(spark: SparkSession, schema: LogSchema) -> None:
    """Have Spark try all expressions, without a row of the data.

    Raises
    ------
    UsageError
        Some are wrong, give neither text nor whole numbers, or depend on the time at which they are computed: a line
        for each, with set, key and what Spark says.
    """
    samples = {each.name: [_sample_df(spark, each, text) for text in _TEXTS] for each in schema.table_schemas()}
    problems = [problem for each in _expressions(schema) for problem in _problems(spark, each, samples[each.table])]
    if problems:
        raise UsageError("\n".join(problems))


class _Expression(NamedTuple):
    """An expression, the place where it stands and the table it is of; `is_numbered` where the set's keys are given."""

    place: str
    table: str
    text: str
    is_numbered: bool


def _expressions(schema: LogSchema) -> Iterator[_Expression]:
    for name, settings in schema.feature_sets.items():
        place, lookup, has_keys = f"feature_sets.{name}", settings.lookup, settings.keys is not None
        yield _Expression(f"{place}.by", settings.table, settings.by, has_keys and lookup is None)
        if lookup is not None:
            yield _Expression(f"{place}.lookup.key", lookup.table, lookup.key, has_keys)


def _sample_df(spark: SparkSession, schema: TableSchema, text: str) -> DataFrame:
    """Return a table of one row, all of whose texts are the same, which Spark computes with here: no job is needed."""
    samples = {"string": text, "timestamp": _TIME}
    kinds = {field.name: field.dataType.simpleString() for field in schema.spark_schema() if field.name != LINE}
    cells = (f"CAST('{samples.get(kind, _NUMBER)}' AS {kind})" for kind in kinds.values())
    names = ", ".join(f"`{name}`" for name in kinds)
    return spark.sql(f"SELECT * FROM VALUES ({', '.join(cells)}) AS sample({names})")


def _problems(spark: SparkSession, expression: _Expression, samples: Sequence[DataFrame]) -> Iterator[str]:
    where = f"{expression.place}: {expression.text!r}"
    try:
        tried_df = samples[0].select(column_of(expression.text))
    except (AnalysisException, ParseException) as error:
        yield f"{where}: {_first_line(error)}"
        return
    kind = tried_df.schema[0].dataType
    if not isinstance(kind, T.IntegralType | T.StringType):
        yield f"{where} is {kind.simpleString()}; it must be text or a whole number"
    elif expression.is_numbered and isinstance(kind, T.StringType):
        yield f"{where} is text, and keys are whole numbers; use cast({expression.text} as int), or leave keys out"
    if is_name(expression.text):  # nothing is computed
        return
    for text in _texts_as_times(tried_df):
        yield f"{where}: {text} is made a time, and may be that of the clock; write it so that it begins with a digit"
    if (failure := _failure(spark, expression.text, samples)) is not None:
        yield f"{where}: {failure}"


def _failure(spark: SparkSession, expression: str, samples: Sequence[DataFrame]) -> str | None:
    """Return why an expression cannot be computed of any sample, None where it can of one."""
    failure = None
    with _null_for_what_does_not_suit(spark):
        for each in samples:
            try:
                each.select(column_of(expression)).collect()
            except AnalysisException:  # it is one only by the session's own setting
                return None
            except Exception as error:  # Spark's own kinds differ from version to version
                failure = failure or innermost_cause(error)
            else:
                return None
    return failure


@contextmanager
def _null_for_what_does_not_suit(spark: SparkSession) -> Iterator[None]:
    """Have no cast fail, as it does in Spark 4: a sample's text need not look like the data's."""
    before = spark.conf.get(_ANSI)
    spark.conf.set(_ANSI, "false")
    try:
        yield
    finally:
        spark.conf.set(_ANSI, str(before))


def _texts_as_times(tried_df: DataFrame) -> Iterator[str]:
    """Yield the constant texts that are cast to a time, but for literals that are one: 'now' would be today's.

    Only Spark knows where it casts: in ``hour('now')`` and ``time > 'today'`` no cast is written.
    """
    nodes = _children(tried_df._jdf.queryExecution().analyzed().expressions())
    while nodes:
        node = nodes.pop()
        children = _children(node.children())
        nodes += children
        if children and node.dataType().typeName() in _TIMES and children[0].dataType().typeName() == "string":
            text = str(children[0].toString())
            is_literal = children[0].getClass().getSimpleName() == "Literal"
            if children[0].references().isEmpty() and not (is_literal and text.strip()[:1].isdigit()):
                yield repr(text)


def _children(nodes: Any) -> list[Any]:
    """Return the items of a Scala sequence."""
    return [nodes.apply(place) for place in range(nodes.size())]


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
