"""Fits and the ledger: which ones it has already, and each new one kept as soon as the driver hears of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any

from sparksweep.errors import StorageError
from sparksweep.search.fits import COMPLETE, Fit, from_record, to_record
from sparksweep.search.identity import Identity
from sparksweep.search.ledger import Ledger

__all__ = ["FitKeeper"]

log = logging.getLogger(__name__)

Place = tuple[int, int]  # candidate_id, split_id
LEASE_INTERVAL = 1.0  # seconds


class FitKeeper:
    """What a search takes from its ledger and adds to it; a context, in which no other driver trains the same sweep.

    Parameters
    ----------
    ledger : Ledger
        Where fits are kept.
    identity : Identity
        Of the search.
    sweep_key : str
        Stands in each record, and names the lease.
    """

    def __init__(self, ledger: Ledger, identity: Identity, sweep_key: str) -> None:
        self._ledger = ledger
        self._identity = identity
        self._facts = {"estimator": identity.estimator, "data": identity.data, "sweep_key": sweep_key}
        self._lease = ledger.lease(sweep_key, on_wait=log.warning)
        self._lease_checked = time.monotonic()
        self._records: Mapping[str, dict[str, Any]] = {}
        self._unwritten: list[dict[str, Any]] = []
        self._attempts: dict[str, int] = {}

    def __enter__(self) -> FitKeeper:
        with ExitStack() as stack:
            stack.enter_context(self._lease)
            self._writer = self._ledger.writer()
            stack.callback(self._writer.close)
            stack.callback(self._write_rest)
            self.read()
            self._at_end = stack.pop_all()
        for reason in self._identity.unstable:
            log.warning("no fit of this search can be reused later: %s", reason)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._at_end.close()

    def read(self) -> None:
        """Look at what the ledger has now."""
        contents = self._ledger.read()
        for note in contents.notes:
            log.warning("ledger: %s", note)
        self._records = contents.records

    def reusable(self, keys: Mapping[Place, str], scorers: Sequence[str] | None) -> Iterator[Fit]:
        """Yield the fits that need no training: complete ones, scored by the same scorers.

        Parameters
        ----------
        keys : mapping of (candidate_id, split_id) to str
            The fits wanted, by key.
        scorers : sequence of str, or None
            Names of the scorers; None where only a fit can tell them.
        """
        for (candidate_id, split_id), key in keys.items():
            record = self._records.get(key)
            if record is None:
                continue
            self._attempts[key] = int(record["attempt"])
            if record["status"] == COMPLETE and self._same_scorers(record, scorers):
                yield from_record(record, candidate_id, split_id)

    def timings(self) -> Iterator[tuple[str, float]]:
        """Yield params as JSON text and seconds of each fit of this estimator on this data."""
        for record in self._records.values():
            same = record.get("data") == self._identity.data and record.get("estimator") == self._identity.estimator
            if same and record["status"] == COMPLETE and record.get("split_id") is not None:
                yield record["params"], float(record["fit_time"]) + float(record["score_time"])

    def forget_records(self) -> None:
        """Let go of what was read; it is needed no more once the round has begun."""
        self._records = {}

    def keep(self, fits: Sequence[Fit], keys: Mapping[Place, str], params: Mapping[int, str]) -> list[Fit]:
        """Write new fits; when this returns they are on storage.

        A ledger that cannot be written for now does not end a search: it is said once and tried again with the next
        fits and at the end.

        Parameters
        ----------
        fits : sequence of Fit
            What is trained. Those that end the search are not written.
        keys : mapping of (candidate_id, split_id) to str
            Their keys.
        params : mapping of int to str
            The candidates' params as JSON text.

        Returns
        -------
        list of Fit
            The fits with the number of the attempt that each is, counted over all runs.

        Raises
        ------
        SearchError
            Another driver has taken over.
        """
        self._check_lease()
        said = bool(self._unwritten)
        numbered = [self._numbered(fit, keys[fit.candidate_id, fit.split_id]) for fit in fits]
        self._unwritten += [
            self._record(fit, keys[fit.candidate_id, fit.split_id], params[fit.candidate_id])
            for fit in numbered
            if fit.exception is None
        ]
        try:
            self._write()
        except StorageError as error:
            if not said:
                log.warning("the ledger cannot be written for now, fits are kept in memory: %s", error)
        return numbered

    def _check_lease(self) -> None:
        """Raise if another driver has taken over; to look costs a request to the storage, so not at each fit."""
        if time.monotonic() - self._lease_checked > LEASE_INTERVAL:
            self._lease.check()
            self._lease_checked = time.monotonic()

    def _numbered(self, fit: Fit, key: str) -> Fit:
        before = self._attempts.get(key, 0)
        return replace(fit, attempt=before + fit.attempt) if before else fit

    def _write(self) -> None:
        if self._unwritten:
            self._writer.write(self._unwritten)
            self._unwritten = []

    def _write_rest(self) -> None:
        try:
            self._write()
        except StorageError as error:
            log.warning("%d fits are not in the ledger %s: %s", len(self._unwritten), self._ledger.uri, error)

    def _record(self, fit: Fit, key: str, params: str) -> dict[str, Any]:
        scorers = self._identity.scorer_identities(list(fit.test_scores))
        return {"fit_key": key, **to_record(fit, scorers), "params": params, **self._facts}

    def _same_scorers(self, record: Mapping[str, Any], scorers: Sequence[str] | None) -> bool:
        found = record.get("scorers", {})
        names = list(found) if scorers is None else list(scorers)
        return bool(found) and names == list(found) and self._identity.scorer_identities(names) == found
