"""How fast is a search beside what a user could run instead? Ratios of wall times, measured in one run.

Run ``python benchmarks/search_speed.py`` for all, or name some of:

- P1  the scenario's 80-fit grid, beside two bare xgboost processes (the ideal), scikit-learn and joblib-spark
- P2  a path of ten values of n_estimators, beside the ideal
- P3  2,000 fits of LogisticRegression on iris, beside scikit-learn with n_jobs=2
- P4  15,625 small boosted fits, n_estimators among the five parameters, beside scikit-learn with n_jobs=2

Starting the Spark session is not counted, sending the data is. ``--warm`` lets workers, Spark's and joblib's, import
what they need before; without it each of ours is measured on a new session. ``--rows`` scales P1 and P2 down, and
``--values`` P3 and P4, for a first look; the bounds are meant for the full size.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from boosting_work import GRID, PATH_GRID, Ideal, make_booster, make_data, table
from judging import Judge, print_machine
from pyspark.sql import SparkSession
from sklearn import model_selection
from sklearn.datasets import load_iris, make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ParameterGrid
from xgboost import XGBClassifier

from sparksweep.search import GridSearchCV
from sparksweep.session import active_session, open_session

IDEAL_WARM, IDEAL_COLD, PATH_BOUND, TINY_BOUND, MANY_BOUND = 1.05, 1.15, 1.08, 1.0, 0.6
CORES = 2
Found = tuple[float, Any]


def timed(call: Callable[[], Any]) -> Found:
    """Return the seconds that a call takes, and what it returns."""
    begin = time.perf_counter()
    result = call()
    return time.perf_counter() - begin, result


def session_for(warm: bool) -> SparkSession:
    """Return a session: a new one to be measured cold, else one whose workers have done a few fits already."""
    running = active_session()
    if running is not None and not warm:
        running.stop()
        running = None
    session = running or open_session("benchmark", f"local[{CORES}]")
    session.range(CORES, numPartitions=CORES).count()
    if warm and running is None:
        X, y = make_data(300)
        for estimator, grid in (
            (make_booster(), {"n_estimators": [2], "max_depth": [2, 3, 4, 5]}),
            (LogisticRegression(), {"C": [0.5, 1, 2, 4]}),
        ):
            GridSearchCV(estimator, grid, cv=2, refit=False).fit(X, y % 3)
    return session


def search(ours: bool, estimator: Any, grid: Any, X: Any, y: Any, n_jobs: int | None = CORES, **params: Any) -> Found:
    """Time a search, Spark's or scikit-learn's own."""
    made = (
        GridSearchCV(estimator, grid, refit=False, **params)
        if ours
        else model_selection.GridSearchCV(estimator, grid, refit=False, n_jobs=n_jobs, **params)
    )
    seconds, fitted = timed(lambda: made.fit(X, y))
    return seconds, fitted.cv_results_


def tell(peer: str, seconds: float, n_fits: int) -> None:
    """Print one time, for people to judge the ratios by."""
    print(f"  {peer:<24}{seconds:9.2f} s   {n_fits} fits", flush=True)


def beside_ideal(given: argparse.Namespace, grid: Mapping[str, Sequence[Any]], peers: bool) -> dict[str, float]:
    """Return the ratios of P1 or P2 over the ideal's time, each the median of the pairs."""
    X, y = make_data(given.rows)
    n_fits = 5 * len(ParameterGrid(grid))
    print(f"  X {X.shape[0]} x {X.shape[1]}, {X.nnz} entries", flush=True)
    ideal = Ideal(X, y, grid)
    ratios, took, scores = [], 0.0, {}
    for _ in range(given.pairs):
        took, scores = timed(ideal.run)
        tell("ideal", took, n_fits)
        session_for(given.warm)
        seconds, results = search(True, make_booster(), grid, X, y, scoring="neg_log_loss", cv=5)
        tell("sparksweep", seconds, n_fits)
        ratios.append(seconds / took)
        differ = max(abs(score - scores[key]) for key, score in table(results).items())
        print(f"  scores differ by at most {differ:.1e}", flush=True)
    print(f"  ratios {min(ratios):.3f} to {max(ratios):.3f}", flush=True)
    found = {"sparksweep": statistics.median(ratios)}
    if peers and given.peers:
        seconds, _ = search(False, make_booster(), grid, X, y, scoring="neg_log_loss", cv=5)
        tell("scikit-learn n_jobs=2", seconds, n_fits)
        found["scikit-learn n_jobs=2"] = seconds / took
        if importlib.util.find_spec("joblibspark"):
            seconds, _ = with_joblib_spark(grid, X, y)
            tell("joblib-spark", seconds, n_fits)
            found["joblib-spark"] = seconds / took
    return found


def with_joblib_spark(grid: Mapping[str, Sequence[Any]], X: Any, y: Any) -> Found:
    """Time scikit-learn's search over joblib's Spark backend."""
    from joblib import parallel_config
    from joblibspark import register_spark

    register_spark()
    with parallel_config("spark", n_jobs=CORES):
        return search(False, make_booster(), grid, X, y, n_jobs=None, scoring="neg_log_loss", cv=5)


def measure_p1(given: argparse.Namespace, judge: Judge) -> None:
    """Print P1."""
    for peer, ratio in beside_ideal(given, GRID, peers=True).items():
        if peer == "sparksweep":
            how, bound = ("warm", IDEAL_WARM) if given.warm else ("cold", IDEAL_COLD)
            judge.at_most(f"P1  sparksweep / ideal, {how}", ratio, bound)
        else:
            judge.show(f"P1  {peer} / ideal", ratio)


def measure_p2(given: argparse.Namespace, judge: Judge) -> None:
    """Print P2."""
    judge.at_most("P2  sparksweep / ideal", beside_ideal(given, PATH_GRID, peers=False)["sparksweep"], PATH_BOUND)


def beside_sklearn(
    given: argparse.Namespace, estimator: Any, grid: Mapping[str, Sequence[Any]], X: Any, y: Any, share: float
) -> float:
    """Return our time over scikit-learn's (which may be measured on a share of the candidates), the median of pairs."""
    candidates = list(ParameterGrid(grid))
    chosen = np.random.default_rng(0).permutation(len(candidates))[: max(1, round(len(candidates) * share))]
    part = [{name: [value] for name, value in candidates[each].items()} for each in sorted(chosen)]
    ratios = []
    for _ in range(given.pairs):
        session_for(given.warm)
        if given.warm:
            search(False, estimator, part[:4], X, y, cv=5)
        seconds, results = search(True, estimator, grid, X, y, cv=5)
        tell("sparksweep", seconds, 5 * len(candidates))
        theirs, expected = search(False, estimator, part, X, y, cv=5)
        tell("scikit-learn n_jobs=2", theirs, 5 * len(part))
        if len(part) < len(candidates):
            theirs *= len(candidates) / len(part)
            print(
                f"  scikit-learn did {len(part)} of {len(candidates)} candidates by lot; all would take {theirs:.2f} s",
                flush=True,
            )
        same = np.array_equal(results["mean_test_score"][np.sort(chosen)], expected["mean_test_score"])
        print(f"  scores {'equal' if same else 'DIFFER'}", flush=True)
        ratios.append(seconds / theirs)
    print(f"  ratios {min(ratios):.3f} to {max(ratios):.3f}", flush=True)
    return statistics.median(ratios)


def measure_p3(given: argparse.Namespace, judge: Judge) -> None:
    """Print P3."""
    X, y = load_iris(return_X_y=True)
    grid = {"C": np.geomspace(1e-4, 1e-1, 16 * given.values**2).tolist()}
    ratio = beside_sklearn(given, LogisticRegression(max_iter=1000), grid, X, y, 1.0)
    judge.at_most("P3  sparksweep / scikit-learn n_jobs=2", ratio, TINY_BOUND)


def many_grid(values: int) -> dict[str, list[Any]]:
    """Return the grid of P4: so many values, at most 5, of each of five parameters."""
    return {
        "n_estimators": [10, 20, 30, 40, 50][:values],
        "max_depth": [2, 3, 4, 5, 6][:values],
        "learning_rate": [0.05, 0.1, 0.2, 0.3, 0.5][:values],
        "subsample": [0.5, 0.6, 0.7, 0.8, 1.0][:values],
        "reg_lambda": [0.1, 0.5, 1.0, 2.0, 5.0][:values],
    }


def many_work(values: int) -> tuple[Any, dict[str, list[Any]], Any, Any]:
    """Return estimator, grid, X and y of P4."""
    X, y = make_classification(300, 10, n_informative=5, random_state=0)
    return XGBClassifier(random_state=0, n_jobs=1, tree_method="hist"), many_grid(values), X.astype(np.float32), y


def measure_p4(given: argparse.Namespace, judge: Judge) -> None:
    """Print P4."""
    ratio = beside_sklearn(given, *many_work(given.values), given.sklearn_share)
    judge.at_most("P4  sparksweep / scikit-learn n_jobs=2", ratio, MANY_BOUND)


MEASURES = {"P1": measure_p1, "P2": measure_p2, "P3": measure_p3, "P4": measure_p4}


def main() -> int:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figures", nargs="*", help=f"some of {', '.join(MEASURES)}; default all")
    parser.add_argument("--warm", action="store_true", help="workers have their imports before the clock starts")
    parser.add_argument("--rows", type=int, default=15000, help="of P1 and P2")
    parser.add_argument("--values", type=int, default=5, choices=(2, 3, 4, 5), help="of each parameter of P3 and P4")
    parser.add_argument("--pairs", type=int, default=1, help="of ours and the other in turn; the median ratio counts")
    parser.add_argument("--sklearn-share", type=float, default=0.2, help="candidates of P4 that scikit-learn does")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="P1 beside the ideal only")
    given = parser.parse_args()
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
