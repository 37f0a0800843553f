"""What the search section of an experiment means: estimator, splitter and scorers by name, checked before any fit.

The Python classes behave as scikit-learn; here the rules are stricter, since a typing error in a file should not cost a
night on a cluster.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.metrics import get_scorer_names
from sklearn.model_selection import (
    KFold,
    PredefinedSplit,
    RepeatedKFold,
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
)

from sparksweep.config import SearchSettings
from sparksweep.config.experiment import SplitterSettings
from sparksweep.config.loading import nearest
from sparksweep.errors import ConfigError
from sparksweep.search.probing import parameter_error

__all__ = ["build_cv", "cv_problems", "resolve_estimator", "search_problems"]

PLAIN = {bool, int, float, str, type(None)}
STRATIFIED = (StratifiedKFold, StratifiedGroupKFold, RepeatedStratifiedKFold)
FOLDED = (*STRATIFIED, KFold, RepeatedKFold)  # each row is in one test fold, so there are at most as many as rows
TYPO = 0.85  # how like a known name an unknown one must be to be taken for a slip, where an estimator takes any name


def resolve_estimator(dotted: str) -> type:
    """Return the class that a dotted name means.

    Raises
    ------
    ConfigError
        There is no such module or name, or it is no class with ``fit``, ``get_params`` and ``set_params``.
    """
    return _resolve(dotted, "estimator", ("fit", "get_params", "set_params"))


def build_cv(spec: Any, folds: Any = None) -> Any:
    """Return what a search takes as ``cv``.

    Parameters
    ----------
    spec : int, "folds" or SplitterSettings
        As in the settings.
    folds : ndarray of int, shape (n_rows,), optional
        Each row's test fold, -1 for never; needed for ``"folds"``.

    Raises
    ------
    ConfigError
        The splitter is unknown or does not take its arguments, or there are no folds.
    """
    if isinstance(spec, int):
        return spec
    if isinstance(spec, SplitterSettings):
        splitter = _resolve(spec.splitter, "splitter", ("split", "get_n_splits"))
        try:
            return splitter(**(spec.model_extra or {}))
        except (TypeError, ValueError) as error:
            raise ConfigError([f"{spec.splitter} does not take {spec.model_extra}: {error}"]) from error
    if folds is None:
        raise ConfigError(["the matrix has no fold numbers, so cv cannot be 'folds'; set data.fold_column"])
    return PredefinedSplit(folds)


def search_problems(search: SearchSettings) -> Iterator[str]:
    """Yield what is wrong with a search section of the right form, as ``key: message``."""
    try:
        cls = resolve_estimator(search.estimator)
    except ConfigError as error:
        yield f"estimator: {error}"
    else:
        yield from _param_problems(cls, search)
    yield from _scoring_problems(search)
    if isinstance(search.cv, SplitterSettings):
        try:
            build_cv(search.cv)
        except ConfigError as error:
            yield f"cv: {error}"


def cv_problems(
    search: SearchSettings, y: Any, folds: Any = None, classes: Any = None, groups: Any = None
) -> Iterator[str]:
    """Yield why the data cannot be split as the section says, as ``key: message``.

    Parameters
    ----------
    search : SearchSettings
        The section.
    y : ndarray, shape (n_rows,), optional
        The target.
    folds : ndarray of int, shape (n_rows,), optional
        The matrix's fold numbers.
    classes : sequence, optional
        Labels that `y` holds codes of, for messages.
    groups : ndarray of int, shape (n_rows,), optional
        The matrix's groups.
    """
    if search.cv == "folds":
        yield from _fold_problems(folds)
        return
    if y is None:
        return
    n_splits, stratified = _splits(search)
    if n_splits is not None and n_splits > len(y):
        yield f"cv: {n_splits} folds of {len(y)} rows; must be at most {len(y)}"
    elif n_splits is None or not stratified:
        yield from _refused_split(search, y, groups)
    else:
        values, counts = np.unique(y, return_counts=True)
        least = int(np.argmin(counts))
        if counts[least] < n_splits:
            label = values[least] if classes is None else classes[int(values[least])]
            rows = "1 row" if counts[least] == 1 else f"{counts[least]} rows"
            yield f"cv: {n_splits} folds, but class {label!s} has only {rows}; must be at most {counts[least]}"


def _splits(search: SearchSettings) -> tuple[int | None, bool]:
    """Return how many splits a section asks for, if it says so, and whether they keep the shares of classes."""
    if isinstance(search.cv, int):
        return search.cv, is_classifier(resolve_estimator(search.estimator)(**search.params))
    splitter = build_cv(search.cv)
    if not isinstance(splitter, FOLDED):
        return None, False
    repeated = getattr(splitter, "cvargs", {})
    return repeated.get("n_splits", getattr(splitter, "n_splits", None)), isinstance(splitter, STRATIFIED)


def _refused_split(search: SearchSettings, y: Any, groups: Any) -> Iterator[str]:
    """Yield what a splitter says when asked for its first split."""
    if not isinstance(search.cv, SplitterSettings):
        return
    try:
        next(iter(build_cv(search.cv).split(np.zeros((len(y), 1)), y, groups)), None)
    except Exception as error:  # a splitter may be anybody's
        hint = "; set data.group_column" if groups is None and "group" in str(error) else ""
        yield f"cv: {search.cv.splitter} refuses the data: {' '.join(str(error).split())}{hint}"


def _fold_problems(folds: Any) -> Iterator[str]:
    if folds is None:
        yield "cv: the matrix has no fold numbers, so cv cannot be 'folds'; set data.fold_column"
    elif len(np.unique(folds[folds >= 0])) < 2:
        yield "cv: the fold column has fewer than 2 folds"


def _resolve(dotted: str, what: str, methods: tuple[str, ...]) -> type:
    module_name, _, name = dotted.rpartition(".")
    if not module_name or not all(part.isidentifier() for part in dotted.split(".")):
        raise ConfigError([f"{dotted!r} is no dotted name of a class, such as sklearn.linear_model.LogisticRegression"])
    try:
        module = import_module(module_name)
        found = getattr(module, name, None)
    except Exception as error:  # a module runs its own code, and so does one that resolves its names when asked
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError([f"{dotted!r}: {reason}; install the package or mend the name"]) from error
    if found is None:
        known = [each for each in dir(module) if isinstance(getattr(module, each, None), type)]
        raise ConfigError([f"unknown {what} {dotted!r}: {module_name} has no {name}{nearest(name, known)}"])
    lacking = [method for method in methods if not callable(getattr(found, method, None))]
    if not isinstance(found, type) or lacking:
        raise ConfigError([f"{dotted!r} is no {what}: must be a class with {', '.join(methods)}"])
    return found


def _scoring_problems(search: SearchSettings) -> Iterator[str]:
    names = [search.scoring] if isinstance(search.scoring, str) else search.scoring or []
    known = get_scorer_names()
    for name in names:
        if name not in known:
            yield f"scoring: unknown scorer {name!r}{nearest(name, known)}"


def _param_problems(cls: type, search: SearchSettings) -> Iterator[str]:
    try:
        estimator = cls(**search.params)
    except (TypeError, ValueError) as error:
        yield f"params: {search.estimator} does not take {search.params}: {error}"
        return
    known = estimator.get_params(deep=True)
    yield from _refused_params(estimator, search)
    kinds = _declared_types(cls)
    grids = search.param_grid if isinstance(search.param_grid, list) else [search.param_grid]
    settings = [("params", name, [value]) for name, value in search.params.items()]
    settings += [("param_grid", name, values) for grid in grids for name, values in grid.items()]
    for key, name, values in settings:
        if name not in known:
            yield from _unknown_param(f"{key}.{name}", name, known, _takes_any_name(cls))
        for value in values:
            if name in kinds and not _fits(value, kinds[name]):
                wanted = " or ".join(sorted(kind.__name__ for kind in kinds[name] if kind is not type(None)))
                yield f"{key}.{name}: must be {wanted}, got {value!r}"
            elif key == "param_grid" and name in known:
                yield from _refused_value(estimator, f"{key}.{name}", name, value)


def _refused_params(estimator: Any, search: SearchSettings) -> Iterator[str]:
    """Yield what scikit-learn says of a fixed parameter that no candidate replaces."""
    said = parameter_error(estimator)
    grids = search.param_grid if isinstance(search.param_grid, list) else [search.param_grid]
    for name in search.params:
        if said and f"'{name}' parameter" in said and not any(name in grid for grid in grids):
            yield f"params.{name}: {said}"


def _refused_value(estimator: Any, key: str, name: str, value: Any) -> Iterator[str]:
    """Yield what scikit-learn says of a value, as its estimators check their parameters before they look at data."""
    fixed = parameter_error(estimator)
    said = parameter_error(clone(estimator).set_params(**{name: value}))
    if said and said != fixed:
        yield f"{key}: {said}"


def _unknown_param(key: str, name: str, known: Mapping[str, Any], takes_any: bool) -> Iterator[str]:
    """Yield that a parameter is unknown; of one that takes any name, only what looks like a slip."""
    if not takes_any:
        yield f"{key}: unknown parameter{nearest(name, known)} (known: {', '.join(sorted(known))})"
    elif nearest(name, known, TYPO):
        yield f"{key}: unknown parameter{nearest(name, known)}"


def _takes_any_name(cls: type) -> bool:
    """Tell whether the class's constructor has ``**kwargs``, as xgboost's have for parameters of the booster."""
    parameters = inspect.signature(cls).parameters.values()
    return any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)


def _declared_types(cls: type) -> dict[str, set[type]]:
    """Return the types of the parameters whose annotations are plain ones, None or unions of these."""
    kinds: dict[str, set[type]] = {}
    for base in reversed(cls.__mro__):
        if "__init__" not in vars(base):
            continue
        try:
            hints = typing.get_type_hints(vars(base)["__init__"])
        except (NameError, TypeError):
            continue
        for name, hint in hints.items():
            union = typing.get_origin(hint) in (typing.Union, types.UnionType)
            members = set(typing.get_args(hint)) if union else {hint}
            kinds.pop(name, None)
            if members <= PLAIN:
                kinds[name] = members
    return kinds


def _fits(value: Any, kinds: set[type]) -> bool:
    """Tell whether a plain value has one of the types; an int is a float too, a bool is no int."""
    if type(value) not in PLAIN:
        return not isinstance(value, (list, dict))  # what is no plain value otherwise is the estimator's to judge
    return type(value) in kinds or (type(value) is int and float in kinds)
