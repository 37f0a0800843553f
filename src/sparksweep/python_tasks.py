"""What Spark does around each Python task on a worker, and how to spare it; for every room that runs such tasks."""

from __future__ import annotations

import gc
import sys
import zipimport
from collections.abc import Callable, Iterator
from functools import wraps
from typing import ParamSpec, TypeVar

__all__ = ["make_next_task_cheap", "python_task"]

P = ParamSpec("P")
T = TypeVar("T")

_modules_at_freeze = 0


def python_task(task: Callable[P, Iterator[T]]) -> Callable[P, Iterator[T]]:
    """Make a function of batches, which must be one of a module's, leave its worker ready for the next task."""

    @wraps(task)
    def run(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        try:
            yield from task(*args, **kwargs)
        finally:
            make_next_task_cheap()

    return run


def make_next_task_cheap() -> None:
    """Spare the next task on this worker what Spark does around each Python task.

    Before it, Spark calls `importlib.invalidate_caches`, which since Python 3.10 reads the directory of every zip on
    the path again (pyspark.zip, py4j); so their importers are dropped, and come back when something is imported. After
    it, Spark calls `gc.collect`, which walks all that pandas, scikit-learn and XGBoost keep; so what imports left is
    frozen. Measured on an empty task, CPU of the worker: 170 ms as it is, 60 ms without zips, 7 ms with both.
    """
    global _modules_at_freeze
    for path, finder in list(sys.path_importer_cache.items()):
        if isinstance(finder, zipimport.zipimporter):
            del sys.path_importer_cache[path]
    if len(sys.modules) != _modules_at_freeze:
        _modules_at_freeze = len(sys.modules)
        gc.collect()
        gc.freeze()
