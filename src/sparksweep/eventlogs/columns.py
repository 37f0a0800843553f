"""Expressions of a schema as Spark's columns, and a trial of them all before any row is read."""

from __future__ import annotations

from collections.abc import Iterator

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.utils import AnalysisException, ParseException  # type: ignore[attr-defined]  # pyspark 3.3 has them here

from sparksweep.errors import UsageError
from sparksweep.eventlogs.expressions import is_name
from sparksweep.eventlogs.schema import LogSchema

__all__ = ["check_expressions", "column_of"]


def column_of(expression: str) -> Column:
    """Return an expression of the schema; in brackets, where what looks like a name for it is an error."""
    return F.col(expression) if is_name(expression) else F.expr(f"({expression})")


def check_expressions(spark: SparkSession, schema: LogSchema) -> None:
    """Have Spark look at all expressions, without a row.

    Raises
    ------
    UsageError
        Some are wrong, or give neither text nor whole numbers: a line for each, with set, key and what Spark says.
    """
    frames = {each.name: spark.createDataFrame([], each.spark_schema()) for each in schema.table_schemas()}
    problems = []
    for where, table, expression in _expressions(schema):
        try:
            kind = frames[table].select(column_of(expression)).schema[0].dataType
        except (AnalysisException, ParseException) as error:
            problems.append(f"{where}: {expression!r}: {_first_line(error)}")
            continue
        if not isinstance(kind, T.IntegralType | T.StringType):
            problems.append(f"{where}: {expression!r} is {kind.simpleString()}; it must be text or a whole number")
    if problems:
        raise UsageError("\n".join(problems))


def _expressions(schema: LogSchema) -> Iterator[tuple[str, str, str]]:
    """Yield where each stands, of which table it is, and the expression."""
    for name, settings in schema.feature_sets.items():
        yield f"feature_sets.{name}.by", settings.table, settings.by
        if settings.lookup is not None:
            yield f"feature_sets.{name}.lookup.key", settings.lookup.table, settings.lookup.key


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
