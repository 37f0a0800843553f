"""Versions of what is installed, without importing it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import metadata

__all__ = ["installed_versions"]

# Wheels that bring a module under another name, in the order they are looked for.
OTHER_NAMES: Mapping[str, tuple[str, ...]] = {"xgboost": ("xgboost", "xgboost-cpu")}


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of those of the named distributions that are installed, in the order given."""
    found = {}
    for name in names:
        for wheel in OTHER_NAMES.get(name, (name,)):
            try:
                found[name] = metadata.version(wheel)
            except metadata.PackageNotFoundError:
                continue
            break
    return found
