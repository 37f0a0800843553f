"""Fixtures for the tests of runs: a fitted search with the tables that ours adds."""

from __future__ import annotations

import os
from copy import deepcopy

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB

from sparksweep.storage import LocalStore


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """Let the disk take its time: that a write is flushed is tested where the stores are."""
    monkeypatch.setattr(os, "fsync", lambda number: None)


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "ws")


@pytest.fixture(scope="session")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture
def with_tables():
    """Add ``grid_`` and ``fits_`` to a search that scikit-learn fitted; `failed` holds (candidate, split, error)."""

    def add(search, failed=()):
        errors = {(candidate, split): error for candidate, split, error in failed}
        places = [(c, s) for c in range(len(search.cv_results_["params"])) for s in range(search.n_splits_)]
        search.grid_ = pa.table({"candidate_id": [c for c, _ in places], "split_id": [s for _, s in places]})
        places.append((0, None))  # the refit
        search.fits_ = pa.table(
            {
                "candidate_id": [c for c, _ in places],
                "split_id": [s for _, s in places],
                "status": ["failed" if place in errors else "complete" for place in places],
                "fit_error": pa.array([errors.get(place) for place in places], pa.string()),
            }
        )
        return search

    return add


@pytest.fixture(scope="session")
def fitted(iris):
    grid = {"var_smoothing": [1e-9, np.float64(0.5)], "priors": [None, [0.2, 0.3, 0.5]]}
    return GridSearchCV(GaussianNB(), grid, cv=3, scoring="neg_log_loss").fit(*iris)


@pytest.fixture
def search(fitted, with_tables):
    """Four candidates on three splits."""
    return with_tables(deepcopy(fitted))
