"""What the scenario's feature sets are made of: each table brought down, once, to what a matrix row has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparksweep.features import Counts, cached, counted, counted_by_owner, first_lines, in_one_partition, numbered
from sparksweep.ingest import LINE

__all__ = ["Facts", "clean_category", "gather_facts", "with_hour_of_week"]


class Facts:
    """Frames and counts by what they say of a device, each made when it is first asked for.

    ``row`` is a device's number, train devices first, each in the order of its file.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The seven tables, each with ``line``.
    app_ids : pyarrow.Array or None
        Those of app_events, where they are known.
    keep : ExitStack
        Its end drops what is cached.
    """

    def __init__(self, tables: Mapping[str, DataFrame], app_ids: pa.Array | None, keep: ExitStack) -> None:
        self._tables = tables
        self._app_ids = app_ids
        self._keep = keep

    @cached_property
    def phones(self) -> DataFrame:
        """``row``, ``phone_brand``, ``device_model``: the first line of the phone file that names the device."""
        phones_df = self._tables["phone_brand_device_model"].join(self._devices, on="device_id", how="inner")
        first_df = first_lines(phones_df).select("row", "phone_brand", "device_model")
        return self._keep.enter_context(cached(first_df))

    @cached_property
    def brands(self) -> Counts:
        """Phones by ``phone_brand``."""
        return self._keep.enter_context(counted(self.phones, "phone_brand"))

    @cached_property
    def models(self) -> Counts:
        """Phones by ``device_model``."""
        return self._keep.enter_context(counted(self.phones, "device_model"))

    @cached_property
    def events(self) -> Counts:
        """Events by ``weekday_hour``: weekday * 24 + hour, 0 is the first hour of Monday."""
        times_df = with_hour_of_week(self._events.select("row", "timestamp"))
        return self._keep.enter_context(counted(times_df, "weekday_hour", range(7 * 24)))

    @cached_property
    def apps(self) -> Counts:
        """Rows of app_events by ``app_id``."""
        owners_df = self._events.select("event_id", "row")
        app_events_df = self._tables["app_events"]
        counts = counted_by_owner(app_events_df, "app_id", owners_df, "event_id", self._app_ids)
        return self._keep.enter_context(counts)

    @cached_property
    def labels(self) -> DataFrame:
        """``app_id``, ``label_id``: of the apps that are met."""
        return self._keep.enter_context(cached(_labels(self._tables["app_labels"], self.apps.shown)))

    @cached_property
    def categories(self) -> DataFrame:
        """``app_id``, ``category``: the cleaned texts of its labels, empty ones left out."""
        return self._keep.enter_context(cached(_categories(self.labels, self._tables["label_categories"])))

    @cached_property
    def _devices(self) -> DataFrame:
        return F.broadcast(self._keep.enter_context(cached(_devices(self._tables))))

    @property
    def _events(self) -> DataFrame:
        return self._tables["events"].join(self._devices, on="device_id", how="inner")


@contextmanager
def gather_facts(tables: Mapping[str, DataFrame], app_ids: pa.Array | None = None) -> Iterator[Facts]:
    """Give the facts of the seven tables; what is cached is dropped at the end of the context."""
    with ExitStack() as keep:
        yield Facts(tables, app_ids, keep)


def with_hour_of_week(times_df: DataFrame) -> DataFrame:
    """Return the frame with ``weekday_hour`` int in place of ``timestamp``."""
    # By arithmetic on the instant: the clock of the file is UTC's, whatever time zone the session shows. The year 1970
    # began on a Thursday, at hour 3 * 24 of its week.
    hour = F.expr("CAST(pmod(floor(unix_seconds(timestamp) / 3600) + 3 * 24, 7 * 24) AS INT)")
    return times_df.withColumn("weekday_hour", hour).drop("timestamp")


def clean_category(text: Column) -> Column:
    """Return a category's text in lower case, with ``game-`` and each of ``()_/`` opened up, single-spaced."""
    opened = F.regexp_replace(F.regexp_replace(F.lower(text), "game-", "game "), "[()_/]", " ")
    return F.trim(F.regexp_replace(opened, " +", " "))


def _devices(tables: Mapping[str, DataFrame]) -> DataFrame:
    parts = [
        tables[name].select("device_id", LINE, F.lit(number).alias("part"))
        for number, name in enumerate(("gender_age_train", "gender_age_test"))
    ]
    return numbered(parts[0].unionByName(parts[1]), "part", LINE).select("device_id", "row")


def _labels(app_labels_df: DataFrame, apps_df: DataFrame) -> DataFrame:
    met_df = app_labels_df.join(F.broadcast(apps_df), on="app_id", how="left_semi")
    return in_one_partition(met_df.select("app_id", "label_id")).distinct()


def _categories(labels_df: DataFrame, label_categories_df: DataFrame) -> DataFrame:
    cleaned_df = label_categories_df.select("label_id", clean_category(F.col("category")).alias("category"))
    named_df = cleaned_df.where(F.col("category") != "")
    return labels_df.join(F.broadcast(named_df), on="label_id", how="inner").select("app_id", "category").distinct()
