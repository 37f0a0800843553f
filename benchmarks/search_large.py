"""Does a search work on an X of more than 2 GiB, and on one whose indices are 64 bits wide? With Java's heap of 1 GB.

Run ``python benchmarks/search_large.py``; it needs some 12 GB of memory and 3 GB of disk. Scores are compared with
those of scikit-learn's search on the same data, and the index types with what was given.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from judging import Judge, print_machine
from scipy.sparse import csr_matrix
from sklearn import model_selection
from sklearn.base import BaseEstimator, ClassifierMixin

from sparksweep.search import GridSearchCV
from sparksweep.session import open_session

GIB = 1 << 30
N_ROWS, N_COLUMNS = 600_000, 1_000
ENTRIES_A_ROW = 310


class Threshold(ClassifierMixin, BaseEstimator):
    """Compares one column with a bound, after a look at all of X; cheap, so that X is what costs."""

    def __init__(self, column: int = 0) -> None:
        self.column = column

    def fit(self, X: Any, y: np.ndarray) -> Threshold:
        """Take the column's mean and note what X is."""
        self.classes_ = np.unique(y)
        self.bound_ = float(X[:, self.column].mean())
        self.index_bits_ = 8 * X.indices.itemsize if hasattr(X, "indices") else 0
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return 1 where the column is above its mean."""
        column = X[:, self.column]
        return np.asarray((column.toarray().ravel() if hasattr(column, "toarray") else column) > self.bound_, dtype=int)


def dense() -> np.ndarray:
    """Return 2.2 GiB of numbers."""
    return np.random.default_rng(0).random((N_ROWS, N_COLUMNS), dtype=np.float32)


def wide() -> csr_matrix:
    """Return a CSR matrix of more than 2 GiB whose index arrays are of int64, as those of 2^31 entries must be."""
    rng = np.random.default_rng(0)
    indptr = np.arange(N_ROWS + 1, dtype=np.int64) * ENTRIES_A_ROW
    indices = np.tile(np.sort(rng.permutation(N_COLUMNS)[:ENTRIES_A_ROW]).astype(np.int64), N_ROWS)
    X = csr_matrix((N_ROWS, N_COLUMNS), dtype=np.float32)
    X.data, X.indices, X.indptr = rng.random(len(indices), dtype=np.float32), indices, indptr
    return X


def size_of(X: Any) -> int:
    """Return the bytes of the arrays of X."""
    arrays = [X] if isinstance(X, np.ndarray) else [X.data, X.indices, X.indptr]
    return sum(each.nbytes for each in arrays)


def measure(what: str, X: Any, judge: Judge) -> None:
    """Search on X with both, and print whether the scores are equal."""
    y = np.random.default_rng(1).integers(0, 2, N_ROWS)
    grid = {"column": [0, 1, 2, 3]}
    begin = time.perf_counter()
    ours = GridSearchCV(Threshold(), grid, cv=2).fit(X, y)
    seconds = time.perf_counter() - begin
    theirs = model_selection.GridSearchCV(Threshold(), grid, cv=2, refit=False).fit(X, y)
    names = [name for name in theirs.cv_results_ if name.endswith("test_score")]
    same = all(np.array_equal(ours.cv_results_[name], theirs.cv_results_[name]) for name in names)
    judge.show(f"{what}: size", size_of(X) / GIB, "GiB")
    judge.show(f"{what}: search of 8 fits and the refit", seconds, "s")
    judge.at_least(f"{what}: scores equal scikit-learn's", float(same), 1, digits=0)
    if not isinstance(X, np.ndarray):
        judge.at_least(f"{what}: bits of the indices in a fit", ours.best_estimator_.index_bits_, 64, digits=0)


def main() -> int:
    """Measure both."""
    print_machine()
    judge = Judge()
    open_session("benchmark", "local[2]", {"spark.driver.memory": "1g"})
    measure("dense X", dense(), judge)
    measure("CSR with int64 indices", wide(), judge)
    return judge.exit_code


if __name__ == "__main__":
    sys.exit(main())
