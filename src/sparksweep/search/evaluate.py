"""Train and score one unit, as scikit-learn's searches do it. Runs on workers: no pyspark here nor in what it calls."""

from __future__ import annotations

import numbers
import os
import pickle
import socket
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import sklearn
from numpy.typing import NDArray
from sklearn.base import clone

from sparksweep.errors import SearchError
from sparksweep.search.fits import ALL_ROWS, COMPLETE, FAILED, Fit
from sparksweep.search.scoring import Scoring
from sparksweep.search.slicing import count_rows, row_params, split_rows
from sparksweep.search.staging import fit_stages, staged_parameter
from sparksweep.search.threads import limit_threads, limited_pools
from sparksweep.search.units import Unit

__all__ = ["SearchData", "Work", "evaluate_unit", "refit_candidate", "worker_context"]

Split = tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True)
class SearchData:
    """What every fit reads: it lies on a node once.

    Attributes
    ----------
    X, y : object
        Ready to be sliced.
    splits : sequence of (train, test) rows
        By split id.
    fit_params, score_params : mapping
        Keyword arguments of ``fit`` and of the scorers; what has a value a row is sliced.
    """

    X: Any
    y: Any
    splits: Sequence[Split]
    fit_params: Mapping[str, Any] = field(default_factory=dict)
    score_params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """What is done with the data.

    Attributes
    ----------
    estimator : object
        Cloned for each fit.
    candidates : mapping of int to mapping
        Params by candidate id.
    scoring : Scoring
        The scorers.
    return_train_score : bool
        Score the train rows too.
    raise_errors : bool
        ``error_score="raise"``: the first failure ends the search.
    threads : int
        Threads a fit may use.
    dumps : callable
        Pickles exceptions and models; passed in, since the pickler that knows classes of a notebook is pyspark's.
    config, warning_filters : mapping, sequence
        The driver's scikit-learn configuration and ``warnings.filters``.
    splits : sequence of (train, test) rows, optional
        Instead of those of the data.
    """

    estimator: Any
    candidates: Mapping[int, Mapping[str, Any]]
    scoring: Scoring
    return_train_score: bool
    raise_errors: bool
    threads: int
    dumps: Callable[[Any], bytes]
    config: Mapping[str, Any]
    warning_filters: Sequence[Any]
    splits: Sequence[Split] | None = None


def evaluate_unit(unit: Unit, data: SearchData, work: Work) -> Iterator[Fit]:
    """Train a unit's family on the unit's split, and score each of its candidates.

    A family is trained once, for its last candidate, and the others are scored on the way there; should that fail, each
    is trained by itself, since what fails after 400 rounds may not after 300.

    Yields
    ------
    Fit
        As soon as it is scored. A failure that ``error_score`` covers is a fit with status `FAILED`; any other, such as
        a parameter that the estimator does not have, comes with `Fit.exception`, and no further candidate is tried.
    """
    done = set()
    if len(unit.candidate_ids) > 1:
        for fit in _evaluate_family(unit, data, work):
            done.add(fit.candidate_id)
            yield fit
    for candidate_id in unit.candidate_ids:
        if candidate_id not in done:
            fit = _evaluate(candidate_id, unit.split_id, data, work)
            yield fit
            if fit.exception is not None:
                break


def refit_candidate(candidate_id: int, data: SearchData, work: Work) -> tuple[Fit, bytes | None]:
    """Train a candidate on all rows.

    Returns
    -------
    Fit
        With split `ALL_ROWS`; a failure comes with `Fit.exception`.
    bytes or None
        The fitted estimator, pickled; it carries the user's own thread parameters.
    """
    blank = _blank(candidate_id, ALL_ROWS, work)
    try:
        estimator, replaced = _prepare(work, candidate_id)
        start = time.perf_counter()
        _train(estimator, data.X, data.y, data.fit_params)
        fit = replace(blank, fit_time=time.perf_counter() - start, ended=time.time())
        if replaced:
            estimator.set_params(**replaced)
        return fit, _pickled_model(estimator, work)
    except Exception as error:
        return _ending(blank, error, work), None


@contextmanager
def worker_context(work: Work) -> Iterator[None]:
    """Give the code inside the driver's scikit-learn configuration and warning filters, and the task's threads."""
    with sklearn.config_context(**work.config), warnings.catch_warnings(), limited_pools(work.threads):
        warnings.filters[:] = list(work.warning_filters)  # type: ignore[index]  # typeshed has it read-only
        yield


def _evaluate_family(unit: Unit, data: SearchData, work: Work) -> Iterator[Fit]:
    """Yield the fits of one training; those that it cannot give are left out."""
    started = time.time()
    last = unit.candidate_ids[-1]
    with suppress(Exception):  # each candidate is then trained by itself, and tells its own failure
        estimator, _ = _prepare(work, last)
        parameter = staged_parameter(estimator, work.candidates[last], data.fit_params, data.y)
        if parameter is None:
            return
        members: dict[int, list[int]] = {}
        for candidate_id in unit.candidate_ids:
            members.setdefault(int(work.candidates[candidate_id][parameter]), []).append(candidate_id)
        begin = time.perf_counter()
        rows = _slice(estimator, unit.split_id, data, work)
        sliced = time.perf_counter() - begin
        train = partial(_train, estimator, rows.X_train, rows.y_train, rows.fit_params)
        for stage, model, seconds in fit_stages(estimator, sorted(members), train):
            for candidate_id in members[stage]:
                blank = replace(_blank(candidate_id, unit.split_id, work), started=started, n_test=rows.n_test)
                fit = _scored(replace(blank, fit_time=sliced + seconds), model, rows, work)
                yield replace(fit, ended=time.time())


def _evaluate(candidate_id: int, split_id: int, data: SearchData, work: Work) -> Fit:
    blank = _blank(candidate_id, split_id, work)
    try:
        return replace(_fit_and_score(blank, data, work), ended=time.time())
    except Exception as error:
        return _ending(blank, error, work)


@dataclass(frozen=True)
class _Rows:
    """The rows of one split, and what goes with them."""

    X_train: Any
    y_train: Any
    X_test: Any
    y_test: Any
    fit_params: Mapping[str, Any]
    train_score_params: Mapping[str, Any]
    test_score_params: Mapping[str, Any]
    n_test: int


def _slice(estimator: Any, split_id: int, data: SearchData, work: Work) -> _Rows:
    train, test = (data.splits if work.splits is None else work.splits)[split_id]
    X_train, y_train = split_rows(estimator, data.X, data.y, train)
    X_test, y_test = split_rows(estimator, data.X, data.y, test, train)
    return _Rows(
        X_train=X_train,
        y_train=y_train,
        X_test=X_test,
        y_test=y_test,
        fit_params=row_params(data.X, data.fit_params, train),
        train_score_params=row_params(data.X, data.score_params, train) if work.return_train_score else {},
        test_score_params=row_params(data.X, data.score_params, test),
        n_test=count_rows(X_test),
    )


def _fit_and_score(blank: Fit, data: SearchData, work: Work) -> Fit:
    estimator, _ = _prepare(work, blank.candidate_id)
    start = time.perf_counter()
    rows = _slice(estimator, blank.split_id, data, work)
    blank = replace(blank, n_test=rows.n_test)
    try:
        _train(estimator, rows.X_train, rows.y_train, rows.fit_params)
    except Exception:
        if work.raise_errors:
            raise
        return _failed(replace(blank, fit_time=time.perf_counter() - start), traceback.format_exc(), work)
    return _scored(replace(blank, fit_time=time.perf_counter() - start), estimator, rows, work)


def _scored(blank: Fit, estimator: Any, rows: _Rows, work: Work) -> Fit:
    start = time.perf_counter()
    scores = _score(estimator, rows.X_test, rows.y_test, rows.test_score_params, work)
    score_time = time.perf_counter() - start
    train_scores = _Scores({}, {}, False)
    if work.return_train_score:
        train_scores = _score(estimator, rows.X_train, rows.y_train, rows.train_score_params, work)
    errors = {f"test_{name}": text for name, text in scores.errors.items()}
    errors |= {f"train_{name}": text for name, text in train_scores.errors.items()}
    return replace(
        blank,
        status=FAILED if errors else COMPLETE,
        test_scores=scores.values,
        train_scores=train_scores.values,
        score_errors=errors,
        multimetric=scores.multimetric,
        score_time=score_time,
    )


def _prepare(work: Work, candidate_id: int) -> tuple[Any, dict[str, Any]]:
    """Return a fresh estimator with the candidate's params and the task's threads, and the thread params replaced.

    Params are cloned, since they may be estimators themselves.
    """
    params = clone(dict(work.candidates[candidate_id]), safe=False)
    estimator = clone(work.estimator).set_params(**params)
    return estimator, limit_threads(estimator, work.threads)


def _train(estimator: Any, X: Any, y: Any, fit_params: Mapping[str, Any], **more: Any) -> None:
    if y is None:
        estimator.fit(X, **fit_params, **more)
    else:
        estimator.fit(X, y, **fit_params, **more)


@dataclass(frozen=True)
class _Scores:
    values: Mapping[str, float | None]
    errors: Mapping[str, str]
    multimetric: bool


def _score(estimator: Any, X: Any, y: Any, params: Mapping[str, Any], work: Work) -> _Scores:
    """Return the scores by scorer; a single scorer is called ``score``."""
    scorer, several = work.scoring.scorer, work.scoring.each is not None
    try:
        result = scorer(estimator, X, **params) if y is None else scorer(estimator, X, y, **params)
    except Exception:
        if work.raise_errors or several:  # several scorers catch their own failures: this one is not theirs
            raise
        return _Scores({"score": None}, {"score": traceback.format_exc()}, False)
    if not isinstance(result, dict):
        return _Scores({"score": _number(result, scorer)}, {}, False)
    errors = {name: value for name, value in result.items() if several and isinstance(value, str)}
    values = {name: None if name in errors else _number(value, name) for name, value in result.items()}
    return _Scores(values, errors, True)


def _number(score: Any, scorer: Any) -> float:
    if hasattr(score, "item"):
        with suppress(ValueError):
            score = score.item()
    if not isinstance(score, numbers.Number):
        raise ValueError(f"scoring must return a number, got {score} ({type(score)}) instead. (scorer={scorer})")
    return float(score)  # type: ignore[arg-type]  # complex fails here, as it should


def _blank(candidate_id: int, split_id: int, work: Work) -> Fit:
    now = time.time()
    return Fit(
        candidate_id=candidate_id,
        split_id=split_id,
        status=COMPLETE,
        test_scores={},
        train_scores={},
        score_errors={},
        multimetric=work.scoring.each is not None,
        fit_time=0.0,
        score_time=0.0,
        n_test=0,
        fit_error=None,
        started=now,
        ended=now,
        host=socket.gethostname(),
        pid=os.getpid(),
        thread_count=work.threads,
        attempt=1,
    )


def _failed(fit: Fit, fit_error: str, work: Work) -> Fit:
    """Return a fit whose training failed: no scores under the names known by now."""
    names = work.scoring.names if work.scoring.each is not None else []
    none: dict[str, float | None] = dict.fromkeys(names)
    return replace(
        fit, status=FAILED, fit_error=fit_error, test_scores=none, train_scores=none if work.return_train_score else {}
    )


def _ending(fit: Fit, error: Exception, work: Work) -> Fit:
    """Return a fit whose failure ends the search."""
    failed = replace(_failed(fit, traceback.format_exc(), work), ended=time.time())
    return replace(failed, exception=_pickled(error, work))


class _Revivable:
    """Pickles an exception whose class wants other arguments than it keeps, so that it comes back all the same."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __reduce__(self) -> Any:
        return _revived, (type(self._error), self._error.args, vars(self._error))


def _revived(kind: type[Exception], args: tuple[Any, ...], attributes: Mapping[str, Any]) -> Exception:
    error = kind.__new__(kind, *args)
    error.args = args
    vars(error).update(attributes)
    return error


def _pickled(error: Exception, work: Work) -> bytes:
    """Return an exception as bytes; one that cannot travel is replaced by its text."""
    for value in (error, _Revivable(error)):
        with suppress(Exception):  # whatever it holds: a lock, a socket, a generator
            data = work.dumps(value)
            str(pickle.loads(data))  # some pickle but do not come back
            return data
    return work.dumps(RuntimeError(f"{type(error).__name__}: {error}"))


def _pickled_model(estimator: Any, work: Work) -> bytes:
    try:
        return work.dumps(estimator)
    except Exception as error:
        raise SearchError(
            f"the refitted {type(estimator).__name__} cannot be pickled, so it cannot leave its Spark task: "
            f"{type(error).__name__}: {error}; cv_results_ is there, refit=False searches without it"
        ) from error
