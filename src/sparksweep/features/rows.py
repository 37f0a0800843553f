"""Which row of the matrices an id is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["Rows"]


@dataclass(frozen=True)
class Rows:
    """The rows of all parts, by their ids. No Spark in here: tasks ask it too.

    Attributes
    ----------
    ids : ndarray of int64, shape (n_rows,)
        Ascending.
    numbers : ndarray of int32, shape (n_rows,)
        The row of each.
    """

    ids: NDArray[np.int64]
    numbers: NDArray[np.int32]

    @classmethod
    def of_parts(cls, parts: Iterable[NDArray[np.int64]]) -> Rows:
        """Return the rows of all parts, numbered in the order given; no id comes twice."""
        ids = np.concatenate([np.asarray(part, np.int64) for part in parts])
        order = np.argsort(ids)
        return cls(ids[order], order.astype(np.int32))

    def find(self, ids: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Return the row of each id that has one, and for all of them whether they have."""
        if len(self.ids) == 0:
            return self.numbers, np.zeros(len(ids), bool)
        if len(ids) > len(self.ids):
            # By a hash, which is made anew each time; of fewer ids that takes longer than looking for them.
            found = pc.index_in(pa.array(ids.astype(np.int64, copy=False)), value_set=pa.array(self.ids))
            known = found.is_valid().to_numpy(zero_copy_only=False)
            return self.numbers[found.drop_null().to_numpy()], known
        places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        known = self.ids[places] == ids
        return self.numbers[places[known]], known
