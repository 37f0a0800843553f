"""Leases: only one driver at a time trains the fits of a sweep, and one makes a workspace's tables and matrices.

A lease is two files in ``leases/``. ``KEY.N.claim`` says who holds it; its name is given to one caller only
(`Store.create`), and the greatest N counts. ``KEY.TOKEN.beat`` is the holder's heartbeat, a number that grows. Whoever
takes over makes the claim N + 1, so that of several who try one succeeds; and since a holder writes nothing but
the beat of its own token, one that was paused and wakes up cannot overwrite the claim of its successor.

Whether a heartbeat has stopped is counted by the waiter's own monotonic clock, between looks that it made itself:
clocks that differ or jump, and a waiter that was paused itself, change nothing.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from types import TracebackType

from sparksweep.errors import SearchError, StorageError
from sparksweep.search.ledger.owners import Owner, read_owner
from sparksweep.storage import Store

__all__ = [
    "BEAT",
    "MAKING",
    "PRUNING",
    "SILENCE",
    "Holder",
    "Lease",
    "SilenceWatch",
    "find_living",
    "iterate_holders",
    "read_holder",
    "remove_lease",
]

log = logging.getLogger(__name__)

LEASES = "leases"
PRUNING = "prune"  # the lease of who prunes, beside those of sweeps
MAKING = "make"  # of who makes what sweeps need, in the workspace itself
BEAT = 5.0  # seconds from beat to beat
SILENCE = 30.0  # seconds without a beat after which the holder is taken to be gone
CLAIM = re.compile(r"(?P<key>[\w-]+)\.(?P<number>\d+)\.claim")
KEY = re.compile(r"[\w-]+")


@dataclass(frozen=True)
class Holder:
    """Who holds a lease, as it was seen.

    Attributes
    ----------
    key : str
        The sweep's key, or `PRUNING`.
    number : int
        Of the claim.
    owner : Owner or None
        None when the claim is being written, or damaged.
    beat : bytes
        The heartbeat's state.
    """

    key: str
    number: int
    owner: Owner | None
    beat: bytes

    @property
    def gone(self) -> bool:
        """Whether its process has ended for certain."""
        return self.owner is not None and self.owner.gone

    def __str__(self) -> str:
        if self.owner is None:
            return "an unknown process"
        since = datetime.fromtimestamp(self.owner.since, timezone.utc)
        return f"process {self.owner.pid} on {self.owner.host} since {since:%Y-%m-%d %H:%M:%S} UTC"


class SilenceWatch:
    """How long a holder has not been heard, as far as this process has looked.

    Parameters
    ----------
    pause : float
        Seconds that lie between two looks; a longer gap counts as twice that, since this process did not run in it.
    """

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._last: Holder | None = None
        self._looked = 0.0
        self._silent = 0.0

    def silence(self, began: float, holder: Holder) -> float:
        """Return the seconds for which `holder` has not changed.

        Parameters
        ----------
        began : float
            `time.monotonic` before the look that found it.
        holder : Holder
            What was seen.
        """
        same = holder == self._last
        self._silent = self._silent + min(max(began - self._looked, 0.0), 2 * self._pause) if same else 0.0
        self._last, self._looked = holder, time.monotonic()
        return self._silent


class Lease:
    """The right to train the fits of a sweep, or what else its key stands for; a context manager that waits for it.

    `Ledger.lease` makes those of sweeps.

    Parameters
    ----------
    store : Store
        The ledger's folder; the workspace, for `MAKING`.
    key : str
        The sweep's key, `PRUNING` or `MAKING`.
    on_wait : callable, optional
        Takes a line that says who holds the lease, once for each holder waited for.
    beat, silence : float
        Seconds from heartbeat to heartbeat, and without one until the lease is taken over.
    """

    def __init__(
        self,
        store: Store,
        key: str,
        on_wait: Callable[[str], None] | None = None,
        beat: float = BEAT,
        silence: float = SILENCE,
    ) -> None:
        if not KEY.fullmatch(key):
            raise ValueError(f"a lease's key must be of letters, digits, - and _, not {key!r}")
        self._store = store
        self._key = key
        self._on_wait = on_wait or (lambda line: None)
        self._interval, self._patience = beat, silence
        self._pause = _pause(beat, silence)
        self._owner = Owner()
        self._number = 0
        self._successor = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Lease:
        try:
            self._acquire()
            if self._key not in (PRUNING, MAKING):
                self._wait_for_pruning()
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def check(self) -> None:
        """Make sure that this process still holds the lease, as far as that can be known now.

        A storage that does not answer says nothing of another driver, and what is done must not be lost for it.

        Raises
        ------
        SearchError
            Another has taken it over, since no heartbeat came from here; nothing may be written any more.
        """
        if not self._successor:
            try:
                if self._holds():
                    return
            except StorageError as error:
                log.debug("who holds sweep %s cannot be seen for now: %s", self._key[:8], error)
                return
        raise SearchError(
            f"sweep {self._key[:8]} was taken over by {self._successor} while this driver stood still;"
            " run the command again to wait for it and continue"
        )

    def _acquire(self) -> None:
        while True:
            holder = self._wait_for(self._key)
            number = holder.number + 1 if holder else 1
            if self._store.create(self._claim(number), json.dumps(self._owner.facts()).encode()):
                self._number = number
                break
        self._thread = threading.Thread(target=self._keep_beating, name=f"lease-{self._key[:8]}", daemon=True)
        self._thread.start()
        with suppress(StorageError):
            self._remove_older()

    def _wait_for(self, key: str) -> Holder | None:
        """Return when the lease is free (None), or can be taken over from the holder returned."""
        watch = SilenceWatch(self._pause)
        told = None
        while True:
            began = time.monotonic()
            holder = read_holder(self._store, key)
            if holder is None or holder.gone or watch.silence(began, holder) >= self._patience:
                return holder
            if told != (holder.number, holder.owner):
                told = (holder.number, holder.owner)
                self._on_wait(self._waiting_line(holder))
            time.sleep(self._pause)

    def _wait_for_pruning(self) -> None:
        """Wait for who prunes; of one that stands still take the lease away, so that it deletes nothing later."""
        if self._wait_for(PRUNING) is not None:
            with Lease(self._store, PRUNING, self._on_wait, self._interval, self._patience):
                pass

    def _waiting_line(self, holder: Holder) -> str:
        others = {PRUNING: "the ledger is being pruned", MAKING: "this workspace's tables and matrices are being made"}
        what = others.get(holder.key, f"sweep {holder.key[:8]} is being run")
        return f"{what} by {holder}; waiting for its end, or until it has been silent for {self._patience:g} s"

    def _keep_beating(self) -> None:
        beats = 0
        while not self._stop.wait(self._interval):
            try:
                if not self._holds():
                    return
                beats += 1
                self._store.write_bytes(self._beat(self._owner.token), str(beats).encode())
            except Exception:  # a full disk, a JVM that is ending: the next beat may get through
                continue

    def _holds(self) -> bool:
        """Look whether the lease is still this process's, and remember for good when it is not."""
        holder = read_holder(self._store, self._key)
        if holder is not None and holder.owner is not None and holder.owner.token == self._owner.token:
            return True
        self._successor = str(holder) if holder else "another process, which has ended since,"
        return False

    def _release(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2.0)  # it may hang in the storage, which must not keep Ctrl-C
        with suppress(StorageError):  # what stays is taken over
            self._store.delete(self._beat(self._owner.token))
            if self._number and self._holds():
                self._store.delete(self._claim(self._number))

    def _remove_older(self) -> None:
        """Delete the claims and beats of those before."""
        mine = (self._claim(self._number), self._beat(self._owner.token))
        for name in self._store.list(LEASES):
            path = f"{LEASES}/{name}"
            claim = CLAIM.fullmatch(name)
            older = int(claim["number"]) < self._number if claim else True
            if name.startswith(f"{self._key}.") and path not in mine and older:
                self._store.delete(path)

    def _claim(self, number: int) -> str:
        return _claim_path(self._key, number)

    def _beat(self, token: str) -> str:
        return _beat_path(self._key, token)


def iterate_holders(store: Store) -> Iterator[Holder]:
    """Yield the holder of each lease of a ledger, sorted by key."""
    claims = [CLAIM.fullmatch(name) for name in store.list(LEASES)]
    for key in sorted({claim["key"] for claim in claims if claim}):
        holder = read_holder(store, key)
        if holder:
            yield holder


def read_holder(store: Store, key: str) -> Holder | None:
    """Return who holds a lease, None when it is free."""
    while True:
        claims = [CLAIM.fullmatch(name) for name in store.list(LEASES)]
        numbers = [int(claim["number"]) for claim in claims if claim and claim["key"] == key]
        if not numbers:
            return None
        number = max(numbers)
        data = _read(store, _claim_path(key, number))
        if data is None:
            continue  # it went meanwhile
        owner = _parse_owner(data)
        beat = (_read(store, _beat_path(key, owner.token)) or b"") if owner else data
        return Holder(key, number, owner, beat)


def find_living(
    store: Store, holder: Holder, on_wait: Callable[[str], None] | None, beat: float, silence: float
) -> Holder | None:
    """Return who holds a lease for certain, None when that process is dead or silent; may take `silence` seconds.

    Parameters
    ----------
    store : Store
        The ledger's folder.
    holder : Holder
        Who was seen to hold it.
    on_wait : callable, optional
        Takes a line before it has to wait for a heartbeat.
    beat, silence : float
        As of `Lease`.
    """
    watch = SilenceWatch(_pause(beat, silence))
    told = on_wait is None
    while True:
        began = time.monotonic()
        now = read_holder(store, holder.key)
        if now is None or now.gone:
            return None
        if now != holder or (now.owner is not None and now.owner.is_here):
            return now
        if watch.silence(began, now) >= silence:
            return None
        if not told and on_wait is not None:
            told = True
            on_wait(f"looking for up to {silence:g} s whether {now} lives")
        time.sleep(_pause(beat, silence))


def remove_lease(store: Store, holder: Holder) -> None:
    """Delete the lease of a holder that is dead; one that was taken over meanwhile stays."""
    store.delete(_claim_path(holder.key, holder.number))
    if holder.owner is not None:
        store.delete(_beat_path(holder.key, holder.owner.token))


def _claim_path(key: str, number: int) -> str:
    return f"{LEASES}/{key}.{number:06d}.claim"


def _beat_path(key: str, token: str) -> str:
    return f"{LEASES}/{key}.{token}.beat"


def _pause(beat: float, silence: float) -> float:
    """Return the seconds between two looks at a lease."""
    return min(beat / 2, silence / 10, 1.0)


def _read(store: Store, path: str) -> bytes | None:
    """Return what a file holds, None when there is none."""
    try:
        return store.read_bytes(path)
    except StorageError:
        if not store.exists(path):
            return None
        return store.read_bytes(path)  # it came between the two, or the same error comes again


def _parse_owner(data: bytes) -> Owner | None:
    try:
        return read_owner(json.loads(data))
    except ValueError:
        return None
