"""Versions of what is installed, without importing it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata

__all__ = ["installed_versions"]

# Wheels that bring a module under another name, in the order they are looked for.
OTHER_NAMES: Mapping[str, tuple[str, ...]] = {"xgboost": ("xgboost", "xgboost-cpu")}


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of those of the named distributions that are installed, in the order given."""
    found = {name: _version(name) for name in names}
    return {name: version for name, version in found.items() if version is not None}


@cache  # reading one takes milliseconds, and a process goes on with the version it began with
def _version(name: str) -> str | None:
    for wheel in OTHER_NAMES.get(name, (name,)):
        try:
            return metadata.version(wheel)
        except metadata.PackageNotFoundError:
            continue
    return None
