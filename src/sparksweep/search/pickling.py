"""Pickles what a notebook defines, functions and classes of ``__main__`` too, by pyspark's own pickler."""

from __future__ import annotations

from typing import Any, cast

from pyspark import cloudpickle

from sparksweep.errors import SearchError
from sparksweep.search.worker import Sealed

__all__ = ["dumps", "seal"]


def dumps(value: Any) -> bytes:
    """Return an object as bytes that `pickle.loads` opens."""
    return cast(bytes, cloudpickle.dumps(value))  # type: ignore[attr-defined,no-untyped-call]


def seal(value: Any, what: str) -> Sealed:
    """Return an object sealed for the way to the workers.

    Parameters
    ----------
    what : str
        Names it in the error.

    Raises
    ------
    SearchError
        It cannot be pickled.
    """
    try:
        return Sealed(dumps(value))
    except Exception as error:
        reason = next(iter(str(error).splitlines()), "")
        raise SearchError(
            f"{what} cannot be pickled, which Spark's workers need: {type(error).__name__}: {reason}"
        ) from error
