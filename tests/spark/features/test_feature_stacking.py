"""What must not show in the result, and what must not be left behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import functions as F

from sparksweep.errors import StorageError
from sparksweep.features import bag, cached, counted, counted_by_owner, numbered, one_hot, share, stack

pytestmark = pytest.mark.spark


@pytest.fixture
def things(spark):
    """Forty rows with apps 0 to 10, of uneven number."""
    generator = np.random.default_rng(0)
    lines = generator.integers(0, [40, 11], size=(300, 2)).tolist()
    return spark.createDataFrame(lines, "row int, app bigint")


@pytest.fixture
def labels(spark):
    return spark.createDataFrame([(app, f"l{app % 3}") for app in range(9)], "app bigint, label string")


@pytest.fixture
def setting(spark):
    """Return a function that sets a Spark setting until the test ends."""
    before = {}

    def change(key, value):
        before.setdefault(key, spark.conf.get(key))
        spark.conf.set(key, value)

    yield change
    for key, value in before.items():
        spark.conf.set(key, value)


def build(things, labels, store):
    with counted(things, "app") as counts:
        sets = [share("app", counts, "app"), share("label", counts, "label", through=labels)]
        stacked = stack(sets, "fraction", {"train": 25, "test": 15}, store, "scratch")
    return [array for matrix in stacked.matrices.values() for array in (matrix.data, matrix.indices, matrix.indptr)]


def test_partitions_and_adaptive_execution_do_not_show(things, labels, store, setting):
    expected = build(things, labels, store)
    assert expected[0].size > 100
    for partitions, adaptive in ((1, "true"), (40, "false")):
        setting("spark.sql.shuffle.partitions", str(partitions))
        setting("spark.sql.adaptive.enabled", adaptive)
        found = build(things, labels, store)
        assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


def test_two_counts_in_one_partition(spark, things, store, setting):
    """Spark 4.1 and later puts the lines of both into one file."""
    setting("spark.sql.shuffle.partitions", "1")
    phones = spark.range(40).selectExpr("CAST(id AS INT) AS row", "CAST(id % 3 AS STRING) AS model")
    with counted(things, "app") as apps, counted(phones, "model") as models:
        sets = [one_hot("model", models), bag("app", apps, "app")]
        stacked = stack(sets, "fraction", {"train": 25, "test": 15}, store, "scratch")
    dense = np.concatenate([matrix.toarray() for matrix in stacked.matrices.values()])
    assert dense[:, :3].argmax(axis=1).tolist() == [row % 3 for row in range(40)]
    assert set(zip(*(places.tolist() for places in dense[:, 3:].nonzero()), strict=True)) == {
        (row, app) for row, app in things.collect()
    }


def test_scratch_is_removed(things, labels, store):
    build(things, labels, store)
    assert list(Path(store.root).iterdir()) == []


def test_scratch_is_removed_when_the_driver_fails(things, labels, store, monkeypatch):
    def fail(*arguments):
        raise StorageError("disk full")

    monkeypatch.setattr("sparksweep.features.stacking._matrices", fail)
    with pytest.raises(StorageError, match="disk full"):
        build(things, labels, store)
    assert list(Path(store.root).iterdir()) == []


def test_nothing_stays_cached(spark, things, labels, store):
    build(things, labels, store)
    assert spark.sparkContext._jsc.getPersistentRDDs().isEmpty()


def test_cache_ends_with_an_error(spark):
    frame = spark.range(3)
    context = cached(frame)
    assert context.__enter__().is_cached
    assert not context.__exit__(KeyError, KeyError(), None)
    assert not frame.is_cached


def lines(counts):
    """Return (row, thing, n), each (row, thing) once."""
    summed_df = counts.frame.groupBy("row", "code").agg(F.sum("n").alias("n"))
    return sorted((row["row"], counts.things[row["code"]].as_py(), row["n"]) for row in summed_df.collect())


def test_counts(spark):
    things = spark.createDataFrame(
        [(0, "b"), (0, "a"), (0, "a"), (1, "a"), (0, None), (2, None)], "row int, app string"
    )
    with counted(things, "app") as counts:
        assert lines(counts) == [(0, "a", 2), (0, "b", 1), (1, "a", 1)]
        assert counts.things.to_pylist() == ["a", "b"]
        assert sorted(row["app"] for row in counts.shown.collect()) == ["a", "b"]


def test_counts_of_known_things(spark):
    hours = spark.createDataFrame([(0, 3), (0, 3), (1, 0)], "row int, hour int")
    with counted(hours, "hour", range(5)) as counts:
        assert lines(counts) == [(0, 3, 2), (1, 0, 1)]
        assert counts.met.tolist() == [0, 3]


# Owner 1 stands in two places, owner 2 belongs to the same row, 9 to none, and nobody has anything of 4.
LOG = [(1, "x"), (1, "y"), (1, "x"), (2, "x"), (1, "x"), (9, "z"), (3, "y"), (None, "y"), (3, None)]
OWNERS = [(1, 0), (2, 0), (3, 5), (4, 6)]


@pytest.mark.parametrize("partitions", [1, 3])
def test_counts_by_owner(spark, partitions):
    log = spark.createDataFrame(LOG, "owner bigint, app string").repartition(partitions)
    owners = spark.createDataFrame(OWNERS, "owner bigint, row int")
    with counted_by_owner(log, "app", owners, "owner") as counts:
        assert lines(counts) == [(0, "x", 4), (0, "y", 1), (5, "y", 1)]
        assert [counts.things[code].as_py() for code in counts.met] == ["x", "y"]


@pytest.mark.parametrize("adaptive", ["true", "false"])
def test_log_of_owners_is_joined_once_and_as_bundles(spark, setting, adaptive):
    setting("spark.sql.adaptive.enabled", adaptive)
    log = spark.range(1000).selectExpr("id div 10 AS owner", "id % 7 AS app")
    owners = spark.range(100).selectExpr("id AS owner", "CAST(id % 5 AS INT) AS row")
    with counted_by_owner(log, "app", owners, "owner") as counts:
        plan = counts.frame._jdf.queryExecution().executedPlan().toString()
        assert sum(n for _, _, n in lines(counts)) == 1000
    # Where it is adaptive, both the plan that ran and the one before it are shown.
    assert plan.count("ShuffledHashJoin") == 1 + plan.count("== Initial Plan ==")
    bundled = plan[plan.index("ShuffledHashJoin") :]
    assert bundled.index("Exchange hashpartitioning(owner") < bundled.index("MapInArrow")
    for unwanted in ("SortMergeJoin", "BroadcastNestedLoopJoin", "CartesianProduct"):
        assert unwanted not in plan


def test_rows_are_numbered_in_order(spark):
    frame = spark.createDataFrame(
        [(1, 30, "d"), (0, 31, "b"), (0, 7, "a"), (1, 8, "c")], "part int, line bigint, id string"
    )
    found = sorted(tuple(row) for row in numbered(frame, "part", "line").select("row", "id").collect())
    assert found == [(0, "a"), (1, "b"), (2, "c"), (3, "d")]


def test_bag_of_no_rows(spark, store):
    nothing = spark.createDataFrame([], "row int, app bigint")
    with counted(nothing, "app") as counts:
        stacked = stack([bag("app", counts, "app")], "fraction", {"train": 2, "test": 1}, store, "scratch")
    assert [matrix.shape for matrix in stacked.matrices.values()] == [(2, 0), (1, 0)]
