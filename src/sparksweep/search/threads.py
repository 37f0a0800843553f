"""One thread plan: an estimator may use as many threads as Spark gives its task, and no more. Runs on workers."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

__all__ = ["is_thread_param", "limit_threads", "limited_pools", "thread_params", "unlike_plan"]

# The parameter's name in scikit-learn, XGBoost and LightGBM; in XGBoost's and LightGBM's own words; in CatBoost.
THREAD_PARAMS = frozenset({"n_jobs", "nthread", "thread_count"})


def is_thread_param(name: str) -> bool:
    """Tell whether a parameter says how many threads to use."""
    return name.rpartition("__")[2] in THREAD_PARAMS


def thread_params(estimator: Any) -> dict[str, Any]:
    """Return the parameters, nested ones too, that say how many threads to use."""
    return {name: value for name, value in estimator.get_params(deep=True).items() if is_thread_param(name)}


def limit_threads(estimator: Any, threads: int) -> dict[str, Any]:
    """Set the estimator's thread parameters to `threads`.

    Returns
    -------
    dict of str to object
        The values that were replaced; ``set_params`` of it undoes the change.
    """
    owners = estimator.get_params(deep=True)
    replaced = {
        name: value
        for name, value in thread_params(estimator).items()
        if value != threads and not (value is None and threads == 1 and _is_sklearn(owners, name, estimator))
    }
    if replaced:
        estimator.set_params(**dict.fromkeys(replaced, threads))
    return replaced


def unlike_plan(estimator: Any, candidates: Iterable[Mapping[str, Any]], threads: int) -> dict[str, Any]:
    """Return the thread parameters that a user set, fixed or in a candidate, to something else than `threads`."""
    wanted = {name: value for name, value in thread_params(estimator).items() if value not in (None, threads)}
    for params in candidates:
        for name, value in params.items():
            if is_thread_param(name) and value not in (None, threads):
                wanted.setdefault(name, value)
    return wanted


@contextmanager
def limited_pools(threads: int) -> Iterator[None]:
    """Limit OpenMP and BLAS to `threads` inside the block."""
    with _controller().limit(limits=threads):
        yield


def _is_sklearn(owners: Mapping[str, Any], name: str, estimator: Any) -> bool:
    """Tell whether the parameter is one of scikit-learn's own estimators, where None means one thread.

    It then stays None: some of them warn when the parameter is set at all.
    """
    path, _, _ = name.rpartition("__")
    return type(owners.get(path, estimator) if path else estimator).__module__.partition(".")[0] == "sklearn"


_found: tuple[int, ThreadpoolController] | None = None


def _controller() -> ThreadpoolController:
    """Return what controls the thread pools of the libraries loaded by now; looking for them takes 7 ms.

    Libraries come with imports, so there is something new to find only when there are more modules.
    """
    global _found
    if _found is None or _found[0] != len(sys.modules):
        _found = (len(sys.modules), ThreadpoolController())
    return _found[1]
