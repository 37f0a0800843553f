"""A look into tables that Spark cannot take ends in a line."""

from __future__ import annotations

import pytest

from sparksweep.errors import SparksweepError, UsageError
from sparksweep.ingest.keys import find_common_key, find_repeated_keys
from sparksweep.ingest.relations import Use, relate
from sparksweep.ingest.spark_failures import spark_failures

pytestmark = pytest.mark.spark


@pytest.fixture
def broken(spark):
    """Return a table that cannot be read to its end."""
    return spark.range(3).selectExpr("if(id = 2, raise_error('line 2 is broken'), id) AS id", "id AS line")


def test_looks_for_keys(broken):
    said = "keys \\(id\\): Spark could not make it: .*line 2 is broken.*; see the lines above$"
    with pytest.raises(SparksweepError, match=f"^repeated {said}"):
        find_repeated_keys(broken, ["id"])
    with pytest.raises(SparksweepError, match=f"^common {said}"):
        find_common_key(broken, broken, ["id"])


def test_looks_from_table_to_table(broken):
    with pytest.raises(
        SparksweepError, match=r"^values of id: Spark could not make it: .*line 2 is broken.*; see the "
    ):
        relate([Use("events", "id", "bigint", lambda: broken, None)], {}, [])


def test_our_own_errors_pass():
    with pytest.raises(UsageError, match=r"^as it is$"), spark_failures("x"):
        raise UsageError("as it is")
