"""What must not show in the result, and what must not be left behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.spark.counted_lines import counted_lines

from sparksweep.errors import StorageError, UsageError
from sparksweep.features import bag, counted, counted_by_owner, one_hot, share, stack

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


def build(things, labels, store, rows):
    with counted(things, "row", "app", rows) as counts:
        sets = [share("app", counts, "app"), share("label", counts, "label", through=labels)]
        stacked = stack(sets, "fraction", {"train": 25, "test": 15}, store, "matrix")
    return [array for matrix in stacked.matrices.values() for array in (matrix.data, matrix.indices, matrix.indptr)]


def test_partitions_and_adaptive_execution_do_not_show(things, labels, store, setting, rows):
    expected = build(things, labels, store, rows)
    assert expected[0].size > 100
    for partitions, adaptive in ((1, "true"), (2, "false"), (200, "true")):
        setting("spark.sql.shuffle.partitions", str(partitions))
        setting("spark.sql.adaptive.enabled", adaptive)
        found = build(things, labels, store, rows)
        assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


def test_two_counts_in_one_partition(spark, things, store, setting, rows):
    """Spark 4.1 and later puts the lines of both into one file."""
    setting("spark.sql.shuffle.partitions", "1")
    phones = spark.range(40).selectExpr("CAST(id AS INT) AS row", "CAST(id % 3 AS STRING) AS model")
    with counted(things, "row", "app", rows) as apps, counted(phones, "row", "model", rows) as models:
        sets = [one_hot("model", models), bag("app", apps, "app")]
        stacked = stack(sets, "fraction", {"train": 25, "test": 15}, store, "matrix")
    dense = np.concatenate([matrix.toarray() for matrix in stacked.matrices.values()])
    assert dense[:, :3].argmax(axis=1).tolist() == [row % 3 for row in range(40)]
    assert set(zip(*(places.tolist() for places in dense[:, 3:].nonzero()), strict=True)) == {
        (row, app) for row, app in things.collect()
    }


def test_scratch_is_removed(things, labels, store, rows):
    build(things, labels, store, rows)
    assert list(Path(store.root).rglob("*")) == [Path(store.root, "matrix")]


def test_scratch_is_removed_when_the_driver_fails(things, labels, store, monkeypatch, rows):
    def fail(*arguments):
        raise StorageError("disk full")

    monkeypatch.setattr("sparksweep.features.stacking._matrices", fail)
    with pytest.raises(StorageError, match="disk full"):
        build(things, labels, store, rows)
    assert list(Path(store.root).rglob("*")) == [Path(store.root, "matrix")]


def test_nothing_stays_cached(spark, things, labels, store, rows):
    build(things, labels, store, rows)
    assert spark.sparkContext._jsc.getPersistentRDDs().isEmpty()


def lines(counts):
    """Return (row, thing, n), each (row, thing) once."""
    return sorted((row, counts.things[code].as_py(), n) for row, code, n in counted_lines(counts))


def test_counts(spark, rows):
    things = spark.createDataFrame(
        [(0, "b"), (0, "a"), (0, "a"), (1, "a"), (0, None), (2, None), (None, "a"), (77, "c")], "id bigint, app string"
    )
    with counted(things, "id", "app", rows) as counts:
        assert lines(counts) == [(0, "a", 2), (0, "b", 1), (1, "a", 1)]
        assert counts.things.to_pylist() == ["a", "b"], "what others have is not looked at"


def test_counts_of_known_things(spark, rows):
    hours = spark.createDataFrame([(0, 3), (0, 3), (1, 0)], "id int, hour int")
    with counted(hours, "id", "hour", rows, pa.array([4, 0, 3], pa.int64())) as counts:
        assert lines(counts) == [(0, 3, 2), (1, 0, 1)]
        assert counts.things.to_pylist() == [0, 3, 4]


def test_of_several_lines_of_a_row_the_first_counts(spark, rows, built):
    # Row 0's first line is its third here, row 1's says nothing, and row 2 has none.
    phones = spark.createDataFrame(
        [(0, "late", 9), (0, "later", 12), (0, "b", 3), (1, None, 4), (1, "x", 5), (99, "z", 1)],
        "id bigint, model string, line bigint",
    ).repartition(3)
    with counted(phones, "id", "model", rows, first=True) as counts:
        names, parts = built([one_hot("model", counts)])
    assert names == ["model:b"]
    assert parts["train"] == [{"model:b": 1.0}, {}, {}]


def test_several_first_lines_and_counts_of_one_row(spark, rows, built):
    phones = spark.createDataFrame(
        [(0, "m", "b", 2), (0, "n", "c", 1), (1, "m", "c", 3)], "id bigint, model string, brand string, line bigint"
    )
    apps = spark.createDataFrame([(0, 7), (0, 7), (1, 8), (0, 8)], "id bigint, app bigint")
    with (
        counted(phones, "id", "model", rows, first=True) as models,
        counted(apps, "id", "app", rows) as used,
        counted(phones, "id", "brand", rows, first=True) as brands,
    ):
        sets = [one_hot("brand", brands), share("app", used, "app"), one_hot("model", models)]
        names, parts = built(sets, sizes={"train": 2})
    assert names == ["brand:c", "app:7", "app:8", "model:m", "model:n"]
    two_thirds, third = float(np.float32(2 / 3)), float(np.float32(1 / 3))
    assert parts["train"] == [
        {"brand:c": 1.0, "app:7": two_thirds, "app:8": third, "model:n": 1.0},
        {"brand:c": 1.0, "app:8": 1.0, "model:m": 1.0},
    ]


# Owner 1 stands in two places, owner 2 belongs to the same row, 9 to none, and nobody has anything of 4.
LOG = [(1, "x"), (1, "y"), (1, "x"), (2, "x"), (1, "x"), (9, "z"), (3, "y"), (None, "y"), (3, None)]
OWNERS = [(1, 0), (2, 0), (3, 5), (4, 6), (5, 99), (None, 7), (6, None)]


@pytest.mark.parametrize("partitions", [1, 3])
def test_counts_by_owner(spark, rows, partitions):
    log = spark.createDataFrame(LOG, "owner bigint, app string").repartition(partitions)
    owners = spark.createDataFrame(OWNERS, "owner bigint, id int")
    with counted_by_owner(log, "app", owners, "owner", "id", rows) as counts:
        assert lines(counts) == [(0, "x", 4), (0, "y", 1), (5, "y", 1)]
        assert counts.things.to_pylist() == ["x", "y", "z"]


@pytest.mark.parametrize("kinds", [("int", "bigint"), ("bigint", "int"), ("tinyint", "string")])
def test_owners_of_another_type_than_the_logs(spark, rows, kinds):
    of_log, of_owners = kinds
    log = spark.createDataFrame(LOG, "owner bigint, app string").selectExpr(f"CAST(owner AS {of_log}) AS owner", "app")
    owners = spark.createDataFrame(OWNERS, "owner bigint, id int")
    owners = owners.selectExpr(f"CAST(owner AS {of_owners}) AS owner", "id")
    with counted_by_owner(log, "app", owners, "owner", "id", rows) as counts:
        assert lines(counts) == [(0, "x", 4), (0, "y", 1), (5, "y", 1)]


def test_owners_that_cannot_be_compared(spark, rows):
    log = spark.createDataFrame([(1.5, "x")], "owner double, app string")
    owners = spark.createDataFrame([(1.5, 0)], "owner double, id int")
    with (
        pytest.raises(UsageError, match="cannot count by owner, which is double"),
        counted_by_owner(log, "app", owners, "owner", "id", rows),
    ):
        pass


def test_counts_dealt_out_in_different_ways(things, labels, store, rows, setting):
    with counted(things, "row", "app", rows) as one:
        setting("spark.sql.shuffle.partitions", "3")
        with counted(things, "row", "app", rows) as other, pytest.raises(UsageError, match="do not fit together"):
            stack([bag("x", one, "app"), bag("y", other, "app")], "fraction", {"train": 40}, store, "matrix")


def test_counts_by_owner_of_bundles(spark, rows):
    bundles = [(1, [-4, 7, -4]), (2, [-4]), (1, [-4]), (9, [8]), (3, [7]), (None, [7]), (3, None)]
    lines_of_log = [(owner, None if apps is None else np.array(apps, "<i8").tobytes()) for owner, apps in bundles]
    log = spark.createDataFrame(lines_of_log, "owner bigint, app binary")
    owners = spark.createDataFrame(OWNERS, "owner bigint, id int")
    known = pa.array([8, -4, 7])
    with counted_by_owner(log, "app", owners, "owner", "id", rows, known) as counts:
        assert lines(counts) == [(0, -4, 4), (0, 7, 1), (5, 7, 1)]


@pytest.mark.parametrize("adaptive", ["true", "false"])
def test_log_of_owners_is_shuffled_once_and_as_packets(spark, rows, setting, adaptive):
    setting("spark.sql.adaptive.enabled", adaptive)
    log = spark.range(1000).selectExpr("id div 10 AS owner", "id % 7 AS app")
    owners = spark.range(100).selectExpr("id AS owner", "id % 5 AS id")
    with counted_by_owner(log, "app", owners, "owner", "id", rows) as counts:
        plan = counts.packets(0)._jdf.queryExecution().executedPlan().toString()
        assert sum(n for _, _, n in lines(counts)) == 1000
    # Where it is adaptive, both the plan that ran and the one before it are shown.
    assert (
        plan.count("Exchange hashpartitioning(part") == plan.count("Exchange") == 1 + plan.count("== Initial Plan ==")
    )
    for unwanted in ("Join", "CartesianProduct", "Sort"):
        assert unwanted not in plan


def test_bag_of_no_rows(spark, store, rows):
    nothing = spark.createDataFrame([], "row int, app bigint")
    with counted(nothing, "row", "app", rows) as counts:
        stacked = stack([bag("app", counts, "app")], "fraction", {"train": 2, "test": 1}, store, "matrix")
    assert [matrix.shape for matrix in stacked.matrices.values()] == [(2, 0), (1, 0)]
