"""The classes of Spark's JVM as one file that it maps: local sessions start, and run their first job, in half the time.

A cold JVM looks for each of some 20,000 classes in 250 jars, unpacks and verifies it. Java's class data sharing does
that once: a first JVM notes which classes it loads, a second one writes them into an archive, later ones map it. An
archive of other jars is passed over by the JVM itself, and one of another Java by `sparksweep.session`.

``python -m sparksweep.class_archive`` makes it, once an environment; `sparksweep.session` uses the one it finds.
Source: "Class Data Sharing" in the documentation of the ``java`` command.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import pandas as pd
import psutil
import pyarrow as pa
import pyspark
from pyspark import Accumulator, Broadcast
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

from sparksweep.errors import SessionError, SparksweepError
from sparksweep.session import QUIET_ARCHIVE, QUIET_LOG, archive_path, java_program, open_session
from sparksweep.storage.failures import os_failures

__all__ = ["make_archive"]

SCRATCH = "tmp-classes-"
LONGEST = 3600.0  # seconds that a call may take


def make_archive() -> Path:
    """Make the archive of this environment anew.

    Returns
    -------
    Path
        Where it is; it takes about 170 MB.

    Raises
    ------
    SessionError
        Spark does not start, or a session is active: this takes a JVM of its own.
    StorageError
        The archive cannot be written.
    """
    if pyspark.SparkContext._gateway is not None:
        raise SessionError("a Spark session is or was active in this process: make the archive in one of its own")
    path = archive_path()
    with os_failures("write", path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear(path.parent)
        _make(path)
    return path


def _make(path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=path.parent) as scratch:
        classes, archive = Path(scratch, "classes.lst"), Path(scratch, path.name)
        command = _note_classes(classes, Path(scratch))
        java, class_path = command[0], command[command.index("-cp") + 1]
        made = subprocess.run(
            [
                *(java, "-Xshare:dump", f"-XX:SharedClassListFile={classes}", f"-XX:SharedArchiveFile={archive}"),
                *(*QUIET_ARCHIVE, "-Xmx1g", "-cp", class_path),
            ],
            stdout=subprocess.DEVNULL,
        )
        if made.returncode != 0:
            raise SessionError(
                f"{java} made no archive of classes (it ended with {made.returncode}); see the lines above"
            )
        path.with_suffix(".java").write_text(java_program(), encoding="utf-8")
        archive.replace(path)


def _clear(folder: Path) -> None:
    """Remove what a killed call left."""
    for left in folder.glob(f"{SCRATCH}*"):
        if time.time() - left.stat().st_mtime > LONGEST:
            shutil.rmtree(left, ignore_errors=True)


def _note_classes(classes: Path, scratch: Path) -> list[str]:
    """Have a JVM write which classes it loads for what we do with Spark; return its command line."""
    # In place of a session's usual options: with an older archive the JVM would note less.
    # Nor does what it does last long enough for the optimising compiler.
    options = f'-Dlog4j2.configurationFile={QUIET_LOG} -XX:TieredStopAtLevel=1 "-XX:DumpLoadedClassList={classes}"'
    conf = {"spark.driver.defaultJavaOptions": options, "spark.local.dir": str(scratch)}
    spark = open_session("sparksweep class archive", "local[2]", conf)
    jvm = pyspark.SparkContext._gateway.proc  # type: ignore[union-attr]
    command = psutil.Process(jvm.pid).cmdline()
    try:
        _use_spark(spark, scratch)
    finally:
        spark.stop()
        jvm.stdin.close()
        jvm.wait()
    return command


def _use_spark(spark: SparkSession, scratch: Path) -> None:
    """Do a little of everything that sparksweep does with Spark."""
    context = spark.sparkContext
    context.setJobGroup("sparksweep", "class archive", interruptOnCancel=True)
    counted, sent = context.accumulator(0), context.broadcast(b"")
    things_df = spark.createDataFrame(pd.DataFrame({"row": range(100), "thing": ["a b", "c"] * 50, "at": [0] * 100}))
    by_python_df = spark.range(2, numPartitions=2).mapInArrow(partial(_as_they_are, counted, sent), "id bigint")
    by_python_df.unionByName(spark.range(3)).write.mode("overwrite").parquet(str(scratch / "numbers.parquet"))
    things_df.repartition(2, "row").write.mode("overwrite").parquet(str(scratch / "things.parquet"))
    read_df = spark.read.parquet(str(scratch / "things.parquet"))
    numbers_df = spark.read.schema("id bigint").parquet(str(scratch / "numbers.parquet"))
    numbered_df = numbers_df.withColumn("row", F.row_number().over(Window.orderBy("id")) - 1).persist()
    first_df = read_df.groupBy("thing").agg(F.min("row").alias("row"), F.count("*").alias("n")).where("n > 1")
    joined_df = read_df.join(F.broadcast(numbered_df), on="row", how="inner").join(first_df, on="row", how="left_semi")
    word = F.explode(F.split(F.trim(F.regexp_replace(F.lower("thing"), "[()_/]", " ")), " +"))
    hour = F.expr("CAST(pmod(floor(at / 3600), 168) AS INT)")
    joined_df.select("row", word.alias("word"), hour.alias("hour")).distinct().toPandas()
    shuffled_df = read_df.join(numbered_df.hint("shuffle_hash"), on="row", how="left_anti").coalesce(1)
    shuffled_df.agg(F.max(F.struct("row", "thing")), F.sum(F.when(F.col("row") > 1, 1).otherwise(0))).collect()
    spark.range(1, numPartitions=1).mapInPandas(_as_they_are_in_pandas, "id bigint").collect()
    context.parallelize(range(2), 2).mapPartitions(list).collect()
    context.statusTracker().getJobIdsForGroup("sparksweep")
    numbered_df.unpersist()
    sent.unpersist()


def _as_they_are(
    counted: Accumulator[int], sent: Broadcast[bytes], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        counted.add(len(sent.value) + batch.num_rows)
        yield batch


def _as_they_are_in_pandas(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    yield from frames


def _main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what is half done is cleared away
    try:
        sys.stdout.write(f"classes of Spark's JVM: {make_archive()}\n")
    except SparksweepError as error:
        sys.stderr.write(f"sparksweep: error: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(_main())
