"""A search over LightGBM, scikit-learn's and ours: it stands apart because its library does not load everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import model_selection
from sklearn.datasets import make_classification
from tests.parity.comparing import assert_same_results
from threadpoolctl import threadpool_limits

import sparksweep

pytestmark = pytest.mark.spark

lightgbm = pytest.importorskip("lightgbm", exc_type=(ImportError, OSError))  # it needs the system's libgomp


@pytest.mark.usefixtures("spark")
def test_the_same_results():
    X, y = make_classification(n_samples=60, n_features=6, n_informative=4, random_state=0)
    model = lightgbm.LGBMClassifier(
        n_jobs=1, random_state=0, min_child_samples=2, subsample=0.7, subsample_freq=1, verbose=-1
    )
    grid = {"n_estimators": [2, 4], "num_leaves": [3, 5]}
    with threadpool_limits(1):
        theirs, ours = (
            module.GridSearchCV(model, grid, scoring="neg_log_loss").fit(X, y, sample_weight=1.0 + np.arange(60) % 3)
            for module in (model_selection, sparksweep)
        )
    assert_same_results(ours.cv_results_, theirs.cv_results_)
    assert ours.predict_proba(X).tobytes() == theirs.predict_proba(X).tobytes()
