"""Who holds a lease: a process, named so that others on its machine can tell for certain when it is gone."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

__all__ = ["Owner", "read_owner"]


@dataclass(frozen=True)
class Owner:
    """A process that holds a lease.

    Attributes
    ----------
    host, pid : str, int
        For people.
    machine : str
        Where `pid` means something: this boot of this machine, and its namespace of process ids. Containers may
        share a host's name, and do not share this.
    began : str
        When the process began, by the machine's own count: clocks that are set do not move it.
    since : float
        Seconds since 1970 when it took the lease; shown, never compared.
    token : str
        Random, of one lease.
    """

    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    machine: str = field(default_factory=lambda: _machine())
    began: str = field(default_factory=lambda: _began(os.getpid()) or "")
    since: float = field(default_factory=time.time)
    token: str = field(default_factory=lambda: uuid4().hex)

    @property
    def gone(self) -> bool:
        """Whether the process has ended for certain; of another machine's nothing is known."""
        return self.is_here and _ended(self.pid, self.began)

    @property
    def is_here(self) -> bool:
        """Whether it is, or was, a process of this machine, so that `gone` knows for certain."""
        return bool(self.machine) and self.machine == _machine()

    @property
    def is_this_process(self) -> bool:
        """Whether it is the process that asks."""
        return self.is_here and (self.pid, self.began) == (os.getpid(), _began(os.getpid()))

    def facts(self) -> dict[str, Any]:
        """Return what is kept of it."""
        return asdict(self)


def read_owner(facts: Any) -> Owner | None:
    """Return the owner that `Owner.facts` gave, None where they are damaged."""
    if not isinstance(facts, Mapping):
        return None
    try:
        return Owner(
            host=str(facts["host"]),
            pid=int(facts["pid"]),
            machine=str(facts["machine"]),
            began=str(facts["began"]),
            since=float(facts["since"]),
            token=str(facts["token"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _machine() -> str:
    """Return what tells this boot of this machine, and its process ids, from any other."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:  # no Linux
        return socket.gethostname()


def _ended(pid: int, began: str) -> bool:
    """Tell whether a process of this machine has ended for certain, be it that nobody has reaped it yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # another user's
        pass
    now = _began(pid)
    return now is not None and now != began


def _began(pid: int) -> str | None:
    """Return when a process began, "ended" of one that only waits to be reaped, None when that cannot be seen."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _began_by_clock(pid)
    state, *fields = text.rpartition(")")[2].split()
    return "ended" if state in "ZX" else f"{fields[18]} ticks"


def _began_by_clock(pid: int) -> str | None:
    """Return when a process began where there is no /proc; where that hides other users' processes, None."""
    if Path("/proc/self/stat").exists():
        return None
    try:
        return f"{psutil.Process(pid).create_time():.0f} s"
    except psutil.Error:
        return None
