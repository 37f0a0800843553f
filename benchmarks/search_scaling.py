"""What does a second executor gain (P7)? Beside what a second bare process gains on the same machine, P1's work.

Run ``python benchmarks/search_scaling.py``; ``--rows`` scales it down. Executors have one core each and are real
processes (``local-cluster``); their workers have their imports before the clock starts. Two processors that share a
core, a cache or a memory bus gain less than 2, whoever uses them: the bare processes show how much there is to gain.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

import pyspark
from boosting_work import GRID, Ideal, make_booster, make_data
from judging import Judge, print_machine

from sparksweep.search import GridSearchCV
from sparksweep.session import open_session

BOUND = 0.95


def name_spark_home() -> None:
    """Name what executors are started from: Spark's own folder in the pip package, and its Scala version."""
    home = Path(pyspark.__file__).parent
    os.environ["SPARK_HOME"] = str(home)
    core = next((home / "jars").glob("spark-core_*.jar")).name
    os.environ["SPARK_SCALA_VERSION"] = core.split("_")[1].split("-")[0]  # not to be told from the package's layout
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ.pop("SPARK_CONF_DIR", None)


def search_seconds(executors: int, memory: int, X: object, y: object) -> float:
    """Return the seconds of the search on so many executors."""
    master = f"local-cluster[{executors},1,{memory}]"
    settings = {"spark.executor.memory": f"{memory}m", "spark.task.maxFailures": "1"}
    session = open_session("benchmark", master, settings)
    try:
        wait_for_executors(session, executors)
        tiny, labels = make_data(300)
        grid = {"n_estimators": [2], "max_depth": [2, 3, 4, 5]}
        GridSearchCV(make_booster(), grid, cv=2, refit=False).fit(tiny, labels % 3)
        begin = time.perf_counter()
        GridSearchCV(make_booster(), GRID, scoring="neg_log_loss", cv=5, refit=False).fit(X, y)
        return time.perf_counter() - begin
    finally:
        session.stop()


def wait_for_executors(session: pyspark.sql.SparkSession, executors: int) -> None:
    """Return when all executors take tasks."""
    tracker = session.sparkContext._jsc.sc().statusTracker()
    end = time.monotonic() + 60
    while len(tracker.getExecutorInfos()) < 1 + executors:  # the driver is one of them
        if time.monotonic() > end:
            raise TimeoutError(f"{executors} executors did not come up within a minute")
        time.sleep(0.2)


def bare_seconds(ideal: Ideal, processes: int) -> float:
    """Return the seconds of bare processes."""
    begin = time.perf_counter()
    ideal.run(processes)
    return time.perf_counter() - begin


def main() -> int:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=15000)
    parser.add_argument("--memory", type=int, default=1024, help="MiB of an executor")
    parser.add_argument("--repeats", type=int, default=1, help="of all four measurements; the median counts")
    given = parser.parse_args()
    print_machine()
    name_spark_home()
    X, y = make_data(given.rows)
    ideal = Ideal(X, y, GRID)
    shares = []
    for _ in range(given.repeats):
        bare = [bare_seconds(ideal, processes) for processes in (1, 2)]
        ours = [search_seconds(executors, given.memory, X, y) for executors in (1, 2)]
        print(f"  bare processes   1: {bare[0]:8.2f} s   2: {bare[1]:8.2f} s   gain {bare[0] / bare[1]:.3f}")
        print(
            f"  executors        1: {ours[0]:8.2f} s   2: {ours[1]:8.2f} s   gain {ours[0] / ours[1]:.3f}", flush=True
        )
        shares.append((ours[0] / ours[1]) / (bare[0] / bare[1]))
    judge = Judge()
    judge.at_least("P7  gain of a second executor / of a second bare process", statistics.median(shares), BOUND)
    return judge.exit_code


if __name__ == "__main__":
    sys.exit(main())
