"""What must not show in the result, and what must not be left behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import functions as F

from sparksweep.errors import StorageError
from sparksweep.features import bag, cached, counted, numbered, share, stack
from sparksweep.features.entries import entries
from sparksweep.features.stacking import merge_parts as real_merge
from sparksweep.features.vocabulary import build_vocabulary, keyed_members, numbers_frame

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


def test_entries_of_counted_things_are_not_shuffled_again(things, labels):
    with counted(things, "app") as counts:
        counts.frame.count()
        sets = {0: share("app", counts, "app"), 1: share("label", counts, "label", through=labels)}
        members_df = keyed_members(sets)
        with cached(members_df):
            vocabulary = build_vocabulary(list(sets.values()), [members_df])
            numbers_df = numbers_frame(things.sparkSession, vocabulary)
            entries_df = entries(counts, members_df, numbers_df, F.lit(True))
            plan = entries_df._jdf.queryExecution().executedPlan().toString().split("InMemoryRelation")[0]
    assert plan.count("BroadcastHashJoin") >= 1
    assert "SortMergeJoin" not in plan
    assert "CartesianProduct" not in plan
    assert "BroadcastNestedLoopJoin" not in plan
    assert "Exchange hashpartitioning" not in plan


def test_scratch_is_removed(things, labels, store):
    build(things, labels, store)
    assert list(Path(store.root).iterdir()) == []


def test_scratch_is_removed_when_the_driver_fails(things, labels, store, monkeypatch):
    def fail(*arguments):
        next(real_merge(*arguments))
        raise StorageError("disk full")

    monkeypatch.setattr("sparksweep.features.stacking.merge_parts", fail)
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


def test_counts_have_their_row_total(spark):
    things = spark.createDataFrame(
        [(0, "a"), (0, "a"), (0, "b"), (1, "a"), (0, None), (2, None)], "row int, app string"
    )
    with counted(things, "app") as counts:
        found = sorted(tuple(row) for row in counts.frame.select("row", "app", "n", "total").collect())
        shown = sorted(row["app"] for row in counts.shown.collect())
    assert found == [(0, "a", 2, 3), (0, "b", 1, 3), (1, "a", 1, 1)]
    assert shown == ["a", "b"]


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
