"""How much memory does a search take? On Linux, which alone tells the share of a page.

Run ``python benchmarks/search_memory.py`` for both, or name one of:

- P6      X on a node with 4 workers: what their processes take more with an X of 1 GB than with next to none
- driver  the driver after a sweep of 15,625 fits, and after one of 20 on the same data

P6 counts the proportional set size (a page that four processes map counts a quarter in each) of Python workers and fit
processes, while all fits sleep. By then each fit process has read rows so close that all pages of X are in its memory,
which is checked. What the JVM and the driver hold is shown beside it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from judging import Judge, print_machine
from sklearn.base import BaseEstimator
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier

from sparksweep.search import GridSearchCV
from sparksweep.session import open_session

WORKERS = 4
COPIES, DRIVER_FACTOR, BYTES_A_FIT = 1.05, 1.2, 2000
COLUMNS = 16
STEP = 512  # rows from one that is read to the next: 32 KiB, and the kernel maps what is around a page up to 64 KiB
NODE_FILE = "/sparksweep-"  # in the path of X on a node
FIT_SECONDS, LOOK_INTERVAL = 4.0, 0.5


class Sleeper(BaseEstimator):
    """Holds what it is given for a while."""

    def __init__(self, seconds: float = 0.0, number: int = 0) -> None:
        self.seconds = seconds
        self.number = number

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Sleeper:
        """Sleep."""
        time.sleep(self.seconds)
        return self

    def score(self, X: np.ndarray, y: np.ndarray | None = None) -> float:
        """Return what nobody looks at."""
        return 0.0


def memory_of(pid: int, name: str) -> int:
    """Return the bytes of a process that the kernel calls so: ``Pss`` or ``Rss``; 0 when it has just ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)


def mapped_of(pid: int) -> tuple[int, int]:
    """Return how many bytes of X are in a process's memory, and its share of them."""
    found, inside = {"Rss:": 0, "Pss:": 0}, False
    try:
        for line in Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8", errors="replace").splitlines():
            first = line.split(maxsplit=1)[0]
            if not first.endswith(":"):
                inside = NODE_FILE in line
            elif inside and first in found:
                found[first] += int(line.split()[1]) * 1024
    except OSError:
        return 0, 0
    return found["Rss:"], found["Pss:"]


def tree() -> tuple[list[int], list[int]]:
    """Return the processes that this one has started: the Python ones and the Java ones."""
    python, java = [], []
    for process in psutil.Process().children(recursive=True):
        try:
            (java if "java" in process.name() else python).append(process.pid)
        except psutil.Error:
            continue
    return python, java


def look() -> dict[str, float]:
    """Return the memory of the whole tree now."""
    python, java = tree()
    mapped = sorted(mapped_of(pid) for pid in python)
    return {
        "workers": sum(memory_of(pid, "Pss") for pid in python),
        "java": sum(memory_of(pid, "Pss") for pid in java),
        "driver": memory_of(psutil.Process().pid, "Pss"),
        "processes": len(python),
        "mapped": sum(resident for resident, _ in mapped[-WORKERS:]),
        "shared": sum(share for _, share in mapped),
    }


def watched(call: Callable[[], Any]) -> Iterator[dict[str, float]]:
    """Yield what the memory is, time after time, while a call runs in this thread's place."""
    looks: list[dict[str, float]] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(LOOK_INTERVAL):
            looks.append(look())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        call()
    finally:
        done.set()
        watcher.join()
    yield from looks


def steady(n_rows: int) -> dict[str, float]:
    """Return the memory while all workers hold an X of so many rows."""
    X = np.random.default_rng(0).random((n_rows, COLUMNS), dtype=np.float32)
    half = STEP // 2
    splits = [(np.arange(0, n_rows, STEP), np.arange(half, n_rows, STEP))]  # a row each half step is read
    fits = 6 * WORKERS
    grid = {"number": list(range(fits))}
    search = GridSearchCV(Sleeper(FIT_SECONDS), grid, cv=splits, refit=False, fit_timeout=60)
    looks = list(watched(lambda: search.fit(X)))
    # Once all fit processes have read their rows: the middle of these, since Spark's own work comes and goes.
    full = max(each["mapped"] for each in looks)
    there = [each for each in looks if each["mapped"] >= 0.999 * full]
    return {name: statistics.median(each[name] for each in there) for name in there[0]}


def measure_p6(given: argparse.Namespace, judge: Judge) -> None:
    """Print P6."""
    session = open_session("benchmark", f"local[{WORKERS}]", {"spark.driver.memory": "2g"})
    session.range(WORKERS, numPartitions=WORKERS).count()
    n_rows = int(given.gb * 1e9 / (4 * COLUMNS))
    size = n_rows * 4 * COLUMNS
    steady(4 * STEP)  # what the first search of a session imports is there then
    small = steady(4 * STEP)
    large = steady(n_rows)
    session.stop()
    for name, each in (("next to no X", small), (f"X of {size / 1e9:.2f} GB", large)):
        print(
            f"  {name:<16} {each['processes']:.0f} Python processes {each['workers'] / 1e6:7.0f} MB, "
            f"JVM {each['java'] / 1e6:7.0f} MB, driver {each['driver'] / 1e6:7.0f} MB",
            flush=True,
        )
    judge.at_least("P6  share of X that each of 4 fit processes has in memory", large["mapped"] / WORKERS / size, 0.99)
    judge.at_most("P6  copies of X in workers and fit processes", (large["workers"] - small["workers"]) / size, COPIES)
    judge.show("    of these in the mapped file", large["shared"] / size)
    judge.show("    copies in the JVM", (large["java"] - small["java"]) / size)
    judge.show("    copies in the driver", (large["driver"] - small["driver"]) / size)


def run_driver_arm(fits: int) -> None:
    """Do a sweep of so many fits in this process, and print what its memory is then and what it was at most."""
    X, y = make_classification(20000, 50, random_state=0)
    session = open_session("benchmark", "local[2]")
    session.range(2, numPartitions=2).count()
    # Few rows to train on, so that it takes a minute, not an hour; the constant makes that many candidates.
    splits = [(np.arange(k, 200 + k), np.arange(200 + k, 400 + k)) for k in range(5)]
    grid = {"random_state": list(range(fits // 5))}
    search = GridSearchCV(DummyClassifier(strategy="stratified"), grid, cv=splits, refit=False).fit(X, y)
    own = psutil.Process().pid
    peak = next(
        int(line.split()[1]) * 1024
        for line in Path(f"/proc/{own}/status").read_text(encoding="ascii").splitlines()
        if line.startswith("VmHWM:")
    )
    after = {"after": memory_of(own, "Rss"), "peak": peak, "fits": search.fits_.num_rows}
    session.stop()
    print(json.dumps(after))


def measure_driver(given: argparse.Namespace, judge: Judge) -> None:
    """Print the driver's memory, each sweep in a process of its own."""
    found = []
    for fits in (20, given.fits):
        command = [sys.executable, __file__, "--arm", str(fits)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
        print(
            f"  {found[-1]['fits']} fits: {found[-1]['after'] / 1e6:.1f} MB, at most {found[-1]['peak'] / 1e6:.1f} MB"
        )
    few, many = found
    for when in ("after", "peak"):
        bound = DRIVER_FACTOR * few[when] + BYTES_A_FIT * many["fits"]
        judge.at_most(f"driver, {when}: {many['fits']} fits / (1.2 x of 20 fits + 2 kB a fit)", many[when] / bound, 1.0)


MEASURES = {"P6": measure_p6, "driver": measure_driver}


def main() -> int:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figures", nargs="*", help=f"some of {', '.join(MEASURES)}; default both")
    parser.add_argument("--gb", type=float, default=1.0, help="size of X of P6")
    parser.add_argument("--fits", type=int, default=15625, help="of the large sweep")
    parser.add_argument("--arm", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.arm:
        run_driver_arm(given.arm)
        return 0
    if unknown := set(given.figures) - set(MEASURES):
        parser.error(f"no such figure: {', '.join(sorted(unknown))}")
    print_machine()
    judge = Judge()
    for name in given.figures or MEASURES:
        print(name, flush=True)
        MEASURES[name](given, judge)
    return judge.exit_code


if __name__ == "__main__":
    sys.exit(main())
