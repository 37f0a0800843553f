"""A Spark frame into Parquet, with the JVM's pages of trace turned into one line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pyspark.sql import DataFrame

from sparksweep.errors import SparksweepError, StorageError
from sparksweep.storage import Store

__all__ = ["innermost_cause", "write_parquet"]

# Class and message of an exception as Java prints it, inside a longer text.
_JAVA_EXCEPTION = re.compile(r"((?:[a-z]\w*\.)+[A-Z]\w*(?:Exception|Error)): ([^\n]*)")
ROW_GROUP_BYTES = 16 << 20
_ABOUT_FILES = re.compile(r"^java\.(io|nio)\.|^org\.apache\.hadoop\.(fs|security)\.|No space left")


def write_parquet(frame: DataFrame, store: Store, path: str, plain: Iterable[str] = ()) -> None:
    """Write a frame as a folder of Parquet parts, replacing what is there.

    Parameters
    ----------
    frame : DataFrame
        What is written.
    store : Store
        Gets it.
    path : str
        Where in the store.
    plain : iterable of str
        Columns that are written without a dictionary, which is Parquet's first try.

    Raises
    ------
    StorageError
        The place cannot be written (permission, space, not a folder).
    SparksweepError
        Spark failed for another reason; the message has the innermost one.
    """
    try:
        # A large table is read by many tasks, a row group at least each; Parquet's own are of 128 MB.
        options = {f"parquet.enable.dictionary#{column}": "false" for column in plain}
        options["parquet.block.size"] = str(ROW_GROUP_BYTES)
        frame.write.mode("overwrite").options(**options).parquet(store.uri(path))
    except Exception as error:  # Spark's own kinds differ from version to version
        place, cause = store.shown(path), innermost_cause(error)
        if _ABOUT_FILES.search(cause):
            raise StorageError(f"{place}: cannot be written: {cause}; see to the disk or go elsewhere") from error
        raise SparksweepError(f"{place}: Spark could not make it: {cause}; see the lines above") from error


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
