"""Keys on several lines of a table, and what is said and listed of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from sparksweep.ingest.held_tables import MOST_LISTED
from sparksweep.ingest.schema import LINE

__all__ = ["RepeatedKeys", "describe_key", "float_texts", "texts"]

_LINES_SHOWN = 3


@dataclass(frozen=True)
class RepeatedKeys:
    """What is said of keys on several lines.

    Attributes
    ----------
    n_keys : int
        Number of keys that occur more than once.
    n_rows : int
        Rows that have one of them.
    first : dict of str to str
        The one that occurs first in the file.
    lines : tuple of int
        Its first lines.
    rows : DataFrame
        The rows as texts, at most 100,000; those of the key that occurs first come first.
    """

    n_keys: int
    n_rows: int
    first: dict[str, str]
    lines: tuple[int, ...]
    rows: pd.DataFrame

    @classmethod
    def of(cls, rows_pdf: pd.DataFrame, key: Sequence[str], counted: tuple[int, int] | None = None) -> RepeatedKeys:
        """Return what rows, as texts and in the order of `rows`, say; `counted`: how many keys and rows there are."""
        n_keys, n_rows = counted or (rows_pdf.groupby(list(key), dropna=False).ngroups, len(rows_pdf))
        keys_pdf = rows_pdf[list(key)]
        first = keys_pdf.iloc[0]
        same_key = keys_pdf.eq(first) | (keys_pdf.isna() & first.isna())
        lines = rows_pdf[LINE][same_key.all(axis=1).cummin()].head(_LINES_SHOWN)
        shown = dict(zip(key, first, strict=True))
        return cls(n_keys, n_rows, shown, tuple(map(int, lines)), rows_pdf.head(MOST_LISTED))

    def __str__(self) -> str:
        """Return for example ``event_id 7 on data lines 3, 9``."""
        return f"{describe_key(self.first)} on data lines {', '.join(map(str, self.lines))}"


def describe_key(key: Mapping[str, object]) -> str:
    """Return ``event_id 7, app_id -5``."""
    return ", ".join(f"{name} {value}" for name, value in key.items())


def texts(rows: pa.Table) -> pd.DataFrame:
    """Return rows as texts: numbers as Python writes them, times as in the file; None for a null."""
    return pd.DataFrame({name: _texts(rows[name]) for name in rows.column_names})


def float_texts(values: pd.Series) -> pd.Series:
    """Return floats as Python writes them; None for a null and for what is no number."""
    # 0.0 and -0.0 are one value, and so get one text.
    return pd.Series([None if np.isnan(value) else repr(float(value) + 0.0) for value in values], dtype=object)


def _texts(values: pa.ChunkedArray) -> pd.Series:
    if pa.types.is_floating(values.type):
        return float_texts(values.to_pandas())
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.timestamp("s"))  # without a zone, as the file has it
    shown: pd.Series = values.cast(pa.string()).to_pandas()
    return shown
