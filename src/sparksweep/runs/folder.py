"""Write a run: ``runs/<run_id>/`` in a workspace, each file beside its place and renamed, ``run.json`` always valid."""

from __future__ import annotations

import json
import os
import platform
import socket
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from sparksweep.matrix.versions import installed_versions
from sparksweep.runs.models import save_model
from sparksweep.runs.sweeping_results import sweeping_results
from sparksweep.runs.tables import results_csv, results_table
from sparksweep.runs.values import json_value
from sparksweep.search.failures import reason_line
from sparksweep.storage import Store, redact_settings, redact_text

__all__ = ["RECORD", "RUNS", "RunFolder", "new_run_id"]

RUNS = "runs"
RECORD = "run.json"
LIBRARIES = (
    "sparksweep",
    "pyspark",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "xgboost",
    "lightgbm",
    "joblib",
)

SHOWN_CANDIDATES = 20  # of a group of failures; fits.parquet has all


class RunFolder:
    """One run being written.

    Parameters
    ----------
    store : Store
        The workspace.
    run_id : str
        Name of the folder.
    facts : mapping
        What ``run.json`` says so far.

    Attributes
    ----------
    run_id : str
        Name of the folder.
    uri : str
        Where the folder is, for people and for `load_run`.
    facts : dict
        What ``run.json`` says, secrets as ``***``.
    """

    def __init__(self, store: Store, run_id: str, facts: Mapping[str, Any]) -> None:
        self.run_id = run_id
        self.facts = dict(facts)
        self._store = store
        self._folder = f"{RUNS}/{run_id}"
        self.uri = store.shown(self._folder)

    @classmethod
    def create(
        cls, store: Store, sweep_key: str, facts: Mapping[str, Any] | None = None, started: datetime | None = None
    ) -> RunFolder:
        """Start a run: a new folder whose ``run.json`` says ``running``.

        Parameters
        ----------
        store : Store
            The workspace.
        sweep_key : str
            Hex digest of matrix and search; its first 8 digits are part of the run's id.
        facts : mapping, optional
            What ``run.json`` is to say: config, digests, sizes.
        started : datetime, optional
            With time zone; default is now.
        """
        began = started or datetime.now(timezone.utc)
        run_id = new_run_id(began, sweep_key)
        while store.exists(f"{RUNS}/{run_id}"):
            began += timedelta(seconds=1)
            run_id = new_run_id(began, sweep_key)
        run = cls(store, run_id, {"run_id": run_id, "status": "running", "sweep_key": sweep_key})
        run.update(
            {
                **(facts or {}),
                "started": _utc_text(began),
                **_process_facts(),
            }
        )
        return run

    @classmethod
    def resume(cls, store: Store, run: Mapping[str, Any], facts: Mapping[str, Any] | None = None) -> RunFolder:
        """Go on with a run that did not end: its folder and its start stay, its process is this one.

        Parameters
        ----------
        store : Store
            The workspace.
        run : mapping
            What its ``run.json`` says.
        facts : mapping, optional
            What it is to say now.
        """
        folder = cls(store, str(run["run_id"]), run)
        folder.facts.pop("reason", None)
        resumed = [*run.get("resumed", []), _utc_text(datetime.now(timezone.utc))]
        folder.update({**(facts or {}), "status": "running", "resumed": resumed, **_process_facts()})
        return folder

    def update(self, facts: Mapping[str, Any]) -> None:
        """Add to ``run.json``, or change what it says."""
        self.facts.update(_without_secrets(json_value(facts)))
        self._write(RECORD, (json.dumps(self.facts, indent=2, ensure_ascii=False) + "\n").encode("utf-8"))

    def set_spark_settings(self, settings: Mapping[str, str]) -> None:
        """Keep the session's settings, secrets as ``***``."""
        self.update({"spark": dict(settings)})

    def write_results(self, search: Any) -> None:
        """Write what a fitted search found: grid, fits, results in their three forms, and the refitted model.

        Parameters
        ----------
        search : object
            With ``cv_results_``, the tables ``grid_`` and ``fits_``, and ``best_estimator_`` if it was refitted.
        """
        self.write_table("grid.parquet", search.grid_)
        self.write_table("fits.parquet", search.fits_)
        table = results_table(search.cv_results_)
        self.write_table("results.parquet", table)
        self._write("cv_results.csv", results_csv(table))
        self.write_text("sweeping_results.txt", sweeping_results(search.cv_results_, _metric(search)))
        if hasattr(search, "best_estimator_"):
            self.write_model(search.best_estimator_)

    def write_model(self, estimator: Any) -> None:
        """Keep a fitted estimator as the folder ``model``; the classes are those in ``facts``."""
        with self._store.scratch() as scratch:
            meta = save_model(estimator, scratch / "model", self.facts.get("classes"))
            self._store.publish(scratch / "model", f"{self._folder}/model")
        self.update({"model": meta})

    def write_table(self, name: str, table: pa.Table) -> None:
        """Write a table as Parquet."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        self._write(name, sink.getvalue().to_pybytes())

    def write_text(self, name: str, text: str) -> None:
        """Write a text in UTF-8."""
        self._write(name, text.encode("utf-8"))

    def complete(self, search: Any) -> None:
        """Say in ``run.json`` that the run is complete: best candidate, counts, timings."""
        failures = _failures(search)
        n_candidates = len(search.cv_results_["params"])
        n_splits = int(search.n_splits_)
        self._end(
            "complete",
            {
                "metric": _metric(search),
                "best": _best(search),
                "n_candidates": n_candidates,
                "n_splits": n_splits,
                "n_fits": n_candidates * n_splits,
                "n_failed": sum(failure["n_fits"] for failure in failures),
                "failed_fits": failures,
                "refit_seconds": getattr(search, "refit_time_", None),
            },
        )

    def end(self, status: str, reason: str) -> None:
        """Say in ``run.json`` how the run ended without results.

        Parameters
        ----------
        status : {"failed", "interrupted"}
            The run's last state.
        reason : str
            One line.
        """
        self._end(status, {"reason": reason})

    def _end(self, status: str, facts: Mapping[str, Any]) -> None:
        ended = datetime.now(timezone.utc)
        seconds = (ended - datetime.fromisoformat(self.facts["started"].replace("Z", "+00:00"))).total_seconds()
        self.update({**facts, "status": status, "ended": _utc_text(ended), "seconds": round(max(seconds, 0.0), 3)})

    def _write(self, name: str, data: bytes) -> None:
        self._store.write_bytes(f"{self._folder}/{name}", data)


def new_run_id(started: datetime, sweep_key: str) -> str:
    """Return UTC start and 8 hex digits of the sweep's key, as in ``20261123T224100Z-0a1b2c3d``."""
    return f"{started.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}-{sweep_key[:8]}"


def _process_facts() -> dict[str, Any]:
    return {
        "process": {"host": socket.gethostname(), "pid": os.getpid(), "began": psutil.Process().create_time()},
        "versions": {"python": platform.python_version(), **installed_versions(LIBRARIES)},
    }


def _utc_text(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _metric(search: Any) -> str | list[str]:
    """Return the scorer's name, or the names of several as in ``mean_test_<name>``."""
    if "mean_test_score" in search.cv_results_:
        scoring = search.scoring
        return scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")
    return [key[len("mean_test_") :] for key in search.cv_results_ if key.startswith("mean_test_")]


def _best(search: Any) -> dict[str, Any] | None:
    """Return the best candidate, None where the search chose none."""
    if not hasattr(search, "best_index_"):
        return None
    index = int(search.best_index_)
    return {
        "index": index,
        "params": search.cv_results_["params"][index],
        "score": _finite(getattr(search, "best_score_", None)),
        "scorer": search.refit if isinstance(search.refit, str) else _metric(search),
    }


def _failures(search: Any) -> list[dict[str, Any]]:
    """Return the failed fits, the refit left out, grouped by status and reason, most frequent first."""
    groups: dict[tuple[str, str], list[int]] = {}
    for row in search.fits_.select(["candidate_id", "split_id", "status", "fit_error"]).to_pylist():
        if row["status"] != "complete" and row["split_id"] is not None:
            groups.setdefault((row["status"], reason_line(row["fit_error"]) or "no reason given"), []).append(
                row["candidate_id"]
            )
    ranked = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    return [
        {"status": status, "reason": reason, "n_fits": len(ids), "candidate_ids": sorted(set(ids))[:SHOWN_CANDIDATES]}
        for (status, reason), ids in ranked
    ]


def _finite(score: Any) -> float | None:
    value = None if score is None else float(score)
    return value if value is not None and value == value and abs(value) != float("inf") else None


def _without_secrets(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts with secrets as ``***``: in every text, and by name in the mappings called ``spark``."""
    return {
        name: redact_settings({key: str(each) for key, each in value.items()})
        if name == "spark" and isinstance(value, Mapping)
        else _redacted(value)
        for name, value in facts.items()
    }


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return _without_secrets(value)
    if isinstance(value, list):
        return [_redacted(each) for each in value]
    return value
