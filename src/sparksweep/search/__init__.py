"""The search engine: params x splits -> grid -> units -> fits -> results, for any X and any scikit-learn-API estimator.

The names are resolved when first used (PEP 562): what runs on a worker imports modules of this package, and must not
import pyspark by that.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparksweep.search.grid_search import GridSearchCV
    from sparksweep.search.halving_grid_search import HalvingGridSearchCV
    from sparksweep.search.halving_random_search import HalvingRandomSearchCV
    from sparksweep.search.randomized_search import RandomizedSearchCV

__all__ = ["GridSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV", "RandomizedSearchCV"]

_MODULES = {
    "GridSearchCV": "sparksweep.search.grid_search",
    "HalvingGridSearchCV": "sparksweep.search.halving_grid_search",
    "HalvingRandomSearchCV": "sparksweep.search.halving_random_search",
    "RandomizedSearchCV": "sparksweep.search.randomized_search",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module at first use."""
    if name not in _MODULES:
        raise AttributeError(f"module 'sparksweep.search' has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value
