"""What a failed Spark job says, as one line with what to do; and exceptions of fits, brought to the driver."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sparksweep.errors import SearchError
from sparksweep.search.candidates import params_json
from sparksweep.search.fits import Fit
from sparksweep.search.units import Unit

__all__ = ["FitTraceback", "fit_exception", "job_error"]

TASK = re.compile(r"Task (\d+) in stage [\d.]+ failed (\d+) times?")
PYTHON_ERROR = re.compile(r"^(?:\w+\.)*(\w+(?:Error|Exception|Interrupt|Exit|Warning)): ?(.*)$", re.MULTILINE)
JAVA_ERROR = re.compile(r"((?:\w+\.)*\w+(?:Error|Exception)): ([^\n]+)")
DEAD_WORKER = re.compile(r"Python worker exited unexpectedly|Python worker failed to connect back|ExecutorLostFailure")


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


def job_error(
    error: BaseException, tasks: Sequence[Sequence[Unit]], candidates: Mapping[int, Mapping[str, Any]]
) -> SearchError:
    """Return a failed Spark job as an error of ours: what was lost, why, what to do.

    Parameters
    ----------
    error : exception
        What the job's action raised.
    tasks : sequence of sequences of Unit
        The job's tasks; none for the refit.
    candidates : mapping of int to mapping
        Params by candidate id.
    """
    text = str(error)
    what = _what_was_lost(text, tasks, candidates)
    if DEAD_WORKER.search(text):
        return SearchError(
            f"{what}: the Python worker died, as a crash in native code or the kernel for want of memory ends it; "
            "run fewer fits at once, give executors more memory, or leave the candidate out"
        )
    python = PYTHON_ERROR.findall(text.partition("\n\tat ")[0])
    if python:
        return _python_error(what, *python[-1])
    java = JAVA_ERROR.search(text)
    reason = f"{java[1].rpartition('.')[2]}: {java[2]}" if java else next(iter(text.splitlines()), type(error).__name__)
    return SearchError(f"{what}: Spark's job failed: {reason}")


def _what_was_lost(text: str, tasks: Sequence[Sequence[Unit]], candidates: Mapping[int, Mapping[str, Any]]) -> str:
    found = TASK.search(text)
    if found is None:
        return "the search was lost"
    if int(found[1]) >= len(tasks):
        return "the refit was lost"
    unit = tasks[int(found[1])][0]
    shown = ", ".join(params_json(candidates[candidate_id]) for candidate_id in unit.candidate_ids)
    return f"candidate {', '.join(map(str, unit.candidate_ids))} {shown} on split {unit.split_id} was lost"


def _python_error(what: str, kind: str, message: str) -> SearchError:
    hint = ""
    if kind in ("ModuleNotFoundError", "ImportError"):
        hint = (
            "; executors need the driver's packages: ship its environment with --archives, or install it on each node"
        )
    return SearchError(f"{what}: a Python worker raised {kind}: {message}{hint}")
