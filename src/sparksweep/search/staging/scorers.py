"""Which scorers see no more of an estimator than what it predicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, check_scoring, make_scorer

__all__ = ["can_share_scoring"]


def can_share_scoring(scorers: Iterable[Callable[..., Any]]) -> bool:
    """Tell whether all scorers judge predictions only, which a prefix has like a separate fit.

    Those are scikit-learn's own by name, those that `sklearn.metrics.make_scorer` made, and the estimator's ``score``.
    Any other callable may look into the estimator, where a prefix differs.

    Parameters
    ----------
    scorers : iterable of callable
        Resolved ones: of several scorers, each; not the callable that calls them all.
    """
    known = (type(make_scorer(accuracy_score)), type(check_scoring(DummyClassifier(), None)))
    return all(type(scorer) in known for scorer in scorers)
