"""What Spark raises as ours: one line in place of the JVM's pages of trace."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sparksweep.errors import SparksweepError

__all__ = ["innermost_cause", "spark_failures"]

# Class and message of an exception as Java prints it, inside a longer text.
_JAVA_EXCEPTION = re.compile(r"((?:[a-z]\w*\.)+[A-Z]\w*(?:Exception|Error)): ([^\n]*)")


@contextmanager
def spark_failures(what: str) -> Iterator[None]:
    """Turn what Spark raises in the block into a `SparksweepError`; ours pass as they are.

    Parameters
    ----------
    what : str
        What is made, as in "<what>: Spark could not make it".
    """
    try:
        yield
    except SparksweepError:
        raise
    except Exception as error:  # Spark's own kinds differ from version to version
        raise SparksweepError(
            f"{what}: Spark could not make it: {innermost_cause(error)}; see the lines above"
        ) from error


def innermost_cause(error: Exception) -> str:
    """Return class and message of the last exception in the JVM's chain, or in a Python worker, in one line."""
    java: Any = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    text = str(error)
    while java is not None:
        text, java = str(java.toString()), java.getCause()
    if "Traceback (most recent call last)" in text:
        # Python's own words come last; the lines of Java's trace that may follow begin with a tab.
        return [line for line in text.splitlines() if line.strip() and not line.startswith(("\t", " "))][-1]
    inside = _JAVA_EXCEPTION.findall(text)
    return ": ".join(inside[-1]) if inside else text.strip().splitlines()[0]
