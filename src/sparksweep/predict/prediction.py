"""Run a fitted estimator over a matrix, block of rows by block of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sparksweep.errors import DataError
from sparksweep.matrix import Matrix
from sparksweep.matrix.manifest import Label

__all__ = ["ROW", "class_probabilities", "predict_proba_table", "predict_table", "predicted_values"]

BLOCK_ROWS = 20_000  # a block of the scenario's matrix is about 10 MB
ROW = "row"


def predict_proba_table(
    estimator: Any, matrix: Matrix, classes: Sequence[Label], block_rows: int = BLOCK_ROWS
) -> pa.Table:
    """Return the probability of each class for each row.

    Parameters
    ----------
    estimator : object
        Fitted on codes into `classes`, with ``predict_proba``.
    matrix : Matrix
        Of the same columns as it was fitted on.
    classes : sequence of str or int
        Sorted labels; a class that the estimator did not meet gets 0.
    block_rows : int
        Rows given to the estimator at a time.

    Returns
    -------
    pyarrow.Table
        ``row`` int64, then a float64 column a class in their order, called by its label.

    Raises
    ------
    DataError
        The matrix has another number of columns, or the estimator's classes are no codes into `classes`.
    """
    probabilities = class_probabilities(estimator, matrix, classes, block_rows)
    names = [ROW, *(str(label) for label in classes)]
    return pa.table([np.asarray(matrix.rows), *probabilities.T.copy()], names=names)


def predict_table(
    estimator: Any, matrix: Matrix, classes: Sequence[Label] | None = None, block_rows: int = BLOCK_ROWS
) -> pa.Table:
    """Return the prediction for each row: ``row`` int64 and ``prediction``, a label of `classes` or a number."""
    values = predicted_values(estimator, matrix, classes, block_rows)
    return pa.table([np.asarray(matrix.rows), pa.array(values)], names=[ROW, "prediction"])


def class_probabilities(
    estimator: Any, matrix: Matrix, classes: Sequence[Label], block_rows: int = BLOCK_ROWS
) -> NDArray[np.float64]:
    """Return the probabilities as an array of float64, shape (n_rows, n_classes); see `predict_proba_table`."""
    codes = _codes(estimator.classes_, classes)
    probabilities = np.zeros((matrix.X.shape[0], len(classes)), dtype=np.float64)
    for start, block in _blocks(estimator, matrix, estimator.predict_proba, block_rows):
        probabilities[start : start + len(block), codes] = block
    return probabilities


def predicted_values(
    estimator: Any, matrix: Matrix, classes: Sequence[Label] | None = None, block_rows: int = BLOCK_ROWS
) -> list[Any]:
    """Return the predictions as plain values, codes as the labels of `classes`."""
    blocks = [np.asarray(block) for _, block in _blocks(estimator, matrix, estimator.predict, block_rows)]
    values = np.concatenate(blocks) if blocks else np.empty(0)
    if classes is None:
        return values.tolist()
    return [classes[code] for code in _codes(values, classes)]


def _blocks(
    estimator: Any, matrix: Matrix, method: Callable[[Any], Any], block_rows: int
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield the first row's number of a block, and what the method says of the block."""
    n_rows, n_columns = matrix.X.shape
    expected = getattr(estimator, "n_features_in_", n_columns)
    if expected != n_columns:
        raise DataError(
            f"the model was fitted on {expected} columns, {matrix.folder} has {n_columns}: "
            "both matrices must come from one build of the features"
        )
    for start in range(0, n_rows, block_rows):
        yield start, method(matrix.X[start : start + block_rows])


def _codes(found: Any, classes: Sequence[Label]) -> NDArray[np.intp]:
    """Return what the estimator calls classes as codes, if that is what they are."""
    values = np.asarray(found)
    if values.dtype.kind not in "iuf" or (len(values) and not 0 <= values.min() <= values.max() < len(classes)):
        raise DataError(f"the model's classes {values[:5].tolist()} are no codes into the {len(classes)} classes")
    return values.astype(np.intp)
