"""What the scenario's feature sets are made of: each table brought down, once, to what a matrix row has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparksweep.features import Counts, cached, counted, in_one_partition, numbered
from sparksweep.ingest import LINE

__all__ = ["Facts", "clean_category", "gather_facts", "with_hour_of_week"]


@dataclass(frozen=True)
class Facts:
    """Frames by what they say of a device; ``row`` is its number, train devices first, each in the order of its file.

    Attributes
    ----------
    phones : DataFrame
        ``row``, ``phone_brand``, ``device_model``: the first line of the phone file that names the device.
    events : Counts
        Events by ``weekday_hour``: weekday * 24 + hour, 0 is the first hour of Monday.
    apps : Counts
        Rows of app_events by ``app_id``.
    labels : DataFrame
        ``app_id``, ``label_id``: of the apps that are met.
    categories : DataFrame
        ``app_id``, ``category``: the cleaned texts of its labels, empty ones left out.
    """

    phones: DataFrame
    events: Counts
    apps: Counts
    labels: DataFrame
    categories: DataFrame


@contextmanager
def gather_facts(tables: Mapping[str, DataFrame]) -> Iterator[Facts]:
    """Give the facts of the seven tables; what is cached is dropped at the end of the context.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The seven tables, each with ``line``.
    """
    with ExitStack() as keep:
        devices_df = F.broadcast(keep.enter_context(cached(_devices(tables))))
        phones_df = tables["phone_brand_device_model"].join(devices_df, on="device_id", how="inner")
        events_df = tables["events"].join(devices_df, on="device_id", how="inner")
        times_df = with_hour_of_week(events_df.select("row", "timestamp"))
        apps = keep.enter_context(counted(_app_rows(tables["app_events"], events_df), "app_id"))
        labels_df = keep.enter_context(cached(_labels(tables["app_labels"], apps.shown)))
        yield Facts(
            phones=keep.enter_context(cached(_first_phones(phones_df))),
            events=keep.enter_context(counted(times_df, "weekday_hour")),
            apps=apps,
            labels=labels_df,
            categories=keep.enter_context(cached(_categories(labels_df, tables["label_categories"]))),
        )


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


def _app_rows(app_events_df: DataFrame, events_df: DataFrame) -> DataFrame:
    """Return ``row`` and ``app_id``, a line for each row of app_events that belongs to an event of a known device."""
    # The rows of app_events are ten times those of events: they should not be sorted only to be joined.
    device_of_event_df = events_df.select("event_id", "row").hint("shuffle_hash")
    return app_events_df.select("event_id", "app_id").join(device_of_event_df, on="event_id", how="inner")


def _first_phones(phones_df: DataFrame) -> DataFrame:
    first = F.min(F.struct(LINE, "phone_brand", "device_model")).alias("first")
    return phones_df.groupBy("row").agg(first).select("row", "first.phone_brand", "first.device_model")


def _labels(app_labels_df: DataFrame, apps_df: DataFrame) -> DataFrame:
    met_df = app_labels_df.join(F.broadcast(apps_df), on="app_id", how="left_semi")
    return in_one_partition(met_df.select("app_id", "label_id")).distinct()


def _categories(labels_df: DataFrame, label_categories_df: DataFrame) -> DataFrame:
    cleaned_df = label_categories_df.select("label_id", clean_category(F.col("category")).alias("category"))
    named_df = cleaned_df.where(F.col("category") != "")
    return labels_df.join(F.broadcast(named_df), on="label_id", how="inner").select("app_id", "category").distinct()
