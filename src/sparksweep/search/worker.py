"""What a Spark task runs: from task numbers to rows of fits. No pyspark, so that a test can run it in any process."""

from __future__ import annotations

import gc
import pickle
import sys
import zipimport
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd

from sparksweep.search.evaluate import SearchData, Work, evaluate_unit, refit_candidate, worker_context
from sparksweep.search.fits import Fit, to_row

__all__ = ["Cargo", "Sealed", "run_refit", "run_tasks"]


class _Broadcast(Protocol):
    @property
    def value(self) -> Any: ...


class _Accumulator(Protocol):
    def add(self, term: Any) -> None: ...


class Sealed:
    """An object as bytes, opened where it is used and then kept.

    A broadcast is pickled by plain pickle, which cannot take along what a notebook defines; these bytes come from
    pyspark's pickler, which can. Spark keeps a broadcast's value from task to task, so each worker opens it once.
    """

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self._opened: tuple[Any] | None = None

    def open(self) -> Any:
        """Return the object."""
        if self._opened is None:
            self._opened = (pickle.loads(self.payload),)
        return self._opened[0]

    def __reduce__(self) -> tuple[type[Sealed], tuple[bytes]]:
        return (type(self), (self.payload,))


@dataclass(frozen=True)
class Cargo:
    """The broadcasts of a search: the data, once, and what is done with it.

    Attributes
    ----------
    data : broadcast of SearchData
        X, y and splits; X and y may be `Sealed`.
    work : broadcast of Work, `Sealed`
        Estimator, candidates, scorers and the units of each task.
    """

    data: _Broadcast
    work: _Broadcast

    def open(self) -> tuple[SearchData, Work]:
        """Return data and work."""
        data = self.data.value
        return SearchData(_opened(data.X), _opened(data.y), data.splits), self.work.value.open()


def _opened(value: Any) -> Any:
    return value.open() if isinstance(value, Sealed) else value


def run_tasks(frames: Iterable[pd.DataFrame], cargo: Cargo, done: _Accumulator) -> Iterator[pd.DataFrame]:
    """Evaluate the units of the tasks whose numbers arrive, a frame of fits a unit.

    Parameters
    ----------
    frames : iterable of DataFrame
        With the column ``id``: numbers of tasks.
    cargo : Cargo
        The search's broadcasts.
    done : accumulator of list of Fit
        Tells the driver what is done.

    Yields
    ------
    DataFrame
        With the columns of `sparksweep.search.fits.ROW_SCHEMA`.
    """
    data, work = cargo.open()
    with worker_context(work):
        for frame in frames:
            for task_id in frame["id"]:
                for unit in work.tasks[task_id]:
                    fits = evaluate_unit(unit, data, work)
                    done.add(fits)
                    yield _frame(fits)
    _make_next_task_cheap()


def run_refit(frames: Iterable[pd.DataFrame], cargo: Cargo, candidate_id: int) -> Iterator[pd.DataFrame]:
    """Train one candidate on all rows; the frame has one more column, ``model``."""
    data, work = cargo.open()
    for _ in frames:
        with worker_context(work):
            fit, model = refit_candidate(candidate_id, data, work)
        yield pd.DataFrame([{**to_row(fit), "model": model}])
    _make_next_task_cheap()


def _frame(fits: list[Fit]) -> pd.DataFrame:
    return pd.DataFrame([to_row(fit) for fit in fits])


_modules_at_freeze = 0


def _make_next_task_cheap() -> None:
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
