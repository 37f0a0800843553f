"""Write predictions as CSV: Kaggle's submission form for probabilities, two columns for anything else."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparksweep.errors import DataError
from sparksweep.matrix import Matrix
from sparksweep.matrix.manifest import Label
from sparksweep.predict.prediction import class_probabilities, predicted_values
from sparksweep.runs import Run
from sparksweep.storage import Store
from sparksweep.storage.failures import os_failures

__all__ = ["write_predictions", "write_submission", "write_values"]

BLOCK_ROWS = 10_000
SHARE = ",%.12g"  # more than a float32 has; a row's written values add up to 1 within 1e-11


def write_predictions(run: Run, matrix: Matrix, id_column: str = "device_id") -> str:
    """Predict a matrix with a run's model and write the file that fits the model into the run's folder.

    Parameters
    ----------
    run : Run
        With a refitted model; in a workspace you trust.
    matrix : Matrix
        Of the same columns as the model was fitted on.
    id_column : str
        Header of the first column.

    Returns
    -------
    str
        The file's name: ``submission.csv`` with a probability a class; ``predictions.csv`` with one value a row when
        the target is a number or the estimator gives no probabilities.

    Raises
    ------
    DataError
        The run has no model, or the model does not fit the matrix.
    StorageError
        The file cannot be written.
    """
    estimator, classes = run.load_model(), run.facts.get("classes")
    if classes is not None and hasattr(estimator, "predict_proba"):
        probabilities = class_probabilities(estimator, matrix, classes)
        write_submission(run.store, run.path("submission.csv"), matrix.rows, classes, probabilities, id_column)
        return "submission.csv"
    values = predicted_values(estimator, matrix, classes)
    write_values(run.store, run.path("predictions.csv"), matrix.rows, values, id_column)
    return "predictions.csv"


def write_submission(
    store: Store,
    path: str,
    ids: NDArray[np.int64],
    classes: Sequence[Label],
    probabilities: NDArray[Any],
    id_column: str = "device_id",
) -> None:
    """Write a submission: a header of `id_column` and the classes, then a line an id in the order given.

    Parameters
    ----------
    store : Store
        The workspace.
    path : str
        The file in it.
    ids : ndarray of int64, shape (n_rows,)
        Each once; written exactly.
    classes : sequence of str or int
        Sorted labels.
    probabilities : ndarray of float, shape (n_rows, n_classes)
        Not negative; each row is divided by its sum in float64.
    id_column : str
        Header of the first column.

    Raises
    ------
    DataError
        Shapes do not fit, an id is doubled or no int64, or a row cannot be made to add up to 1.
    StorageError
        The file cannot be written.
    """
    _check_ids(ids)
    if probabilities.shape != (len(ids), len(classes)):
        raise DataError(f"probabilities has shape {probabilities.shape}, must be ({len(ids)}, {len(classes)})")
    shares = _normalised(ids, probabilities)
    _write_csv(store, path, [id_column, *map(str, classes)], _submission_lines(ids, shares))


def write_values(
    store: Store, path: str, ids: NDArray[np.int64], values: Sequence[Any], id_column: str = "device_id"
) -> None:
    """Write `id_column` and ``prediction``, a line an id; numbers so that they read back the same."""
    _check_ids(ids)
    if len(values) != len(ids):
        raise DataError(f"there are {len(values)} predictions for {len(ids)} ids")
    _write_csv(store, path, [id_column, "prediction"], map(_csv_line, zip(ids.tolist(), values, strict=True)))


def _write_csv(store: Store, path: str, header: Sequence[str], lines: Iterable[str]) -> None:
    with store.scratch() as scratch:
        local = scratch / Path(path).name
        with os_failures("write", store.shown(path)), open(local, "x", encoding="utf-8", newline="") as file:
            file.write(_csv_line(header))
            file.writelines(lines)
        store.publish(local, path)


def _csv_line(cells: Iterable[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _submission_lines(ids: NDArray[np.int64], shares: NDArray[np.float64]) -> Iterable[str]:
    """Yield a line a row; numbers need no quotes, and one format a line is what makes this quick."""
    line = "%d" + SHARE * shares.shape[1] + "\n"
    for start in range(0, len(ids), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        for row_id, row in zip(ids[block].tolist(), shares[block].tolist(), strict=True):
            yield line % (row_id, *row)


def _check_ids(ids: NDArray[Any]) -> None:
    if ids.dtype != np.int64:
        raise DataError(f"ids are {ids.dtype}, must be int64: a float would change them")
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        raise DataError(f"id {values[counts > 1][0]} is there {counts[counts > 1][0]} times; each may be there once")


def _normalised(ids: NDArray[np.int64], probabilities: NDArray[Any]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = np.array(probabilities, dtype=np.float64)  # a copy, ours to change
    sums = shares.sum(axis=1)
    bad = ~np.isfinite(sums) | (sums <= 0) | (shares < 0).any(axis=1)
    if bad.any():
        at = int(np.argmax(bad))
        raise DataError(
            f"the probabilities of id {ids[at]} cannot be made to add up to 1: {shares[at].tolist()} "
            f"({int(bad.sum())} such rows)"
        )
    shares /= sums[:, np.newaxis]
    return shares
