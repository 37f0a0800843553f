"""A Parquet file from bytes is read without threads: one that still holds some at the process's end would abort it."""

from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparksweep.storage.parquet import table_of_bytes

TABLE = pa.table({"fit": pa.array([1, 2, None], pa.int32()), "params": ["a", "ß", None]})
COUNT = """
import io, os, sys, pyarrow as pa, pyarrow.parquet as pq
from sparksweep.storage.parquet import table_of_bytes
file = io.BytesIO()
pq.write_table(pa.table({str(n): [n] for n in range(40)}), file)
before = len(os.listdir("/proc/self/task"))
{"ours": table_of_bytes, "pyarrow's": lambda data: pq.read_table(pa.BufferReader(data))}[sys.argv[1]](file.getvalue())
print(len(os.listdir("/proc/self/task")) - before, flush=True)
os._exit(0)  # pyarrow's may abort in the end
"""


def written(table):
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def test_it_is_the_table():
    assert table_of_bytes(written(TABLE)).equals(TABLE)
    assert table_of_bytes(written(TABLE.slice(0, 0))).schema == TABLE.schema
    with pytest.raises(pa.ArrowException):
        table_of_bytes(b"no Parquet")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
@pytest.mark.parametrize(("reader", "starts_some"), [("ours", False), ("pyarrow's", True)])
def test_no_thread_is_started_for_it(reader, starts_some):
    done = subprocess.run([sys.executable, "-c", COUNT, reader], capture_output=True, text=True, check=True)
    assert (int(done.stdout) > 0) == starts_some
