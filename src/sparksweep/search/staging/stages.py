"""Which adapter knows an estimator; what it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from sparksweep.search.staging.adapter import Adapter, Stage

__all__ = ["can_stage", "fit_stages", "staged_parameter"]

# By the package that the estimator's class comes from: the adapters, which import that package.
ADAPTERS = {
    "lightgbm": ("lightgbm",),
    "sklearn.ensemble": ("adaboost", "forest", "gradient_boosting", "hist_gradient_boosting"),
    "xgboost": ("xgboost",),
}


def can_stage(estimator: Any, params: Mapping[str, Any]) -> bool:
    """Tell whether `staged_parameter` can name one: what it would say no to, whatever the values, needs no asking."""
    adapter = _adapter(estimator)
    return adapter is not None and adapter.parameter in params


def staged_parameter(
    estimator: Any, params: Mapping[str, Any], fit_params: Mapping[str, Any], y: Any = None
) -> str | None:
    """Return the parameter whose smaller values can be scored on a prefix of this estimator's training.

    Parameters
    ----------
    estimator : object
        Unfitted, with a candidate's params set.
    params : mapping of str to object
        The candidate's params; what is not among them has no other values to stage.
    fit_params : mapping of str to object
        Keyword arguments of ``fit``.
    y : object, optional
        The target; with several outputs nothing is staged.

    Returns
    -------
    str or None
        None where a prefix is not known to be bitwise equal to a separate fit.
    """
    adapter = _adapter(estimator)
    if adapter is None or adapter.parameter not in params or _has_several_outputs(y):
        return None
    return adapter.parameter if adapter.allows(estimator, fit_params) else None


def fit_stages(estimator: Any, stages: Sequence[int], train: Callable[..., None]) -> Iterator[Stage]:
    """Train once, then show the estimator at each stage.

    Score each stage before taking the next: they may be one object. After the last stage, or when the iterator is
    closed before it, the estimator is as ``fit`` left it.

    Parameters
    ----------
    estimator : object
        `staged_parameter` names its parameter, which is set to the last of `stages`.
    stages : sequence of int
        Ascending, each once.
    train : callable
        Calls ``estimator.fit`` with the arguments of the fit, and with the keyword arguments that it is given.

    Yields
    ------
    stage : int
        One of `stages`.
    fitted : object
        Its predict, predict_proba, decision_function, score and classes_ are those of an estimator fitted with the
        stage; the last one is `estimator`.
    seconds : float
        From the start of the training to the end of that round. Measured for XGBoost and LightGBM; for scikit-learn's,
        which do not say when a round ends, the stage's share of the whole.

    Raises
    ------
    ValueError
        No adapter knows the estimator's class.
    """
    adapter = _adapter(estimator)
    if adapter is None:
        raise ValueError(f"{type(estimator).__name__} cannot be trained in stages; ask staged_parameter first")
    return adapter.fit_stages(estimator, stages, train)


def _adapter(estimator: Any) -> Adapter | None:
    module = f"{type(estimator).__module__}."
    names = [name for package, names in ADAPTERS.items() if module.startswith(f"{package}.") for name in names]
    adapters: list[Adapter] = [import_module(f"sparksweep.search.staging.{name}").ADAPTER for name in names]
    return next((adapter for adapter in adapters if type(estimator) in adapter.params), None)


def _has_several_outputs(y: Any) -> bool:
    return y is not None and np.ndim(y) > 1
