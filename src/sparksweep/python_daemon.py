"""The process that Spark's Python workers are forked from: ``spark.python.daemon.module`` of sessions on one machine.

What tasks import is imported here once, before there is a worker, not by each of them anew; and not from the zips that
Spark puts first on the path although the same modules lie unpacked, and compiled, beside them.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sparksweep.python_tasks import acknowledge_tasks_at_once

__all__ = ["drop_doubles"]

# What reads event logs and counts them; a search's libraries depend on its estimator.
TASKS = ("sparksweep.ingest.tasks", "sparksweep.features.coding", "sparksweep.features.entries")


def drop_doubles(path: Sequence[str]) -> list[str]:
    """Return a module path without the zips of a pyspark from whose folder the path takes the same packages anyway."""
    others = [entry for entry in path if not entry.endswith(".zip")]
    return [entry for entry in path if entry in others or not _is_double(Path(entry), others)]


def _is_double(file: Path, others: Sequence[str]) -> bool:
    # .../site-packages/pyspark/python/lib/pyspark.zip, and py4j-0.10.9.7-src.zip beside it
    if file.parts[-4:-1] != ("pyspark", "python", "lib"):
        return False
    package = "py4j" if file.name.startswith("py4j") else "pyspark"
    return next((entry for entry in others if Path(entry, package).is_dir()), None) == str(file.parents[3])


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until Spark's own handlers are there, Ctrl-C is no trace
    sys.path[:] = drop_doubles(sys.path)
    sys.path_importer_cache.clear()  # Spark asks each importer that was in use to look again, before every task
    for name in TASKS:
        with suppress(Exception):  # a task that needs it says so
            importlib.import_module(name)
    acknowledge_tasks_at_once()
    if "numpy" in sys.modules:
        # Else all workers would draw the same random numbers.
        os.register_at_fork(after_in_child=sys.modules["numpy"].random.seed)
    importlib.import_module("pyspark.daemon").manager()


if __name__ == "__main__":
    _main()
