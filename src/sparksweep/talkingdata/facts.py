"""What the scenario's feature sets are made of: each table brought down, once, to what a matrix row has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark import Broadcast
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparksweep.features import Counts, Rows, counted, counted_by_owner
from sparksweep.ingest import LINE, Tables

__all__ = ["Facts", "clean_category", "gather_facts", "with_hour_of_week"]

_HOURS = 7 * 24
_PHONES = "phone_brand_device_model"


class Facts:
    """What tables say of devices and apps, each made when it is first asked for.

    Parameters
    ----------
    tables : Tables
        The seven tables.
    rows : Broadcast of Rows
        The devices.
    keep : ExitStack
        Its end drops what was sent to executors.
    """

    def __init__(
        self,
        tables: Tables,
        rows: Broadcast[Rows],
        keep: ExitStack,
    ) -> None:
        self._tables = tables
        self._rows = rows
        self._keep = keep

    @cached_property
    def brands(self) -> Counts:
        """Phones by ``phone_brand``: the first line of the phone file that names the device."""
        return self._phones("phone_brand")

    @cached_property
    def models(self) -> Counts:
        """Phones by ``device_model``, of the same line."""
        return self._phones("device_model")

    @cached_property
    def events(self) -> Counts:
        """Events by ``weekday_hour``: weekday * 24 + hour, 0 is the first hour of Monday."""
        times_df = with_hour_of_week(self._tables["events"].select("device_id", "timestamp"))
        hours = pa.array(np.arange(_HOURS))
        return self._keep.enter_context(counted(times_df, "device_id", "weekday_hour", self._rows, hours))

    @cached_property
    def apps(self) -> Counts:
        """Rows of app_events by ``app_id``."""
        known, events_df = self._tables.known_values("app_events", "app_id"), self._tables["events"]
        app_events_df = self._tables["app_events"] if known is None else self._tables.bundles("app_events")
        counts = counted_by_owner(app_events_df, "app_id", events_df, "event_id", "device_id", self._rows, known)
        return self._keep.enter_context(counts)

    @cached_property
    def labels(self) -> pd.DataFrame:
        """``app_id``, ``label_id``: each pair once."""
        return self._collect("app_labels", "app_id", "label_id").drop_duplicates()

    @cached_property
    def categories(self) -> pd.DataFrame:
        """``app_id``, ``category``: the cleaned texts of its labels, empty ones left out; each pair once."""
        texts = self._collect("label_categories", "label_id", "category")
        texts["category"] = clean_category(texts["category"])
        named = texts[texts["category"] != ""]
        return self.labels.merge(named, on="label_id")[["app_id", "category"]].drop_duplicates()

    def _collect(self, table: str, *columns: str) -> pd.DataFrame:
        found: pd.DataFrame = self._tables.collect(table, columns).select(list(columns)).to_pandas()
        return found

    def _phones(self, column: str) -> Counts:
        known = self._tables.known_values(_PHONES, column)
        phones_df = self._tables[_PHONES].select("device_id", column, LINE)
        return self._keep.enter_context(counted(phones_df, "device_id", column, self._rows, known, first=True))


@contextmanager
def gather_facts(tables: Tables, rows: Broadcast[Rows]) -> Iterator[Facts]:
    """Give the facts of the seven tables; what was sent to executors is dropped at the end of the context."""
    with ExitStack() as keep:
        yield Facts(tables, rows, keep)


def with_hour_of_week(times_df: DataFrame) -> DataFrame:
    """Return the frame with ``weekday_hour`` int in place of ``timestamp``."""
    # By arithmetic on the instant: the clock of the file is UTC's, whatever time zone the session shows. The year 1970
    # began on a Thursday, at hour 3 * 24 of its week.
    hour = F.expr("CAST(pmod(floor(unix_seconds(timestamp) / 3600) + 3 * 24, 7 * 24) AS INT)")
    return times_df.withColumn("weekday_hour", hour).drop("timestamp")


def clean_category(texts: pd.Series[str]) -> pd.Series[str]:
    """Return categories' texts in lower case, with ``game-`` and each of ``()_/`` opened up, single-spaced."""
    opened = texts.str.lower().str.replace("game-", "game ", regex=False).str.replace("[()_/]", " ", regex=True)
    return opened.str.replace(" +", " ", regex=True).str.strip(" ")
