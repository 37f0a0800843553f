"""What do ledger and isolation cost (P10)? CPU seconds of the whole process tree with both over without, P1's work.

Run ``python benchmarks/search_cost.py``; ``--rows`` is reduced by default. Each arm is a process of its own, in
interleaved pairs. Only the search is counted, not the session's start and end.

How the tree is counted: the processes below an arm are looked at ten times a second, and what each had used at the last
look is added up. (The kernel's own sum over children will not do: Spark's Python daemon ignores SIGCHLD, so what its
workers have used is lost when they end.) ``--check`` proves it first: fits that burn a known time must be counted,
no second more or less than the spread, with isolation and without.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from typing import IO

import numpy as np
import psutil
from boosting_work import GRID, make_booster, make_data
from judging import Judge, print_machine
from sklearn.base import BaseEstimator

from sparksweep.search import GridSearchCV
from sparksweep.session import open_session

BOUND = 1.02
READY, DONE = "ready", "done"
LOOK_INTERVAL = 0.1
BURNS, BURN_SECONDS, BURN_SPREAD = 10, 2.0, 1.5


class Burner(BaseEstimator):
    """Uses the processor for a given time."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Burner:
        """Burn."""
        end = time.process_time() + self.seconds
        while time.process_time() < end:
            pass
        return self

    def score(self, X: np.ndarray, y: np.ndarray | None = None) -> float:
        """Return what nobody looks at."""
        return 0.0


class Tree:
    """What a process and all below it have used, those that have ended too."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._used: dict[psutil.Process, float] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._watch, daemon=True).start()

    def seconds(self) -> float:
        """Return the CPU seconds up to now."""
        with self._lock:
            try:
                tree = [self._root, *self._root.children(recursive=True)]
            except psutil.Error:
                tree = []
            for process in tree:
                try:
                    self._used[process] = sum(process.cpu_times()[:2])  # its own, user and system
                except psutil.Error:
                    continue
            return sum(self._used.values())

    def _watch(self) -> None:
        while self._root.is_running():
            self.seconds()
            time.sleep(LOOK_INTERVAL)


def run_arm(arm: str, rows: int) -> None:
    """Do the work of one arm in this process, on a new session; wait for a line before it and after it."""
    session = open_session("benchmark", "local[2]")
    session.range(2, numPartitions=2).count()
    X, y = make_data(rows)
    with tempfile.TemporaryDirectory() as folder:
        more = {"ledger": folder} if arm.endswith("on") else {"isolate": False}
        if arm.startswith("burn"):
            burn = float(arm.removeprefix("burn").removesuffix("on").removesuffix("off"))
            seconds = [burn + 1e-6 * each for each in range(BURNS // 2)]
            search = GridSearchCV(Burner(), {"seconds": seconds}, cv=2, refit=False, **more)
            X, y = np.zeros((10, 1)), np.zeros(10)
        else:
            search = GridSearchCV(make_booster(), GRID, scoring="neg_log_loss", cv=5, refit=False, **more)
        print(READY, flush=True)
        input()
        search.fit(X, y)
        print(DONE, flush=True)
        input()
    session.stop()


def cpu_seconds(arm: str, rows: int) -> float:
    """Return the CPU seconds of an arm's search."""
    command = [sys.executable, __file__, "--arm", arm, "--rows", str(rows)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        tree, used = Tree(process.pid), []
        for word in (READY, DONE):
            wait_for(word, process.stdout)
            used.append(tree.seconds())
            print(file=process.stdin, flush=True)
    return used[1] - used[0]


def wait_for(word: str, said: IO[str] | None) -> None:
    """Read what an arm says until it says a word."""
    for line in said or ():
        if line.strip() == word:
            return
    raise SystemExit(f"the arm has ended before it was {word}")


def check_burn(judge: Judge) -> None:
    """Print whether what fits burn is counted, though their process has long ended when it is."""
    wanted = BURNS * BURN_SECONDS
    for arm in ("on", "off"):
        without, burnt = (cpu_seconds(f"burn{seconds}{arm}", 300) for seconds in (0.0, BURN_SECONDS))
        print(f"{arm}: fits burnt {wanted:.1f} s, of which {burnt - without:.1f} s were counted", flush=True)
        judge.at_most("P10 difference of burnt and counted, seconds", abs(burnt - without - wanted), BURN_SPREAD)


def main() -> int:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--check", action="store_true", help="measure a known burn first")
    parser.add_argument("--arm", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.arm:
        run_arm(given.arm, given.rows)
        return 0
    print_machine()
    judge = Judge()
    if given.check:
        check_burn(judge)
    ratios = []
    for number in range(given.pairs):
        order = ("on", "off") if number % 2 == 0 else ("off", "on")
        seconds = {arm: cpu_seconds(arm, given.rows) for arm in order}
        ratios.append(seconds["on"] / seconds["off"])
        print(f"  on {seconds['on']:8.2f} s   off {seconds['off']:8.2f} s   ratio {ratios[-1]:.4f}", flush=True)
    print(f"  ratios {min(ratios):.4f} to {max(ratios):.4f} in {given.pairs} pairs", flush=True)
    judge.at_most("P10 CPU with ledger and isolation / without, median", statistics.median(ratios), BOUND)
    return judge.exit_code


if __name__ == "__main__":
    sys.exit(main())
