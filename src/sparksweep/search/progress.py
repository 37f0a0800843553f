"""What the driver knows of the fits while they run: counts and the best candidate so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sparksweep.search.fits import FAILED, Fit

__all__ = ["OnProgress", "Progress"]

# Fits done, failed among them, fits in all, best mean score so far or None.
OnProgress = Callable[[int, int, int, "float | None"], None]


class Progress:
    """Counts fits as they arrive; one that arrives twice, after Spark tried its task again, counts once.

    Parameters
    ----------
    on_progress : callable or None
        Told after each arrival.
    n_splits : int
        A candidate has a mean score when all its splits are there.
    scorer : str or None
        Decides which candidate is best; None for the first.
    error_score : object
        Stands for a failed score.
    """

    def __init__(self, on_progress: OnProgress | None, n_splits: int, scorer: str | None, error_score: Any) -> None:
        self._on_progress = on_progress
        self._n_splits = n_splits
        self._scorer = scorer
        self._error_score = error_score
        self._total = 0
        self._seen: set[tuple[int, int]] = set()
        self._failed = 0
        self._scores: dict[int, list[float]] = {}
        self._best: float | None = None

    def expect(self, n_fits: int) -> None:
        """Say that so many more fits have begun."""
        self._total += n_fits

    def add(self, fits: Iterable[Fit]) -> None:
        """Count fits and tell ``on_progress``."""
        for fit in fits:
            key = (fit.candidate_id, fit.split_id)
            if key not in self._seen:
                self._seen.add(key)
                self._failed += fit.status == FAILED
                self._score(fit)
        if self._on_progress is not None:
            self._on_progress(len(self._seen), self._failed, self._total, self._best)

    def _score(self, fit: Fit) -> None:
        scores = self._scores.setdefault(fit.candidate_id, [])
        scores.append(self._deciding(fit.test_scores))
        if len(scores) == self._n_splits:
            mean = math.fsum(self._scores.pop(fit.candidate_id)) / self._n_splits
            if not math.isnan(mean) and (self._best is None or mean > self._best):
                self._best = mean

    def _deciding(self, scores: Mapping[str, float | None]) -> float:
        scorer = next(iter(scores), None) if self._scorer is None else self._scorer
        score = None if scorer is None else scores.get(scorer)
        if score is not None:
            return score
        return float(self._error_score) if isinstance(self._error_score, (int, float)) else math.nan
