"""scikit-learn's side is computed with the one thread that a fit here has: with more, BLAS adds up otherwise."""

from __future__ import annotations

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(scope="session", autouse=True)
def one_thread(spark):
    with threadpool_limits(1):
        yield
