"""Predictions of an XGBoost booster at one stage after another, for the same rows.

Predicting each stage from its first tree on costs as much again as the stages before it. XGBoost keeps what it last
predicted for a DMatrix, and adds only the trees that are new to it; what comes out is the same sum in the same order.
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from xgboost import Booster, DMatrix
from xgboost.core import XGBoostError

__all__ = ["growing_predictions"]

# Test rows and train rows; a scorer that makes rows of its own makes new ones each time.
_MOST_KEPT = 2
# Of values in rows that are kept: a DMatrix takes 8 bytes for each, which the fit's memory must have to spare.
_MOST_VALUES = 1 << 24


class _Kept(NamedTuple):
    """Rows that were predicted; without a DMatrix those that cannot be one."""

    data: Any
    missing: float
    checksum: int
    rows: DMatrix | None


@contextmanager
def growing_predictions(booster: Booster, threads: int | None) -> Iterator[None]:
    """Let a booster's ``inplace_predict`` build on what it predicted before; ask for stages in ascending order.

    The booster is given another class, not another attribute: that would go along into copies of it.

    Parameters
    ----------
    booster : Booster
        Trained without feature names.
    threads : int or None
        For making rows what XGBoost predicts from.
    """
    kept: list[_Kept] = []

    class GrowingBooster(Booster):
        def inplace_predict(
            self,
            data: Any,
            *,
            iteration_range: tuple[Any, Any] = (0, 0),
            predict_type: str = "value",
            missing: float = np.nan,
            base_margin: Any = None,
            **others: Any,
        ) -> Any:
            plain = base_margin is None and predict_type in ("value", "margin")
            rows = _rows(kept, data, missing, self.num_features(), threads) if plain else None
            if rows is not None:
                margin = predict_type == "margin"
                return self.predict(rows, output_margin=margin, iteration_range=iteration_range, **others)
            return super().inplace_predict(
                data,
                iteration_range=iteration_range,
                predict_type=predict_type,
                missing=missing,
                base_margin=base_margin,
                **others,
            )

        def __reduce_ex__(self, protocol: Any) -> Any:
            return pickle.loads, (pickle.dumps(self.copy(), protocol),)  # a copy is a plain booster

    original = booster.__class__
    booster.__class__ = GrowingBooster
    try:
        yield
    finally:
        booster.__class__ = original
        kept.clear()  # the class is a cycle, which lives on for a while


def _rows(kept: list[_Kept], data: Any, missing: float, n_features: int, threads: int | None) -> DMatrix | None:
    """Return rows as XGBoost keeps them, None for those that it cannot, or that are not the same any more."""
    arrays = _arrays(data)
    if arrays is None or arrays[0].size > _MOST_VALUES or data.shape[1] != n_features:
        return None
    checksum = 0
    for array in arrays:
        checksum = zlib.crc32(memoryview(array).cast("B"), checksum)
    for known in kept:
        if known.data is data:
            same = known.checksum == checksum and np.array_equal(known.missing, missing, equal_nan=True)
            return known.rows if same else None  # a scorer may have changed them
    if len(kept) >= _MOST_KEPT:
        return None
    try:
        rows = DMatrix(data, missing=missing, nthread=threads)
    except XGBoostError:
        rows = None  # it refuses infinite values, which predicting in place takes
    kept.append(_Kept(data, missing, checksum, rows))
    return rows


def _arrays(data: Any) -> list[Any] | None:
    """Return the memory of rows of numbers; None for any other, such as a frame with names or categories."""
    if type(data) is np.ndarray and data.ndim == 2:
        arrays = [data]
    elif sparse.issparse(data) and data.format == "csr":
        arrays = [data.data, data.indices, data.indptr]
    else:
        return None
    plain = all(array.dtype.kind in "fiu" and array.flags.c_contiguous and array.size for array in arrays)
    return arrays if plain else None
