"""What the driver knows of the fits while they run: counts, the best candidate so far, pace and time to go."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sparksweep.search.fits import COMPLETE, Fit

__all__ = ["OnProgress", "Progress", "ProgressSnapshot"]


@dataclass(frozen=True)
class ProgressSnapshot:
    """How far a search is.

    Attributes
    ----------
    total, done, reused, failed : int
        Fits in all; done by now; among these taken from the ledger, and without a score.
    best_score : float or None
        The best mean test score of the candidates that have all their splits.
    best_candidate : int or None
        Whose it is.
    seconds : float
        Since the first fits were begun.
    seconds_left : float or None
        Expected, from the share of the expected cost that is done; None before the first fit.
    rounds_per_second : float or None
        Boosting rounds, or trees, trained; None where the params say none.
    refitting : bool
        All fits are done, and the best candidate is trained on all rows.
    """

    total: int
    done: int
    reused: int
    failed: int
    best_score: float | None
    best_candidate: int | None
    seconds: float
    seconds_left: float | None
    rounds_per_second: float | None
    refitting: bool = False

    def __str__(self) -> str:
        return ", ".join([f"{self.done} of {self.total} fits done", *self.notes()])

    def notes(self) -> list[str]:
        """Return all but the count of fits done, in words: reused, failed, the best so far, pace, time to go."""
        notes = [f"{self.reused} reused"] if self.reused else []
        notes += [f"{self.failed} failed"] if self.failed else []
        if self.best_score is not None:
            notes.append(f"best {self.best_score:.5f} (candidate {self.best_candidate})")
        if self.refitting:
            return [*notes, "refit of the best on all rows"]
        if self.rounds_per_second is not None:
            notes.append(f"{self.rounds_per_second:.3g} rounds/s")
        if self.seconds_left is not None and self.done < self.total:
            notes.append(f"{timedelta(seconds=round(self.seconds_left))} left")
        return notes


OnProgress = Callable[[ProgressSnapshot], None]


class Progress:
    """Counts fits as they arrive.

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
    clock : callable
        Seconds, as `time.monotonic`.
    """

    def __init__(
        self,
        on_progress: OnProgress | None,
        n_splits: int,
        scorer: str | None,
        error_score: Any,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_progress = on_progress
        self._n_splits = n_splits
        self._scorer = scorer
        self._error_score = error_score
        self._clock = clock
        self._begin = clock()
        self._total = self._done = self._reused = self._failed = 0
        self._cost = self._cost_done = self._rounds_done = 0.0
        self._scores: dict[int, list[float]] = {}
        self._best: tuple[float, int] | None = None

    def expect(self, n_fits: int, cost: float) -> None:
        """Say that so many more fits begin; `cost` is what those to be trained are expected to cost."""
        self._total += n_fits
        self._cost += cost

    def reuse(self, fits: Iterable[Fit]) -> None:
        """Count fits that the ledger had."""
        for fit in fits:
            self._reused += 1
            self._count(fit)
        if self._reused:
            self._tell()

    def add(self, fits: Iterable[Fit], costs: Mapping[tuple[int, int], float], rounds: float) -> None:
        """Count fits that were trained, and tell ``on_progress``.

        Parameters
        ----------
        fits : iterable of Fit
            Each comes once.
        costs : mapping of (candidate_id, split_id) to float
            Expected cost of each.
        rounds : float
            Rounds that were trained for them.
        """
        for fit in fits:
            self._cost_done += costs.get((fit.candidate_id, fit.split_id), 0.0)
            self._count(fit)
        self._rounds_done += rounds
        self._tell()

    def refitting(self) -> None:
        """Say that the refit begins."""
        self._tell(refitting=True)

    def _count(self, fit: Fit) -> None:
        self._done += 1
        self._failed += fit.status != COMPLETE
        scores = self._scores.setdefault(fit.candidate_id, [])
        scores.append(self._deciding(fit.test_scores))
        if len(scores) == self._n_splits:
            mean = math.fsum(self._scores.pop(fit.candidate_id)) / self._n_splits
            if not math.isnan(mean) and (self._best is None or mean > self._best[0]):
                self._best = (mean, fit.candidate_id)

    def _tell(self, refitting: bool = False) -> None:
        if self._on_progress is None:
            return
        seconds = self._clock() - self._begin
        left = None
        if self._cost_done > 0:
            left = seconds * max(0.0, self._cost - self._cost_done) / self._cost_done
        self._on_progress(
            ProgressSnapshot(
                total=self._total,
                done=self._done,
                reused=self._reused,
                failed=self._failed,
                best_score=None if self._best is None else self._best[0],
                best_candidate=None if self._best is None else self._best[1],
                seconds=seconds,
                seconds_left=left,
                rounds_per_second=self._rounds_done / seconds if self._rounds_done and seconds > 0 else None,
                refitting=refitting,
            )
        )

    def _deciding(self, scores: Mapping[str, float | None]) -> float:
        scorer = next(iter(scores), None) if self._scorer is None else self._scorer
        score = None if scorer is None else scores.get(scorer)
        if score is not None:
            return score
        return float(self._error_score) if isinstance(self._error_score, (int, float)) else math.nan
