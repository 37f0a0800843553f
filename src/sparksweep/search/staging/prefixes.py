"""Stages of estimators whose fitted attributes are sequences with an item a round."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sparksweep.search.staging.adapter import Stage

__all__ = ["fit_prefixes"]


def fit_prefixes(*attributes: str) -> Callable[[Any, Sequence[int], Callable[..., None]], Iterator[Stage]]:
    """Return a `fit_stages` that trains, then cuts the estimator's fitted `attributes` to the length of each stage."""

    def fit_stages(estimator: Any, stages: Sequence[int], train: Callable[..., None]) -> Iterator[Stage]:
        start = time.perf_counter()
        train()
        seconds = time.perf_counter() - start
        whole = {name: getattr(estimator, name) for name in attributes}
        try:
            for stage in stages[:-1]:
                for name, items in whole.items():
                    setattr(estimator, name, items[:stage])
                yield stage, estimator, seconds * stage / stages[-1]
        finally:
            for name, items in whole.items():
                setattr(estimator, name, items)
        yield stages[-1], estimator, seconds

    return fit_stages
