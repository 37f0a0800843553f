"""Keep a fitted estimator as files, and bring it back.

xgboost's scikit-learn estimators are kept in xgboost's own UBJSON, which no code runs at loading; others by joblib,
whose files can run any code when loaded. The digest beside a model guards against damage, not against someone who can
write to the folder: load models only from a workspace you trust.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import joblib

from sparksweep.errors import DataError, StorageError
from sparksweep.matrix.versions import installed_versions
from sparksweep.runs.values import is_json, json_value, python_value
from sparksweep.storage.failures import os_failures

__all__ = ["META", "load_model", "save_model"]

META = "model.json"
UBJSON = "model.ubj"
JOBLIB = "model.joblib"
CHUNK = 1 << 20
MAKERS = ("sparksweep", "numpy", "scipy", "scikit-learn", "xgboost", "lightgbm", "joblib")


def save_model(estimator: Any, folder: Path, classes: Sequence[str | int] | None = None) -> dict[str, Any]:
    """Write a fitted estimator into a folder: ``model.ubj`` or ``model.joblib``, and ``model.json``.

    Parameters
    ----------
    estimator : object
        Fitted, with scikit-learn's API.
    folder : Path
        Made when it is not there; should be scratch, to be published when whole.
    classes : sequence of str or int, optional
        The labels that the estimator's classes are codes into.

    Returns
    -------
    dict
        What ``model.json`` holds: file, sha256, estimator (dotted name), params (those not at their defaults), classes,
        n_features, versions.

    Raises
    ------
    StorageError
        The folder cannot be written, or the estimator cannot be pickled.
    """
    with os_failures("write the model to", folder):
        folder.mkdir(parents=True, exist_ok=True)
        name = UBJSON if _is_xgboost(estimator) else JOBLIB
        _dump(estimator, folder / name)
        meta = {
            "file": name,
            "sha256": _file_sha256(folder / name),
            "estimator": _dotted_name(type(estimator)),
            "params": {key: json_value(value) for key, value in _changed_params(estimator).items()},
            "classes": None if classes is None else list(classes),
            "n_features": getattr(estimator, "n_features_in_", None),
            "versions": installed_versions(MAKERS),
        }
        (folder / META).write_text(json.dumps(meta, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return meta


def load_model(folder: Path, meta: Mapping[str, Any] | None = None) -> Any:
    """Bring a model back; its predictions equal the kept one's bit for bit, with the same library versions.

    Parameters
    ----------
    folder : Path
        As `save_model` wrote it, in a place you trust.
    meta : mapping, optional
        What `save_model` returned, when it was kept elsewhere too; default is the folder's ``model.json``.

    Raises
    ------
    DataError
        The model is damaged, of a class that is not here or has not scikit-learn's API, or cannot be unpickled here.
    StorageError
        A file is not there or cannot be read.
    """
    meta = _read_meta(folder) if meta is None else meta
    name, digest = str(meta.get("file")), meta.get("sha256")
    if name not in (UBJSON, JOBLIB):
        raise DataError(f"{folder / META} names the model file {name!r}, must be {UBJSON} or {JOBLIB}")
    path = folder / name
    with os_failures("read", path):
        found = _file_sha256(path)
    if found != digest:
        raise DataError(f"{path} is damaged: its sha-256 is {found}, was {digest} when written; run the sweep again")
    estimator_class = _resolve_class(str(meta.get("estimator")), folder)
    if name == UBJSON:
        return _load_ubjson(estimator_class, meta, path)
    return _load_joblib(estimator_class, path)


def _is_xgboost(estimator: Any) -> bool:
    """Tell whether UBJSON and JSON hold all of the estimator: xgboost's own class, every parameter plain."""
    cls = type(estimator)
    own = cls.__module__.split(".")[0] == "xgboost" and hasattr(estimator, "save_model")
    return own and all(is_json(python_value(value)) for value in _changed_params(estimator).values())


def _changed_params(estimator: Any) -> dict[str, Any]:
    """Return the parameters that are not at their defaults, sorted by name."""
    params = estimator.get_params(deep=False)
    try:
        defaults = type(estimator)().get_params(deep=False)
    except TypeError:
        defaults = {}
    return {
        name: value
        for name, value in sorted(params.items())
        if name not in defaults or repr(value) != repr(defaults[name])
    }


def _dump(estimator: Any, path: Path) -> None:
    if path.name == UBJSON:
        estimator.save_model(path)
        return
    try:
        joblib.dump(estimator, path)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise StorageError(
            f"the model cannot be kept: {error}; the results are kept. A model can be kept when pickle takes it: "
            "no lambdas, no functions defined in a notebook"
        ) from error


def _read_meta(folder: Path) -> Mapping[str, Any]:
    path = folder / META
    with os_failures("read", path):
        data = path.read_bytes()
    try:
        meta = json.loads(data)
    except ValueError as error:
        raise DataError(f"{path} is damaged ({error}); run the sweep again") from error
    if not isinstance(meta, dict):
        raise DataError(f"{path} is damaged (it holds no mapping); run the sweep again")
    return meta


def _load_ubjson(estimator_class: type, meta: Mapping[str, Any], path: Path) -> Any:
    params = dict(meta.get("params") or {})
    try:
        estimator = estimator_class(**params)
        estimator.load_model(path)
    except Exception as error:  # xgboost raises its own and others, by what is wrong with the file
        raise DataError(f"{path} cannot be loaded: {str(error).strip().splitlines()[0]}") from error
    # load_model sets a few parameters from the file, in other forms than the user's.
    return estimator.set_params(**estimator_class(**params).get_params())


def _load_joblib(estimator_class: type, path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            estimator = joblib.load(path)
    except Exception as error:  # unpickling runs the classes' own code, which may raise anything
        raise DataError(f"{path} cannot be loaded here: {type(error).__name__}: {error}") from error
    if type(estimator) is not estimator_class:
        found, named = _dotted_name(type(estimator)), _dotted_name(estimator_class)
        raise DataError(f"{path} holds a {found}, not the {named} that {META} names")
    return estimator


def _resolve_class(dotted: str, folder: Path) -> type:
    module, _, name = dotted.rpartition(".")
    try:
        found: Any = import_module(module) if module else None
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise DataError(
            f"the model in {folder} is a {dotted}, which is not installed here ({error}); install what defines it"
        ) from error
    if not isinstance(found, type) or not all(hasattr(found, each) for each in ("fit", "get_params", "set_params")):
        raise DataError(f"the model in {folder} names {dotted}, which is no class with scikit-learn's API")
    return found


def _dotted_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
