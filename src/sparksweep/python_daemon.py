"""The process that Spark's Python workers are forked from: ``spark.python.daemon.module`` of sessions on one machine.

What tasks import is imported here once, before there is a worker, not by each of them anew; and not from the zips that
Spark puts first on the path although the same modules lie unpacked, and compiled, beside them.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

__all__ = ["drop_doubles"]

# What reads event logs and counts them; a search's libraries depend on its estimator.
TASKS = ("sparksweep.ingest.tasks", "sparksweep.features.coding", "sparksweep.features.entries")


def drop_doubles(path: list[str]) -> list[str]:
    """Return a module path without the zips of a pyspark that is installed in a folder of the path itself."""
    return [entry for entry in path if not _is_double(Path(entry), path)]


def _is_double(entry: Path, path: list[str]) -> bool:
    # .../site-packages/pyspark/python/lib/pyspark.zip
    inside = entry.parts[-5:-1] if entry.suffix == ".zip" else ()
    return inside[1:] == ("pyspark", "python", "lib") and str(entry.parents[3]) in path


def _main() -> None:
    sys.path[:] = drop_doubles(sys.path)
    for name in TASKS:
        importlib.import_module(name)
    importlib.import_module("pyspark.daemon").manager()


if __name__ == "__main__":
    _main()
