"""Sizes as Spark writes them: ``512m``, ``8g``."""

from __future__ import annotations

import re

from sparksweep.errors import UsageError

__all__ = ["parse_size"]

SIZE = re.compile(r"(?P<number>\d+)(?P<unit>[kmgtp]?)b?$")
UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40, "p": 2**50}


def parse_size(size: int | str, default_unit: str = "") -> int:
    """Return a size in bytes.

    Parameters
    ----------
    size : int or str
        Bytes, or a text such as ``512m`` or ``8g`` (powers of 1024).
    default_unit : str
        Of a text without one.

    Raises
    ------
    UsageError
        It is no size.
    """
    if isinstance(size, int) and not isinstance(size, bool) and size > 0:
        return size
    found = SIZE.match(size.strip().lower()) if isinstance(size, str) else None
    if found is None:
        raise UsageError(f"{size!r} is no size: must be a number of bytes or a text such as 512m or 8g")
    return int(found["number"]) * UNITS[found["unit"] or default_unit]
