"""How long does it take to find that a sweep of 15,625 fits is done (P9)? The refit is excluded.

Run ``python benchmarks/search_resume.py``. A first process does the sweep with a ledger, a second one, not knowing of
the first, the same search again; ``--values`` below 5 is a smaller sweep. ``--ledger`` keeps the ledger, so that the
next run need not fill it.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import tempfile
import time

from judging import Judge, print_machine
from search_speed import many_work
from sklearn.model_selection import ParameterGrid

from sparksweep.search import GridSearchCV
from sparksweep.session import open_session

BOUND = 10.0


def run(ledger: str, values: int) -> None:
    """Do the sweep, as far as the ledger does not have it, and print the seconds."""
    logging.basicConfig(level=logging.INFO, format="  %(message)s", stream=sys.stderr)
    logging.getLogger("py4j").setLevel(logging.WARNING)
    estimator, grid, X, y = many_work(values)
    open_session("benchmark", "local[2]").range(2, numPartitions=2).count()
    begin = time.perf_counter()
    GridSearchCV(estimator, grid, cv=5, refit=False, ledger=ledger).fit(X, y)
    print(time.perf_counter() - begin)


def seconds_of(ledger: str, values: int) -> float:
    """Return the seconds of the search in a process of its own."""
    command = [sys.executable, __file__, "--arm", "--ledger", ledger, "--values", str(values)]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()[-1])


def main() -> int:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--values", type=int, default=5, choices=(2, 3, 4, 5), help="of each of the five parameters")
    parser.add_argument("--ledger", help="folder to keep the ledger in")
    parser.add_argument("--arm", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.arm:
        run(given.ledger, given.values)
        return 0
    print_machine()
    judge = Judge()
    n_fits = 5 * len(ParameterGrid(many_work(given.values)[1]))
    with tempfile.TemporaryDirectory() as folder:
        first = seconds_of(given.ledger or folder, given.values)
        again = seconds_of(given.ledger or folder, given.values)
    judge.show(f"the sweep of {n_fits} fits, seconds", first)
    judge.at_most(f"P9  the same again, {n_fits} fits in the ledger, seconds", again, BOUND, digits=2)
    return judge.exit_code


if __name__ == "__main__":
    sys.exit(main())
