"""The key of a fit: equal exactly where training again would give the same scores.

It is a digest of what enters a fit: the estimator as the candidate makes it, rows of the split, X, y and what goes with
them, threads, whether train scores are wanted, and the versions that change scores. Estimators enter by class, params
and whatever else they hold (fitted state, requested metadata), functions by qualified name, arrays by content. A class
or function brings the version of its package and, where that is not installed, the digest of its module's source. What
has no stable form, such as a function of a notebook, gives keys that no other search has, and the reason.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import pickle
import platform
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import clone

from sparksweep.matrix.manifest import array_facts
from sparksweep.search.scoring import Scoring, is_estimators_own
from sparksweep.search.threads import is_thread_param, limit_threads

__all__ = ["ALL_ROWS_DIGEST", "Identity", "Unstable", "data_digest", "split_digest", "stable_value"]

ALL_ROWS_DIGEST = "all rows"  # stands for the split of the refit
LIBRARIES = ("numpy", "scipy", "sklearn")
MAIN = b"__main__"
INSTALLED = frozenset({"site-packages", "dist-packages"})  # what lies elsewhere changes without a new version
AS_PYTHONS = (np.bool_, np.int64, np.float64, np.str_)  # an estimator cannot tell them from bool, int, float and str


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
        self._scorer = self._stable_scoring(scoring)
        salt = uuid.uuid4().hex if self.unstable else None
        self._threads = threads
        self._base = clone(estimator)
        limit_threads(self._base, threads)
        self._own = None if _holds_estimators(self._base) else self._stable_params(_shallow_params(self._base))
        self._class = self._stable(type(estimator), "the estimator")
        self._state = self._stable(_state_beside_params(self._base), "the estimator")
        self._common = {
            "salt": salt,
            "data": data,
            "fit_params": self._stable(dict(fit_params), "an argument of fit"),
            "score_params": self._stable(dict(score_params), "an argument of the scorers"),
            "threads": threads,
            "train_scores": return_train_score,
            "versions": {
                "python": platform.python_version(),
                "machine": platform.machine(),
                **{name: _version_of(name) for name in LIBRARIES},
            },
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
        known = {**self._common, "estimator": self._resolved(params)}
        start = hashlib.sha256(json.dumps(known, sort_keys=True).encode())
        keys = []
        for split in splits:
            digest = start.copy()
            digest.update(split.encode())
            keys.append(digest.hexdigest())
        return keys

    def _resolved(self, params: Mapping[str, Any]) -> Any:
        """Return the form of the estimator that a candidate's params make.

        One that holds no others is its own params with those of the candidate put over them. One that does has to be
        made: a component that a candidate replaces takes its params with it.
        """
        if self._own is not None and not any(hasattr(value, "get_params") for value in params.values()):
            given = {name: self._threads if is_thread_param(name) else value for name, value in params.items()}
            return {"estimator": [self._class, {**self._own, **self._stable_params(given)}, self._state]}
        try:
            estimator = clone(self._base).set_params(**clone(dict(params), safe=False))
            limit_threads(estimator, self._threads)
        except Exception:  # such a fit fails, for a reason that may lie in this process
            return {"base": self._stable(self._base, "the estimator"), "params": self._stable_params(params)}
        return self._stable(estimator, "the estimator")

    def _stable_params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._stable(value, name) for name, value in params.items()}

    def scorer_identities(self, names: Sequence[str]) -> dict[str, str]:
        """Return what each score was computed by; a score is another's only where that is equal, too."""
        by_name = self._scorer if isinstance(self._scorer, dict) else dict.fromkeys(names, self._scorer)
        return {name: by_name.get(name, "") for name in names}

    def _stable_scoring(self, scoring: Scoring) -> str | dict[str, str]:
        if scoring.each is not None:
            return {name: self._scorer_text(scorer, "one of several") for name, scorer in scoring.each.items()}
        return self._scorer_text(scoring.scorer, "single")

    def _scorer_text(self, scorer: Any, role: str) -> str:
        form = "the estimator's own" if is_estimators_own(scorer) else self._stable(scorer, "a scorer")
        text = json.dumps([role, form], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _stable(self, value: Any, what: str) -> Any:
        try:
            return stable_value(value)
        except Unstable as error:
            reason = f"{what}: {error}"
            if reason not in self.unstable:
                self.unstable.append(reason)
            return {"unstable": uuid.uuid4().hex}


def data_digest(X: Any, y: Any) -> str:
    """Return the hex digest of the content of X and y, whatever they are.

    Raises
    ------
    Unstable
        They hold what has no stable form.
    """
    digest = hashlib.sha256()
    for value in (X, y):
        digest.update(json.dumps(stable_value(value), sort_keys=True).encode())
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
    if isinstance(value, np.generic) and value.dtype.kind in "biufcU":
        if type(value) not in AS_PYTHONS:
            return ({"numpy": [value.dtype.str, repr(value.item())]},)
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
    if isinstance(value, np.ma.MaskedArray):
        parts = [stable_value(each) for each in (value.data, np.ma.getmaskarray(value), value.fill_value)]
        return ({"masked": parts},)
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        facts = array_facts(np.asarray(value))
        kind = facts.dtype if value.dtype.names is None else repr(value.dtype)
        return ({"array": [kind, list(facts.shape), facts.sha256]},)
    if issparse(value) and value.format in ("csr", "csc"):
        parts = [stable_value(getattr(value, name)) for name in ("data", "indices", "indptr")]
        return ({"sparse": [_dotted(type(value)), list(value.shape), parts]},)
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
    modules = {str(each.__module__) for each in value.__mro__} if isinstance(value, type) else {str(module)}
    return ({"name": [f"{module}.{name}", sorted({_version_of(each) for each in modules})]},)


def _found(module: str, name: str) -> Any:
    """Return what a qualified name leads to, None where it leads nowhere."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _estimator(value: Any) -> tuple[Any] | None:
    if not hasattr(value, "get_params") or isinstance(value, type):
        return None
    params = {name: stable_value(each) for name, each in _shallow_params(value).items()}
    return ({"estimator": [stable_value(type(value)), params, stable_value(_state_beside_params(value))]},)


def _shallow_params(estimator: Any) -> dict[str, Any]:
    return dict(sorted(estimator.get_params(deep=False).items()))


def _state_beside_params(estimator: Any) -> dict[str, Any]:
    """Return what an estimator holds besides params: requested metadata, kinds of output, and all that was fitted."""
    params = estimator.get_params(deep=False)
    return {name: each for name, each in sorted(getattr(estimator, "__dict__", {}).items()) if name not in params}


def _holds_estimators(estimator: Any) -> bool:
    shallow, deep = estimator.get_params(deep=False), estimator.get_params(deep=True)
    return len(deep) > len(shallow) or any(hasattr(value, "get_params") for value in shallow.values())


def _pickled(value: Any) -> Any:
    try:
        if MAIN in pickle.dumps(value, protocol=5):
            raise Unstable(f"a {type(value).__name__} refers to what a notebook defines")
        digest = joblib.hash(value)  # unlike a pickle it does not tell equal texts from one text
    except Unstable:
        raise
    except Exception as error:  # whatever it holds
        raise Unstable(f"a {type(value).__name__} cannot be pickled ({error})") from error
    return {"hash": [_dotted(type(value)), _version_of(type(value).__module__), digest]}


def _dotted(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


@functools.cache  # what is imported stays as it is
def _version_of(module: str) -> str:
    """Return package and version of an installed module, of any other the digest of its source too."""
    package = module.partition(".")[0]
    version = f"{package} {getattr(sys.modules.get(package), '__version__', '')}"
    source = getattr(sys.modules.get(module), "__file__", None)
    if source is None or INSTALLED.intersection(Path(source).parts):
        return version
    try:
        return f"{version} {hashlib.sha256(Path(source).read_bytes()).hexdigest()}"
    except OSError:  # in a zip, say
        return version
