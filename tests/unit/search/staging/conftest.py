"""What the tests of all adapters ask: are stages bitwise equal to separate fits?"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone

from sparksweep.search.staging import fit_stages, staged_parameter
from sparksweep.search.threads import limited_pools


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Bitwise equal is said of one thread; and OpenMP's threads wait for each other at full speed."""
    with limited_pools(1):
        yield


class Comparison:
    """Trains once in stages and once a stage, and compares all that a scorer could see."""

    def __call__(self, estimator, stages, data, X_test, outputs, **fit_params):
        name = next(n for n in ("n_estimators", "max_iter") if n in estimator.get_params())
        staged = clone(estimator).set_params(**{name: stages[-1]})
        assert staged_parameter(staged, {name: stages[-1]}, fit_params, data[1]) == name
        seen = []
        for stage, fitted, seconds in fit_stages(
            staged, stages, lambda **more: staged.fit(*data, **fit_params, **more)
        ):
            separate = clone(estimator).set_params(**{name: stage}).fit(*data, **fit_params)
            for output in outputs:
                self.same(output(fitted, X_test), output(separate, X_test))
            if hasattr(separate, "classes_"):
                self.same(fitted.classes_, separate.classes_)
            seen.append((stage, seconds))
        assert fitted is staged
        assert [stage for stage, _ in seen] == list(stages)
        assert seen[0][1] > 0
        assert [seconds for _, seconds in seen] == sorted(seconds for _, seconds in seen)
        return staged, separate

    @staticmethod
    def same(ours, theirs):
        ours, theirs = np.asarray(ours), np.asarray(theirs)
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        assert ours.tobytes() == theirs.tobytes()


@pytest.fixture(scope="session")
def compare():
    return Comparison()


@pytest.fixture(scope="session")
def table():
    """Make a small table: X (dense or CSR), y of so many classes or of numbers, and weights."""

    def make(seed, classes, sparse, rows=60, columns=5):
        rng = np.random.default_rng(seed)
        X = rng.integers(0, 4, (rows, columns)) * rng.random((rows, columns)).round(1)
        signal = X[:, 0] - X[:, 1] + 0.3 * rng.standard_normal(rows)
        y = signal + 9 if classes is None else np.argsort(np.argsort(signal)) * classes // rows
        return (csr_matrix(X) if sparse else X), y, rng.random(rows) + 0.1

    return make
