"""The key of a fit: equal exactly where training again would give the same scores.

It is a digest of what enters a fit: params, rows of the split, X, y and what goes with them, the estimator's class and
fixed params, threads, whether train scores are wanted, and the versions that change scores. Estimators enter by class
and params, functions by qualified name, arrays by content. What has no stable form, such as a function of a notebook,
gives keys that no other search has, and the reason.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
import math
import pickle
import platform
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from sparksweep.matrix.manifest import array_facts
from sparksweep.search.scoring import Scoring

__all__ = ["ALL_ROWS_DIGEST", "Identity", "Unstable", "data_digest", "split_digest", "stable_value"]

ALL_ROWS_DIGEST = "all rows"  # stands for the split of the refit
LIBRARIES = ("numpy", "scipy", "sklearn")
MAIN = b"__main__"


class Unstable(Exception):
    """A value has no form that means the same in another process."""


class Identity:
    """What all fits of a search have in common.

    Parameters
    ----------
    estimator : object
        With the fixed params.
    data : str
        `data_digest` of X and y.
    fit_params, score_params : mapping
        Keyword arguments of ``fit`` and of the scorers.
    scoring : Scoring
        The scorers.
    threads : int
        Threads of a fit.
    return_train_score : bool
        Whether train scores are wanted.

    Attributes
    ----------
    estimator : str
        Dotted name of its class.
    data : str
        Digest of X and y.
    unstable : list of str
        Why no fit of this search can be used by another; empty where it can.
    """

    def __init__(
        self,
        estimator: Any,
        data: str,
        fit_params: Mapping[str, Any],
        score_params: Mapping[str, Any],
        scoring: Scoring,
        threads: int,
        return_train_score: bool,
    ) -> None:
        self.estimator = _dotted(type(estimator))
        self.data = data
        self.unstable: list[str] = []
        self._salt = uuid.uuid4().hex
        self._own = {name: self._stable(value, name) for name, value in estimator.get_params(deep=True).items()}
        self._scorer = self._stable_scoring(scoring)
        self._common = {
            "estimator": self._stable(type(estimator), "the estimator"),
            "data": data,
            "fit_params": self._stable(dict(fit_params), "an argument of fit"),
            "score_params": self._stable(dict(score_params), "an argument of the scorers"),
            "threads": threads,
            "train_scores": return_train_score,
            "versions": _versions(estimator),
        }

    def fit_key(self, params: Mapping[str, Any], split: str) -> str:
        """Return the hex digest of a fit.

        Parameters
        ----------
        params : mapping
            The candidate.
        split : str
            `split_digest` of the split's rows.
        """
        return self.fit_keys(params, [split])[0]

    def fit_keys(self, params: Mapping[str, Any], splits: Sequence[str]) -> list[str]:
        """Return the keys of a candidate on several splits."""
        own = {**self._own, **{name: self._stable(value, name) for name, value in params.items()}}
        known: dict[str, Any] = {**self._common, "params": own}
        if self.unstable:
            known["salt"] = self._salt
        start = hashlib.sha256(json.dumps(known, sort_keys=True).encode())
        keys = []
        for split in splits:
            digest = start.copy()
            digest.update(split.encode())
            keys.append(digest.hexdigest())
        return keys

    def scorer_identities(self, names: Sequence[str]) -> dict[str, str]:
        """Return what each score was computed by; a score is another's only where that is equal, too."""
        by_name = self._scorer if isinstance(self._scorer, dict) else dict.fromkeys(names, self._scorer)
        return {name: by_name.get(name, "") for name in names}

    def _stable_scoring(self, scoring: Scoring) -> str | dict[str, str]:
        if scoring.each is not None:
            return {name: self._scorer_text(scorer) for name, scorer in scoring.each.items()}
        return self._scorer_text(scoring.scorer)

    def _scorer_text(self, scorer: Any) -> str:
        text = json.dumps(self._stable(scorer, "a scorer"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _stable(self, value: Any, what: str) -> Any:
        try:
            return stable_value(value)
        except Unstable as error:
            reason = f"{what}: {error}"
            if reason not in self.unstable:
                self.unstable.append(reason)
            return None


def data_digest(X: Any, y: Any) -> str:
    """Return the hex digest of the content of X and y, whatever they are."""
    digest = hashlib.sha256()
    for value in (X, y):
        try:
            text = json.dumps(stable_value(value), sort_keys=True)
        except Unstable:
            text = uuid.uuid4().hex  # never the same again
        digest.update(text.encode())
    return digest.hexdigest()


def split_digest(train: NDArray[Any], test: NDArray[Any]) -> str:
    """Return the hex digest of the rows of a split."""
    digest = hashlib.sha256()
    for rows in (train, test):
        values = np.ascontiguousarray(rows, dtype=np.int64)
        digest.update(len(values).to_bytes(8, "little") + values.tobytes())
    return digest.hexdigest()


def stable_value(value: Any) -> Any:
    """Return a value in a form that JSON holds and that means the same in every process.

    Raises
    ------
    Unstable
        There is none: a function of a notebook, a lambda, what cannot be pickled.
    """
    for encode in (_plain, _collection, _array, _named, _estimator):
        found = encode(value)
        if found is not None:
            return found[0]
    return _pickled(value)


def _plain(value: Any) -> tuple[Any] | None:
    if isinstance(value, np.generic) and value.dtype.kind in "biufU":
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return (value,)
    if isinstance(value, float):
        return (value if math.isfinite(value) else {"float": repr(value)},)
    return None


def _collection(value: Any) -> tuple[Any] | None:
    if type(value) in (list, tuple):
        return ({type(value).__name__: [stable_value(each) for each in value]},)
    if type(value) is dict:
        return ({"dict": [[stable_value(key), stable_value(each)] for key, each in value.items()]},)
    if type(value) in (set, frozenset):
        return ({"set": sorted(json.dumps(stable_value(each), sort_keys=True) for each in value)},)
    return None


def _array(value: Any) -> tuple[Any] | None:
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        facts = array_facts(np.asarray(value))
        return ({"array": [facts.dtype, list(facts.shape), facts.sha256]},)
    if issparse(value) and value.format in ("csr", "csc"):
        parts = [stable_value(getattr(value, name)) for name in ("data", "indices", "indptr")]
        return ({"sparse": [_dotted(type(value)), list(value.shape), parts]},)
    if isinstance(value, np.ndarray) or type(value).__module__.partition(".")[0] == "pandas":
        try:
            return ({"hash": [_dotted(type(value)), joblib.hash(value)]},)
        except Exception as error:  # whatever it holds
            raise Unstable(f"a {type(value).__name__} cannot be pickled ({error})") from error
    return None


def _named(value: Any) -> tuple[Any] | None:
    """Return a class or function by its name, provided that the name leads to it."""
    if isinstance(value, functools.partial):
        return ({"partial": [stable_value(value.func), stable_value(value.args), stable_value(value.keywords)]},)
    name = getattr(value, "__qualname__", None)
    if name is None or (hasattr(value, "__self__") and not isinstance(value, type)):
        return None
    module = getattr(value, "__module__", None)
    if module in (None, "__main__") or _found(str(module), name) is not value:
        raise Unstable(f"{name} is defined in a notebook or within a function, so its name says nothing of its content")
    return ({"name": f"{module}.{name}"},)


def _found(module: str, name: str) -> Any:
    """Return what a qualified name leads to, None where it leads nowhere."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _estimator(value: Any) -> tuple[Any] | None:
    if not hasattr(value, "get_params"):
        return None
    params = {name: stable_value(each) for name, each in sorted(value.get_params(deep=False).items())}
    return ({"estimator": [stable_value(type(value)), params]},)


def _pickled(value: Any) -> Any:
    try:
        data = pickle.dumps(value, protocol=5)
    except Exception as error:  # whatever it holds
        raise Unstable(f"a {type(value).__name__} cannot be pickled ({error})") from error
    if MAIN in data:
        raise Unstable(f"a {type(value).__name__} refers to what a notebook defines")
    return {"pickle": [_dotted(type(value)), hashlib.sha256(data).hexdigest()]}


def _dotted(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _versions(estimator: Any) -> dict[str, str]:
    """Return the versions that change scores: of Python, the machine's kind, and the libraries of the estimators."""
    packages = {*LIBRARIES, *(type(each).__module__.partition(".")[0] for each in _estimators(estimator))}
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in sorted(packages - {"builtins", "__main__"}):
        version = getattr(importlib.import_module(package), "__version__", None)
        if version is not None:
            found[package] = str(version)
    return found


def _estimators(estimator: Any) -> Iterator[Any]:
    yield estimator
    for value in estimator.get_params(deep=True).values():
        if hasattr(value, "get_params") and not isinstance(value, type):
            yield value
