"""Find an experiment by path, URI or shipped name, and check what only other rooms know: names and their values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

from sparksweep.config import Experiment, FeatureSettings, parse_experiment
from sparksweep.config.loading import nearest
from sparksweep.errors import UsageError
from sparksweep.search.settings import search_problems
from sparksweep.storage import open_store
from sparksweep.storage.failures import os_failures
from sparksweep.talkingdata import FEATURE_SETS

__all__ = ["read_experiment", "shipped_experiments"]


def read_experiment(name: str, overrides: Sequence[str] = ()) -> Experiment:
    """Return the experiment called `name`, with `overrides` applied.

    Parameters
    ----------
    name : str
        Path or URI of a YAML file, or the bare name of a shipped experiment.
    overrides : sequence of str
        ``KEY=VALUE`` each.

    Raises
    ------
    UsageError
        There is no such experiment.
    ConfigError
        It is wrong; lists every problem.
    """
    text, origin = _read(name)
    return parse_experiment(text, origin, overrides, {"features": [_unknown_sets], "search": [search_problems]})


def shipped_experiments() -> list[str]:
    """Return the names of the experiments that come with the package."""
    return sorted(Path(each.name).stem for each in _shipped().iterdir() if each.name.endswith(".yaml"))


def _shipped() -> resources.abc.Traversable:
    return resources.files("sparksweep.conf") / "experiments"


def _read(name: str) -> tuple[str, str]:
    """Return text and origin of an experiment."""
    if "://" in name:
        folder, _, file = name.rpartition("/")
        return _decode(open_store(folder).read_bytes(file), name), name
    with os_failures("read", name):
        path = Path(name)
        if path.is_file():
            return _decode(path.read_bytes(), name), name
    known = shipped_experiments()
    if name in known:
        return (_shipped() / f"{name}.yaml").read_text(encoding="utf-8"), name
    raise UsageError(
        f"no experiment {name!r}: neither a file nor one of the shipped {', '.join(known)}{nearest(name, known)}"
    )


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: is not UTF-8 text at byte {error.start}; save it as UTF-8") from error


def _unknown_sets(features: FeatureSettings) -> Iterator[str]:
    for name in features.sets:
        if name not in FEATURE_SETS:
            yield f"sets: unknown feature set {name!r}{nearest(name, FEATURE_SETS)} (known: {', '.join(FEATURE_SETS)})"
