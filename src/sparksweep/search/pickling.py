"""Pickles what a notebook defines, functions and classes of ``__main__`` too, by pyspark's own pickler."""

from __future__ import annotations

from typing import Any, cast

from pyspark import cloudpickle

from sparksweep.errors import SearchError

__all__ = ["dumps"]


def dumps(value: Any, what: str = "", **options: Any) -> bytes:
    """Return an object as bytes that `pickle.loads` opens.

    Parameters
    ----------
    value : object
        Whatever there is.
    what : str
        Names it in the error; without, the pickler's own error is raised.
    **options
        Of the pickler: protocol, buffer_callback.

    Raises
    ------
    SearchError
        It cannot be pickled.
    """
    try:
        return cast(bytes, cloudpickle.dumps(value, **options))  # type: ignore[attr-defined,no-untyped-call]
    except Exception as error:
        if not what:
            raise
        reason = next(iter(str(error).splitlines()), "")
        raise SearchError(
            f"{what} cannot be pickled, which Spark's workers need: {type(error).__name__}: {reason}"
        ) from error
