"""How to tell the process that Spark's Python workers are forked from."""

from __future__ import annotations

from collections.abc import Sequence

DAEMONS = ("pyspark.daemon", "sparksweep.python_daemon")


def is_daemon(arguments: Sequence[str]) -> bool:
    """Tell by the arguments of a process whether it is Spark's or ours."""
    return any(each in DAEMONS for each in arguments)
