"""From YAML text and ``--set`` to an experiment, with every problem listed at once."""

from __future__ import annotations

import copy
import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from pydantic import BaseModel, ValidationError

from sparksweep.config.experiment import DataSettings, Experiment, FeatureSettings, SearchSettings
from sparksweep.config.yaml_text import parse_value, parse_yaml
from sparksweep.errors import ConfigError
from sparksweep.redaction import redact_setting, redact_text

__all__ = ["Check", "nearest", "parse_experiment"]

MATRIX_FORMATS = ("npz", "svmlight", "parquet")

# Looks at one valid section, and at those valid ones that stand before it, and yields what is wrong as "key: message".
Check = Callable[[Any, Mapping[str, Any]], Iterable[str]]

SECTIONS: Mapping[str, type[BaseModel]] = {
    "data": DataSettings,
    "features": FeatureSettings,
    "search": SearchSettings,
}


def parse_experiment(
    text: str, origin: str, overrides: Sequence[str] = (), checks: Mapping[str, Sequence[Check]] | None = None
) -> Experiment:
    """Return the experiment that `text` describes.

    Parameters
    ----------
    text : str
        YAML with the sections data, features, search and spark.
    origin : str
        Path or URI of the text, for messages and for the experiment's name.
    overrides : sequence of str
        ``KEY=VALUE`` each, KEY dotted (``search.param_grid.max_depth``), VALUE in YAML.
    checks : mapping of str to sequence of callable, optional
        By section: further checks for a section of the right form.

    Raises
    ------
    ConfigError
        Holds a line for each problem: origin, key, the value found and what is allowed; secrets as ``***``.
    """
    settings = parse_yaml(text, origin)
    if not isinstance(settings, dict):
        raise ConfigError([f"{origin}: must be a mapping with the sections {', '.join(SECTIONS)} and spark"])
    for override in overrides:
        _apply(settings, override)
    problems = _unknown_sections(settings)
    sections: dict[str, Any] = {}
    for name, model in SECTIONS.items():
        found, wrong = _section(settings, name, model)
        if found is not None:
            sections[name] = found
            if not (name == "features" and _is_matrix_already(settings)):
                wrong = [f"{name}.{line}" for check in (checks or {}).get(name, ()) for line in check(found, sections)]
        problems += wrong
    spark, wrong = _spark_settings(settings.get("spark"))
    problems += wrong
    if problems:
        raise ConfigError([f"{origin}: {_without_secrets(line)}" for line in problems])
    return Experiment(name=PurePosixPath(origin).stem, spark=spark, **sections)


def nearest(name: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """Return ``"; did you mean 'x'?"`` for the known name most like `name`, or the empty text."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=likeness)
    return f"; did you mean {close[0]!r}?" if close else ""


def _without_secrets(problem: str) -> str:
    """Return "key: message" with the secrets in both as ``***``; a key that is called so itself does not tell one."""
    key, colon, message = problem.partition(": ")
    return redact_text(key) + colon + redact_text(message)


def _apply(settings: dict[str, Any], override: str) -> None:
    """Set one dotted key; what follows ``spark.`` is one name, since Spark's own names hold dots."""
    key, equals, value = override.partition("=")
    path = key.strip().split(".")
    shown = redact_text(key) + (equals and f"={redact_setting(key, value)}")
    if not equals or not all(path):
        raise ConfigError([f"--set {shown}: must be KEY=VALUE, for example search.cv=3"])
    if path[0] == "spark" and len(path) > 1:
        path = ["spark", ".".join(path[1:])]
    place: Any = settings
    for name in path[:-1]:
        if isinstance(place, dict) and place.get(name) is None:
            place[name] = {}  # a key without a value, as in "spark:", is an empty mapping
        place = place[name] if isinstance(place, dict) else None
    if not isinstance(place, dict):
        raise ConfigError([f"--set {shown}: {'.'.join(path[:-1])} is not a mapping, so it has no key {path[-1]!r}"])
    place[path[-1]] = parse_value(value, shown)


def _unknown_sections(settings: Mapping[Any, Any]) -> list[str]:
    known = [*SECTIONS, "spark"]
    return [
        f"{name}: unknown section{nearest(str(name), known)} (known: {', '.join(known)})"
        for name in settings
        if name not in known
    ]


def _section(settings: Mapping[str, Any], name: str, model: type[BaseModel]) -> tuple[BaseModel | None, list[str]]:
    """Return one section, or what is wrong with it."""
    given = settings.get(name)
    if name == "features" and _is_matrix_already(settings) and isinstance(given, dict | None):
        ignored = [key for key in ("sets", "encoding") if key in (given or {})]
        if ignored and settings["data"]["format"] in MATRIX_FORMATS:  # of an unknown one nothing can be said
            made = f"format {settings['data']['format']} is a matrix already"
            return None, [f"{name}.{key}: cannot be set, since data.{made}; remove it" for key in ignored]
        given = {"name": "imported", "sets": ["imported"], **(given or {})}
    if not isinstance(given, dict):
        what = "is missing" if given is None else f"must be a mapping, {_got(name, given)}"
        return None, [f"{name}: {what} (keys: {', '.join(model.model_fields)})"]
    try:
        return model.model_validate(copy.deepcopy(given)), []
    except ValidationError as error:
        return None, [_problem(name, model, found) for found in _each_once(error.errors())]


def _is_matrix_already(settings: Mapping[str, Any]) -> bool:
    data = settings.get("data")
    return isinstance(data, dict) and data.get("format", "talkingdata") not in ("talkingdata", "logs")


def _each_once(errors: Iterable[Any]) -> list[Any]:
    """Keep one error a key: pydantic reports one for each type of a union."""
    by_key: dict[tuple[Any, ...], list[Any]] = {}
    for error in errors:
        by_key.setdefault(tuple(error["loc"][:1]), []).append(error)
    chosen = []
    for found in by_key.values():
        unknown = [error for error in found if error["type"] == "extra_forbidden"]
        chosen += unknown or [max(found, key=lambda error: (error["type"] == "value_error", len(error["loc"])))]
    return chosen


ALLOWED = {
    "params": "a mapping of parameter names to values",
    "param_grid": "a mapping of parameter names to lists of values, or a list of such mappings",
    "cv": "a number of folds, 'folds', or a mapping {splitter: dotted name, its arguments}",
    "refit": "true, false or the name of a scorer",
    "error_score": "'raise' or a number (.nan is YAML's NaN)",
    "scoring": "the name of a scorer or a list of them",
}


def _problem(section: str, model: type[BaseModel], error: Any) -> str:
    """Word one of pydantic's findings: key, what is wrong, the value."""
    names = [str(part) for part in error["loc"]]
    key = ".".join([section, *names[:1]])
    if error["type"] == "extra_forbidden":
        known = list(model.model_fields)
        return f"{key}: unknown key{nearest(names[0], known)} (known: {', '.join(known)})"
    if error["type"] == "missing" and len(names) == 1:
        return f"{key}: is missing"
    if error["type"] == "value_error":
        return f"{key}: {error['ctx']['error']}" if names else f"{section}: {error['ctx']['error']}"
    deeper = ".".join([section, *(name for name in names if not _is_type_name(name))])
    wanted = ALLOWED.get(names[0]) if names else None
    if error["type"] == "list_type" and names[0] == "param_grid" and not isinstance(error["input"], dict):
        wanted = f"a list of values, such as [{redact_setting(deeper, error['input'])}]"
    message = f"must be {wanted}" if wanted else error["msg"][0].lower() + error["msg"][1:]
    return f"{deeper}: {message}, {_got(deeper, error['input'])}"


def _got(key: str, value: Any) -> str:
    return f"got {redact_setting(key, value)!r}"


def _is_type_name(part: str) -> bool:
    """Tell the parts that pydantic adds to a location for the types of a union."""
    return part.startswith(("dict[", "list[", "literal[")) or part in {
        "int",
        "str",
        "float",
        "bool",
        "SplitterSettings",
    }


def _spark_settings(given: Any, prefix: str = "spark") -> tuple[dict[str, str], list[str]]:
    """Flatten the spark section to Spark's own full names and texts; who writes full names means these."""
    if given is None:
        return {}, []
    if not isinstance(given, dict):
        return {}, [
            f"{prefix}: must be a mapping of Spark's settings, such as driver.memory: 2g; {_got(prefix, given)}"
        ]
    flat: dict[str, str] = {}
    problems: list[str] = []
    for name, value in given.items():
        is_full = prefix == "spark" and str(name).startswith("spark.")
        key = str(name) if is_full else f"{prefix}.{name}"
        if isinstance(value, dict):
            deeper, wrong = _spark_settings(value, key)
            flat.update(deeper)
            problems += wrong
        elif value is None or isinstance(value, list) or (isinstance(value, float) and math.isnan(value)):
            problems.append(f"{key}: must be a text, a number or true / false, {_got(key, value)}")
        else:
            flat[key] = str(value).lower() if isinstance(value, bool) else str(value)
    return flat, problems
