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
from pathlib import Path

import psutil
import pyspark
from pyspark.sql import SparkSession
from sklearn.dummy import DummyClassifier

from sparksweep.errors import SessionError, SparksweepError
from sparksweep.features import words
from sparksweep.ingest import ingest_tables, read_tables
from sparksweep.ingest.keys import find_repeated_keys
from sparksweep.matrix import open_matrix
from sparksweep.search import GridSearchCV
from sparksweep.session import QUIET_ARCHIVE, QUIET_LOG, archive_path, java_program, open_session
from sparksweep.storage import open_store
from sparksweep.storage.failures import os_failures
from sparksweep.talkingdata import FEATURE_SETS, SCHEMAS, build_matrices
from sparksweep.talkingdata.generate import generate

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
    """Go the way from archives to a search's results, and look up what an odd table makes ingest look up."""
    generate(scratch / "raw", scale=0.001, seed=0)
    store = open_store(str(scratch / "workspace"))
    ingest_tables(spark, scratch / "raw", SCHEMAS, store)
    tables = read_tables(spark, store, SCHEMAS)
    build_matrices(spark, tables, FEATURE_SETS, "fraction", store, "matrix", {})
    train = open_matrix(store.fetch("matrix/train"))
    GridSearchCV(DummyClassifier(), {"strategy": ["prior"]}, cv=2).fit(train.X, train.y)
    find_repeated_keys(tables["events"], ["device_id"])
    words(tables["label_categories"], "category").toPandas()


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
