"""``cv_results_`` as a typed table and as CSV."""

from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from sparksweep.runs import results_table
from sparksweep.runs.tables import results_csv


def masked(*values, dtype=object):
    """Make what scikit-learn makes of a parameter; Ellipsis is a candidate that does not have it."""
    array = np.ma.MaskedArray(np.empty(len(values), dtype=dtype), mask=True)
    for place, value in enumerate(values):
        if value is not ...:
            array[place] = value
    return array


@pytest.mark.parametrize(
    ("values", "kind", "cells"),
    [
        (masked(1, 2, dtype=int), pa.int64(), [1, 2]),
        (masked(0.1, 1.0, dtype=float), pa.float64(), [0.1, 1.0]),
        (masked(True, False, dtype=bool), pa.bool_(), [True, False]),
        (masked("a", "b"), pa.string(), ["a", "b"]),
        (masked(np.str_("a"), "b"), pa.string(), ["a", "b"]),
        (masked(1, ..., dtype=int), pa.int64(), [1, None]),
        (masked(..., 0.5, dtype=float), pa.float64(), [None, 0.5]),
        (masked(..., "a"), pa.string(), [None, "a"]),
        (masked(1, np.int64(2)), pa.int64(), [1, 2]),
    ],
)
def test_a_parameter_of_one_type_is_typed(values, kind, cells):
    table = results_table({"param_x": values})
    assert table.schema.field("param_x").type == kind
    assert table.schema.field("param_x").metadata == {b"encoding": b"plain"}
    assert table["param_x"].to_pylist() == cells


@pytest.mark.parametrize(
    ("values", "cells"),
    [
        (masked(1, 0.5), ["1", "0.5"]),
        (masked(1, True), ["1", "true"]),
        (masked(None, 3), ["null", "3"]),
        (masked(None, ...), ["null", None]),
        (masked("sqrt", 0.5, ...), ['"sqrt"', "0.5", None]),
        (masked((1, 2), [3]), ["[1, 2]", "[3]"]),
        (masked(LogisticRegression(), "drop"), ['"LogisticRegression()"', '"drop"']),
        (masked(2**70, 1), [str(2**70), "1"]),
        (masked(math.nan, None), ['"nan"', "null"]),
    ],
)
def test_other_parameters_are_json_texts(values, cells):
    table = results_table({"param_x": values})
    assert table.schema.field("param_x").type == pa.string()
    assert table.schema.field("param_x").metadata == {b"encoding": b"json"}
    assert table["param_x"].to_pylist() == cells


def test_a_parameter_that_is_nan_is_not_one_that_is_missing():
    cells = results_table({"param_missing": masked(math.nan, ..., dtype=float)})["param_missing"]
    assert cells.null_count == 1
    assert math.isnan(cells[0].as_py())


def test_a_score_that_is_nan_stays_nan():
    cells = results_table({"mean_test_score": np.array([0.5, np.nan])})["mean_test_score"]
    assert cells.null_count == 0
    assert math.isnan(cells[1].as_py())


def test_params_are_json_with_sorted_keys():
    table = results_table({"params": [{"b": np.int64(1), "a": None}]})
    assert table["params"].to_pylist() == ['{"a": null, "b": 1}']


def test_other_columns_of_objects_are_json():
    table = results_table({"notes": np.array([{"a": 1}, None], dtype=object)})
    assert table["notes"].to_pylist() == ['{"a": 1}', "null"]


@pytest.fixture(scope="module")
def cv_results():
    grid = [{"C": [0.1, 1], "solver": ["lbfgs"]}, {"C": [1e-3], "tol": [1e-4], "class_weight": [None, "balanced"]}]
    X, y = np.arange(24.0).reshape(12, 2), np.arange(12) % 2
    search = GridSearchCV(LogisticRegression(), grid, cv=2, scoring=["accuracy", "neg_log_loss"], refit=False)
    return search.fit(X, y).cv_results_


@pytest.mark.slow
@pytest.mark.versions
def test_everything_comes_back_from_parquet(cv_results, tmp_path):
    pq.write_table(results_table(cv_results), tmp_path / "r.parquet")
    table = pq.read_table(tmp_path / "r.parquet")
    assert table.column_names == list(cv_results)
    for name, values in cv_results.items():
        cells = table[name].to_pylist()
        if table.schema.field(name).metadata[b"encoding"] == b"json":
            cells = [None if cell is None else json.loads(cell) for cell in cells]
        expected = values.tolist() if isinstance(values, np.ndarray) else list(values)
        assert cells == expected, name


def test_csv_reads_back_the_same(cv_results):
    table = results_table(cv_results)
    data = results_csv(table)
    assert data.endswith(b"\n")
    assert b"\r" not in data
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    assert list(rows[0]) == list(cv_results)
    for name in ("mean_fit_time", "mean_test_neg_log_loss", "split1_test_accuracy"):
        assert [float(row[name]) for row in rows] == cv_results[name].tolist()
    assert [row["param_solver"] for row in rows] == ["lbfgs", "lbfgs", "", ""]
    assert json.loads(rows[3]["params"]) == {"C": 0.001, "class_weight": "balanced", "tol": 0.0001}


def test_csv_with_commas_quotes_and_nan():
    table = results_table({"param_x": masked('a,"b"', "c"), "mean_test_score": np.array([np.nan, 0.5])})
    assert results_csv(table) == b'param_x,mean_test_score\n"a,""b""",nan\nc,0.5\n'


def test_an_empty_grid_of_a_dummy():
    results = GridSearchCV(DummyClassifier(), {}, cv=2).fit(np.zeros((4, 1)), [0, 1, 0, 1]).cv_results_
    table = results_table(results)
    assert table["params"].to_pylist() == ["{}"]
    assert table.num_rows == 1
