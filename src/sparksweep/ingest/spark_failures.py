"""What Spark raises as ours: one line in place of the JVM's pages of trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sparksweep.errors import SparksweepError
from sparksweep.ingest.writing import innermost_cause

__all__ = ["spark_failures"]


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
