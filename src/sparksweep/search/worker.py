"""What a Spark task runs: units in, reports of fits out. No pyspark, so that a test can run it in any process.

The worker lays the data down on its node, keeps one fit process and hands it a unit at a time. Both last from task to
task, as long as the search does.
"""

from __future__ import annotations

import os
import pickle
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import pandas as pd

from sparksweep.python_tasks import make_next_task_cheap
from sparksweep.search.evaluate import SearchData, Work, evaluate_unit, refit_candidate, worker_context
from sparksweep.search.fit_process import Died, FitProcess, Limits, Serve
from sparksweep.search.fits import ALL_ROWS, FAILED, TIMEOUT, Fit
from sparksweep.search.memory_share import memory_share
from sparksweep.search.node_data import NodeFile, lay_down, node_folders, sweep_abandoned
from sparksweep.search.units import Unit

__all__ = ["Cargo", "Report", "Terms", "run_refit", "run_tasks"]

PART_BYTES = 8 << 20


class _Broadcast(Protocol):
    _value: Any

    @property
    def value(self) -> Any: ...


class _Accumulator(Protocol):
    def add(self, term: Any) -> None: ...


@dataclass(frozen=True)
class Terms:
    """What a worker itself must know of a search; the rest only its fit process opens.

    Attributes
    ----------
    work : str
        Names what is done, as ``Cargo.work`` holds it.
    data : str
        Digest of the data.
    owner : str
        Id of the application.
    modules : tuple of str
        Imported before the fit process is forked.
    threads : int
        Threads of a fit.
    scorers : tuple of str, or None
        Names of several scorers, as far as known.
    return_train_score : bool
        Whether a fit has train scores.
    raise_errors : bool
        Whether the first failure ends the search.
    fit_timeout : float or None
        Seconds that a unit may take.
    fit_memory : int or None
        Bytes that a fit may take; None for its share of the container.
    container : int or None
        Bytes of an executor's container, None for the machine.
    slots : int
        Fits at once in it.
    isolate : bool
        Whether fits run in a process of their own.
    """

    work: str
    data: str
    owner: str
    modules: tuple[str, ...]
    threads: int
    scorers: tuple[str, ...] | None
    return_train_score: bool
    raise_errors: bool
    fit_timeout: float | None
    fit_memory: int | None
    container: int | None
    slots: int
    isolate: bool


@dataclass(frozen=True)
class Cargo:
    """The broadcasts of a search: the data, once, and what is done with it; and the terms.

    Attributes
    ----------
    data : sequence of broadcasts of bytes
        The file of `SearchData`, chunk by chunk; none where the driver has laid it down itself.
    work : broadcast of bytes
        The pickle of `Work`.
    terms : Terms
        Travels with each task.
    """

    data: Sequence[_Broadcast]
    work: _Broadcast
    terms: Terms


@dataclass(frozen=True)
class Report:
    """What a task did.

    Attributes
    ----------
    job_id : int
        Of the scheduler's jobs.
    fits : list of Fit
        What is done.
    seconds : dict of int to float
        By unit id: what training it and scoring its fits took.
    left : tuple of int
        Units that the task gave back, since those before took longer than expected.
    """

    job_id: int
    fits: list[Fit]
    seconds: dict[int, float]
    left: tuple[int, ...]


def run_tasks(
    frames: Iterable[pd.DataFrame],
    cargo: Cargo,
    tasks: Sequence[Sequence[Unit]],
    job_id: int,
    budget: float,
    done: _Accumulator,
) -> Iterator[pd.DataFrame]:
    """Evaluate the units of the tasks whose numbers arrive; the frames that come out are empty.

    Parameters
    ----------
    frames : iterable of DataFrame
        With the column ``id``: numbers of tasks.
    cargo : Cargo
        The search's broadcasts.
    tasks : sequence of sequence of Unit
        The units of each task of this job.
    job_id : int
        Goes into the report.
    budget : float
        Seconds after which no further unit is begun.
    done : accumulator of list of Report
        Tells the driver what is done, at the task's end.
    """
    host = _host_for(cargo)
    begin = time.monotonic()
    for frame in frames:
        for number in frame["id"]:
            units = list(tasks[number])
            fits: list[Fit] = []
            seconds: dict[int, float] = {}
            while units and (not seconds or time.monotonic() - begin < budget):
                unit = units.pop(0)
                done_now = host.evaluate(unit)
                seconds[unit.unit_id] = _own_seconds(done_now)
                fits += done_now
            done.add([Report(job_id, fits, seconds, tuple(unit.unit_id for unit in units))])
    make_next_task_cheap()
    yield from ()


def run_refit(frames: Iterable[pd.DataFrame], cargo: Cargo, candidate_id: int) -> Iterator[pd.DataFrame]:
    """Train one candidate on all rows; each frame that comes out has one row with a part of the pickled fit and model.

    In parts, since the JVM holds several copies of a row, and one of a large forest would be more than it has.
    """
    host = _host_for(cargo)
    for _ in frames:
        told = pickle.dumps(host.refit(candidate_id))
        parts = range(0, len(told), PART_BYTES)
        for number, begin in enumerate(parts):
            part = told[begin : begin + PART_BYTES]
            yield pd.DataFrame({"part": [number], "parts": [len(parts)], "content": [part]})
    make_next_task_cheap()


def _own_seconds(fits: Sequence[Fit]) -> float:
    """Return what the fits of a unit took, without what the first in a process waits for: the fork, imports."""
    return max((fit.fit_time for fit in fits), default=0.0) + sum(fit.score_time for fit in fits)


class _Start:
    """When something began: by the clock, and by a count that no setting of the clock moves."""

    def __init__(self) -> None:
        self.moment = time.time()
        self._count = time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self._count


class _Host:
    """Serves units to the fit process of one search, and replaces it when it is gone."""

    def __init__(self, cargo: Cargo) -> None:
        self.terms = cargo.terms
        self._payload: bytes = cargo.work.value
        self._data = _data_for(cargo)
        self._process: FitProcess | None = None
        self._serve: Serve | None = None

    def close(self) -> None:
        if self._process is not None:
            self._process.close()
        self._serve = None

    def evaluate(self, unit: Unit) -> list[Fit]:
        """Return the fits of a unit; those that its process did not live to tell are failures."""
        started = _Start()
        fits: list[Fit] = []
        try:
            fits.extend(self._ask(unit, self.terms.fit_timeout))
        except Died as end:
            known = {fit.candidate_id for fit in fits}
            missing = [each for each in unit.candidate_ids if each not in known]
            fits += [self._dead(end, candidate_id, unit.split_id, started) for candidate_id in missing]
        return fits

    def refit(self, candidate_id: int) -> tuple[Fit, bytes | None]:
        """Return the refit; it has no time limit, since there is no other result to go on with."""
        started = _Start()
        try:
            ((fit, model),) = self._ask(candidate_id, None)
        except Died as end:
            return self._dead(end, candidate_id, ALL_ROWS, started), None
        return fit, model

    def _ask(self, request: Any, seconds: float | None) -> Iterator[Any]:
        if not self.terms.isolate:
            if self._serve is None:
                self._serve = _prepare(self._data, self._payload)
            return self._serve(request)
        if self._process is None or not self._process.alive:
            prepare = partial(_prepare, self._data, self._payload)
            self._process = FitProcess(prepare, self.terms.modules, self.terms.threads)
        return self._process.ask(request, Limits(seconds, memory_share(self.terms)))

    def _dead(self, end: Died, candidate_id: int, split_id: int, started: _Start) -> Fit:
        terms = self.terms
        none: dict[str, float | None] = dict.fromkeys(terms.scorers or ())
        return Fit(
            candidate_id=candidate_id,
            split_id=split_id,
            status=TIMEOUT if end.timed_out else FAILED,
            test_scores=none,
            train_scores=none if terms.return_train_score else {},
            score_errors={},
            multimetric=terms.scorers is not None,
            fit_time=started.seconds(),
            score_time=0.0,
            n_test=0,
            fit_error=end.told,
            started=started.moment,
            ended=time.time(),
            host=socket.gethostname(),
            pid=os.getpid(),
            thread_count=terms.threads,
            attempt=1,
            exception=_search_error(end) if terms.raise_errors else None,
        )


def _search_error(end: Died) -> bytes:
    from sparksweep.errors import SearchError

    return pickle.dumps(SearchError(str(end)))


def _pieces(chunks: Sequence[_Broadcast]) -> Iterator[bytes]:
    if not chunks:
        raise FileNotFoundError("the data that the driver laid down is gone from Spark's local folder")
    for chunk in chunks:
        yield chunk.value
        with suppress(AttributeError):
            del chunk._value  # else each chunk would stay in this process; it can be read again


def _prepare(data_file: NodeFile, payload: bytes) -> Serve:
    """Open data and work in the process that fits run in; return what serves a request there."""
    work: Work = pickle.loads(payload)
    data: SearchData = data_file.open()

    def serve(request: Any) -> Iterator[Any]:
        with worker_context(work):
            if isinstance(request, Unit):
                yield from evaluate_unit(request, data, work)
            else:
                yield refit_candidate(request, data, work)

    return serve


_data: NodeFile | None = None


def _data_for(cargo: Cargo) -> NodeFile:
    """Return the data of a search, held from here until that of another search is wanted.

    Held means that it can be mapped again even if its file was removed; the broadcast's own copy is gone by then.
    """
    global _data
    if _data is None or _data.name != cargo.terms.data:
        if _data is not None:
            _data.close()
        _data = None
        folders = node_folders(cargo.terms.owner)
        sweep_abandoned(folders)
        _data = lay_down(cargo.terms.data, partial(_pieces, cargo.data), folders)
    return _data


_host: _Host | None = None


def _host_for(cargo: Cargo) -> _Host:
    """Return the host of a search, kept from task to task; that of an earlier search ends here."""
    global _host
    if _host is None or _host.terms.work != cargo.terms.work:
        if _host is not None:
            _host.close()
        _host = None
        _host = _Host(cargo)
    return _host
