"""Let scikit-learn check parameters itself: its ``fit`` checks them first, and is stopped when it reaches the data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

__all__ = ["UNREADABLE", "parameter_error", "stopped_at_data"]


class _DataTouched(Exception):  # a signal, no error
    pass


class _Unreadable:
    """Stands for X; whoever looks at it is stopped."""

    def _touched(self, *_: Any, **__: Any) -> NoReturn:
        raise _DataTouched

    __getattr__ = __len__ = __iter__ = __getitem__ = __array__ = __eq__ = _touched
    __hash__ = object.__hash__


UNREADABLE = _Unreadable()


@contextmanager
def stopped_at_data() -> Iterator[None]:
    """End the block without an error when it looks at `UNREADABLE`."""
    try:
        yield
    except _DataTouched:
        return


def parameter_error(estimator: Any) -> str | None:
    """Return what scikit-learn says of a wrong parameter of `estimator`, in one line.

    Estimators that check their parameters late, or elsewhere, are not heard.
    """
    try:
        with stopped_at_data():
            estimator.fit(UNREADABLE, UNREADABLE)
    except Exception as error:
        # Its class for this is private, but it is the only one that is both.
        if isinstance(error, ValueError) and isinstance(error, TypeError):
            return " ".join(str(error).split())
    return None
