"""Public names of a package that are imported when first used.

What runs in Spark's Python workers is imported there by every worker anew: it must not bring along all that stands
beside it in its package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(package: str, files: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package.

    Parameters
    ----------
    package : str
        Its full name.
    files : mapping of str to str
        By public name, the module that has it, full or as ``.NAME`` within the package.
    """

    def get(name: str) -> Any:
        if name not in files:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(files[name], package), name)

    return get
