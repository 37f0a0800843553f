"""Predictions of an XGBoost booster at one stage after another, for the same rows.

Predicting each stage from its first tree on costs as much again as the stages before it. XGBoost keeps what it last
predicted for a DMatrix, and adds only the trees that are new to it; what comes out is the same sum in the same order.
"""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from xgboost import Booster, DMatrix

__all__ = ["GrowingPredictions"]

# Test rows and train rows; a scorer that makes rows of its own makes new ones each time.
_MOST_KEPT = 2


class _Kept(NamedTuple):
    data: Any
    checksum: int
    rows: DMatrix


class GrowingPredictions:
    """Stands for a booster's ``inplace_predict`` while its stages are scored in ascending order.

    Parameters
    ----------
    booster : Booster
        Trained without feature names.
    threads : int or None
        For making rows what XGBoost predicts from.
    """

    def __init__(self, booster: Booster, threads: int | None) -> None:
        self._booster = booster
        self._threads = threads
        self._kept: list[_Kept] = []

    def __call__(
        self,
        data: Any,
        *,
        iteration_range: tuple[Any, Any] = (0, 0),
        predict_type: str = "value",
        missing: float = np.nan,
        base_margin: Any = None,
        **others: Any,
    ) -> Any:
        """Return what ``Booster.inplace_predict`` would."""
        rows = self._rows(data, missing) if base_margin is None and predict_type in ("value", "margin") else None
        if rows is None:
            return type(self._booster).inplace_predict(
                self._booster,
                data,
                iteration_range=iteration_range,
                predict_type=predict_type,
                missing=missing,
                base_margin=base_margin,
                **others,
            )
        return self._booster.predict(
            rows, output_margin=predict_type == "margin", iteration_range=iteration_range, **others
        )

    def __reduce__(self) -> Any:
        """Give a copy of the booster its own method again."""
        return getattr, (self._booster, "inplace_predict")

    def _rows(self, data: Any, missing: float) -> DMatrix | None:
        """Return rows as XGBoost keeps them, None for those that are not, or no longer, worth keeping."""
        arrays = _arrays(data)
        if arrays is None:
            return None
        checksum = 0
        for array in arrays:
            checksum = zlib.crc32(memoryview(array).cast("B"), checksum)
        for kept in self._kept:
            if kept.data is data:
                return kept.rows if kept.checksum == checksum else None  # a scorer may have changed it
        if len(self._kept) == _MOST_KEPT:
            return None
        rows = DMatrix(data, missing=missing, nthread=self._threads)
        self._kept.append(_Kept(data, checksum, rows))
        return rows


def _arrays(data: Any) -> list[Any] | None:
    """Return the memory of rows of numbers; None for any other, such as a frame with names or categories."""
    if type(data) is np.ndarray:
        arrays = [data]
    elif sparse.issparse(data) and data.format == "csr":
        arrays = [data.data, data.indices, data.indptr]
    else:
        return None
    plain = all(array.dtype.kind in "fiu" and array.flags.c_contiguous and array.size for array in arrays)
    return arrays if plain else None
