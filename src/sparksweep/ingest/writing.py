"""A Spark frame into Parquet, with the JVM's pages of trace turned into one line."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pyspark.sql import DataFrame

from sparksweep.errors import StorageError
from sparksweep.ingest.spark_failures import innermost_cause, spark_failures
from sparksweep.storage import Store

__all__ = ["write_parquet"]

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
    # A large table is read by many tasks, a row group at least each; Parquet's own are of 128 MB.
    options = {f"parquet.enable.dictionary#{column}": "false" for column in plain}
    options["parquet.block.size"] = str(ROW_GROUP_BYTES)
    with spark_failures(store.shown(path)):
        try:
            frame.write.mode("overwrite").options(**options).parquet(store.uri(path))
        except Exception as error:  # Spark's own kinds differ from version to version
            cause = innermost_cause(error)
            if _ABOUT_FILES.search(cause):
                where = store.shown(path)
                raise StorageError(f"{where}: cannot be written: {cause}; see to the disk or go elsewhere") from error
            raise
