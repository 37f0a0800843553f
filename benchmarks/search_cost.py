"""What do ledger and isolation cost (P10)? CPU seconds of the whole process tree with both over without, P1's work.

Run ``python benchmarks/search_cost.py``; ``--rows`` is reduced by default. Each arm is a process of its own, in
interleaved pairs. Starting the session is not counted; all that comes after it is, to the end of the last process.

How the tree is counted: this process is the reaper of all its descendants (prctl), so those whose parents have ended
are its children, and waiting until there is none left gives the CPU of all of them, as the kernel sums it up.
``--check`` proves it first: fits that burn a known time must be counted, no second more or less than the spread.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import psutil
from boosting_work import GRID, make_booster, make_data
from judging import Judge, print_machine
from sklearn.base import BaseEstimator

from sparksweep.search import GridSearchCV
from sparksweep.session import open_session

BOUND = 1.02
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
STARTED = "CPU seconds at the start:"
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


def tree_seconds() -> float:
    """Return the CPU seconds of this process and all it has started, of those that have ended too."""
    tree = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return sum(sum(each.cpu_times()[:4]) for each in tree)  # user, system, and the same of children that were awaited


def run_arm(arm: str, rows: int) -> None:
    """Do the work of one arm in this process, on a new session."""
    session = open_session("benchmark", "local[2]")
    session.range(2, numPartitions=2).count()
    X, y = make_data(rows)
    with tempfile.TemporaryDirectory() as folder:
        if arm.startswith("burn"):
            seconds = [float(arm.removeprefix("burn")) + 1e-6 * each for each in range(BURNS // 2)]
            search = GridSearchCV(Burner(), {"seconds": seconds}, cv=2, refit=False)
            X, y = np.zeros((10, 1)), np.zeros(10)
        else:
            more = {"ledger": folder} if arm == "on" else {"isolate": False}
            search = GridSearchCV(make_booster(), GRID, scoring="neg_log_loss", cv=5, refit=False, **more)
        print(f"{STARTED} {tree_seconds():.3f}", flush=True)
        search.fit(X, y)
    session.stop()


def cpu_seconds(arm: str, rows: int) -> float:
    """Return the CPU seconds of a whole arm without those before its search."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, __file__, "--arm", arm, "--rows", str(rows)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    while True:  # what is left of the tree is ours now: the JVM above all
        try:
            os.wait()
        except ChildProcessError:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    (line,) = (each for each in done.stdout.splitlines() if each.startswith(STARTED))
    return total - float(line.removeprefix(STARTED))


def become_reaper() -> None:
    """Have orphans among the descendants become children of this process."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1) != 0:
        raise OSError(ctypes.get_errno(), "this system lets no process reap its descendants")


def check_burn(judge: Judge) -> None:
    """Print whether what fits burn is counted, though their process has long ended when it is."""
    without, burnt = (cpu_seconds(f"burn{seconds}", 300) for seconds in (0.0, BURN_SECONDS))
    wanted = BURNS * BURN_SECONDS
    print(f"fits burnt {wanted:.1f} s, of which {burnt - without:.1f} s were counted", flush=True)
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
    become_reaper()
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
