"""The child process that fits run in, so that what a fit does to its process is done to that process only.

A Python worker of Spark forks one and uses it from unit to unit. It dies with a fit that crashes, hangs past its limit
or takes more memory than its share; the worker writes down why and forks the next. The worker itself imports what fits
need but runs none of it: a fork copies no threads, and OpenMP, once it has some, waits in the child for ever for those
that it lost (GCC bug 58378). Where the worker has run something all the same, as a UDF of the user's does, and a fit
may use several threads, the child starts Python anew. Runs on workers: no pyspark here.
"""

from __future__ import annotations

import ctypes
import faulthandler
import importlib
import os
import pickle
import random
import re
import select
import signal
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import psutil

__all__ = ["Died", "FitProcess", "Limits", "Reply", "Serve"]

LOOK_INTERVAL = 0.2  # seconds between looks at a running fit's memory
STACK_SECONDS = 0.3  # how long a fit that is about to be killed has to say where it stands
END_SECONDS = 2.0
PR_SET_PDEATHSIG = 1  # linux/prctl.h
THREAD_ID = re.compile(r"0x[0-9a-f]{8,16}")

Serve = Callable[[Any], Iterator[Any]]


@dataclass(frozen=True)
class Limits:
    """What one request may take.

    Attributes
    ----------
    seconds : float or None
        From the request to its last answer.
    memory : int or None
        Bytes that the process takes for itself beyond what it has before its first fit.
    """

    seconds: float | None = None
    memory: int | None = None


@dataclass(frozen=True)
class Reply:
    """One of the answers to a request; the last has no value and says whether the process is fit for another.

    The very first says that the process is ready and what memory it has then, or the error that keeps it from that.
    """

    value: Any = None
    last: bool = False
    unclean: bool = False
    ready: int | None = None
    error: tuple[str, str] | None = None


class Died(Exception):
    """The process is gone in the midst of a request.

    Attributes
    ----------
    timed_out : bool
        It was killed since its time was over.
    told : str
        Where it stood, if it could say so, and in the last line what ended it.
    """

    def __init__(self, reason: str, stack: str = "", timed_out: bool = False) -> None:
        self.timed_out = timed_out
        self.told = f"{stack.strip()}\n{reason}" if stack.strip() else reason
        super().__init__(reason)


class FitProcess:
    """A forked process that serves requests one after the other.

    Parameters
    ----------
    prepare : callable
        Called in the new process; returns what serves a request, as an iterator of answers.
    modules : sequence of str
        Imported here before the fork, so that no process has to do it again.
    threads : int
        How many threads OpenMP may use in it.
    """

    def __init__(self, prepare: Callable[[], Serve], modules: Sequence[str], threads: int = 1) -> None:
        for name in modules:
            with suppress(Exception):  # the process itself will say what is missing
                importlib.import_module(name)
        self._connection, theirs = Pipe()
        self._stack, stack = os.pipe()
        os.set_blocking(self._stack, False)
        os.set_blocking(stack, False)  # nobody reads it before the process is dead, and it must not wait for that
        parent = _Parent(os.getpid(), threading.active_count(), threads)
        self._memory_before = 0
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _live(prepare, theirs, stack, parent)
        theirs.close()
        os.close(stack)
        self._answers = select.poll()  # the connection's own poll makes one at each call, which small fits feel
        self._answers.register(self._connection.fileno(), select.POLLIN)

    def ask(self, request: Any, limits: Limits) -> Iterator[Any]:
        """Yield the answers to a request as they come.

        Raises
        ------
        Died
            The process is gone, by itself or since it passed a limit.
        ModuleNotFoundError, RuntimeError
            It could not open what it was given: a package is missing on this node, or is not the driver's.
        """
        end = None if limits.seconds is None else time.monotonic() + limits.seconds
        try:
            self._connection.send(request)
            while True:
                self._wait(end, limits)
                reply = self._connection.recv()
                if reply.error is not None:
                    self.close()
                    raise _not_ready(*reply.error)
                if reply.ready is not None:
                    self._memory_before = reply.ready
                    end = None if limits.seconds is None else time.monotonic() + limits.seconds
                    continue
                if reply.last:
                    break
                yield reply.value
        except (EOFError, OSError):
            raise self._ended() from None
        if reply.unclean:
            self.close()

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return not self._connection.closed

    def close(self) -> None:
        """End the process and all that it has started."""
        if not self._connection.closed:
            self._connection.close()
            self._kill()
            self._reap()
            os.close(self._stack)

    def _wait(self, end: float | None, limits: Limits) -> None:
        if end is None and limits.memory is None:
            return
        while not self._answers.poll(
            1000 * (LOOK_INTERVAL if end is None else max(0.0, min(LOOK_INTERVAL, end - _now())))
        ):
            if end is not None and _now() >= end:
                stack = self._ask_where()
                self.close()
                raise Died(f"TimeoutError: not done within {limits.seconds:g} s (fit_timeout)", stack, timed_out=True)
            if limits.memory is not None and (taken := self._taken()) > limits.memory:
                stack = self._ask_where()
                self.close()
                raise Died(
                    f"MemoryError: took {taken / 2**20:.0f} MiB, more than its share of "
                    f"{limits.memory / 2**20:.0f} MiB (fit_memory)",
                    stack,
                )

    def _taken(self) -> int:
        """Return the bytes that fits have taken, 0 before the process is ready for one."""
        return _own_memory(self.pid) - self._memory_before if self._memory_before else 0

    def _ask_where(self) -> str:
        """Return the stack of a running process, as far as it can still tell."""
        with suppress(OSError):
            os.kill(self.pid, signal.SIGUSR1)
            time.sleep(STACK_SECONDS)
        return self._read_stack()

    def _read_stack(self) -> str:
        with suppress(OSError):
            text = os.read(self._stack, 1 << 16).decode("utf-8", "replace")
            # Addresses differ from process to process, and equal failures should read the same.
            return THREAD_ID.sub("...", text).partition("\nExtension modules:")[0]
        return ""

    def _ended(self) -> Died:
        """Return how the process ended by itself."""
        self._connection.close()
        status = self._reap()
        stack = self._read_stack()
        self._kill_group()  # what it has started may be left
        os.close(self._stack)
        return Died(_ending(status), stack)

    def _kill(self) -> None:
        self._kill_group()
        with suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)

    def _kill_group(self) -> None:
        with suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)

    def _reap(self) -> int | None:
        end = _now() + END_SECONDS
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    return status
                if _now() > end:  # it has closed its end but lives on
                    self._kill()
                    return os.waitpid(self.pid, 0)[1]
                time.sleep(0.001)
        return None


def _not_ready(kind: str, message: str) -> Exception:
    missing = kind in ("ModuleNotFoundError", "ImportError")
    return ModuleNotFoundError(message) if missing else RuntimeError(f"{kind}: {message}")


def _now() -> float:
    return time.monotonic()


def _ending(status: int | None) -> str:
    if status is None:
        return "ProcessLookupError: the process that trained it is gone"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        hint = "; the kernel does so for want of memory" if number == signal.SIGKILL else ""
        return f"ChildProcessError: the process that trained it was killed by {signal.Signals(number).name}{hint}"
    code = os.waitstatus_to_exitcode(status)
    return f"ChildProcessError: the process that trained it exited with code {code}"


def _own_memory(pid: int) -> int:
    """Return the bytes that a process has for itself: on Linux anonymous pages, elsewhere what is resident."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


# --- in the new process ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Parent:
    """The worker as it was at the fork: its Python threads, and those that OpenMP may use in the new process."""

    pid: int
    python_threads: int
    threads: int

    @property
    def may_have_run_openmp(self) -> bool:
        """Whether it has more threads than Python's own; OpenBLAS ends its own at a fork."""
        try:
            return len(os.listdir(f"/proc/{self.pid}/task")) > self.python_threads
        except OSError:  # no Linux
            return True


def _live(prepare: Callable[[], Serve], connection: Connection, stack: int, parent: _Parent) -> None:
    with _to_the_end():
        os.setsid()
        _die_with(parent.pid)
        _let_go_of_sockets(connection.fileno())
        if parent.threads > 1 and parent.may_have_run_openmp:
            _start_anew(prepare, connection.fileno(), stack)
        random.seed()
        np.random.seed()  # else all processes forked here would draw alike where no seed is given
        _serve(prepare, connection, stack)


ANEW = """
import sys
sys.path[:] = {path!r}
from sparksweep.search.fit_process import live_anew
live_anew({prepare}, {connection}, {stack})
"""


def _start_anew(prepare: Callable[[], Serve], connection: int, stack: int) -> NoReturn:
    """Replace this process by a new Python that goes on where this one is, with none of the worker's memory."""
    with tempfile.TemporaryFile() as file:
        pickle.dump(prepare, file, protocol=5)
        file.seek(0)
        for number in (file.fileno(), connection, stack, *_files_of(prepare)):
            os.set_inheritable(number, True)
        code = ANEW.format(path=sys.path, prepare=file.fileno(), connection=connection, stack=stack)
        os.execv(sys.executable, [sys.executable, "-c", code])


def _files_of(prepare: Callable[[], Serve]) -> list[int]:
    """Return the numbers of the open files among the arguments of a partial."""
    found = [getattr(each, "file", None) for each in getattr(prepare, "args", ())]
    return [number for number in found if isinstance(number, int)]


def live_anew(prepare: int, connection: int, stack: int) -> None:
    """Do in a Python that was started anew what the process before it was forked for.

    Parameters
    ----------
    prepare, connection, stack : int
        Numbers of open files: the pickled callable, the worker's pipe, where to write the stack.
    """
    with _to_the_end():
        with open(prepare, "rb") as file:
            made = pickle.load(file)
        _serve(made, Connection(connection), stack)


@contextmanager
def _to_the_end() -> Iterator[None]:
    """End the process with the block, without what Python does at its exit."""
    code = 1
    try:
        yield
        code = 0
    except EOFError:
        code = 0  # the worker has closed its end
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _serve(prepare: Callable[[], Serve], connection: Connection, stack: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    faulthandler.enable(file=stack)
    faulthandler.register(signal.SIGUSR1, file=stack, all_threads=True)
    try:
        serve = prepare()
    except Exception as error:
        connection.recv()  # what is asked must find somebody who answers
        connection.send(Reply(error=(type(error).__name__, str(error))))
        return
    connection.send(Reply(ready=_own_memory(os.getpid())))
    threads = threading.active_count()
    while True:
        request = connection.recv()
        for value in serve(request):
            connection.send(Reply(value))
        connection.send(Reply(last=True, unclean=_is_unclean(threads)))


def _is_unclean(threads: int) -> bool:
    """Tell whether a fit left threads or processes behind."""
    if threading.active_count() > threads:
        return True
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False  # there are none
    return True


def _die_with(worker: int) -> None:
    """Have this process end when the worker does, however that ends."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if not sys.platform.startswith("linux"):
        threading.Thread(target=_watch, args=(worker,), daemon=True).start()
    if os.getppid() != worker:
        os._exit(1)


def _watch(worker: int) -> None:
    while os.getppid() == worker:
        time.sleep(1)
    os.killpg(0, signal.SIGKILL)


def _let_go_of_sockets(kept: int) -> None:
    """Point the worker's connections to Spark at nothing; only the worker may keep them open.

    They are not closed, since their Python objects would close the numbers once more when others have them.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/dev/fd"):
        number = int(name)
        with suppress(OSError):
            if number != kept and stat.S_ISSOCK(os.fstat(number).st_mode):
                os.dup2(null, number, inheritable=False)
