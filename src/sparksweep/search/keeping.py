"""Fits and the ledger: which ones it has already, and each new one kept as soon as the driver hears of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

from sparksweep.errors import StorageError
from sparksweep.search.fits import COMPLETE, Fit, from_record, to_record
from sparksweep.search.identity import Identity
from sparksweep.search.ledger import Ledger, LedgerWriter

__all__ = ["FitKeeper"]

log = logging.getLogger(__name__)

Place = tuple[int, int]  # candidate_id, split_id


class FitKeeper:
    """What a search takes from its ledger and adds to it; a context, at whose end the ledger is closed.

    Parameters
    ----------
    ledger : Ledger or None
        None keeps nothing.
    identity : Identity
        Of the search.
    sweep_key : str
        Stands in each record.
    """

    def __init__(self, ledger: Ledger | None, identity: Identity, sweep_key: str) -> None:
        self._ledger = ledger
        self._identity = identity
        self._facts = {"estimator": identity.estimator, "data": identity.data, "sweep_key": sweep_key}
        self._records: Mapping[str, dict[str, Any]] = {}
        self._writer: LedgerWriter | None = None
        self._unwritten: list[dict[str, Any]] = []
        self._attempts: dict[str, int] = {}

    def __enter__(self) -> FitKeeper:
        if self._ledger is not None:
            self._writer = self._ledger.writer()
            self.read()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is None:
            return
        try:
            self._write_rest()
        except StorageError as failure:
            log.warning("%d fits are not in the ledger %s: %s", len(self._unwritten), self._place, failure)
        self._writer.close()

    def read(self) -> None:
        """Look at what the ledger has now."""
        if self._ledger is None:
            return
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

    def numbered(self, fit: Fit, key: str) -> Fit:
        """Return a new fit with the number of the attempt that it is, counted over all runs."""
        before = self._attempts.get(key, 0)
        return replace(fit, attempt=before + fit.attempt) if before else fit

    def keep(self, fits: Sequence[tuple[Fit, str, str]]) -> None:
        """Write fits; when this returns they are on storage.

        A ledger that cannot be written for now does not end a search: it is said once and tried again with the next
        fits and at the end.

        Parameters
        ----------
        fits : sequence of (Fit, fit_key, params as JSON text)
            Those that are new.
        """
        if self._writer is None:
            return
        said = bool(self._unwritten)
        self._unwritten += [self._record(*each) for each in fits]
        try:
            self._write_rest()
        except StorageError as error:
            if not said:
                log.warning("the ledger cannot be written for now, fits are kept in memory: %s", error)

    @property
    def _place(self) -> str:
        return "" if self._ledger is None else self._ledger.uri

    def _write_rest(self) -> None:
        if self._writer is not None and self._unwritten:
            self._writer.write(self._unwritten)
            self._unwritten = []

    def _record(self, fit: Fit, key: str, params: str) -> dict[str, Any]:
        scorers = self._identity.scorer_identities(list(fit.test_scores))
        return {"fit_key": key, **to_record(fit, scorers), "params": params, **self._facts}

    def _same_scorers(self, record: Mapping[str, Any], scorers: Sequence[str] | None) -> bool:
        found = record.get("scorers", {})
        names = list(found) if scorers is None else list(scorers)
        return bool(found) and names == list(found) and self._identity.scorer_identities(names) == found
