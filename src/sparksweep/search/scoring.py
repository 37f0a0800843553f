"""The scorer or scorers of a search, as scikit-learn resolves them. No pyspark: workers hold it."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import check_scoring, get_scorer

__all__ = ["Scoring", "accepts_sample_weight", "build_scoring", "is_estimators_own"]


@dataclass(frozen=True)
class Scoring:
    """What judges a fit.

    Attributes
    ----------
    scorer : callable
        ``scorer(estimator, X, y)`` gives a number or, of several, a dict.
    each : mapping of str to callable, or None
        The scorers by name where several were asked for.
    """

    scorer: Callable[..., Any]
    each: Mapping[str, Callable[..., Any]] | None

    @property
    def fitted(self) -> Any:
        """What scikit-learn calls ``scorer_``: the scorer, or the scorers by name."""
        return self.scorer if self.each is None else dict(self.each)

    @property
    def names(self) -> list[str]:
        """The scorers' names as far as they are known before the first score."""
        return [] if self.each is None else list(self.each)


def build_scoring(estimator: Any, scoring: Any, *, raise_errors: bool) -> Scoring:
    """Return the scoring that a search's ``scoring`` means.

    Parameters
    ----------
    estimator : object
        Its own ``score`` is used where `scoring` is None.
    scoring : None, str, callable, list, tuple or dict
        As in scikit-learn's searches.
    raise_errors : bool
        Whether a failing one of several scorers raises; else its traceback stands for its score.
    """
    if callable(scoring):
        return Scoring(scoring, None)
    if scoring is None or isinstance(scoring, str):
        return Scoring(check_scoring(estimator, scoring), None)
    named = scoring if isinstance(scoring, dict) else {name: name for name in scoring}
    each = {name: check_scoring(estimator, scoring=one) for name, one in named.items()}
    return Scoring(check_scoring(estimator, scoring=scoring, raise_exc=raise_errors), each)


def is_estimators_own(scorer: Callable[..., Any]) -> bool:
    """Tell whether a scorer does nothing but call the estimator's ``score``."""
    return type(scorer) is type(check_scoring(LogisticRegression(), None))


def accepts_sample_weight(scorer: Callable[..., Any], estimator: Any) -> bool:
    """Tell whether a scorer takes ``sample_weight``.

    What `sklearn.metrics.make_scorer` made takes any keyword and hands it to its metric, whose signature is private to
    it; so such a scorer is asked by a try on two rows.
    """
    if isinstance(scorer, _made_by_make_scorer()):
        return _takes_weights(scorer)
    if is_estimators_own(scorer):
        return "sample_weight" in inspect.signature(estimator.score).parameters
    return "sample_weight" in inspect.signature(scorer).parameters


def _made_by_make_scorer() -> tuple[type, ...]:
    made = type(get_scorer("accuracy"))
    return tuple(kind for kind in made.__mro__ if kind.__module__ == made.__module__)


def _takes_weights(scorer: Callable[..., Any]) -> bool:
    X, y = np.array([[0.0], [1.0]]), np.array([0, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            scorer(LogisticRegression().fit(X, y), X, y, sample_weight=np.ones(2))
        except TypeError as error:
            return "sample_weight" not in str(error)
        except Exception:  # the metric has looked at its arguments and dislikes these rows: it takes weights
            return True
    return True
