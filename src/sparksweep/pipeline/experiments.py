"""Find an experiment by path, URI or shipped name, and check what only other rooms know: names and their values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

from sparksweep.config import Experiment, FeatureSettings, SearchSettings, parse_experiment
from sparksweep.config.loading import Check, nearest
from sparksweep.errors import ConfigError, UsageError
from sparksweep.eventlogs.schema import LogSchema, parse_log_schema
from sparksweep.session import open_session
from sparksweep.storage import local_path, open_store
from sparksweep.storage.failures import os_failures
from sparksweep.talkingdata import FEATURE_SETS

__all__ = ["check_search", "read_experiment", "read_log_schema", "shipped_experiments"]


def read_experiment(name: str, overrides: Sequence[str] = (), search_later: bool = False) -> Experiment:
    """Return the experiment called `name`, with `overrides` applied.

    Parameters
    ----------
    name : str
        Path or URI of a YAML file, or the bare name of a shipped experiment.
    overrides : sequence of str
        ``KEY=VALUE`` each.
    search_later : bool
        Of the search section look at the form alone, as long as nothing else is wrong, and leave the rest to
        `check_search`: what its names mean only scikit-learn can say, whose import takes a second.

    Raises
    ------
    UsageError
        There is no such experiment.
    ConfigError
        It is wrong; lists every problem.
    """
    text, origin = _read(name)
    checks: dict[str, list[Check]] = {"features": [_unknown_sets]}
    if search_later:
        with suppress(ConfigError):  # which the whole check words, with what else is wrong
            return _with_known_sets(parse_experiment(text, origin, overrides, checks), origin)
    checks["search"] = [_search_problems]
    return _with_known_sets(parse_experiment(text, origin, overrides, checks), origin)


def _with_known_sets(experiment: Experiment, origin: str) -> Experiment:
    """Return an experiment whose feature sets its schema file has, if it names one."""
    if experiment.data.schema_file is not None:
        known = read_log_schema(experiment.data.schema_file, experiment.spark).feature_sets
        problems = [f"{origin}: features.{line}" for line in _not_among(experiment.features.sets, known)]
        if problems:
            raise ConfigError(problems)
    return experiment


def check_search(experiment: Experiment, origin: str) -> None:
    """Look at what the names of the search section mean.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    origin : str
        Where it was read from, for messages.

    Raises
    ------
    ConfigError
        Some are wrong; lists every problem.
    """
    problems = [f"{origin}: search.{line}" for line in _search_problems(experiment.search, {})]
    if problems:
        raise ConfigError(problems)


def read_log_schema(name: str, conf: Mapping[str, str] | None = None) -> LogSchema:
    """Return the schema of event logs in a file.

    Parameters
    ----------
    name : str
        Its path or URI.
    conf : mapping of str to str, optional
        Spark settings of the session that is started for a URI which only its JVM can read.

    Raises
    ------
    UsageError
        There is no such file.
    ConfigError
        It is wrong; lists every problem.
    """
    try:
        text, origin = _read_file(name, conf)
    except FileNotFoundError as error:
        raise UsageError(
            f"data.schema_file: no file {name!r}; give the path of the YAML that tells the tables"
        ) from error
    return parse_log_schema(text, origin)


def shipped_experiments() -> list[str]:
    """Return the names of the experiments that come with the package."""
    return sorted(Path(each.name).stem for each in _shipped().iterdir() if each.name.endswith(".yaml"))


def _shipped() -> resources.abc.Traversable:
    return resources.files("sparksweep.conf") / "experiments"


def _read(name: str) -> tuple[str, str]:
    """Return text and origin of an experiment."""
    with suppress(FileNotFoundError):
        return _read_file(name)
    known = shipped_experiments()
    if name in known:
        return (_shipped() / f"{name}.yaml").read_text(encoding="utf-8"), name
    raise UsageError(
        f"no experiment {name!r}: neither a file nor one of the shipped {', '.join(known)}{nearest(name, known)}"
    )


def _read_file(name: str, conf: Mapping[str, str] | None = None) -> tuple[str, str]:
    """Return text and origin of a file by its path or URI; FileNotFoundError where there is none."""
    if "://" in name:
        if local_path(name) is None:
            open_session("sparksweep", conf=conf)  # of hdfs, wasb and abfs only a session's JVM knows
        folder, _, file = name.rpartition("/")
        return _decode(open_store(folder).read_bytes(file), name), name
    with os_failures("read", name):
        path = Path(name)
        data = path.read_bytes() if path.is_file() else None
    if data is None:
        raise FileNotFoundError(name)
    return _decode(data, name), name


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: is not UTF-8 text at byte {error.start}; save it as UTF-8") from error


def _search_problems(search: SearchSettings, _: Mapping[str, Any]) -> Iterable[str]:
    from sparksweep.search.settings import search_problems

    return search_problems(search)


def _unknown_sets(features: FeatureSettings, sections: Mapping[str, Any]) -> Iterator[str]:
    data = sections.get("data")
    if data is None or data.format == "talkingdata":
        yield from _not_among(features.sets, FEATURE_SETS)


def _not_among(sets: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    names = list(known)
    for name in sets:
        if name not in names:
            yield f"sets: unknown feature set {name!r}{nearest(name, names)} (known: {', '.join(names)})"
