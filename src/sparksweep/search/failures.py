"""What a failed Spark job says, as one line with what to do; and exceptions of fits, brought to the driver."""

from __future__ import annotations

import pickle
import re
from dataclasses import dataclass

from sparksweep.errors import SearchError
from sparksweep.search.fits import Fit

__all__ = ["FitTraceback", "Lost", "fit_exception", "job_error", "lost_task", "reason_line"]

TASK = re.compile(r"Task (\d+) in stage [\d.]+ failed (\d+) times?")
PYTHON_ERROR = re.compile(r"^(?:\w+\.)*(\w+(?:Error|Exception|Interrupt|Exit|Warning)): ?(.*)$", re.MULTILINE)
JAVA_ERROR = re.compile(r"((?:\w+\.)*\w+(?:Error|Exception)): ([^\n]+)")
DEAD_WORKER = re.compile(
    r"Python worker exited unexpectedly|Python worker failed to connect back|ExecutorLostFailure"
    r"|java\.net\.SocketException|java\.io\.EOFException"  # how its connection ends, when the JVM sees that first
)


class FitTraceback(Exception):  # shown as the cause of what a fit raised
    """The traceback of a fit, as text, from the worker where it happened."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def fit_exception(fit: Fit) -> BaseException:
    """Return the exception that a fit raised, with the worker's traceback as its cause."""
    if fit.exception is None:
        raise ValueError("this fit raised nothing")
    error: BaseException = pickle.loads(fit.exception)
    error.__cause__ = FitTraceback(fit.fit_error or "")
    return error


def reason_line(fit_error: str | None) -> str:
    """Return the line of a fit's error that says what went wrong, "" without one.

    That is the last one, but where a native library goes on with its own stack (XGBoost does): there it is the line
    that names the exception.
    """
    text = (fit_error or "").strip()
    last = text.rpartition("\n")[2]
    named = list(PYTHON_ERROR.finditer(text)) if last[:1].isspace() else []
    return named[-1][0] if named else last.strip()


@dataclass(frozen=True)
class Lost:
    """Why a job lost a task: the task's number, if Spark says it, and the reason in one line."""

    task: int | None
    reason: str


def lost_task(error: BaseException) -> Lost | None:
    """Return what a failed job says of a task whose worker died, None where it failed for another reason."""
    text = str(error)
    if not DEAD_WORKER.search(text):
        return None
    found = TASK.search(text)
    worker = "its Python worker died, as kill -9 or the kernel for want of memory ends it"
    reason = "its executor was lost" if "ExecutorLostFailure" in text else worker
    return Lost(None if found is None else int(found[1]), reason)


def job_error(error: BaseException, what: str) -> SearchError:
    """Return a failed Spark job as an error of ours: what was lost, why, what to do.

    Parameters
    ----------
    error : exception
        What the job's action raised.
    what : str
        What it was about.
    """
    text = str(error)
    if DEAD_WORKER.search(text):
        return SearchError(
            f"{what} was lost: the Python worker died, as a crash in native code or the kernel for want of memory ends "
            "it; run fewer fits at once or give executors more memory"
        )
    python = PYTHON_ERROR.findall(text.partition("\n\tat ")[0])
    if python:
        return _python_error(what, *python[-1])
    java = JAVA_ERROR.search(text)
    reason = f"{java[1].rpartition('.')[2]}: {java[2]}" if java else next(iter(text.splitlines()), type(error).__name__)
    return SearchError(f"{what} was lost: Spark's job failed: {reason}")


def _python_error(what: str, kind: str, message: str) -> SearchError:
    hint = ""
    if kind in ("ModuleNotFoundError", "ImportError"):
        hint = (
            "; executors need the driver's packages: ship its environment with --archives, or install it on each node"
        )
    return SearchError(f"{what} was lost: a Python worker raised {kind}: {message}{hint}")
