"""Read runs back: one by its folder, or all of a workspace, damaged ones included."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import psutil
import pyarrow as pa

from sparksweep.errors import DataError, StorageError, UsageError
from sparksweep.runs.events import EVENTS
from sparksweep.runs.folder import RECORD, RUNS
from sparksweep.runs.models import load_model
from sparksweep.storage import Store, open_store
from sparksweep.storage.parquet import table_of_bytes

__all__ = ["Run", "list_runs", "load_run"]


@dataclass(frozen=True, eq=False)
class Run:
    """A run as it lies in its folder.

    Attributes
    ----------
    store : Store
        Where it is.
    folder : str
        Its folder in the store.
    facts : mapping
        What ``run.json`` says; of a damaged run only ``run_id``, ``status`` and ``reason``.
    """

    store: Store
    folder: str
    facts: Mapping[str, Any]

    @property
    def run_id(self) -> str:
        """UTC start and 8 hex digits of the sweep's key."""
        return str(self.facts["run_id"])

    @property
    def status(self) -> str:
        """``running``, ``complete``, ``failed``, ``interrupted`` or ``damaged``.

        A run that says ``running`` although its process on this machine is gone was interrupted.
        """
        status = str(self.facts["status"])
        return "interrupted" if status == "running" and _process_gone(self.facts.get("process")) else status

    @property
    def best_params(self) -> dict[str, Any] | None:
        """The best candidate's parameters, None where none was chosen."""
        best = self.facts.get("best")
        return None if best is None else dict(best["params"])

    @property
    def best_score(self) -> float | None:
        """The best candidate's mean test score."""
        best = self.facts.get("best")
        return None if best is None else best["score"]

    @property
    def n_fits(self) -> int:
        """Candidates times splits."""
        return int(self.facts.get("n_fits") or 0)

    @property
    def progress(self) -> dict[str, Any]:
        """What ``events.jsonl`` told last (``total``, ``done``, ``reused``, ``failed``, ...), empty without one."""
        try:
            lines = self.store.read_bytes(self.path(EVENTS)).splitlines()
            last = json.loads(lines[-1])
        except (StorageError, ValueError, IndexError):  # not there, or not whole
            return {}
        return last if isinstance(last, dict) else {}

    @property
    def n_failed(self) -> int:
        """Fits among them that gave no score."""
        return int(self.facts.get("n_failed") or 0)

    @property
    def results(self) -> pd.DataFrame:
        """``cv_results_`` as a frame, a row a candidate, ``params`` as dicts again."""
        table = self.results_table()
        columns = {name: table[name].to_pandas() for name in table.column_names}
        for field in table.schema:
            if (field.metadata or {}).get(b"encoding") == b"json":
                values = [None if text is None else json.loads(text) for text in table[field.name].to_pylist()]
                columns[field.name] = pd.Series(values, dtype=object)  # None beside ints stays None
        return pd.DataFrame(columns)

    def results_table(self) -> pa.Table:
        """Return ``cv_results_`` as a typed table."""
        return self.table("results.parquet")

    def table(self, name: str) -> pa.Table:
        """Return one of the run's Parquet files: grid, fits or results.

        Raises
        ------
        DataError
            The file is damaged.
        StorageError
            It is not there.
        """
        data = self.store.read_bytes(self.path(name))
        try:
            return table_of_bytes(data)
        except pa.ArrowException as error:
            raise DataError(f"{self.uri(name)} is damaged: {str(error).splitlines()[0]}") from error

    def load_model(self) -> Any:
        """Return the refitted estimator; load only from a workspace you trust.

        Raises
        ------
        DataError
            The run has no model, or it is damaged.
        """
        if not self.has("model"):
            raise DataError(f"{self.uri('model')} is not there: the run was not refitted, or did not end")
        return load_model(self.store.fetch(self.path("model")), self.facts.get("model"))

    def has(self, name: str) -> bool:
        """Tell whether the run has a file or folder."""
        return self.store.exists(self.path(name))

    def uri(self, name: str = "") -> str:
        """Return where a file of the run is, or the run itself."""
        return self.store.shown(self.path(name))

    def path(self, name: str) -> str:
        """Return the path of a file of the run in `store`."""
        return "/".join(part for part in (self.folder, name) if part)


def load_run(path: str) -> Run:
    """Return the run in a folder.

    Parameters
    ----------
    path : str
        Path or URI of a run's folder, as in ``workspace/runs/20261123T224100Z-0a1b2c3d``.

    Raises
    ------
    UsageError
        There is no run; names the runs there are when `path` is a workspace.
    DataError
        The run's ``run.json`` is damaged.
    """
    store = open_store(str(path))
    if not store.exists(RECORD):
        runs = store.list(RUNS) or (store.list("") if store.root.rstrip("/").endswith(f"/{RUNS}") else [])
        known = f"; its runs are {', '.join(runs[-5:])}" if runs else ""
        raise UsageError(f"{store.root} is no run: it holds no {RECORD}{known}")
    return Run(store, "", _read_facts(store, ""))


def list_runs(store: Store) -> list[Run]:
    """Return the runs of a workspace, oldest first; one that cannot be read has the status ``damaged``.

    Parameters
    ----------
    store : Store
        The workspace.
    """
    return [_listed(store, name) for name in store.list(RUNS)]


def _listed(store: Store, name: str) -> Run:
    folder = f"{RUNS}/{name}"
    try:
        facts = _read_facts(store, folder)
    except (DataError, StorageError) as error:
        facts = {"run_id": name, "status": "damaged", "reason": str(error)}
    return Run(store, folder, facts)


def _read_facts(store: Store, folder: str) -> dict[str, Any]:
    path = f"{folder}/{RECORD}" if folder else RECORD
    try:
        facts = json.loads(store.read_bytes(path))
    except ValueError as error:
        raise DataError(f"{store.shown(path)} is damaged: {error}") from error
    if not isinstance(facts, dict) or not {"run_id", "status"} <= facts.keys():
        raise DataError(f"{store.shown(path)} is damaged: it says no run_id and status")
    return facts


def _process_gone(process: Any) -> bool:
    """Tell whether a process of this machine has ended; of another machine's nothing is known."""
    if not isinstance(process, Mapping) or process.get("host") != socket.gethostname():
        return False
    try:
        return abs(psutil.Process(int(process["pid"])).create_time() - float(process["began"])) > 1.0
    except (psutil.Error, KeyError, TypeError, ValueError):
        return True
