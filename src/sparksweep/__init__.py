"""Hyperparameter tuning on Spark with scikit-learn's words: ``from sparksweep import GridSearchCV``.

The public names are resolved when first used (PEP 562), so that ``import sparksweep`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparksweep.runs import load_run
    from sparksweep.search import GridSearchCV, HalvingGridSearchCV, HalvingRandomSearchCV, RandomizedSearchCV

__all__ = [
    "GridSearchCV",
    "HalvingGridSearchCV",
    "HalvingRandomSearchCV",
    "RandomizedSearchCV",
    "__version__",
    "load_run",
]

__version__ = "0.1.0"

_ROOMS = {
    "GridSearchCV": "sparksweep.search",
    "HalvingGridSearchCV": "sparksweep.search",
    "HalvingRandomSearchCV": "sparksweep.search",
    "RandomizedSearchCV": "sparksweep.search",
    "load_run": "sparksweep.runs",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its room at first use."""
    if name not in _ROOMS:
        raise AttributeError(f"module 'sparksweep' has no attribute {name!r}")
    value = getattr(import_module(_ROOMS[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted(__all__)
