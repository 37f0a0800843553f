"""Does generated data hold the signal it should? Prints each figure beside its bounds, ``ok`` or ``NOT OK``.

Run ``python benchmarks/planted_signal.py`` (scale 0.2, some minutes on two cores). The features are computed by
pandas and scipy alone, on purpose. ``--order`` adds the order of importance: one more model for each stack of sets.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from features_by_pandas import Features, features
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from xgboost import XGBClassifier

from sparksweep.talkingdata.generate import generate

Model = XGBClassifier | LogisticRegression

FOLDS = 5


def stack(data: Features, names: Sequence[str]) -> sparse.csr_matrix:
    """Put the train rows of feature sets side by side."""
    return sparse.hstack([data.sets[name][: len(data.train_ids)] for name in names]).tocsr()


def booster(rounds: int, threads: int) -> XGBClassifier:
    """Make the model of the scenario's grid, depth 3."""
    return XGBClassifier(
        n_estimators=rounds,
        max_depth=3,
        learning_rate=0.1,
        subsample=0.5,
        colsample_bylevel=0.1,
        reg_alpha=1,
        reg_lambda=1,
        objective="multi:softprob",
        tree_method="hist",
        seed=0,
        n_jobs=threads,
    )


class Check:
    """Prints figures beside their bounds and remembers whether all hold."""

    def __init__(self) -> None:
        self.ok = True

    def __call__(self, what: str, value: float, low: float, high: float) -> None:
        """Print one figure."""
        inside = low <= value <= high
        self.ok &= inside
        print(f"{what:<58}{value:8.4f}   {low:6.3f} to {high:6.3f}   {'ok' if inside else 'NOT OK'}", flush=True)


def run(folder: Path, rounds: int, threads: int, order: bool) -> bool:
    """Print all figures of the data set in a folder; tells whether each is within its bounds."""
    started = time.perf_counter()
    data = features(folder)
    classes, y = np.unique(data.groups, return_inverse=True)
    took = time.perf_counter() - started
    print(f"{len(y)} train devices, {data.with_events.mean():.1%} with events; features in {took:.0f} s", flush=True)
    folds = StratifiedKFold(FOLDS)
    check = Check()
    prior = np.bincount(y) / len(y)
    check("class prior", -float(prior @ np.log(prior)), 2.418, 2.438)

    def scored(what: str, model: Model, names: Sequence[str], low: float, high: float) -> np.ndarray:
        proba = cross_val_predict(model, stack(data, names), y, cv=folds, method="predict_proba")
        check(what, log_loss(y, proba), low, high)
        return proba

    scored(
        "logistic regression, brand + model", LogisticRegression(C=0.1, max_iter=300), ("brand", "model"), 2.37, 2.41
    )
    proba = scored(f"xgboost {rounds} x depth 3, sets 1 to 8", booster(rounds, threads), tuple(data.sets), 2.24, 2.31)
    seen = data.with_events
    labels = range(len(classes))
    with_events, without = (log_loss(y[rows], proba[rows], labels=labels) for rows in (seen, ~seen))
    check("  of these: devices with events", with_events, 1.95, 2.2)
    check("  of these: devices without", without, 2.38, 2.43)
    check("  gain of devices with events over those without", without - with_events, 0.2, 0.5)
    if order:
        _print_order(scored, booster(rounds, threads))
    return check.ok


def _print_order(scored: Callable[..., np.ndarray], model: XGBClassifier) -> None:
    phone = ("brand", "model")
    print("order of importance (shown, not judged)")
    apps = (*phone, "app")
    for names in (phone, (*phone, "weekday_hour"), ("app",), apps, (*apps, "label"), (*apps, "weekday_hour")):
        scored("xgboost, " + " + ".join(names), model, names, 0, np.inf)


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data", type=Path, help="folder of archives to judge, instead of generating")
    parser.add_argument("--order", action="store_true", help="also fit each stack of feature sets (slow)")
    given = parser.parse_args()
    judge = partial(run, rounds=given.rounds, threads=given.threads, order=given.order)
    if given.data:
        return 0 if judge(given.data) else 1
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch), given.scale, given.seed)
        return 0 if judge(Path(scratch)) else 1


if __name__ == "__main__":
    sys.exit(main())
