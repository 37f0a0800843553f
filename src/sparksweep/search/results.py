"""From fits to ``cv_results_``, by scikit-learn's rules: keys and their order, types, masks, ranks, warnings."""

from __future__ import annotations

import numbers
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.ma import MaskedArray
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.exceptions import FitFailedWarning

from sparksweep.search.fits import Fit

__all__ = ["best_index", "cv_results", "is_multimetric", "warn_of_failures"]

Scores = list[dict[str, float]]


def cv_results(
    candidates: Sequence[Mapping[str, Any]],
    fits: Sequence[Fit],
    *,
    error_score: Any,
    return_train_score: bool,
    more_results: Mapping[str, Sequence[Any]] | None = None,
) -> dict[str, Any]:
    """Return the results of a search as scikit-learn tabulates them.

    Parameters
    ----------
    candidates : sequence of mapping
        Params in candidate order.
    fits : sequence of Fit
        By candidate, then split.
    error_score : float
        Stands for a failed score.
    return_train_score : bool
        Tabulate the train scores too.
    more_results : mapping of str to sequence, optional
        Further columns, a value a candidate; they come first.

    Returns
    -------
    dict of str to ndarray
        Means and scores float64, ranks int32, params masked where a candidate lacks them; ``params`` is a list.
    """
    table = _Table(len(candidates), {key: np.asarray(values) for key, values in (more_results or {}).items()})
    table.add_times("fit_time", [fit.fit_time for fit in fits])
    table.add_times("score_time", [fit.score_time for fit in fits])
    table.columns.update(_param_columns(candidates))
    table.columns["params"] = list(candidates)
    tests = _filled([fit.test_scores for fit in fits], error_score)
    trains = _filled([fit.train_scores for fit in fits], error_score) if return_train_score else []
    for scorer in tests[0]:
        table.add_scores(f"test_{scorer}", [scores[scorer] for scores in tests], rank=True)
        if return_train_score:
            table.add_scores(f"train_{scorer}", [scores[scorer] for scores in trains], rank=False)
    return table.columns


def warn_of_failures(fits: Sequence[Fit], error_score: Any) -> None:
    """Warn of failed scores and fits, the same ones together, as scikit-learn does.

    Raises
    ------
    ValueError
        Every fit failed.
    """
    for fit in fits:
        for text in fit.score_errors.values():
            warnings.warn(
                "Scoring failed. The score on this train-test partition for these parameters will be set to "
                f"{error_score}. Details: \n{text}",
                UserWarning,
                stacklevel=2,
            )
    errors = Counter(fit.fit_error for fit in fits if fit.fit_error is not None)
    if not errors:
        return
    failed = errors.total() if hasattr(errors, "total") else sum(errors.values())
    line = "-" * 80
    details = "Below are more details about the failures:\n" + "\n".join(
        f"{line}\n{count} fits failed with the following error:\n{error}" for error, count in errors.items()
    )
    if failed == len(fits):
        raise ValueError(
            f"\nAll the {failed} fits failed.\n"
            "It is very likely that your model is misconfigured.\n"
            f"You can try to debug the error by setting error_score='raise'.\n\n{details}"
        )
    warnings.warn(
        f"\n{failed} fits failed out of a total of {len(fits)}.\n"
        f"The score on these train-test partitions for these parameters will be set to {error_score}.\n"
        "If these failures are not expected, you can try to debug them by setting error_score='raise'.\n\n"
        f"{details}",
        FitFailedWarning,
        stacklevel=2,
    )


def is_multimetric(fits: Sequence[Fit]) -> bool:
    """Tell whether the scorer gave several scores; a fit that failed does not know it of a callable."""
    return any(fit.multimetric for fit in fits)


def best_index(refit: Any, refit_metric: str, results: Mapping[str, Any]) -> Any:
    """Return the index of the best candidate: the first of the best rank, or what a callable `refit` chooses.

    Raises
    ------
    TypeError, IndexError
        The callable's choice is no index.
    """
    if not callable(refit):
        return results[f"rank_test_{refit_metric}"].argmin()
    chosen = refit(results)
    if not isinstance(chosen, numbers.Integral):
        raise TypeError("best_index_ returned is not an integer")
    if chosen < 0 or chosen >= len(results["params"]):  # type: ignore[operator]
        raise IndexError("best_index_ index out of range")
    return chosen


class _Table:
    def __init__(self, n_candidates: int, columns: dict[str, Any]) -> None:
        self.columns = columns
        self._n_candidates = n_candidates

    def add_times(self, name: str, values: Sequence[float]) -> None:
        self._add_mean_and_std(name, self._by_candidate(values))

    def add_scores(self, name: str, values: Sequence[float], *, rank: bool) -> None:
        scores = self._by_candidate(values)
        for split_id in range(scores.shape[1]):
            self.columns[f"split{split_id}_{name}"] = scores[:, split_id]
        means = self._add_mean_and_std(name, scores)
        if not np.isfinite(means).all():
            side = name.partition("_")[0]
            warnings.warn(
                f"One or more of the {side} scores are non-finite: {means}", category=UserWarning, stacklevel=4
            )
        if rank:
            self.columns[f"rank_{name}"] = _ranks(means)

    def _by_candidate(self, values: Sequence[float]) -> NDArray[np.float64]:
        return np.array(values, dtype=np.float64).reshape(self._n_candidates, -1)

    def _add_mean_and_std(self, name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
        means: NDArray[np.float64] = np.average(values, axis=1)
        self.columns[f"mean_{name}"] = means
        self.columns[f"std_{name}"] = np.sqrt(np.average((values - means[:, np.newaxis]) ** 2, axis=1))
        return means


def _ranks(means: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return ranks from 1, ties the lowest; NaN ties with the worst."""
    if np.isnan(means).all():
        return np.ones_like(means, dtype=np.int32)
    ranked: NDArray[np.int32] = rankdata(-np.nan_to_num(means, nan=np.nanmin(means) - 1), method="min").astype(np.int32)
    return ranked


def _filled(scores: Sequence[Mapping[str, float | None]], error_score: Any) -> Scores:
    """Put `error_score` where a score failed; the scorers' names are those of the first fit that has a score.

    A callable that fails does not say whether it would have given one score or several.
    """
    scored = (list(each) for each in scores if any(value is not None for value in each.values()))
    names = next(scored, None) or next((list(each) for each in scores if each), ["score"])
    return [
        {name: error_score if each.get(name) is None else each[name] for name in names}  # type: ignore[misc]
        for each in scores
    ]


def _param_columns(candidates: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, MaskedArray[Any, Any]]]:
    values: dict[str, dict[int, Any]] = {}
    for index, params in enumerate(candidates):
        for name, value in params.items():
            values.setdefault(name, {})[index] = value
    for name, by_candidate in values.items():
        column = MaskedArray(np.empty(len(candidates), dtype=_column_dtype(list(by_candidate.values()))), mask=True)
        for index, value in by_candidate.items():
            column[index] = value  # unmasks it
        yield f"param_{name}", column


def _column_dtype(values: list[Any]) -> np.dtype[Any]:
    """Return the type that numpy sees in the values; object for texts and for what is more than one-dimensional."""
    try:
        array = np.array(values)
    except ValueError:  # lists of different lengths
        return np.dtype(object)
    return array.dtype if array.dtype.kind != "U" and array.ndim == 1 else np.dtype(object)
